//! The oracle share of fees, by observations opened.

use anchor_lang::error::ErrorCode;
use millrace::events::{OracleLeafApplied, RewardClaimed};
use millrace::state::{Config, Oracle, OracleSet};
use millrace_core::leaves::{NodeLeaf, OracleLeaf, Verdict, ORACLE_LEAF_LEN};
use millrace_tests::*;

fn claim(world: &World, seat: usize, tokens: &Pubkey) -> Instruction {
    ix::claim_reward(&world.oracle_of(seat), tokens, &world.market())
}

fn period_epochs(world: &World) -> u64 {
    world.config().params.reward_period_epochs
}

/// Lets the period under way end.
fn end_period(world: &mut World) {
    let (epoch, epochs) = (world.epoch(), period_epochs(world));
    world.warp_epochs(epochs - epoch % epochs);
}

#[test]
fn the_pool_is_shared_by_opened_observations_and_the_rest_stays() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let tokens: Vec<_> = (0..3).map(|seat| world.oracle_tokens(seat, 0)).collect();
    world.fill_pool(1_000);
    let points: Vec<OracleLeafApplied> = world.opened(&[3, 1, 2]).iter().map(|receipt| receipt.event()).collect();
    assert_eq!(points.iter().map(|event| event.added_points).collect::<Vec<_>>(), [3, 1, 2]);
    assert_eq!(points[2].period_points, 6);
    world.assert_refused(&[claim(&world, 0, &tokens[0])], &[&anyone], MillraceError::NothingToClaim);

    end_period(&mut world);
    let mut paid = 0;
    for (seat, amount) in [(0, 500), (1, 166), (2, 333)] {
        let event: RewardClaimed = world.must(&[claim(&world, seat, &tokens[seat])], &[&anyone]).event();
        paid += amount;
        assert_eq!((event.amount, event.closed_pot_amount, event.closed_claimed_amount), (amount, 1_000, paid));
        assert_eq!((event.rewarded_total, event.oracle_rewarded_total), (paid, amount));
        assert_eq!(world.tokens(&tokens[seat]), amount);
        world.assert_refused(&[claim(&world, seat, &tokens[seat])], &[&anyone], MillraceError::NothingToClaim);
    }
    assert_eq!(world.tokens(&world.oracle_pool), 1, "rounded down; the remainder stays");
}

#[test]
fn who_opened_nothing_gets_nothing_however_often_it_signed() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let tokens: Vec<_> = (0..3).map(|seat| world.oracle_tokens(seat, 0)).collect();
    world.fill_pool(1_000);
    world.opened(&[4, 0, 4]);
    let signed = world.read::<Oracle>(&world.oracle_of(1)).signed;
    assert!(signed > 0);
    end_period(&mut world);
    world.assert_refused(&[claim(&world, 1, &tokens[1])], &[&anyone], MillraceError::NothingToClaim);
    let event: RewardClaimed = world.must(&[claim(&world, 0, &tokens[0])], &[&anyone]).event();
    assert_eq!(event.amount, 500);
}

#[test]
fn a_reward_not_claimed_in_the_next_period_goes_into_later_pots() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let tokens: Vec<_> = (0..3).map(|seat| world.oracle_tokens(seat, 0)).collect();
    world.fill_pool(900);
    world.opened(&[3, 3, 3]);
    end_period(&mut world);
    world.must(&[claim(&world, 0, &tokens[0])], &[&anyone]);
    world.opened(&[3, 6, 3]);
    world.fill_pool(100);
    end_period(&mut world);
    // The second period's pot has what two left behind; only one opened anything in it.
    world.assert_refused(&[claim(&world, 2, &tokens[2])], &[&anyone], MillraceError::NothingToClaim);
    let event: RewardClaimed = world.must(&[claim(&world, 1, &tokens[1])], &[&anyone]).event();
    assert_eq!((event.closed_pot_amount, event.amount), (700, 700));
    assert_eq!(event.points, 3);
}

#[test]
fn a_period_nobody_touched_leaves_nothing_to_claim() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let tokens = world.oracle_tokens(0, 0);
    world.fill_pool(900);
    world.opened(&[3, 3, 3]);
    end_period(&mut world);
    end_period(&mut world);
    world.assert_refused(&[claim(&world, 0, &tokens)], &[&anyone], MillraceError::NothingToClaim);
    let event: OracleLeafApplied = world.opened(&[5, 3, 3])[0].event();
    assert_eq!((event.points, event.closed_points, event.all_closed_points), (2, 0, 0));
}

