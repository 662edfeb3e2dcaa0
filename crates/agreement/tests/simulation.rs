//! Networks of 3 to 32 oracles in simulated time, with real reports: answers are lost, late, doubled and out of order,
//! transactions land late or never, processes are killed and come back with or without their journal, and just under a
//! third of the weight lies. Then the weather calms.
//!
//! `SEED=7 cargo test -p millrace-agreement --test simulation` runs one network.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use millrace_agreement::median::{median, MEDIAN_OF};
use millrace_agreement::vote::{first_proposer, Terms};
use millrace_agreement::{check, Findings, LeafSet, LeaseView, Look, NodeFinding, Step, Vote};
use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, Verdict};
use millrace_core::merkle::TreeNode;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const EPOCH_MILLIS: u64 = 4_000;
const FALLBACK_MILLIS: u64 = 667;
const POLL_MILLIS: u64 = 160;
/// Epochs of bad weather, then of calm.
const ROUGH_EPOCHS: u64 = 12;
const CALM_EPOCHS: u64 = 12;
const QUORUM_BPS: u128 = 6_000;
const LEASES: u8 = 5;
const NODES: u8 = 3;
const CLAIMED_GOPS: u64 = 1_000;

/// What happens at a moment.
enum Event {
    /// An oracle looks at the chain.
    Poll {
        seat: u8,
        life: u32,
    },
    /// An answer arrives.
    Answer {
        to: u8,
        life: u32,
        round: u64,
        from: u8,
        report: LeafSet,
    },
    /// An oracle waits no longer for answers.
    Close {
        seat: u8,
        life: u32,
        round: u64,
    },
    /// A signature reaches a block.
    Land {
        seat: u8,
        epoch: u64,
        root: TreeNode,
    },
    Kill {
        seat: u8,
    },
    Start {
        seat: u8,
        keeps_journal: bool,
    },
}

/// Questions an oracle waits for the answers to.
struct Round {
    number: u64,
    epoch: u64,
    /// Whose proposals were asked for; `None` when it asked for ballots.
    proposals_of: Option<(Vec<(u8, TreeNode)>, bool)>,
    answers: BTreeMap<u8, LeafSet>,
}

#[derive(Default)]
struct Oracle {
    is_up: bool,
    /// Counts its processes.
    life: u32,
    since_epoch: u64,
    /// When this process first saw an epoch, which is when the one before it was over to it.
    seen_at: BTreeMap<u64, u64>,
    ballots: BTreeMap<u64, LeafSet>,
    journal: BTreeMap<u64, LeafSet>,
    round: Option<Round>,
    /// Everything it ever signed, over all its lives.
    signed: BTreeMap<u64, BTreeSet<TreeNode>>,
}

/// What is the case, which oracles see a little differently.
struct Truth {
    /// The second each lease ends in, and how.
    ends: Vec<(u64, LeaseStatus)>,
}

impl Truth {
    fn lease(&self, key: u8, at_secs: u64) -> LeaseLeaf {
        let (end_secs, status) = self.ends[usize::from(key)];
        let has_ended = at_secs >= end_secs;
        LeaseLeaf {
            lease: [key; 32],
            live_secs: at_secs.min(end_secs),
            checkpointed_secs: 0,
            lost_secs: 0,
            status: if has_ended { status } else { LeaseStatus::Running },
            exit_code: 0,
            checkpoint_root: [0; 32],
            result_root: if has_ended { [key; 32] } else { [0; 32] },
            at: at_secs as i64,
        }
    }

    /// What an oracle saw of the epoch that ended `at_secs`: seconds and speeds a little off, one in a hundred far off, and
    /// one in a hundred missed.
    fn seen_by(&self, seat: u8, epoch: u64, at_secs: u64) -> LeafSet {
        let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seat) << 32 | epoch);
        let leases = (0..LEASES).filter_map(|key| {
            let leaf = self.lease(key, at_secs);
            let live_secs = (leaf.live_secs + rng.random_range(0..=2)).saturating_sub(1);
            let live_secs = if rng.random_bool(0.01) { live_secs / 2 } else { live_secs };
            rng.random_bool(0.99).then_some(LeaseLeaf { live_secs, ..leaf })
        });
        let leases = leases.collect();
        let nodes = (0..NODES).filter_map(|key| {
            let gops = if rng.random_bool(0.01) { 50 } else { rng.random_range(900..=1_100) };
            rng.random_bool(0.99).then(|| node(key, epoch, gops, at_secs))
        });
        LeafSet::new(epoch, leases, nodes.collect())
    }
}

