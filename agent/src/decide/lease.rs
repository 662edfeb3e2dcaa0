//! What becomes of a lease: how a run's end is told, and what the agent does about the lease on chain.

use millrace::state::dispute::DISPUTED;
use millrace::state::{Dispute, Lease, Ruling};
use millrace_wire::messages::JobPhase;

use crate::sandbox::Outcome;

/// How a run's end is told: phase, exit code, and a sentence for a person.
pub fn ending(outcome: &Outcome) -> (JobPhase, i32, String) {
    match outcome {
        Outcome::Exited(code) => (JobPhase::Exited, *code, String::new()),
        Outcome::Killed { limit } => (JobPhase::LimitExceeded, 0, limit.to_string()),
        Outcome::Stopped => (JobPhase::Stopped, 0, "the customer stopped it".into()),
        Outcome::SandboxLost { reason } => (JobPhase::NodeFailed, 0, format!("the sandbox was lost: {reason}")),
    }
}

/// Whether nothing follows `phase`.
pub fn is_final(phase: JobPhase) -> bool {
    !matches!(phase, JobPhase::AwaitingInputs | JobPhase::StandingBy | JobPhase::Running)
}

/// Whether the job must end now: the customer's notice is over, or the lease is.
pub fn must_stop(lease: Option<&Lease>, now: i64) -> bool {
    lease.is_none_or(|lease| {
        let notice_ends_at = lease.stop_at.saturating_add(lease.terms.stop_notice_secs);
        lease.has_ended() || (lease.stop_at != 0 && now >= notice_ends_at)
    })
}

/// What to do about a lease on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStep {
    /// Nothing now.
    Wait,
    /// Its dispute window is over: close it and take the holdback.
    Close,
    /// It is in dispute: take that as far as [`dispute_step`] says.
    Dispute,
    /// The oracles fell silent and the job runs no more: leave with what was proven.
    Exit,
}

/// What to do about a dispute on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStep {
    /// Others vote, or may appeal.
    Wait,
    /// The vote found no quorum in time: end it.
    Lapse,
    /// The ruling stands: have it carried out.
    Resolve,
}

/// What to do about the dispute of a lease.
pub fn dispute_step(dispute: &Dispute, now: i64) -> DisputeStep {
    if dispute.ruling == Ruling::None as u8 {
        return if now >= dispute.vote_until { DisputeStep::Lapse } else { DisputeStep::Wait };
    }
    if now >= dispute.appeal_until {
        DisputeStep::Resolve
    } else {
        DisputeStep::Wait
    }
}

/// What to do about `lease`, whose job is in `phase`.
pub fn step(lease: &Lease, phase: JobPhase, now: i64) -> LeaseStep {
    if lease.is_disputed == DISPUTED {
        return LeaseStep::Dispute;
    }
    if lease.has_ended() {
        return if now >= lease.closes_at() { LeaseStep::Close } else { LeaseStep::Wait };
    }
    if is_final(phase) && now >= lease.silent_until() {
        return LeaseStep::Exit;
    }
    LeaseStep::Wait
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Limit;
    use bytemuck::Zeroable;
    use millrace::state::LeaseState;

    fn lease(state: LeaseState) -> Lease {
        let mut lease = Lease {
            state: state as u8,
            max_secs: 1_000,
            started_at: 100,
            last_leaf_at: 200,
            ended_at: 300,
            ..Lease::zeroed()
        };
        lease.terms.dispute_window_secs = 50;
        lease.terms.oracle_outage_secs = 60;
        lease.terms.stop_notice_secs = 5;
        lease
    }

    #[test]
    fn a_killed_job_is_the_customers_failure_and_a_lost_sandbox_the_nodes() {
        assert_eq!(ending(&Outcome::Exited(3)), (JobPhase::Exited, 3, String::new()));
        assert_eq!(ending(&Outcome::Killed { limit: Limit::Memory }).0, JobPhase::LimitExceeded);
        assert!(ending(&Outcome::Killed { limit: Limit::Disk }).2.contains("limits.disk_mib"));
        assert_eq!(ending(&Outcome::SandboxLost { reason: "x".into() }).0, JobPhase::NodeFailed);
        assert!([JobPhase::Exited, JobPhase::NodeFailed, JobPhase::Stopped].into_iter().all(is_final));
        assert!(!is_final(JobPhase::Running) && !is_final(JobPhase::AwaitingInputs));
    }

    #[test]
    fn a_stopped_job_runs_until_its_notice_is_over() {
        let running = lease(LeaseState::Active);
        assert!(!must_stop(Some(&running), 10_000));
        let stopped = Lease { stop_at: 400, ..running };
        assert!(!must_stop(Some(&stopped), 404) && must_stop(Some(&stopped), 405));
        assert!(must_stop(Some(&lease(LeaseState::NodeFailed)), 0) && must_stop(None, 0));
    }

    #[test]
    fn a_lease_is_closed_after_its_dispute_window_and_left_when_the_oracles_are_silent() {
        let ended = lease(LeaseState::Completed);
        assert_eq!(step(&ended, JobPhase::Exited, 349), LeaseStep::Wait);
        assert_eq!(step(&ended, JobPhase::Exited, 350), LeaseStep::Close);
        let disputed = Lease { is_disputed: DISPUTED, ..ended };
        assert_eq!(step(&disputed, JobPhase::Exited, 350), LeaseStep::Dispute);
        let active = lease(LeaseState::Active);
        assert_eq!(step(&active, JobPhase::Running, 10_000), LeaseStep::Wait, "work goes on");
        assert_eq!(step(&active, JobPhase::Exited, 259), LeaseStep::Wait);
        assert_eq!(step(&active, JobPhase::Exited, 260), LeaseStep::Exit);
    }

    #[test]
    fn a_dispute_nobody_ends_is_taken_to_its_end() {
        let open = Dispute { vote_until: 100, ..Dispute::zeroed() };
        assert_eq!(dispute_step(&open, 99), DisputeStep::Wait);
        assert_eq!(dispute_step(&open, 100), DisputeStep::Lapse);
        let ruled = Dispute { ruling: Ruling::Upheld as u8, appeal_until: 200, ..open };
        assert_eq!(dispute_step(&ruled, 199), DisputeStep::Wait);
        assert_eq!(dispute_step(&ruled, 200), DisputeStep::Resolve);
    }
}
