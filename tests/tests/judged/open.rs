//! `open_slash_case`: what is charged, and what is frozen at once.

use super::*;
use anchor_lang::error::ErrorCode;
use millrace::constants::REPORT_RING;
use millrace::events::{NodeSlashed, SlashCaseOpened};
use millrace::state::{Config, Node, NodeState, Offence, Provider, SlashCase};
use millrace_client::ix::relock_node;
use millrace_core::hash::sha256;
use millrace_tests::{ix, pda, MillraceError, Report, Signer};

#[test]
fn a_withheld_bundle_freezes_a_part_of_the_nodes_stake() {
    let (mut world, accusation) = market();
    let leaf = withheld(&world, &accusation.node);
    let (case, receipt) = world.charged(&accusation, &leaf, &[]);
    let params = world.config().params;
    let event = receipt.event::<SlashCaseOpened>();
    assert_eq!((event.case, event.number, event.offence), (case, 0, Offence::Withheld as u8));
    assert_eq!((event.frozen_amount, event.provider_frozen), (WITHHELD_PENALTY, WITHHELD_PENALTY));
    let state = world.read::<SlashCase>(&case);
    assert_eq!((state.version, state.provider, state.node), (1, accusation.seller.provider, accusation.node));
    assert_eq!((state.prover, state.rent_payer), (accusation.watcher.pubkey(), accusation.watcher.pubkey()));
    assert_eq!((state.bounty_account, state.audit_epoch), (accusation.bounty_account, leaf.audit_epoch));
    assert_eq!(state.evidence_hash, sha256(&[&leaf.to_bytes()]));
    assert_eq!((state.opened_at, state.appeal_until), (world.now(), world.now() + params.appeal_window_secs));
    let provider = world.read::<Provider>(&accusation.seller.provider);
    assert_eq!((provider.stake, provider.locked), (STAKE - WITHHELD_PENALTY, NODE_STAKE - WITHHELD_PENALTY));
    assert_eq!((provider.frozen, provider.open_slash_cases, provider.slashed_total), (WITHHELD_PENALTY, 1, 0));
    let node = world.read::<Node>(&accusation.node);
    assert_eq!((node.state, node.locked_stake), (NodeState::Suspended as u8, NODE_STAKE - WITHHELD_PENALTY));
    world.assert_books();
}

#[test]
fn a_charged_node_sells_nothing_until_it_is_relocked_and_audited() {
    let (mut world, accusation) = market();
    let leaf = withheld(&world, &accusation.node);
    world.charged(&accusation, &leaf, &[]);
    let audit = |world: &mut World| {
        world.warp_to_next_epoch();
        let leaf = NodeSpec::default().passed(&accusation.node, world.epoch(), world.now());
        world.apply(&leaf);
        world.read::<Node>(&accusation.node).state
    };
    assert_eq!(audit(&mut world), NodeState::Suspended as u8);
    let seller = &accusation.seller;
    let relock = relock_node(&seller.authority.pubkey(), &seller.provider, &accusation.node);
    world.must(&[relock], &[&seller.authority]);
    assert_eq!(world.read::<Node>(&accusation.node).locked_stake, NODE_STAKE);
    assert_eq!(audit(&mut world), NodeState::Verified as u8);
    world.assert_books();
}

#[test]
fn an_audit_is_charged_once_and_no_older_one_after_it() {
    let (mut world, accusation) = market();
    let older = withheld(&world, &accusation.node);
    world.warp_to_next_epoch();
    let leaf = withheld(&world, &accusation.node);
    let (older_report, report) = (world.report_node(&older), world.report_node(&leaf));
    let watcher = &accusation.watcher;
    world.must(&[world.charge(&accusation, &report, &leaf, &[])], &[watcher]);
    for (report, leaf) in [(&report, &leaf), (&older_report, &older)] {
        let again = world.charge(&accusation, report, leaf, &[]);
        world.assert_refused(&[again], &[watcher], MillraceError::OffenceJudged);
    }
    // The next epoch's is another offence, of what the node still answers with.
    world.warp_to_next_epoch();
    let next = withheld(&world, &accusation.node);
    let (case, _) = world.charged(&accusation, &next, &[]);
    assert_eq!(world.read::<SlashCase>(&case).frozen_amount, (NODE_STAKE - WITHHELD_PENALTY) / 5);
    world.assert_books();
}

#[test]
fn the_first_epoch_of_all_is_charged_too() {
    let mut world = World::new();
    let accusation = world.accusation();
    let leaf = millrace_core::leaves::NodeLeaf { audit_epoch: 0, ..withheld(&world, &accusation.node) };
    let (case, _) = world.charged(&accusation, &leaf, &[]);
    assert_eq!(world.read::<SlashCase>(&case).audit_epoch, 0);
}