#[test]
fn a_leaf_saved_up_counts_for_no_more_than_one_period() {
    let mut world = World::new();
    let epochs = period_epochs(&world);
    world.warp_epochs(10 * epochs);
    let event: OracleLeafApplied = world.opened(&[8 * epochs, 1, 0])[0].event();
    assert_eq!((event.added_points, event.points, event.opened), (epochs, epochs, 8 * epochs));
    let event: OracleLeafApplied = world.opened(&[8 * epochs + 1, 1, 0])[0].event();
    assert_eq!((event.added_points, event.points), (0, epochs), "the period has no more epochs");
}

#[test]
fn a_leaf_is_newer_than_the_last_and_its_counter_never_falls() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    world.opened(&[3, 0, 0]);
    world.unsigned_epoch();
    let fallen = world.oracle_leaf(0, 2);
    let same = world.oracle_leaf(0, 3);
    let late = OracleLeaf { at: world.now() + 1, ..same };
    let report = world.report(&[fallen.tree_node(), same.tree_node(), late.tree_node()]);
    world.assert_refused(&[world.count(&report, 0, &fallen)], &[&anyone], MillraceError::StaleLeaf);
    world.assert_refused(&[world.count(&report, 2, &late)], &[&anyone], MillraceError::LeafTooNew);
    let again = world.count(&report, 1, &same);
    world.must(std::slice::from_ref(&again), &[&anyone]);
    world.assert_refused(&[again], &[&anyone], MillraceError::StaleLeaf);
}

#[test]
fn only_a_proven_leaf_of_this_oracle_is_counted() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let leaf = world.oracle_leaf(0, 3);
    let report = world.report(&[leaf.tree_node(), world.oracle_leaf(1, 1).tree_node()]);
    let honest = world.count(&report, 0, &leaf);
    let of_another = ix::swap(honest.clone(), &world.oracle_of(0), &world.oracle_of(1));
    world.assert_refused(&[of_another], &[&anyone], MillraceError::LeafOfAnother);
    let more = world.count(&report, 0, &OracleLeaf { opened: 4, ..leaf });
    world.assert_refused(&[more], &[&anyone], MillraceError::WrongPath);
    let elsewhere = world.count(&report, 1, &leaf);
    world.assert_refused(&[elsewhere], &[&anyone], MillraceError::WrongPath);
    let mut other_epoch = report.clone();
    other_epoch.epoch += 1;
    let unaccepted = world.count(&other_epoch, 0, &leaf);
    world.assert_refused(&[unaccepted], &[&anyone], MillraceError::NoAcceptedRoot);
    let other_pool = ix::swap(honest.clone(), &world.oracle_pool, &world.treasury);
    world.assert_refused(&[other_pool], &[&anyone], MillraceError::WrongAccount);
    world.assert_no_account_is_replaceable(&honest, &[&anyone]);

    // A leaf of another kind whose bytes begin the same way does not pass for one.
    let node = NodeLeaf {
        node: leaf.oracle,
        audit_epoch: 3,
        super_root: [0; 24],
        verdict: Verdict::Passed,
        gops: 1,
        vram_mib: 1,
        bandwidth_mbps: 1,
        at: leaf.at,
    };
    world.warp_to_next_epoch();
    let report = world.report(&[node.tree_node()]);
    let bytes: [u8; ORACLE_LEAF_LEN] = node.to_bytes()[..ORACLE_LEAF_LEN].try_into().unwrap();
    let forged = OracleLeaf { at: 1, ..OracleLeaf::from_bytes(&bytes).unwrap() };
    world.assert_refused(&[world.count(&report, 0, &forged)], &[&anyone], MillraceError::WrongPath);
}