fn node(key: u8, epoch: u64, gops: u64, at_secs: u64) -> NodeLeaf {
    NodeLeaf {
        node: [key; 32],
        audit_epoch: epoch,
        super_root: [key; 24],
        verdict: Verdict::Passed,
        gops,
        vram_mib: 6,
        bandwidth_mbps: 100,
        at: at_secs as i64,
    }
}

fn findings(seen: &LeafSet) -> Findings {
    let leases = seen.leases().iter().map(|leaf| {
        let decided_at = leaf.status.is_final().then_some(leaf.at);
        let accepted_secs = leaf.live_secs;
        let view = LeaseView { boundary: Some(*leaf), now: *leaf, decided_at, blind_secs: 0, accepted_secs };
        (leaf.lease, view)
    });
    let nodes = seen.nodes().iter().map(|leaf| {
        let finding = NodeFinding {
            super_root: leaf.super_root,
            verdict: leaf.verdict,
            gops: leaf.gops,
            claimed_gops: CLAIMED_GOPS,
            vram_mib: leaf.vram_mib,
            bandwidth_mbps: leaf.bandwidth_mbps,
        };
        ((leaf.node, leaf.audit_epoch), finding)
    });
    Findings { leases: leases.collect(), nodes: nodes.collect(), oracles: HashMap::new() }
}

struct Network {
    rng: ChaCha8Rng,
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    truth: Truth,
    weights: Vec<u64>,
    /// Seats from here on lie.
    liars_from: u8,
    oracles: Vec<Oracle>,
    rows: BTreeMap<(u64, u8), TreeNode>,
    /// The leaves of every root there is.
    sets: HashMap<TreeNode, LeafSet>,
    accepted: BTreeMap<u64, TreeNode>,
}