#[test]
fn slowness_is_an_offence_from_the_second_audit_in_a_row_on() {
    let (mut world, accusation) = market();
    let watcher = &accusation.watcher;
    let first = slow(&world, &accusation.node);
    let first_report = world.report_node(&first);
    // Not before it is applied, nor once alone.
    let charge = world.charge(&accusation, &first_report, &first, &[]);
    world.assert_refused(std::slice::from_ref(&charge), &[watcher], MillraceError::NoOffence);
    world.apply(&first);
    world.assert_refused(std::slice::from_ref(&charge), &[watcher], MillraceError::NoOffence);
    // The same audit reported again with a later date is still one audit.
    world.warp_secs(1);
    world.apply(&millrace_core::leaves::NodeLeaf { at: world.now(), ..first });
    assert_eq!(world.read::<Node>(&accusation.node).downgrades, 1);
    world.warp_to_next_epoch();
    let second = slow(&world, &accusation.node);
    world.apply(&second);
    assert_eq!(world.read::<Node>(&accusation.node).downgrades, 2);
    // The older of the two is not the one.
    world.assert_refused(&[charge], &[watcher], MillraceError::NoOffence);
    let (case, receipt) = world.charged(&accusation, &second, &[]);
    assert_eq!(receipt.event::<SlashCaseOpened>().offence, Offence::Capacity as u8);
    assert_eq!(world.read::<SlashCase>(&case).frozen_amount, CAPACITY_PENALTY);
    world.assert_books();
}

#[test]
fn a_good_audit_begins_the_count_anew_and_a_withheld_one_does_not() {
    let (mut world, accusation) = market();
    let node = accusation.node;
    let mut applied = |leaf: fn(&World, &Pubkey) -> NodeLeaf| {
        world.warp_to_next_epoch();
        let leaf = leaf(&world, &node);
        world.apply(&leaf);
        world.read::<Node>(&node).downgrades
    };
    let good = |world: &World, node: &Pubkey| NodeSpec::default().passed(node, world.epoch(), world.now());
    assert_eq!([slow, withheld, slow, good, slow].map(&mut applied), [1, 1, 2, 0, 1]);
}

#[test]
fn what_is_no_offence_is_not_charged() {
    let (mut world, accusation) = market();
    let good = NodeSpec::default().passed(&accusation.node, world.epoch(), world.now());
    let refused = NodeLeaf { verdict: Verdict::Refused, ..good };
    for leaf in [good, refused] {
        let report = world.report_node(&leaf);
        let charge = world.charge(&accusation, &report, &leaf, &[]);
        world.assert_refused(&[charge], &[&accusation.watcher], MillraceError::NoOffence);
    }
}

#[test]
fn only_what_the_quorum_reported_of_this_node_is_charged() {
    let (mut world, accusation) = market();
    let watcher = &accusation.watcher;
    let leaf = withheld(&world, &accusation.node);
    let unsigned = Report::over(world.epoch(), &[leaf.tree_node()]);
    let charge = world.charge(&accusation, &unsigned, &leaf, &[]);
    world.assert_refused(&[charge], &[watcher], MillraceError::NoAcceptedRoot);
    let report = world.report_node(&leaf);
    let changed = NodeLeaf { audit_epoch: leaf.audit_epoch + 1, ..leaf };
    let charge = world.charge(&accusation, &report, &changed, &[]);
    world.assert_refused(&[charge], &[watcher], MillraceError::WrongPath);
    let other = world.node(&accusation.seller, &NodeSpec::default());
    let charge = ix::swap(world.charge(&accusation, &report, &leaf, &[]), &accusation.node, &other);
    world.assert_refused(&[charge], &[watcher], MillraceError::LeafOfAnother);
    let of_the_future = NodeLeaf { at: world.now() + 1_000, ..leaf };
    let report_of_it = world.report_node(&of_the_future);
    let charge = world.charge(&accusation, &report_of_it, &of_the_future, &[]);
    world.assert_refused(&[charge], &[watcher], MillraceError::LeafTooNew);
    // When the ring has gone round, nobody can show it any more.
    let charge = world.charge(&accusation, &report, &leaf, &[]);
    world.warp_epochs(REPORT_RING as u64);
    let place = report.epoch % REPORT_RING as u64;
    while world.epoch() % REPORT_RING as u64 != place {
        world.warp_to_next_epoch();
    }
    let newer = Report::over(world.epoch(), &[[1; 24]]);
    world.accept(&newer);
    world.assert_refused(&[charge], &[watcher], MillraceError::NoAcceptedRoot);
}

