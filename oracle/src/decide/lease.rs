//! One lease under watch: which of its seconds were live, and when and how it ended.
//!
//! Time is this oracle's: milliseconds of its monotonic clock for what it counts, seconds of the chain's clock for what
//! the chain fixed. The agent's clock is never read.

use millrace_core::leaves::{LeaseLeaf, LeaseStatus};
use millrace_jobs::Content;
use millrace_wire::messages::{JobPhase, LeaseStatusAnswer};

/// Longest time between two answers in which the job counts as running, milliseconds.
pub const MAX_GAP_MILLIS: u64 = 2_000;

/// What the chain says of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseFacts {
    /// Instant of the award, unix seconds.
    pub started_at: i64,
    /// Most seconds it may be paid for.
    pub max_secs: u64,
    /// Instant the customer asked to stop, zero if never.
    pub stop_at: i64,
    /// Seconds paid after that.
    pub stop_notice_secs: i64,
}

/// How patient an oracle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseRules {
    /// Silence after which the node has failed, and time it has to show its results, milliseconds.
    pub unreachable_millis: u64,
    /// Time between seeing an end and reporting it, so that all oracles have seen it, milliseconds.
    pub grace_millis: u64,
}

/// A signed answer of the agent, verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// How far the job is.
    pub phase: JobPhase,
    /// Exit code, once it exited.
    pub exit_code: i32,
    /// Name of the results; zeros until it ended, and where there are none.
    pub result_root: [u8; 32],
    /// Their length, bytes.
    pub result_bytes: u64,
}

impl Sighting {
    /// What an answer says.
    pub fn of(answer: &LeaseStatusAnswer) -> Self {
        let LeaseStatusAnswer { phase, exit_code, result_root, result_bytes, .. } = *answer;
        Self { phase, exit_code, result_root, result_bytes }
    }

    /// The results that the node has to show before this counts: those of a job that succeeded, unless it has none.
    fn awaits_showing(&self) -> Option<Content> {
        let has_succeeded = self.phase == JobPhase::Exited && self.exit_code == 0;
        let results = Content { hash: self.result_root, bytes: self.result_bytes };
        (has_succeeded && self.result_root != [0; 32]).then_some(results)
    }
}

/// How a lease ended. Never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// A final status.
    pub status: LeaseStatus,
    /// Exit code of the job; zero where it did not exit.
    pub exit_code: i32,
    /// Content root of the results; zeros where there are none.
    pub result_root: [u8; 32],
    /// Instant this oracle decided, chain seconds.
    pub decided_at: i64,
}

/// What survives a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseTally {
    /// Milliseconds in which the agent answered and the job ran.
    pub live_millis: u64,
    /// Milliseconds this oracle did not watch: it cannot contradict others about them.
    pub blind_millis: u64,
    /// When it last began to watch again, chain seconds: a report accepted later accounts for them.
    pub blind_until: i64,
    /// Live seconds of the last accepted report.
    pub accepted_secs: u64,
    /// How it ended, once decided.
    pub ending: Option<Ending>,
}

/// A lease under watch.
#[derive(Clone, Debug)]
pub struct LeaseWatch {
    tally: LeaseTally,
    /// Last answer, or the beginning of the watch.
    heard_millis: u64,
    running_millis: Option<u64>,
    phase: Option<JobPhase>,
    /// The first answer that ended it, and when it was heard.
    ended: Option<(Sighting, u64)>,
    /// When chunks of its results were shown.
    shown_millis: Option<u64>,
    /// Whether the last question had no answer.
    is_silent: bool,
    /// Whether it has nothing to run: it is paid for being there.
    stands_by: bool,
}

impl LeaseWatch {
    /// Begins a watch, or resumes one after `unwatched_millis`: that time is blind, never unreachable.
    pub fn begin(tally: LeaseTally, unwatched_millis: u64, now_millis: u64, now: i64) -> Self {
        let blind_millis = tally.blind_millis.saturating_add(unwatched_millis);
        let tally = LeaseTally { blind_millis, blind_until: now, ..tally };
        Self {
            tally,
            heard_millis: now_millis,
            running_millis: None,
            phase: None,
            ended: None,
            shown_millis: None,
            is_silent: false,
            stands_by: false,
        }
    }