impl Network {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let seats: u8 = rng.random_range(3..=32);
        let weights: Vec<u64> = (0..seats).map(|_| rng.random_range(100..=130)).collect();
        let total: u64 = weights.iter().sum();
        let mut liars_from = seats;
        let mut lying = 0;
        while (lying + weights[usize::from(liars_from) - 1]) * 3 < total {
            liars_from -= 1;
            lying += weights[usize::from(liars_from)];
        }
        let last_secs = (ROUGH_EPOCHS + CALM_EPOCHS) * EPOCH_MILLIS / 1_000;
        let ends = [LeaseStatus::Completed, LeaseStatus::NodeFailed, LeaseStatus::JobFailed, LeaseStatus::Stopped];
        let ends = (0..LEASES).map(|_| (rng.random_range(5..last_secs * 2), *ends.choose(&mut rng).unwrap()));
        let truth = Truth { ends: ends.collect() };
        let mut network = Self {
            rng,
            now: 0,
            events: BTreeMap::new(),
            sequence: 0,
            truth,
            weights,
            liars_from,
            oracles: (0..seats).map(|_| Oracle::default()).collect(),
            rows: BTreeMap::new(),
            sets: HashMap::new(),
            accepted: BTreeMap::new(),
        };
        for seat in 0..seats {
            network.start(seat, true);
            if seat < liars_from {
                network.plan_death(seat);
            }
        }
        network
    }

    fn is_rough(&self) -> bool {
        self.now < ROUGH_EPOCHS * EPOCH_MILLIS
    }

    fn epoch(&self) -> u64 {
        self.now / EPOCH_MILLIS
    }

    fn first(&self, epoch: u64) -> u8 {
        let beacon = millrace_core::hash::sha256(&[&epoch.to_le_bytes()]);
        first_proposer(epoch, Some(&beacon), self.oracles.len() as u8).unwrap()
    }

    fn after(&mut self, millis: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now + millis, self.sequence), event);
    }

    /// Time something takes on its way, or `None` if it is lost.
    fn delay(&mut self) -> Option<u64> {
        if !self.is_rough() {
            return Some(self.rng.random_range(1..40));
        }
        (!self.rng.random_bool(0.2)).then(|| match self.rng.random_bool(0.2) {
            true => self.rng.random_range(1..3_000),
            false => self.rng.random_range(1..100),
        })
    }

    fn plan_death(&mut self, seat: u8) {
        let millis = self.rng.random_range(1_000..40_000);
        self.after(millis, Event::Kill { seat });
    }

    fn start(&mut self, seat: u8, keeps_journal: bool) {
        let epoch = self.epoch();
        let oracle = &mut self.oracles[usize::from(seat)];
        oracle.is_up = true;
        oracle.life += 1;
        oracle.since_epoch = if oracle.life == 1 { 0 } else { epoch };
        oracle.seen_at.clear();
        oracle.ballots.clear();
        oracle.round = None;
        if !keeps_journal {
            oracle.journal.clear();
        }
        let life = oracle.life;
        let first = self.rng.random_range(0..POLL_MILLIS);
        self.after(first, Event::Poll { seat, life });
    }

    fn run(&mut self) {
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.now = at;
            if self.epoch() >= ROUGH_EPOCHS + CALM_EPOCHS {
                return;
            }
            self.happen(event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Poll { seat, life } if self.oracles[usize::from(seat)].life == life => {
                let jitter = self.rng.random_range(0..POLL_MILLIS / 2);
                self.after(POLL_MILLIS / 2 + jitter, Event::Poll { seat, life });
                match seat < self.liars_from {
                    true => self.poll(seat),
                    false => self.lie_on_chain(seat),
                }
            }
            Event::Answer { to, life, round, from, report } => {
                let oracle = &mut self.oracles[usize::from(to)];
                let asked = oracle.round.as_mut().filter(|asked| oracle.life == life && asked.number == round);
                if let Some(asked) = asked {
                    asked.answers.insert(from, report);
                }
            }
            Event::Close { seat, life, round } => {
                let oracle = &mut self.oracles[usize::from(seat)];
                if oracle.life == life && oracle.round.as_ref().is_some_and(|asked| asked.number == round) {
                    let round = oracle.round.take().unwrap();
                    self.close(seat, round);
                }
            }
            Event::Land { seat, epoch, root } => self.land(seat, epoch, root),
            Event::Kill { seat } if self.is_rough() => {
                let oracle = &mut self.oracles[usize::from(seat)];
                oracle.is_up = false;
                oracle.life += 1;
                oracle.round = None;
                let (millis, keeps_journal) = (self.rng.random_range(10..6_000), self.rng.random_bool(0.7));
                self.after(millis, Event::Start { seat, keeps_journal });
                self.plan_death(seat);
            }
            Event::Start { seat, keeps_journal } if !self.oracles[usize::from(seat)].is_up => {
                self.start(seat, keeps_journal);
            }
            Event::Poll { .. } | Event::Kill { .. } | Event::Start { .. } => {}
        }
    }

    fn at_secs(epoch: u64) -> u64 {
        (epoch + 1) * EPOCH_MILLIS / 1_000
    }

    fn vote(&self, seat: u8, epoch: u64) -> (Vote<LeafSet>, Look<TreeNode>) {
        let oracle = &self.oracles[usize::from(seat)];
        let terms = Terms {
            seat,
            weights: self.weights.clone(),
            first: self.first(epoch),
            fallback_millis: FALLBACK_MILLIS,
            was_up: oracle.since_epoch <= epoch,
        };
        let look = Look {
            elapsed_millis: self.now - oracle.seen_at.get(&(epoch + 1)).copied().unwrap_or(self.now),
            signed: (0..self.oracles.len() as u8).map(|seat| self.rows.get(&(epoch, seat)).copied()).collect(),
        };
        (Vote::new(terms, oracle.journal.get(&epoch).cloned()), look)
    }

    fn poll(&mut self, seat: u8) {
        let now = self.now;
        let current = self.epoch();
        let Some(epoch) = current.checked_sub(1) else { return };
        // Now and then its RPC is behind.
        if self.is_rough() && self.rng.random_bool(0.2) {
            return;
        }
        let seen = self.truth.seen_by(seat, epoch, Self::at_secs(epoch));
        let oracle = &mut self.oracles[usize::from(seat)];
        oracle.seen_at.entry(current).or_insert(now);
        oracle.ballots.entry(epoch).or_insert(seen);
        let is_waiting = oracle.round.as_ref().is_some_and(|round| round.epoch == epoch);
        let (vote, look) = self.vote(seat, epoch);
        match vote.step(&look) {
            Step::Sign(set) => self.sign(seat, &set),
            Step::Ask { roots, is_due } if !is_waiting && (is_due || !roots.is_empty()) => {
                let seats: Vec<u8> = roots.iter().map(|(seat, _)| *seat).collect();
                self.ask(seat, epoch, &seats, Some((roots, is_due)), FALLBACK_MILLIS / 2);
            }
            _ => {}
        }
    }

    fn ask(
        &mut self,
        seat: u8,
        epoch: u64,
        asked: &[u8],
        proposals_of: Option<(Vec<(u8, TreeNode)>, bool)>,
        within: u64,
    ) {
        self.sequence += 1;
        let (number, is_for_ballots) = (self.sequence, proposals_of.is_none());
        let life = self.oracles[usize::from(seat)].life;
        self.oracles[usize::from(seat)].round = Some(Round { number, epoch, proposals_of, answers: BTreeMap::new() });
        for from in asked.iter().copied() {
            let Some(report) = self.answer(from, seat, epoch, is_for_ballots) else { continue };
            for _ in 0..=u8::from(self.rng.random_bool(0.1)) {
                if let (Some(there), Some(back)) = (self.delay(), self.delay()) {
                    let report = report.clone();
                    self.after(there + back, Event::Answer { to: seat, life, round: number, from, report });
                }
            }
        }
        // When nothing is late all have answered long before.
        let within = if self.is_rough() { within } else { within.min(100) };
        self.after(within, Event::Close { seat, life, round: number });
    }

    fn answer(&mut self, from: u8, to: u8, epoch: u64, is_for_ballots: bool) -> Option<LeafSet> {
        if from >= self.liars_from {
            // The leaves of what it signed, something else, or nothing.
            let signed = self.rows.get(&(epoch, from)).and_then(|root| self.sets.get(root)).cloned();
            let is_shown = self.rng.random_bool(0.5) && !is_for_ballots;
            return signed.filter(|_| is_shown).or_else(|| self.lie(from, to, epoch));
        }
        let oracle = &self.oracles[usize::from(from)];
        let source = if is_for_ballots { &oracle.ballots } else { &oracle.journal };
        source.get(&epoch).filter(|_| oracle.is_up).cloned()
    }

    fn close(&mut self, seat: u8, round: Round) {
        let Round { epoch, proposals_of, answers, .. } = round;
        let (vote, _) = self.vote(seat, epoch);
        let own = self.oracles[usize::from(seat)].ballots[&epoch].clone();
        let at = Self::at_secs(epoch) as i64;
        let chosen = match proposals_of {
            Some((asked, is_due)) => {
                let verdicts: BTreeMap<u8, bool> =
                    answers.iter().map(|(from, set)| (*from, self.agrees(seat, epoch, set))).collect();
                match vote.choose(&asked, |from| answers.get(&from), |from, _| verdicts[&from]) {
                    Some((_, set)) => set.clone(),
                    None if is_due => {
                        let seats = self.oracles.len() as u8;
                        let others = (1..seats).map(|places| (seat + places) % seats).take(MEDIAN_OF - 1);
                        return self.ask(seat, epoch, &others.collect::<Vec<_>>(), None, FALLBACK_MILLIS / 4);
                    }
                    None => return,
                }
            }
            None => {
                let weigh = |(from, set): (&u8, &'_ LeafSet)| (self.weights[usize::from(*from)], set.clone());
                let mut seen: Vec<(u64, LeafSet)> = answers.iter().map(weigh).collect();
                seen.push((self.weights[usize::from(seat)], own.clone()));
                let seen: Vec<(u64, &LeafSet)> = seen.iter().map(|(weight, set)| (*weight, set)).collect();
                let set = check::retain(&median(epoch, at, &seen), at, &findings(&own));
                if set.is_empty() || vote.kept().is_some() {
                    return;
                }
                set
            }
        };
        self.sets.insert(chosen.root(), chosen.clone());
        self.oracles[usize::from(seat)].journal.entry(epoch).or_insert(chosen);
    }

    /// Whether a seat signs a proposal: it fits what it saw, or others back what does not.
    fn agrees(&mut self, seat: u8, epoch: u64, set: &LeafSet) -> bool {
        let own = findings(&self.oracles[usize::from(seat)].ballots[&epoch]);
        let at = Self::at_secs(epoch) as i64;
        let Err(differences) = check::check(set, epoch, at, &own) else { return true };
        let mut ballots = Vec::new();
        for other in (0..self.oracles.len() as u8).filter(|other| *other != seat) {
            // A liar backs what is false, and nothing that is true.
            let ballot = match other >= self.liars_from {
                true => Some(set.clone()).filter(|_| self.is_false(set)),
                false => self.answer(other, seat, epoch, true),
            };
            if let Some(ballot) = ballot.filter(|_| self.delay().is_some_and(|millis| millis < 300)) {
                ballots.push((self.weights[usize::from(other)], ballot));
            }
        }
        let ballots: Vec<(u64, &LeafSet)> = ballots.iter().map(|(weight, ballot)| (*weight, ballot)).collect();
        let total = self.weights.iter().map(|weight| u128::from(*weight)).sum();
        let backed = check::backed(set, at, &own, &ballots, self.weights[usize::from(seat)], total);
        differences.iter().all(|difference| difference.key().is_some_and(|account| backed.contains(&account)))
    }

    fn is_false(&self, set: &LeafSet) -> bool {
        let at_secs = Self::at_secs(set.epoch());
        let pays_too_much = |leaf: &LeaseLeaf| leaf.live_secs > self.truth.lease(leaf.lease[0], at_secs).live_secs + 4;
        let ends_it = |leaf: &LeaseLeaf| leaf.status != self.truth.lease(leaf.lease[0], at_secs).status;
        set.leases().iter().any(|leaf| pays_too_much(leaf) || ends_it(leaf))
            || set.nodes().iter().any(|leaf| leaf.node[0] >= NODES)
    }

    fn sign(&mut self, seat: u8, set: &LeafSet) {
        let (epoch, root) = (set.epoch(), set.root());
        self.oracles[usize::from(seat)].signed.entry(epoch).or_default().insert(root);
        if let Some(millis) = self.delay() {
            self.after(millis, Event::Land { seat, epoch, root });
        }
    }

    fn land(&mut self, seat: u8, epoch: u64, root: TreeNode) {
        if epoch != self.epoch() && epoch + 1 != self.epoch() {
            return;
        }
        self.rows.entry((epoch, seat)).or_insert(root);
        let signed = self.rows.iter().filter(|((of, _), other)| *of == epoch && **other == root);
        let weight: u128 = signed.map(|((_, seat), _)| u128::from(self.weights[usize::from(*seat)])).sum();
        let total: u128 = self.weights.iter().map(|weight| u128::from(*weight)).sum();
        if weight * 10_000 > QUORUM_BPS * total {
            let earlier = self.accepted.insert(epoch, root);
            assert!(earlier.is_none_or(|earlier| earlier == root), "two roots of epoch {epoch} are accepted");
        }
    }

    /// Nothing; a report that is well made, but another for each who asks; one of another epoch; or one that is false.
    fn lie(&mut self, from: u8, to: u8, epoch: u64) -> Option<LeafSet> {
        let at_secs = Self::at_secs(epoch);
        let set = match self.rng.random_range(0..5) {
            0 => return None,
            1 => self.truth.seen_by(from ^ to, epoch, at_secs),
            2 => self.truth.seen_by(from, epoch.saturating_sub(1), at_secs),
            3 => {
                let victim = self.truth.lease(self.rng.random_range(0..LEASES), at_secs);
                let ended = LeaseLeaf { status: LeaseStatus::NodeFailed, result_root: [66; 32], ..victim };
                LeafSet::new(epoch, vec![ended], vec![])
            }
            _ => {
                let rich = self.truth.lease(self.rng.random_range(0..LEASES), at_secs);
                let rich = LeaseLeaf { live_secs: rich.live_secs + 10, ..rich };
                LeafSet::new(epoch, vec![rich], vec![node(0, epoch, 9_999, at_secs), node(99, epoch, 9_999, at_secs)])
            }
        };
        self.sets.insert(set.root(), set.clone());
        Some(set)
    }

    /// Signs early, late or never: what it makes up, or what another signed.
    fn lie_on_chain(&mut self, seat: u8) {
        let Some(epoch) = self.epoch().checked_sub(1) else { return };
        if self.rng.random_bool(0.7) {
            return;
        }
        let others: Vec<TreeNode> = self.rows.range((epoch, 0)..=(epoch, u8::MAX)).map(|(_, root)| *root).collect();
        let root = match others.choose(&mut self.rng).filter(|_| seat.is_multiple_of(2)) {
            Some(root) => Some(*root),
            None => self.lie(seat, seat, epoch).map(|set| set.root()),
        };
        if let Some(root) = root {
            self.land(seat, epoch, root);
        }
    }

    /// What may never happen, whatever did.
    fn assert_safe(&self) {
        for (seat, oracle) in self.oracles.iter().enumerate() {
            for (epoch, roots) in &oracle.signed {
                assert!(roots.len() <= 1, "seat {seat} signed {} roots of epoch {epoch}", roots.len());
            }
        }
        let mut ended: HashMap<[u8; 32], LeaseStatus> = HashMap::new();
        for (epoch, root) in &self.accepted {
            let at_secs = Self::at_secs(*epoch);
            let set = &self.sets[root];
            for leaf in set.leases() {
                let truth = self.truth.lease(leaf.lease[0], at_secs);
                // Seats see a second more or less, and sign what is within three of that.
                assert!(leaf.live_secs <= truth.live_secs + 4, "epoch {epoch} pays {} of {truth:?}", leaf.live_secs);
                assert_eq!((leaf.status, leaf.result_root), (truth.status, truth.result_root), "epoch {epoch}");
                let before = ended.insert(leaf.lease, leaf.status).unwrap_or(LeaseStatus::Running);
                assert!(!before.is_final() || before == leaf.status, "an end was taken back");
            }
            for leaf in set.nodes() {
                assert!(leaf.node[0] < NODES && leaf.gops.min(CLAIMED_GOPS) <= CLAIMED_GOPS, "{leaf:?}");
            }
        }
    }

    /// Epochs at whose end every honest oracle was up, and that were voted on.
    fn calm() -> std::ops::Range<u64> {
        ROUGH_EPOCHS + 2..ROUGH_EPOCHS + CALM_EPOCHS - 1
    }

    /// What must happen once the weather is calm.
    fn assert_progress(&self) {
        for epoch in Self::calm() {
            let first = self.first(epoch);
            assert!(
                first >= self.liars_from || self.accepted.contains_key(&epoch),
                "epoch {epoch}, first proposer {first}, has no report of {} seats, honest below {}",
                self.oracles.len(),
                self.liars_from
            );
        }
    }
}

#[test]
fn no_weather_makes_oracles_sign_twice_or_report_what_is_not_and_in_the_calm_they_agree() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (0..60).collect::<Vec<u64>>(),
    };
    let (mut rough, mut of_liars, mut liars_turns) = (0, 0, 0);
    for seed in &seeds {
        let mut network = Network::new(*seed);
        println!(
            "seed {seed}: {} oracles, {} of them lie",
            network.oracles.len(),
            network.oracles.len() - usize::from(network.liars_from)
        );
        network.run();
        network.assert_safe();
        network.assert_progress();
        rough += network.accepted.range(..ROUGH_EPOCHS).count();
        for epoch in
            (ROUGH_EPOCHS..ROUGH_EPOCHS + CALM_EPOCHS - 1).filter(|it| network.first(*it) >= network.liars_from)
        {
            liars_turns += 1;
            of_liars += usize::from(network.accepted.contains_key(&epoch));
        }
    }
    println!("accepted: {rough} of {} epochs in bad weather", seeds.len() as u64 * (ROUGH_EPOCHS - 1));
    println!(
        "accepted in the calm: all whose first proposer is well, {of_liars} of {liars_turns} whose first proposer lies"
    );
}
