use bytemuck::Zeroable;

use super::*;
use crate::state::{LeaseRole, NO_POSITION};

fn job(node_count: u8, standby_count: u8, topology: Topology) -> Job {
    let tier = if standby_count > 0 { Tier::Guaranteed } else { Tier::Spot } as u8;
    let requirements = Requirements { node_count, standby_count, topology: topology as u8, ..Requirements::zeroed() };
    let mut job = Job { tier, requirements, max_per_sec: 1_000, max_secs: 100, award_by: i64::MAX, ..Job::zeroed() };
    (job.terms.fee_bps, job.terms.standby_bps, job.terms.bond_bps) = (500, 1_000, 2_000);
    job.reserve_amount = job.most_cost().unwrap();
    job
}

fn bid(node: u8, score: u64, region: u8, may_stand_by: u8) -> Bid {
    Bid { node: Pubkey::new_from_array([node; 32]), per_sec: 700, score, region, may_stand_by, ..Bid::zeroed() }
}

/// A board with room for the job, holding `bids`.
fn board(job: &mut Job, bids: &[Bid]) -> Vec<Bid> {
    let mut board = vec![Bid::zeroed(); Job::leaderboard_len(job.requirements.node_count)];
    board[..bids.len()].copy_from_slice(bids);
    job.bid_count = bids.len() as u8;
    board
}

fn names(job: &Job, board: &[Bid]) -> Vec<u8> {
    board[..usize::from(job.bid_count)].iter().map(|bid| bid.node.to_bytes()[0]).collect()
}

/// Gives out whatever is left; returns node and role of each.
fn award_all(job: &mut Job, board: &[Bid]) -> Vec<(u8, LeaseRole, u8)> {
    let mut given = vec![];
    while let Ok((entry, bid)) = job.next_bid(board, 0) {
        let awarded = job.award(entry, &bid).unwrap();
        job.invariant().unwrap();
        given.push((bid.node.to_bytes()[0], awarded.role, awarded.job_position));
    }
    given
}

#[test]
fn a_group_stands_together_behind_equals_and_pushes_whole_groups_off() {
    let mut job = job(2, 0, Topology::SameSite);
    let mut board = board(&mut job, &[bid(1, 9, 0, 0), bid(2, 9, 0, 0), bid(3, 5, 0, 0), bid(4, 5, 0, 0)]);
    let group = |first: u8, score: u64| [bid(first, score, 0, 0), bid(first + 1, score, 0, 0)];
    assert!(job.place(&mut board, &group(5, 5)).is_err(), "equal to the last");
    assert_eq!(job.place(&mut board, &group(5, 9)).unwrap(), 2);
    assert_eq!(names(&job, &board), [1, 2, 5, 6]);
    assert_eq!(job.place(&mut board, &group(7, 10)).unwrap(), 0);
    assert_eq!(names(&job, &board), [7, 8, 1, 2]);
}

#[test]
fn a_group_that_would_not_stand_whole_does_not_stand() {
    let mut job = job(2, 0, Topology::Any);
    let mut board = board(&mut job, &[bid(1, 9, 0, 0), bid(2, 8, 0, 0), bid(3, 7, 0, 0)]);
    assert!(job.place(&mut board, &[bid(4, 6, 0, 0), bid(5, 6, 0, 0)]).is_err());
    assert_eq!(names(&job, &board), [1, 2, 3], "a refusal changes nothing");
    assert_eq!(job.place(&mut board, &[bid(4, 7, 0, 0)]).unwrap(), 3);
    assert_eq!(job.place(&mut board, &[bid(5, 8, 0, 0), bid(6, 8, 0, 0)]).unwrap(), 2);
    assert_eq!(names(&job, &board), [1, 2, 5, 6]);
    assert!(job.place(&mut board, &[]).is_err());
}