    /// The same for a lease that stands by, if `stands_by`.
    #[must_use]
    pub fn of_stand_by(self, stands_by: bool) -> Self {
        Self { stands_by, ..self }
    }

    /// What must survive a restart.
    pub fn tally(&self) -> LeaseTally {
        self.tally
    }

    /// How far the agent last said the job is; `None` before its first answer.
    pub fn phase(&self) -> Option<JobPhase> {
        self.phase
    }

    /// Whether the agent need not be asked any more.
    pub fn is_decided(&self) -> bool {
        self.tally.ending.is_some()
    }

    /// The results that the node has yet to show: until then nothing is completed.
    pub fn unshown(&self) -> Option<Content> {
        let (sighting, _) = self.ended.filter(|_| !self.is_decided() && self.shown_millis.is_none())?;
        sighting.awaits_showing()
    }

    /// Takes that chunks of `results`, which this oracle chose, were shown with their proofs.
    pub fn show(&mut self, results: Content, now_millis: u64) {
        if self.unshown() == Some(results) {
            self.shown_millis = Some(now_millis);
        }
    }

    /// Notes that a question had no answer. Returns whether the one before had: it fell silent now.
    pub fn miss(&mut self) -> bool {
        !std::mem::replace(&mut self.is_silent, true) && self.phase.is_some()
    }

    /// Takes an answer of the agent.
    pub fn hear(&mut self, sighting: Sighting, now_millis: u64) {
        if self.is_decided() {
            return;
        }
        self.is_silent = false;
        self.heard_millis = self.heard_millis.max(now_millis);
        if self.ended.is_some() {
            return;
        }
        self.phase = Some(sighting.phase);
        match sighting.phase {
            JobPhase::AwaitingInputs => self.running_millis = None,
            // Who is to run earns nothing by standing by.
            JobPhase::StandingBy if !self.stands_by => self.running_millis = None,
            JobPhase::StandingBy | JobPhase::Running => {
                let gap = self.running_millis.and_then(|before| now_millis.checked_sub(before));
                if let Some(gap) = gap.filter(|gap| *gap <= MAX_GAP_MILLIS) {
                    self.tally.live_millis = self.tally.live_millis.saturating_add(gap);
                }
                self.running_millis = Some(now_millis);
            }
            JobPhase::Exited | JobPhase::LimitExceeded | JobPhase::NodeFailed | JobPhase::Stopped => {
                self.ended = Some((sighting, now_millis));
            }
        }
    }

    /// Takes what the quorum accepted: what another oracle saw and the quorum signed, this one need not have seen.
    pub fn accept(&mut self, leaf: &LeaseLeaf) {
        self.tally.accepted_secs = self.tally.accepted_secs.max(leaf.live_secs);
        self.tally.live_millis = self.tally.live_millis.max(leaf.live_secs.saturating_mul(1_000));
        if leaf.at >= self.tally.blind_until {
            self.tally.blind_millis = 0;
        }
        if leaf.status.is_final() && !self.is_decided() {
            self.tally.ending = Some(Ending {
                status: leaf.status,
                exit_code: leaf.exit_code,
                result_root: leaf.result_root,
                decided_at: leaf.at,
            });
        }
    }

    /// Decides whether the lease has ended, and how. What was decided stays.
    pub fn decide(&mut self, facts: &LeaseFacts, rules: &LeaseRules, now_millis: u64, now: i64) -> Option<Ending> {
        if self.tally.ending.is_none() {
            let (status, sighting) = self.ending(facts, rules, now_millis, now)?;
            let exited = sighting.filter(|sighting| sighting.phase == JobPhase::Exited);
            self.tally.ending = Some(Ending {
                status,
                exit_code: exited.map_or(0, |sighting| sighting.exit_code),
                result_root: sighting.map_or([0; 32], |sighting| sighting.result_root),
                decided_at: now,
            });
        }
        self.tally.ending
    }

