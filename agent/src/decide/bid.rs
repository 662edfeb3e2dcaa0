//! Which job to bid for, at what price, and which own bids have become void.

use millrace::instructions::PlaceBidArgs;
use millrace::state::{Bid, Job, Node, Provider, Topology};
use millrace_client::Pubkey;
use millrace_core::score::score;

/// Least time before the end of bidding at which a bid is still sent, seconds.
const SEND_WITHIN_SECS: i64 = 1;

/// What the operator set, and the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BidPolicy {
    /// Asking price instead of the node's own on chain, base units a second.
    pub ask_per_sec: Option<u64>,
    /// No bid below it, base units a second.
    pub min_per_sec: u64,
    /// The chain's clock.
    pub now: i64,
}

/// What to bid for `job` with `node`; `None` when it cannot win or may not bid. `bids` is the job's leaderboard. An agent
/// of one node bids for no job that wants a whole site, and stands by where that is paid.
pub fn decide_bid(
    job: &Job,
    bids: &[Bid],
    node: &Node,
    provider: &Provider,
    policy: &BidPolicy,
) -> Option<PlaceBidArgs> {
    let is_open = job.is_open() && policy.now.saturating_add(SEND_WITHIN_SECS) <= job.bidding_ends_at;
    // Figures that expire before the award would break the bid.
    let is_able = node.is_able(job.bidding_ends_at.max(policy.now)) && node.is_free();
    let is_at_large = provider.require_active(policy.now).is_ok();
    let suits = job.requirements.topology != Topology::SameSite as u8;
    if !is_open || !is_able || !is_at_large || !suits || !job.is_met_by(node, provider.reliability_bps) {
        return None;
    }
    let ask = policy.ask_per_sec.unwrap_or(node.ask_per_sec);
    let per_sec = ask.max(policy.min_per_sec).max(provider.min_bid_per_sec).max(1);
    if per_sec > job.max_per_sec {
        return None;
    }
    let (bond, lease_bond) = (job.bid_bond().ok()?, job.lease_bond().ok()?);
    let within_cap = provider.bonds.checked_add(bond).is_some_and(|bonds| bonds <= provider.max_bonds_amount);
    // Who cannot lock the lease's bond at the award would lose the bid's.
    if !within_cap || bond.max(lease_bond) > provider.free_stake() {
        return None;
    }
    let score = score(job.objective().ok()?, per_sec, node.verified_gops, provider.reliability_bps);
    let room = Job::leaderboard_len(job.requirements.node_count);
    let finds_a_place = bids.len() < room || bids.iter().any(|bid| bid.score < score);
    finds_a_place.then_some(PlaceBidArgs { per_sec, may_stand_by: job.requirements.standby_count > 0 })
}

/// Whether the live bid of `node` holds it for nothing: its job is closed, no longer waiting, late, or no longer has
/// the bid on its board.
pub fn is_stale(job: Option<&(Job, Vec<Bid>)>, node: &Pubkey, now: i64) -> bool {
    job.is_none_or(|(job, bids)| now >= job.award_by || !job.may_award(bids, node))
}

