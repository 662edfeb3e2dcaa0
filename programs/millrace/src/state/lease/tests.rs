use bytemuck::Zeroable;
use millrace_core::leaves::{LeaseLeaf, LeaseStatus};

use super::*;

const KEY: Pubkey = Pubkey::new_from_array([1; 32]);
const OTHER: Pubkey = Pubkey::new_from_array([2; 32]);

/// A running lease at 10 a second for 1,000 s, with everyone's books.
struct Scene {
    lease: Lease,
    customer: Customer,
    provider: Provider,
    node: Node,
}

fn scene(tier: Tier, role: LeaseRole) -> Scene {
    let mut lease = Lease {
        tier: tier as u8,
        role: role as u8,
        per_sec: 10,
        full_per_sec: 10,
        max_secs: 1_000,
        reserve_amount: 10_501,
        bond: 400,
        bond_left: 400,
        started_at: 5_000,
        ..Lease::zeroed()
    };
    (lease.terms.fee_bps, lease.terms.holdback_bps, lease.terms.compensation_bps) = (500, 1_000, 5_000);
    (lease.terms.dispute_window_secs, lease.terms.oracle_outage_secs, lease.terms.stop_notice_secs) = (100, 60, 30);
    let customer = Customer { reserved: 10_501, deposited: 10_501, ..Customer::zeroed() };
    let provider = Provider { stake: 1_000, locked: 400, lease_bonds: 400, ..Provider::zeroed() };
    Scene { lease, customer, provider, node: Node { lease: KEY, ..Node::zeroed() } }
}

impl Scene {
    fn settle(&mut self, secs: (u64, u64, u64), status: LeaseStatus, at: i64) -> Result<()> {
        let leaf = LeaseLeaf {
            lease: KEY.to_bytes(),
            live_secs: secs.0,
            checkpointed_secs: secs.1,
            lost_secs: secs.2,
            status,
            exit_code: 0,
            checkpoint_root: [0; 32],
            result_root: [0; 32],
            at,
        };
        let parties = (&mut self.customer, &mut self.provider, &mut self.node);
        self.lease.settle(&leaf, at, at, parties)?;
        self.lease.invariant()?;
        self.customer.invariant()?;
        self.provider.invariant()
    }
}

#[test]
fn each_tier_and_role_is_paid_its_own_seconds() {
    use LeaseStatus::*;
    let member = LeaseRole::Member;
    for (tier, role, status, paid_secs) in [
        (Tier::Spot, member, Running, 100),
        (Tier::Spot, member, NodeFailed, 100),
        (Tier::Guaranteed, member, Running, 60),
        (Tier::Guaranteed, member, NodeFailed, 60),
        (Tier::Guaranteed, member, Completed, 70),
        (Tier::Guaranteed, member, JobFailed, 70),
        (Tier::Guaranteed, member, Stopped, 70),
        (Tier::Guaranteed, LeaseRole::StandBy, Running, 100),
        (Tier::Guaranteed, LeaseRole::StandBy, NodeFailed, 100),
    ] {
        let mut scene = scene(tier, role);
        scene.settle((100, 60, 30), status, 5_200).unwrap();
        assert_eq!(scene.lease.paid_secs, paid_secs, "{tier:?} {role:?} {status:?}");
        let keeps_reserve = status == Running || scene.lease.is_failed_member();
        assert_eq!(scene.lease.reserve_amount > 0, keeps_reserve, "{tier:?} {role:?} {status:?}");
    }
}

#[test]
fn the_end_frees_a_node_only_from_its_own_lease() {
    for (at_work, left) in [(KEY, Pubkey::default()), (OTHER, OTHER)] {
        let mut scene = scene(Tier::Guaranteed, LeaseRole::StandBy);
        scene.node.lease = at_work;
        scene.settle((100, 0, 0), LeaseStatus::Stopped, 5_200).unwrap();
        assert_eq!(scene.node.lease, left);
    }
}

#[test]
fn spot_figures_may_fall_and_guaranteed_ones_may_not() {
    let mut spot = scene(Tier::Spot, LeaseRole::Member);
    spot.settle((100, 0, 0), LeaseStatus::Running, 5_200).unwrap();
    spot.settle((90, 0, 0), LeaseStatus::Running, 5_300).unwrap();
    assert_eq!((spot.lease.paid_secs, spot.lease.live_secs), (100, 100));
    let mut guaranteed = scene(Tier::Guaranteed, LeaseRole::Member);
    guaranteed.settle((100, 50, 10), LeaseStatus::Running, 5_200).unwrap();
    for secs in [(99, 50, 10), (100, 49, 10), (100, 50, 9), (100, 95, 10), (u64::MAX, u64::MAX, 10)] {
        assert!(guaranteed.settle(secs, LeaseStatus::Completed, 5_300).is_err(), "{secs:?}");
    }
}

#[test]
fn silence_begins_no_later_than_the_longest_time_ends() {
    let lease = |last_leaf_at, max_secs| Lease { last_leaf_at, max_secs, ..scene(Tier::Spot, LeaseRole::Member).lease };
    assert_eq!(lease(0, 1_000).silent_until(), 5_060, "from the award");
    assert_eq!(lease(5_500, 1_000).silent_until(), 5_560, "from the last leaf");
    assert_eq!(lease(9_000, 1_000).silent_until(), 6_060, "from the longest time");
    assert_eq!(lease(5_500, 10).silent_until(), 5_070, "from the notice's end after a stop");
    assert_eq!(lease(5_500, u64::MAX).silent_until(), 5_560);
}