    fn ending(
        &self,
        facts: &LeaseFacts,
        rules: &LeaseRules,
        now_millis: u64,
        now: i64,
    ) -> Option<(LeaseStatus, Option<Sighting>)> {
        let is_stopped = facts.stop_at != 0;
        if let Some((sighting, heard_millis)) = self.ended {
            if self.unshown().is_some() {
                let is_overdue = now_millis.saturating_sub(heard_millis) >= rules.unreachable_millis;
                return is_overdue.then_some((LeaseStatus::NodeFailed, None));
            }
            let ended_millis = self.shown_millis.unwrap_or(heard_millis);
            let is_seasoned = now_millis.saturating_sub(ended_millis) >= rules.grace_millis;
            let status = match sighting.phase {
                JobPhase::Exited if sighting.exit_code == 0 => LeaseStatus::Completed,
                JobPhase::NodeFailed => LeaseStatus::NodeFailed,
                // A job being stopped exits as it is killed.
                _ if is_stopped => LeaseStatus::Stopped,
                // Nobody asked: the node gave up and says otherwise.
                JobPhase::Stopped => LeaseStatus::NodeFailed,
                _ => LeaseStatus::JobFailed,
            };
            return is_seasoned.then_some((status, Some(sighting)));
        }
        let grace_secs = i64::try_from(rules.grace_millis.div_ceil(1_000)).unwrap_or(i64::MAX);
        let notice_ends_at = facts.stop_at.saturating_add(facts.stop_notice_secs);
        if is_stopped && now >= notice_ends_at.saturating_add(grace_secs) {
            return Some((LeaseStatus::Stopped, None));
        }
        if now_millis.saturating_sub(self.heard_millis) >= rules.unreachable_millis {
            return Some((LeaseStatus::NodeFailed, None));
        }
        // The grace lets the agent's own answer about the end come first.
        let max_millis = facts.max_secs.saturating_mul(1_000).saturating_add(rules.grace_millis);
        if self.tally.live_millis >= max_millis {
            return Some((LeaseStatus::Stopped, None));
        }
        // The inputs never came: the customer's failure, and nothing to pay.
        let waited_secs = u64::try_from(now.saturating_sub(facts.started_at)).unwrap_or(0);
        let still_waits = self.phase == Some(JobPhase::AwaitingInputs) && waited_secs > facts.max_secs;
        still_waits.then_some((LeaseStatus::JobFailed, None))
    }