/// Whether to award `job`, with its leaderboard `bids`, in the customer's stead.
pub fn should_award(job: &Job, bids: &[Bid], now: i64, award_after_secs: u64) -> bool {
    let patience_secs = i64::try_from(award_after_secs).unwrap_or(i64::MAX);
    now >= job.bidding_ends_at.saturating_add(patience_secs) && job.next_bid(bids, now).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use millrace::state::{JobState, NodeClass, NodeState, ProviderStatus, Requirements};
    use millrace_core::score::Objective;

    const NODE: Pubkey = Pubkey::new_from_array([4; 32]);

    fn job() -> Job {
        let requirements = Requirements {
            min_gops: 100,
            regions: u64::MAX,
            min_reliability_bps: 1_000,
            class: NodeClass::Cpu as u8,
            node_count: 1,
            ..Requirements::zeroed()
        };
        let mut job = Job {
            objective: Objective::Price as u8,
            requirements,
            max_per_sec: 1_000,
            max_secs: 100,
            bidding_ends_at: 1_000,
            award_by: 2_000,
            ..Job::zeroed()
        };
        job.terms.bid_bond_bps = 1_000;
        job
    }

    fn node() -> Node {
        Node {
            class: NodeClass::Cpu as u8,
            state: NodeState::Verified as u8,
            verified_gops: 100,
            verified_until: 5_000,
            ask_per_sec: 700,
            ..Node::zeroed()
        }
    }

    fn provider() -> Provider {
        Provider {
            reliability_bps: 5_000,
            stake: 100_000,
            locked: 10_000,
            max_bonds_amount: 50_000,
            ..Provider::zeroed()
        }
    }

    const POLICY: BidPolicy = BidPolicy { ask_per_sec: None, min_per_sec: 0, now: 500 };

    fn price(job: &Job, bids: &[Bid], node: &Node, provider: &Provider, policy: &BidPolicy) -> Option<u64> {
        decide_bid(job, bids, node, provider, policy).map(|args| args.per_sec)
    }

    fn bid(job: &Job, node: &Node, provider: &Provider) -> Option<u64> {
        price(job, &[], node, provider, &POLICY)
    }

    #[test]
    fn a_fitting_job_is_bid_for_at_the_asking_price() {
        assert_eq!(bid(&job(), &node(), &provider()), Some(700));
        let policy = BidPolicy { ask_per_sec: Some(650), ..POLICY };
        assert_eq!(price(&job(), &[], &node(), &provider(), &policy), Some(650));
    }

    #[test]
    fn the_highest_of_all_floors_counts_and_never_exceeds_what_the_job_pays() {
        let floor = Provider { min_bid_per_sec: 800, ..provider() };
        assert_eq!(bid(&job(), &node(), &floor), Some(800));
        let policy = BidPolicy { min_per_sec: 900, ..POLICY };
        assert_eq!(price(&job(), &[], &node(), &floor, &policy), Some(900));
        assert_eq!(bid(&Job { max_per_sec: 699, ..job() }, &node(), &provider()), None);
        assert_eq!(bid(&job(), &Node { ask_per_sec: 0, ..node() }, &provider()), Some(1), "free is not an offer");
    }

    #[test]
    fn no_bid_where_the_program_would_refuse_it() {
        for (why, job) in [
            ("awarded", Job { state: JobState::Awarded as u8, ..job() }),
            ("closing", Job { bidding_ends_at: 500, ..job() }),
            ("too fast", Job { requirements: Requirements { min_gops: 101, ..job().requirements }, ..job() }),
            (
                "class",
                Job { requirements: Requirements { class: NodeClass::Gpu as u8, ..job().requirements }, ..job() },
            ),
        ] {
            assert_eq!(bid(&job, &node(), &provider()), None, "{why}");
        }
        for (why, node) in [
            ("unverified", Node { state: NodeState::Registered as u8, ..node() }),
            ("expiring before the award", Node { verified_until: 1_000, ..node() }),
            ("draining", Node { draining: 1, ..node() }),
            ("leased", Node { lease: NODE, ..node() }),
            ("bidding", Node { bid_job: NODE, ..node() }),
        ] {
            assert_eq!(bid(&job(), &node, &provider()), None, "{why}");
        }
        for (why, provider) in [
            ("jailed", Provider { status: ProviderStatus::Jailed as u8, jailed_until: 900, ..provider() }),
            ("unreliable", Provider { reliability_bps: 999, ..provider() }),
            ("stake locked", Provider { locked: 94_000, ..provider() }),
            ("bond cap", Provider { max_bonds_amount: 9_999, ..provider() }),
        ] {
            assert_eq!(bid(&job(), &node(), &provider), None, "{why}");
        }
    }

    #[test]
    fn a_bid_that_would_fall_off_a_full_board_is_not_sent() {
        let with = |per_sec| Bid { per_sec, score: score(Objective::Price, per_sec, 0, 0), ..Bid::zeroed() };
        let decide = |bids: &[Bid]| price(&job(), bids, &node(), &provider(), &POLICY);
        assert_eq!(decide(&[with(600), with(700)]), None, "ties go to the earlier");
        assert_eq!(decide(&[with(600), with(701)]), Some(700));
        assert_eq!(decide(&[with(600)]), Some(700));
    }

    #[test]
    fn a_bid_is_stale_when_its_job_is_gone_late_or_has_better_ones() {
        let own = Bid { node: NODE, ..Bid::zeroed() };
        let with = |job: Job, bids: Vec<Bid>| (Job { bid_count: bids.len() as u8, ..job }, bids);
        assert!(is_stale(None, &NODE, 500));
        assert!(!is_stale(Some(&with(job(), vec![own])), &NODE, 500));
        assert!(is_stale(Some(&with(job(), vec![Bid::zeroed()])), &NODE, 500), "evicted");
        assert!(is_stale(Some(&with(job(), vec![own])), &NODE, 2_000), "late");
        assert!(is_stale(Some(&with(Job { state: JobState::Cancelled as u8, ..job() }, vec![own])), &NODE, 500));
    }

    #[test]
    fn a_node_stands_by_where_that_is_paid_and_bids_for_no_whole_site() {
        let with = |standby_count, topology: Topology| {
            let requirements = Requirements { standby_count, topology: topology as u8, ..job().requirements };
            let job = Job { requirements, ..job() };
            decide_bid(&job, &[], &node(), &provider(), &POLICY).map(|args| args.may_stand_by)
        };
        assert_eq!(with(0, Topology::Any), Some(false));
        assert_eq!(with(1, Topology::SameRegion), Some(true));
        assert_eq!(with(0, Topology::SameSite), None);
    }

    #[test]
    fn no_bid_whose_lease_bond_could_not_be_locked() {
        let mut job = Job { tier: millrace::state::Tier::Guaranteed as u8, ..job() };
        job.terms.bond_bps = 9_000;
        assert_eq!(bid(&job, &node(), &provider()), Some(700), "90,000 of 90,000 free");
        assert_eq!(bid(&job, &node(), &Provider { locked: 10_001, ..provider() }), None);
    }

    #[test]
    fn the_customer_awards_first() {
        let (job, bids) = (Job { bid_count: 1, ..job() }, [Bid::zeroed(), Bid::zeroed()]);
        assert!(!should_award(&job, &bids, 1_002, 3) && should_award(&job, &bids, 1_003, 3));
        assert!(!should_award(&job, &bids, 2_000, 3), "too late");
        assert!(!should_award(&Job { award_cursor: 1, ..job }, &bids, 1_003, 3), "nobody left");
        assert!(!should_award(&Job { state: JobState::Awarded as u8, ..job }, &bids, 1_003, 3));
    }
}
