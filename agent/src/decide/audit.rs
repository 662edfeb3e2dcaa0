//! When to be audited, and with how much work.

use millrace::state::{Node, NodeClass, NodeState};
use millrace_core::hash::sha256;
use millrace_core::proof::deadline::{required_read_rate, required_walkers};
use millrace_core::proof::memory::{Layout, MemoryTask};
use millrace_core::proof::{operations, Commit, MAX_N, MAX_ROUNDS, MIN_N};

/// Epochs after a commit in which its verdict is still on its way: a bundle, a report, a transaction.
const VERDICT_EPOCHS: u64 = 3;

/// Epochs before its expiry from which an audit may be renewed, by lot, and from which it must.
const MAY_RENEW_EPOCHS: i64 = 8;
const MUST_RENEW_EPOCHS: i64 = 3;

/// Once in so many epochs a lot falls on a node that needs figures but has waited before. Agents of one machine or
/// one site get different ones, and no longer slow each other down.
const SPREAD_EPOCHS: u64 = 2;

/// Once in so many epochs a verified node that lacks its memory or its bandwidth tries again.
const COMPLETE_EPOCHS: u64 = 8;

/// Part of an epoch, in percent, after which no run is begun: it could end after the next beacon.
const LAST_START_PERCENT: i64 = 70;

/// Smallest n a GPU is measured with.
const MIN_GPU_N: u32 = 4_096;

/// Whether the lot falls on `provider` this epoch: once in `period` epochs on average, known to no one before the
/// epoch's beacon.
pub fn due(beacon: &[u8; 32], provider: &[u8; 32], period: u64) -> bool {
    let [a, b, c, d, e, f, g, h, ..] = sha256(&[beacon, provider]);
    u64::from_le_bytes([a, b, c, d, e, f, g, h]).checked_rem(period) == Some(0)
}

/// What is known of a node when its epoch's beacon appears.
#[derive(Clone, Copy, Debug)]
pub struct AuditFacts<'a> {
    /// The node.
    pub node: &'a Node,
    /// Its provider account.
    pub provider: &'a [u8; 32],
    /// The epoch.
    pub epoch: u64,
    /// Its beacon.
    pub beacon: &'a [u8; 32],
    /// Epoch of the last commit this agent signed for the node.
    pub last_commit_epoch: Option<u64>,
    /// The chain's clock.
    pub now: i64,
    /// Instant the epoch began.
    pub epoch_began_at: i64,
    /// Length of an epoch, seconds.
    pub epoch_secs: i64,
    /// [`crate::settings::Audits::every_epochs`].
    pub every_epochs: u64,
    /// Whether a quorum of oracles has measured the node's link.
    pub is_link_measured: bool,
}

/// Whether to begin an audit now: the lot fell on the provider, or the node has no figures, or they expire soon. Never
/// twice an epoch, not while a verdict is on its way, not too late in the epoch, and not while a lease has the machine.
pub fn should_audit(facts: &AuditFacts) -> bool {
    let AuditFacts { node, epoch, now, .. } = *facts;
    let late_after_secs = facts.epoch_secs.saturating_mul(LAST_START_PERCENT) / 100;
    let is_late = now.saturating_sub(facts.epoch_began_at) > late_after_secs;
    let is_busy = node.lease != Default::default() || node.is_retired();
    if is_late || is_busy || facts.last_commit_epoch.is_some_and(|last| last >= epoch) {
        return false;
    }
    let is_pending = facts
        .last_commit_epoch
        .is_some_and(|last| last > node.audit_epoch && epoch <= last.saturating_add(VERDICT_EPOCHS));
    let falls = |period| due(facts.beacon, facts.provider, period);
    !is_pending && (is_wanting(facts, falls(SPREAD_EPOCHS)) || falls(facts.every_epochs))
}

/// Whether no process before this one can have committed for the node in the epoch this one starts in. Where one may have,
/// the audit waits for the next epoch: the journal may be from a backup, and a second commit is fraud.
pub fn cannot_have_committed(is_journal_new: bool, node: &Node) -> bool {
    is_journal_new && node.state == NodeState::Registered as u8 && node.audit_epoch == 0
}