#[test]
fn a_retired_node_is_charged_by_the_figure_it_left() {
    let (mut world, accusation) = market();
    let seller = &accusation.seller;
    world.must(&[ix::retire(seller, &accusation.node)], &[&seller.authority]);
    world.must(&[ix::begin_unstake(seller, STAKE)], &[&seller.authority]);
    let leaf = withheld(&world, &accusation.node);
    let (_, receipt) = world.charged(&accusation, &leaf, &[]);
    let event = receipt.event::<SlashCaseOpened>();
    assert_eq!((event.frozen_amount, event.provider_unbonding), (WITHHELD_PENALTY, STAKE - WITHHELD_PENALTY));
    let node = world.read::<Node>(&accusation.node);
    assert_eq!((node.state, node.locked_stake), (NodeState::Retired as u8, NODE_STAKE - WITHHELD_PENALTY));
    // Frozen is out of reach of a withdrawal.
    world.warp_secs(world.config().params.unbonding_secs);
    world.must(&[ix::withdraw(&world, seller)], &[&seller.authority]);
    assert_eq!(world.tokens(&seller.vault), WITHHELD_PENALTY);
    world.assert_books();
}

#[test]
fn stake_behind_another_node_is_frozen_and_may_not_be_left_out() {
    let (mut world, accusation) = market();
    let seller = &accusation.seller;
    world.must(&[ix::retire(seller, &accusation.node)], &[&seller.authority]);
    let others = [5_000, 75_000].map(|gops| world.node(seller, &NodeSpec { gops, ..NodeSpec::default() }));
    assert_eq!(world.read::<Provider>(&seller.provider).free_stake(), 0);
    let leaf = withheld(&world, &accusation.node);
    let report = world.report_node(&leaf);
    // It would charge itself for nothing, and be judged.
    let bare = world.charge(&accusation, &report, &leaf, &[]);
    world.assert_refused(&[bare], &[&accusation.watcher], MillraceError::NothingToSlash);
    world.rewrite::<Provider>(&seller.provider, |provider| provider.locked -= MILL);
    world.rewrite::<Node>(&others[0], |node| node.locked_stake -= MILL);
    let bare = world.charge(&accusation, &report, &leaf, &[]);
    world.assert_refused(&[bare], &[&accusation.watcher], MillraceError::NodesMissing);
    let wrong = world.charge(&accusation, &report, &leaf, &[others[1], others[0]]);
    world.assert_refused(&[wrong], &[&accusation.watcher], MillraceError::WrongAccount);
    let charge = world.charge(&accusation, &report, &leaf, &others);
    let receipt = world.must(&[charge], &[&accusation.watcher]);
    assert_eq!(receipt.event::<SlashCaseOpened>().frozen_amount, WITHHELD_PENALTY);
    assert_eq!(receipt.event::<NodeSlashed>().node, others[0]);
    world.assert_books();
}

#[test]
fn a_node_without_stake_has_nothing_to_freeze() {
    let (mut world, accusation) = market();
    let leaf = withheld(&world, &accusation.node);
    let report = world.report_node(&leaf);
    world.rewrite::<Node>(&accusation.node, |node| node.locked_stake = 0);
    let charge = world.charge(&accusation, &report, &leaf, &[]);
    world.assert_refused(&[charge], &[&accusation.watcher], MillraceError::NothingToSlash);
}

#[test]
fn a_penalty_rounds_up() {
    let (mut world, accusation) = market();
    world.rewrite::<Config>(&pda::config(), |config| config.params.withheld_slash_bps = 1);
    world.rewrite::<Node>(&accusation.node, |node| node.locked_stake -= 1);
    world.rewrite::<Provider>(&accusation.seller.provider, |provider| provider.locked -= 1);
    let leaf = withheld(&world, &accusation.node);
    let (_, receipt) = world.charged(&accusation, &leaf, &[]);
    assert_eq!(receipt.event::<SlashCaseOpened>().frozen_amount, NODE_STAKE / 10_000);
}

#[test]
fn every_account_of_a_charge_is_fixed() {
    let (mut world, accusation) = market();
    let other = world.provider("other", STAKE);
    let leaf = withheld(&world, &accusation.node);
    let report = world.report_node(&leaf);
    let charge = world.charge(&accusation, &report, &leaf, &[]);
    let watcher = &accusation.watcher;
    let anothers = ix::swap(charge.clone(), &accusation.seller.provider, &other.provider);
    world.assert_refused(&[anothers], &[watcher], ErrorCode::ConstraintSeeds);
    let unsigned = ix::unsigned(charge.clone(), &watcher.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
    world.assert_no_account_is_replaceable(&charge, &[watcher]);
}

#[test]
fn a_charge_fits_a_transaction_with_the_longest_path_and_other_nodes() {
    let (mut world, accusation) = market();
    let others: Vec<_> = (0..4).map(|_| world.node(&accusation.seller, &NodeSpec::default())).collect();
    let leaf = withheld(&world, &accusation.node);
    let report = world.report_deep(leaf.tree_node(), 20);
    let charge = world.charge(&accusation, &report, &leaf, &others);
    world.must(&[charge], &[&accusation.watcher]);
}