#[test]
fn the_region_whose_last_needed_bid_stands_earliest_is_taken() {
    let mut job = job(2, 0, Topology::SameRegion);
    let bids = [bid(1, 9, 0, 0), bid(2, 8, 63, 0), bid(3, 7, 63, 0), bid(4, 6, 0, 0)];
    let board = board(&mut job, &bids);
    let given = award_all(&mut job, &board);
    assert_eq!(given, [(2, LeaseRole::Member, 0), (3, LeaseRole::Member, 1)]);
    assert_eq!((job.region_fixed, job.state), (64, JobState::Awarded as u8));
}

#[test]
fn without_a_region_that_has_enough_nothing_begins() {
    let mut job = job(2, 0, Topology::SameRegion);
    let board = board(&mut job, &[bid(1, 9, 0, 0), bid(2, 8, 1, 0), bid(3, 7, 2, 0)]);
    assert_eq!(job.next_entry(&board), None);
    assert!(job.may_award(&board, &bid(3, 0, 0, 0).node), "another may still be dropped: the bids stand");
}

#[test]
fn those_who_would_not_stand_by_are_passed_over() {
    let mut job = job(2, 2, Topology::Any);
    let bids = [bid(1, 9, 0, 0), bid(2, 8, 0, 1), bid(3, 7, 0, 0), bid(4, 6, 0, 1)];
    let board = board(&mut job, &bids);
    let reserve_amount = job.reserve_amount;
    let given = award_all(&mut job, &board);
    let (member, stand_by) = (LeaseRole::Member, LeaseRole::StandBy);
    assert_eq!(given, [(1, member, 0), (2, member, 1), (4, stand_by, NO_POSITION)]);
    let left = reserve_amount - 2 * job.position_cost().unwrap() - job.standby_cost().unwrap();
    assert_eq!(job.reserve_amount, left, "the second stand-by's is still there");
    assert!(!job.may_award(&board, &bids[2].node));
}

#[test]
fn a_job_of_which_a_lease_is_closed_takes_on_no_more() {
    let mut job = job(1, 1, Topology::Any);
    let board = board(&mut job, &[bid(1, 9, 0, 1), bid(2, 8, 0, 1)]);
    let (entry, first) = job.next_bid(&board, 0).unwrap();
    job.award(entry, &first).unwrap();
    assert!(job.may_award(&board, &bid(2, 0, 0, 0).node));
    job.leases_open = 0;
    assert!(job.next_bid(&board, 0).is_err() && !job.may_award(&board, &bid(2, 0, 0, 0).node));
}

#[test]
fn a_dropped_bid_leaves_the_others_their_turn() {
    let mut job = job(2, 0, Topology::Any);
    let mut board = board(&mut job, &[bid(1, 9, 0, 0), bid(2, 8, 0, 0), bid(3, 7, 0, 0)]);
    let (entry, first) = job.next_bid(&board, 0).unwrap();
    job.award(entry, &first).unwrap();
    let (entry, _) = job.next_bid(&board, 0).unwrap();
    job.drop_entry(&mut board, entry);
    assert_eq!(names(&job, &board), [1, 3]);
    assert_eq!(award_all(&mut job, &board), [(3, LeaseRole::Member, 1)]);
}

#[test]
fn every_place_is_paid_out_of_what_was_reserved_to_the_unit() {
    for (nodes, standbys) in [(1, 0), (3, 0), (1, 1), (16, 16)] {
        let mut job = job(nodes, standbys, Topology::Any);
        let bids: Vec<Bid> = (0..nodes + standbys).map(|n| bid(n, 99, 0, 1)).collect();
        let board = board(&mut job, &bids);
        let (mut kept, mut released) = (0, 0);
        let reserved = job.reserve_amount;
        while let Ok((entry, bid)) = job.next_bid(&board, 0) {
            let awarded = job.award(entry, &bid).unwrap();
            kept += awarded.reserve_amount;
            released += awarded.released_amount;
        }
        assert_eq!((job.reserve_amount, kept + released), (0, reserved), "{nodes} nodes, {standbys} stand-bys");
    }
}