/// Whether the node lacks figures, or soon will: at once the first time, by lot where it can wait.
fn is_wanting(facts: &AuditFacts, is_drawn: bool) -> bool {
    let AuditFacts { node, now, .. } = *facts;
    if node.state == NodeState::Registered as u8 {
        return true;
    }
    if node.state != NodeState::Verified as u8 {
        return is_drawn;
    }
    let lacks_memory = node.claimed_vram_mib > 0 && node.verified_vram_mib == 0;
    let lacks_bandwidth = facts.is_link_measured && node.verified_bandwidth_mbps == 0;
    if (lacks_memory || lacks_bandwidth) && due(facts.beacon, facts.provider, COMPLETE_EPOCHS) {
        return true;
    }
    let expires_within = |epochs| now >= node.verified_until.saturating_sub(facts.epoch_secs.saturating_mul(epochs));
    expires_within(MUST_RENEW_EPOCHS) || (is_drawn && expires_within(MAY_RENEW_EPOCHS))
}

/// What computes the audits of a GPU of a node of this class, of `provers`: one for each card of the host, in order, then
/// the processor. The processor stands in on a host without cards, and is what a node of class CPU is measured by. None
/// where the host has cards, but not so many.
pub fn prover<T>(provers: &[T], class: u8, gpu_index: u32) -> Option<&T> {
    let (processor, cards) = provers.split_last()?;
    match class == NodeClass::Gpu as u8 && !cards.is_empty() {
        true => cards.get(gpu_index as usize),
        false => Some(processor),
    }
}

/// Size of an audit that takes about `target_millis` at the claimed speed: n and rounds. A faster machine just ends
/// sooner. At least four rounds where there is time for them, so that the chain of seeds means something.
pub fn audit_size(claimed_gops: u64, class: u8, target_millis: u64) -> (u32, u32) {
    let least = if class == NodeClass::Gpu as u8 { MIN_GPU_N } else { MIN_N };
    let wanted = u128::from(claimed_gops.max(1)) * u128::from(target_millis) * 1_000_000;
    let mut n = least;
    // Larger while four rounds of the larger still fit.
    while n < MAX_N && operations(n * 2, 4) <= wanted {
        n *= 2;
    }
    let rounds = (wanted / operations(n, 1)).clamp(1, u128::from(MAX_ROUNDS));
    (n, rounds as u32)
}

/// The proof of memory that goes with the audit of `commit`; None for a node that claims no memory.
pub fn memory_task(node: &Node, commit: &Commit) -> Option<MemoryTask> {
    let Commit { deployment_id, node: address, gpu_index, epoch, beacon, nonce, .. } = *commit;
    let words = Layout::proving(Some(node.claimed_vram_mib).filter(|mib| *mib > 0)?)?.words();
    let walkers = required_walkers(required_read_rate(gops_of_one(node)));
    Some(MemoryTask { deployment_id, node: address, gpu_index, epoch, beacon, nonce, words, walkers })
}