    /// The leaf of an epoch that ends `at`.
    ///
    /// Checkpoints count once a holder outside the provider signs for them; until then their fields are zero.
    pub fn leaf(&self, lease: [u8; 32], at: i64) -> LeaseLeaf {
        let ending = self.tally.ending;
        LeaseLeaf {
            lease,
            live_secs: self.tally.live_millis / 1_000,
            checkpointed_secs: 0,
            lost_secs: 0,
            status: ending.map_or(LeaseStatus::Running, |ending| ending.status),
            exit_code: ending.map_or(0, |ending| ending.exit_code),
            checkpoint_root: [0; 32],
            result_root: ending.map_or([0; 32], |ending| ending.result_root),
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FACTS: LeaseFacts = LeaseFacts { started_at: 1_000, max_secs: 60, stop_at: 0, stop_notice_secs: 2 };
    const RULES: LeaseRules = LeaseRules { unreachable_millis: 10_000, grace_millis: 1_000 };

    fn says(phase: JobPhase) -> Sighting {
        Sighting { phase, exit_code: 0, result_root: [0; 32], result_bytes: 0 }
    }

    fn exited(exit_code: i32) -> Sighting {
        let Content { hash: result_root, bytes: result_bytes } = RESULTS;
        Sighting { phase: JobPhase::Exited, exit_code, result_root, result_bytes }
    }

    const RESULTS: Content = Content { hash: [7; 32], bytes: 9 };

    fn watch() -> LeaseWatch {
        LeaseWatch::begin(LeaseTally::default(), 0, 0, 1_000)
    }

    /// Running from 0 to `until`, one answer a second.
    fn ran(until_millis: u64) -> LeaseWatch {
        let mut watch = watch();
        for now in (0..=until_millis).step_by(1_000) {
            watch.hear(says(JobPhase::Running), now);
        }
        watch
    }

    fn status(watch: &mut LeaseWatch, facts: &LeaseFacts, now_millis: u64) -> Option<LeaseStatus> {
        watch.decide(facts, &RULES, now_millis, 1_000 + (now_millis / 1_000) as i64).map(|ending| ending.status)
    }

    #[test]
    fn seconds_count_while_the_agent_answers_that_the_job_runs() {
        assert_eq!(ran(9_000).leaf([1; 32], 5).live_secs, 9);
    }

    #[test]
    fn an_agent_falls_silent_once_and_not_before_it_answered() {
        let mut watch = watch();
        assert!(!watch.miss(), "it may not know of the lease yet");
        watch.hear(says(JobPhase::Running), 1_000);
        assert!(watch.miss() && !watch.miss());
        watch.hear(says(JobPhase::Running), 4_000);
        assert!(watch.miss());
    }

    #[test]
    fn waiting_for_inputs_is_not_live() {
        let mut watch = watch();
        for now in [0, 1_000, 2_000] {
            watch.hear(says(JobPhase::AwaitingInputs), now);
        }
        watch.hear(says(JobPhase::Running), 3_000);
        watch.hear(says(JobPhase::Running), 4_000);
        assert_eq!(watch.tally().live_millis, 1_000);
    }

    #[test]
    fn standing_by_is_live_for_a_stand_by_and_for_nobody_else() {
        for (stands_by, live_millis) in [(true, 2_000), (false, 0)] {
            let mut watch = watch().of_stand_by(stands_by);
            for now in [0, 1_000, 2_000] {
                watch.hear(says(JobPhase::StandingBy), now);
            }
            assert_eq!(watch.tally().live_millis, live_millis);
        }
    }

    #[test]
    fn a_gap_above_two_seconds_is_not_live() {
        let mut watch = ran(3_000);
        watch.hear(says(JobPhase::Running), 5_000);
        assert_eq!(watch.tally().live_millis, 5_000);
        watch.hear(says(JobPhase::Running), 7_001);
        assert_eq!(watch.tally().live_millis, 5_000);
    }

    #[test]
    fn the_end_is_final_only_after_the_grace() {
        let mut watch = ran(5_000);
        watch.hear(exited(0), 5_500);
        watch.show(RESULTS, 5_500);
        assert_eq!(status(&mut watch, &FACTS, 6_400), None);
        assert_eq!(watch.leaf([1; 32], 9).status, LeaseStatus::Running);
        assert_eq!(status(&mut watch, &FACTS, 6_500), Some(LeaseStatus::Completed));
        let leaf = watch.leaf([1; 32], 9);
        assert_eq!((leaf.status, leaf.live_secs, leaf.result_root), (LeaseStatus::Completed, 5, [7; 32]));
    }

    #[test]
    fn nothing_is_completed_before_its_results_were_shown() {
        let mut watch = ran(5_000);
        assert_eq!(watch.unshown(), None);
        watch.hear(exited(0), 5_500);
        assert_eq!(watch.unshown(), Some(RESULTS));
        assert_eq!(status(&mut watch, &FACTS, 9_000), None);
        watch.show(Content { bytes: 8, ..RESULTS }, 9_000);
        assert_eq!(watch.unshown(), Some(RESULTS), "others were asked for");
        watch.show(RESULTS, 9_000);
        assert_eq!(watch.unshown(), None);
        assert_eq!(status(&mut watch, &FACTS, 9_999), None, "all oracles are to have been shown some");
        assert_eq!(status(&mut watch, &FACTS, 10_000), Some(LeaseStatus::Completed));
        assert_eq!(watch.leaf([1; 32], 9).result_root, [7; 32]);
    }

    #[test]
    fn results_that_are_not_shown_in_time_fail_the_node_whatever_else_it_says() {
        let mut watch = ran(5_000);
        watch.hear(exited(0), 5_500);
        for now in (6_000..15_500).step_by(1_000) {
            watch.hear(exited(0), now);
            assert_eq!(status(&mut watch, &LeaseFacts { stop_at: 1_006, ..FACTS }, now), None);
        }
        assert_eq!(status(&mut watch, &FACTS, 15_499), None);
        assert_eq!(status(&mut watch, &FACTS, 15_500), Some(LeaseStatus::NodeFailed));
        watch.show(RESULTS, 15_600);
        assert_eq!(status(&mut watch, &FACTS, 20_000), Some(LeaseStatus::NodeFailed));
        let leaf = watch.leaf([1; 32], 9);
        assert_eq!((leaf.live_secs, leaf.result_root), (5, [0; 32]), "what was proven stays proven");
    }

    #[test]
    fn a_job_without_results_or_without_success_has_nothing_to_show() {
        for sighting in [exited(3), says(JobPhase::Exited), says(JobPhase::NodeFailed)] {
            let mut watch = ran(3_000);
            watch.hear(sighting, 3_500);
            assert_eq!(watch.unshown(), None);
            assert!(status(&mut watch, &FACTS, 4_500).is_some());
        }
    }

    #[test]
    fn an_oracle_that_starts_again_or_was_shown_nothing_takes_the_end_from_the_quorum() {
        let mut watch = ran(5_000);
        watch.hear(exited(0), 5_500);
        let mut resumed = LeaseWatch::begin(watch.tally(), 2_000, 7_500, 1_007);
        resumed.hear(exited(0), 7_600);
        assert_eq!(resumed.unshown(), Some(RESULTS), "it asks again");
        let leaf = LeaseLeaf { status: LeaseStatus::Completed, result_root: [7; 32], ..watch.leaf([1; 32], 1_009) };
        for watch in [&mut watch, &mut resumed] {
            watch.accept(&leaf);
            assert_eq!(watch.unshown(), None);
            assert_eq!(status(watch, &FACTS, 8_000), Some(LeaseStatus::Completed));
        }
    }

    #[test]
    fn what_ended_does_not_run_again() {
        let mut watch = ran(5_000);
        watch.hear(exited(1), 5_500);
        watch.hear(says(JobPhase::Running), 6_000);
        watch.hear(says(JobPhase::Running), 7_000);
        assert_eq!(status(&mut watch, &FACTS, 7_000), Some(LeaseStatus::JobFailed));
        watch.hear(exited(0), 8_000);
        assert_eq!(status(&mut watch, &FACTS, 20_000), Some(LeaseStatus::JobFailed));
        assert_eq!(watch.leaf([1; 32], 9).live_secs, 5);
        assert_eq!(watch.leaf([1; 32], 9).exit_code, 1);
    }

    #[test]
    fn each_way_to_end_has_its_status() {
        let stopping = LeaseFacts { stop_at: 1_003, ..FACTS };
        for (sighting, facts, expected) in [
            (exited(0), FACTS, LeaseStatus::Completed),
            (exited(3), FACTS, LeaseStatus::JobFailed),
            (says(JobPhase::LimitExceeded), FACTS, LeaseStatus::JobFailed),
            (says(JobPhase::NodeFailed), FACTS, LeaseStatus::NodeFailed),
            (says(JobPhase::Stopped), FACTS, LeaseStatus::NodeFailed),
            (exited(0), stopping, LeaseStatus::Completed),
            (exited(137), stopping, LeaseStatus::Stopped),
            (says(JobPhase::Stopped), stopping, LeaseStatus::Stopped),
            (says(JobPhase::NodeFailed), stopping, LeaseStatus::NodeFailed),
        ] {
            let mut watch = ran(3_000);
            watch.hear(sighting, 3_500);
            watch.show(RESULTS, 3_500);
            assert_eq!(status(&mut watch, &facts, 4_500), Some(expected), "{sighting:?} with {facts:?}");
        }
    }

    #[test]
    fn silence_fails_the_node_and_only_after_the_time_allowed() {
        let mut watch = ran(3_000);
        assert_eq!(status(&mut watch, &FACTS, 12_999), None);
        assert_eq!(status(&mut watch, &FACTS, 13_000), Some(LeaseStatus::NodeFailed));
        assert_eq!(watch.leaf([1; 32], 9).live_secs, 3, "what was proven stays proven");
    }

    #[test]
    fn an_oracle_that_was_down_does_not_call_the_node_unreachable() {
        let mut resumed = LeaseWatch::begin(ran(3_000).tally(), 60_000, 63_000, 1_063);
        assert_eq!(resumed.tally().blind_millis, 60_000);
        assert_eq!(status(&mut resumed, &FACTS, 63_000), None);
        assert_eq!(status(&mut resumed, &FACTS, 73_000), Some(LeaseStatus::NodeFailed));
    }

    #[test]
    fn a_stop_takes_effect_after_the_notice_and_the_grace() {
        let mut watch = ran(9_000);
        let stopping = LeaseFacts { stop_at: 1_006, ..FACTS };
        assert_eq!(status(&mut watch, &stopping, 8_900), None);
        assert_eq!(status(&mut watch, &stopping, 9_000), Some(LeaseStatus::Stopped));
    }

    #[test]
    fn a_lease_that_used_its_time_is_stopped() {
        let mut watch = ran(60_000);
        assert_eq!(status(&mut watch, &FACTS, 60_000), None, "the agent's own answer may still come");
        watch.hear(says(JobPhase::Running), 61_000);
        assert_eq!(status(&mut watch, &FACTS, 61_000), Some(LeaseStatus::Stopped));
    }

    #[test]
    fn inputs_that_never_come_fail_the_job_and_free_the_node() {
        let mut watch = watch();
        for now in (0..=61_000).step_by(1_000) {
            watch.hear(says(JobPhase::AwaitingInputs), now);
        }
        assert_eq!(status(&mut watch, &FACTS, 60_000), None);
        assert_eq!(status(&mut watch, &FACTS, 61_000), Some(LeaseStatus::JobFailed));
        assert_eq!(watch.leaf([1; 32], 9).live_secs, 0);
    }

    #[test]
    fn what_the_quorum_accepted_is_taken_over() {
        let mut watch = LeaseWatch::begin(LeaseTally::default(), 9_000, 0, 1_009);
        let mut leaf = ran(8_000).leaf([1; 32], 1_008);
        watch.accept(&leaf);
        assert_eq!((watch.tally().live_millis, watch.tally().blind_millis), (8_000, 9_000), "it tells of 1,008 only");
        leaf.at = 1_012;
        watch.accept(&leaf);
        assert_eq!((watch.tally().live_millis, watch.tally().blind_millis), (8_000, 0));
        leaf.status = LeaseStatus::Completed;
        watch.accept(&leaf);
        assert_eq!(status(&mut watch, &FACTS, 0), Some(LeaseStatus::Completed));
    }

    proptest! {
        #[test]
        fn never_more_live_seconds_than_passed(steps in prop::collection::vec((0u64..5_000, 0u8..3), 0..100)) {
            let mut watch = watch();
            let mut now = 0;
            for (step, phase) in steps {
                now += step;
                match phase {
                    0 => watch.hear(says(JobPhase::Running), now),
                    1 => watch.hear(says(JobPhase::AwaitingInputs), now),
                    _ => {}
                }
            }
            prop_assert!(watch.tally().live_millis <= now);
        }
    }
}