#[test]
fn a_report_counts_in_its_own_period_or_right_after_it() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let epochs = period_epochs(&world);
    world.warp_epochs(epochs - 1);
    let leaf = world.oracle_leaf(0, 3);
    let last = world.report(&[leaf.tree_node()]);
    assert_eq!(last.epoch, epochs - 1, "the last epoch of its period");
    let count = world.count(&last, 0, &leaf);
    let copy = world.svm.clone();
    // Signed in the epoch after it, at the earliest: it counts there, in the next period.
    world.warp_epochs(epochs);
    let event: OracleLeafApplied = world.must(std::slice::from_ref(&count), &[&anyone]).event();
    assert_eq!((event.reward_period, event.points), (epochs, 3));
    world.svm = copy;
    world.warp_epochs(epochs + 1);
    assert_eq!(world.epoch() % epochs, 0);
    world.assert_refused(&[count], &[&anyone], MillraceError::WrongEpoch);
}

#[test]
fn an_address_that_was_an_oracles_before_starts_from_its_own_seat() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let leaf = world.oracle_leaf(0, 3);
    let report = world.report(&[leaf.tree_node()]);
    world.rewrite::<Oracle>(&world.oracle_of(0), |oracle| oracle.seated_epoch = report.epoch + 1);
    world.assert_refused(&[world.count(&report, 0, &leaf)], &[&anyone], MillraceError::StaleLeaf);
}

#[test]
fn a_reward_goes_to_the_oracles_own_key_from_the_pool_only() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let tokens: Vec<_> = (0..3).map(|seat| world.oracle_tokens(seat, 0)).collect();
    world.fill_pool(1_000);
    world.opened(&[2, 2, 2]);
    end_period(&mut world);
    let honest = claim(&world, 0, &tokens[0]);
    let to_another = ix::swap(honest.clone(), &tokens[0], &tokens[1]);
    world.assert_refused(&[to_another], &[&anyone], MillraceError::WrongAccount);
    let from_treasury = ix::swap(honest.clone(), &world.oracle_pool, &world.treasury);
    world.assert_refused(&[from_treasury], &[&anyone], MillraceError::WrongAccount);
    let by_another = ix::swap(honest.clone(), &pda::governance(), &anyone.pubkey());
    world.assert_refused(&[by_another], &[&anyone], ErrorCode::ConstraintSeeds);
    world.assert_no_account_is_replaceable(&honest, &[&anyone]);
    world.must(&[honest], &[&anyone]);
}

#[test]
fn a_removed_oracle_is_paid_what_it_earned() {
    let mut world = World::new();
    let anyone = world.stranger("anyone");
    let tokens = world.oracle_tokens(0, 0);
    world.fill_pool(1_000);
    world.opened(&[2, 2, 0]);
    world.remove_seat(0);
    end_period(&mut world);
    let event: RewardClaimed = world.must(&[claim(&world, 0, &tokens)], &[&anyone]).event();
    assert_eq!(event.amount, 500);
}

#[test]
fn another_length_of_the_period_pays_nothing_twice() {
    for epochs in [1, 5, 16, 64] {
        let mut world = World::new();
        let anyone = world.stranger("anyone");
        let tokens: Vec<_> = (0..3).map(|seat| world.oracle_tokens(seat, 0)).collect();
        world.fill_pool(1_000_000);
        let mut opened = [0u64; 3];
        let mut received = 0;
        for round in 0..12 {
            if round == 5 {
                world.rewrite::<Config>(&pda::config(), |config| config.params.reward_period_epochs = epochs);
            }
            opened.iter_mut().zip(1..).for_each(|(counter, more)| *counter += more);
            let period = world.read::<OracleSet>(&pda::oracles()).reward_period;
            world.opened(&opened);
            assert!(world.read::<OracleSet>(&pda::oracles()).reward_period >= period, "never back");
            end_period(&mut world);
            for (seat, tokens) in tokens.iter().enumerate() {
                let _ = world.send(&[claim(&world, seat, tokens)], &[&anyone]);
                let _ = world.send(&[claim(&world, seat, tokens)], &[&anyone]);
            }
            let set = world.read::<OracleSet>(&pda::oracles());
            assert!(set.closed_claimed_amount <= set.closed_pot_amount);
            let now: u64 = tokens.iter().map(|tokens| world.tokens(tokens)).sum();
            assert_eq!(now, set.rewarded_total);
            assert!(now >= received);
            received = now;
        }
        assert!(received > 999_000, "the pool was shared out: {received}");
    }
}