/// Speed that is claimed of one GPU, gops.
pub fn gops_of_one(node: &Node) -> u64 {
    node.claimed_gops / u64::from(node.gpu_count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use millrace_core::proof::check_size;

    fn node(state: NodeState) -> Node {
        Node { state: state as u8, verified_until: 10_000, ..Node::zeroed() }
    }

    /// Epoch 10 of 100 s began at 1,000; a beacon on which the lot does not fall.
    fn facts<'a>(node: &'a Node, beacon: &'a [u8; 32]) -> AuditFacts<'a> {
        AuditFacts {
            node,
            provider: &[1; 32],
            epoch: 10,
            beacon,
            last_commit_epoch: None,
            now: 1_010,
            epoch_began_at: 1_000,
            epoch_secs: 100,
            every_epochs: 1 << 40,
            is_link_measured: false,
        }
    }

    #[test]
    fn each_gpu_is_measured_by_the_card_of_its_number_and_class_cpu_by_the_processor() {
        let (gpu, cpu) = (NodeClass::Gpu as u8, NodeClass::Cpu as u8);
        let two_cards = ["card 0", "card 1", "processor"];
        assert_eq!(prover(&two_cards, gpu, 1), Some(&"card 1"));
        assert_eq!(prover(&two_cards, gpu, 2), None);
        assert_eq!(prover(&two_cards, cpu, 0), Some(&"processor"));
        assert_eq!(prover(&["processor"], gpu, 3), Some(&"processor"));
        assert_eq!(prover::<&str>(&[], cpu, 0), None);
    }

    #[test]
    fn the_lot_falls_as_often_as_it_should_and_on_each_apart() {
        let beacons: Vec<[u8; 32]> = (0..8_000u64).map(|epoch| sha256(&[&epoch.to_le_bytes()])).collect();
        let drawn = |provider: &[u8; 32]| beacons.iter().map(|b| due(b, provider, 8)).collect::<Vec<_>>();
        let (one, other) = (drawn(&[1; 32]), drawn(&[2; 32]));
        let count = one.iter().filter(|due| **due).count();
        assert!((850..1_150).contains(&count), "{count} of 8,000 at one in eight");
        assert_ne!(one, other);
        assert!(beacons.iter().all(|beacon| due(beacon, &[1; 32], 1)));
        assert!(!due(&[0; 32], &[1; 32], 0));
    }

    /// A beacon on which the lot falls, or does not, for one epoch in two.
    fn beacon(is_drawn: bool) -> [u8; 32] {
        let mut beacons = (0..64).map(|byte| [byte; 32]);
        beacons.find(|beacon| due(beacon, &[1; 32], SPREAD_EPOCHS) == is_drawn).unwrap()
    }

    #[test]
    fn a_new_node_is_audited_at_once_and_a_verified_one_by_lot() {
        let (drawn, passed_over) = (beacon(true), beacon(false));
        assert!(should_audit(&facts(&node(NodeState::Registered), &passed_over)));
        let verified = node(NodeState::Verified);
        assert!(!should_audit(&facts(&verified, &drawn)));
        assert!(should_audit(&AuditFacts { every_epochs: 1, ..facts(&verified, &passed_over) }));
    }

    #[test]
    fn a_verified_node_that_lacks_a_figure_it_could_have_tries_again_by_lot() {
        let mut beacons = (0..=255).map(|byte| [byte; 32]);
        let drawn = beacons.find(|beacon| due(beacon, &[1; 32], COMPLETE_EPOCHS)).unwrap();
        let complete = Node { claimed_vram_mib: 64, verified_vram_mib: 64, ..node(NodeState::Verified) };
        assert!(!should_audit(&facts(&complete, &drawn)));
        let lacking = Node { verified_vram_mib: 0, ..complete };
        assert!(should_audit(&facts(&lacking, &drawn)) && !should_audit(&facts(&lacking, &beacon(false))));
        let measured = AuditFacts { is_link_measured: true, ..facts(&complete, &drawn) };
        assert!(should_audit(&measured));
        let shown = Node { verified_bandwidth_mbps: 9, ..complete };
        assert!(!should_audit(&AuditFacts { node: &shown, ..measured }));
    }

    #[test]
    fn the_memory_that_is_claimed_is_what_the_fill_proves() {
        let commit = Commit {
            deployment_id: [1; 32],
            node: [2; 32],
            gpu_index: 3,
            epoch: 4,
            beacon: [5; 32],
            nonce: [6; 32],
            n: 256,
            rounds: 1,
            super_root: [7; 24],
        };
        let claiming = |claimed_vram_mib, gpu_count| Node {
            claimed_vram_mib,
            claimed_gops: 2_000_000,
            gpu_count,
            ..node(NodeState::Verified)
        };
        assert_eq!(memory_task(&claiming(0, 1), &commit), None);
        for mib in [1, 64, 4_096, 8_192, 12_288, 24_576, 81_920, 131_072] {
            let task = memory_task(&claiming(mib, 2), &commit).unwrap();
            let proven_mib = task.layout().unwrap().proven_mib();
            assert!(proven_mib >= mib && task.words * 32 < u64::from(mib) << 20, "{mib} MiB: {proven_mib}");
            // A second at 500 GB/s for a million gops.
            assert_eq!(task.walkers, 488_281_250);
            assert_eq!((task.gpu_index, task.nonce), (3, [6; 32]));
        }
    }

    #[test]
    fn suspended_and_expiring_nodes_spread_over_the_epochs_and_none_expires_unaudited() {
        let (drawn, passed_over) = (beacon(true), beacon(false));
        let suspended = node(NodeState::Suspended);
        assert!(should_audit(&facts(&suspended, &drawn)) && !should_audit(&facts(&suspended, &passed_over)));
        let until = |verified_until| Node { verified_until, ..node(NodeState::Verified) };
        assert!(!should_audit(&facts(&until(1_811), &drawn)));
        assert!(should_audit(&facts(&until(1_810), &drawn)) && !should_audit(&facts(&until(1_810), &passed_over)));
        assert!(should_audit(&facts(&until(1_310), &passed_over)));
    }

    #[test]
    fn one_commit_an_epoch_and_none_while_a_verdict_is_on_its_way() {
        let fresh = node(NodeState::Registered);
        let after = |last| AuditFacts { last_commit_epoch: Some(last), ..facts(&fresh, &[3; 32]) };
        assert!(!should_audit(&AuditFacts { every_epochs: 1, ..after(10) }), "two commits in an epoch are a fraud");
        assert!(!should_audit(&after(9)) && !should_audit(&after(7)));
        assert!(!should_audit(&AuditFacts { every_epochs: 1, ..after(9) }), "its answer and a timed run at once");
        assert!(should_audit(&after(6)), "that verdict got lost");
        let applied = Node { audit_epoch: 9, ..fresh };
        let again = AuditFacts { last_commit_epoch: Some(9), ..facts(&applied, &[3; 32]) };
        assert!(should_audit(&again), "the verdict is here, and it was no pass");
    }

    #[test]
    fn no_audit_is_begun_too_late_or_on_a_busy_or_retired_machine() {
        let fresh = node(NodeState::Registered);
        assert!(should_audit(&AuditFacts { now: 1_070, ..facts(&fresh, &[3; 32]) }));
        assert!(!should_audit(&AuditFacts { now: 1_071, ..facts(&fresh, &[3; 32]) }));
        let leased = Node { lease: [5; 32].into(), ..fresh };
        assert!(!should_audit(&facts(&leased, &[3; 32])));
        assert!(!should_audit(&facts(&node(NodeState::Retired), &[3; 32])));
    }

    #[test]
    fn the_size_follows_the_claim_and_is_always_allowed() {
        for gops in [0, 1, 30, 700, 20_000, 2_000_000, u64::MAX / 2] {
            for class in [NodeClass::Cpu as u8, NodeClass::Gpu as u8] {
                for millis in [0, 300, 1_000, 3_000] {
                    let (n, rounds) = audit_size(gops, class, millis);
                    check_size(n, rounds).unwrap();
                    assert!(class == NodeClass::Cpu as u8 || n >= MIN_GPU_N);
                }
            }
        }
        // 50 gops for a second: the work is within a round of it.
        let (n, rounds) = audit_size(50, NodeClass::Cpu as u8, 1_000);
        assert_eq!((n, rounds), (1_024, 23));
        assert!(operations(n, rounds) <= 50_000_000_000 && operations(n, rounds + 1) > 50_000_000_000);
    }

    #[test]
    fn only_a_node_never_audited_is_audited_in_the_epoch_its_agent_starts_in() {
        let never = Node { state: NodeState::Registered as u8, ..Node::zeroed() };
        assert!(cannot_have_committed(true, &never));
        assert!(!cannot_have_committed(false, &never), "an earlier process may have committed");
        assert!(!cannot_have_committed(true, &Node { audit_epoch: 3, ..never }), "the folder was lost");
        assert!(!cannot_have_committed(true, &Node { state: NodeState::Verified as u8, ..never }));
    }
}