fn failed() -> Scene {
    let mut scene = scene(Tier::Guaranteed, LeaseRole::Member);
    scene.settle((100, 60, 0), LeaseStatus::NodeFailed, 5_200).unwrap();
    scene
}

fn member(lost_secs: u64) -> Lease {
    let lease = scene(Tier::Guaranteed, LeaseRole::Member).lease;
    Lease { provider: OTHER, index: 3, lost_secs, live_secs: lost_secs, last_leaf_at: 5_200, ..lease }
}

#[test]
fn a_bond_pays_members_then_the_customer_then_comes_back() {
    for (lost_secs, claimed, compensation, returned) in
        [(0, 0, 200, 200), (10, 100, 200, 100), (20, 200, 200, 0), (30, 300, 100, 0), (40, 400, 0, 0), (50, 400, 0, 0)]
    {
        let Scene { mut lease, mut customer, mut provider, .. } = failed();
        let mut member = member(lost_secs);
        let unkept = lease.pay_unkept(&mut member, &mut provider, 5_299);
        assert_eq!(unkept.map_or(0, |(_, amount)| amount), claimed);
        let due = lease.compensation_due(&provider);
        assert_eq!(due, compensation);
        let compensated = lease.compensate(&mut customer, &mut provider, 5_300);
        assert_eq!(compensated.unwrap_or((0, 0)), (compensation, returned), "{lost_secs} s lost");
        assert_eq!((provider.lease_bonds, provider.locked, provider.stake), (0, 0, 1_000));
        lease.close(&mut customer, &mut provider).unwrap();
        customer.invariant().unwrap();
    }
}

#[test]
fn a_member_is_paid_once_and_only_for_seconds_that_were_its_to_earn() {
    let Scene { mut lease, mut provider, .. } = failed();
    let mut greedy = member(1_000_000);
    let (secs, _) = lease.pay_unkept(&mut greedy, &mut provider, 5_250).unwrap();
    assert_eq!(secs, 200, "no more than passed");
    assert_eq!(greedy.payable_secs(5_200), 0, "and nobody pays them again");
    assert!(lease.pay_unkept(&mut greedy, &mut provider, 5_250).is_err());
    let mut own = Lease { provider: Pubkey::default(), index: 4, ..member(10) };
    assert!(lease.pay_unkept(&mut own, &mut provider, 5_250).is_err(), "of the same provider");
    let mut of_other_job = Lease { job: OTHER, index: 5, ..member(10) };
    assert!(lease.pay_unkept(&mut of_other_job, &mut provider, 5_250).is_err());
    let mut late = Lease { index: 6, ..member(10) };
    assert!(lease.pay_unkept(&mut late, &mut provider, 5_300).is_err(), "the window is over");
}

#[test]
fn a_bond_that_a_slash_took_from_answers_with_what_is_left() {
    let Scene { mut lease, mut customer, mut provider, .. } = failed();
    (provider.lease_bonds, provider.locked, provider.stake) = (150, 150, 700);
    assert_eq!(lease.compensation_due(&provider), 150);
    assert_eq!(lease.compensate(&mut customer, &mut provider, 5_300).unwrap(), (150, 0));
    assert_eq!((provider.lease_bonds, provider.locked, lease.bond_left), (0, 0, 0));
    lease.close(&mut customer, &mut provider).unwrap();
}

#[test]
fn a_takeover_moves_all_that_is_left_and_happens_once() {
    let mut failed = failed().lease;
    let stand_by = Lease { full_per_sec: 99, ..scene(Tier::Guaranteed, LeaseRole::StandBy).lease };
    let reserve_amount = failed.reserve_amount;
    let mut taken = stand_by;
    let takeover = failed.fail_over(&mut taken, 5_299).unwrap();
    assert_eq!((takeover.max_secs, takeover.per_sec, takeover.reserve_amount), (940, 99, reserve_amount));
    assert_eq!((takeover.bond_left, taken.bond_left, failed.reserve_amount), (400, 0, 0));
    assert_eq!((taken.stop_at, taken.max_secs), (5_299, 299));
    let mut next = stand_by;
    assert!(failed.fail_over(&mut next, 5_299).is_err(), "twice");
    assert!(crate::state::lease::tests::failed().lease.fail_over(&mut next, 5_300).is_err(), "the window is over");
    assert!(crate::state::lease::tests::failed().lease.fail_over(&mut taken, 5_250).is_err(), "it stands by no longer");
}

#[test]
fn what_both_agree_on_lies_between_what_was_paid_and_what_passed() {
    for (secs, passes) in [(59, false), (60, true), (200, true), (201, false)] {
        let mut scene = scene(Tier::Guaranteed, LeaseRole::Member);
        scene.settle((100, 60, 0), LeaseStatus::Running, 5_150).unwrap();
        let parties = (&mut scene.customer, &mut scene.provider, &mut scene.node);
        let ended = scene.lease.end_mutually(&KEY, secs, 5_200, parties);
        assert_eq!(ended.is_ok(), passes, "{secs} s");
        if passes {
            // 100 s proven and 50 since: 5% of at least 150 s at 10.
            assert_eq!(scene.lease.fee_amount, secs.max(150) / 2);
            assert_eq!((scene.provider.lease_bonds, scene.lease.reserve_amount), (0, 0));
            assert_eq!(scene.provider.completions, 0);
            scene.lease.invariant().unwrap();
            scene.customer.invariant().unwrap();
        }
    }
}
