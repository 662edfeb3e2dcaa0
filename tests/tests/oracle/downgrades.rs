//! Downgrades: whoever applies one of another's node is paid from that stake, and never more than it loses.

use super::*;
use millrace::events::{AuditApplied, DowngradePaid};
use millrace::state::{Config, Node, NodeState, Provider};
use millrace_client::ix::apply_downgrade;
use millrace_core::leaves::Verdict;
use millrace_tests::judged::audit_args;
use millrace_tests::{pda, tokens, MillraceError};

const NODE_STAKE: u64 = 200 * MILL;

/// A verified node, and a rival with a token account.
fn sold(stake: u64) -> (World, Seller, Pubkey, Keypair, Pubkey) {
    let mut world = World::new();
    let seller = world.provider("seller", stake);
    let node = world.verified_node(&seller, NodeSpec::default());
    let rival = world.stranger("rival");
    let receiver = world.put_tokens("rival's tokens", &rival.pubkey(), 0);
    world.warp_secs(1);
    (world, seller, node, rival, receiver)
}

/// Has the oracles report `leaf`, and applies it for `receiver`.
fn apply(world: &mut World, leaf: &NodeLeaf, receiver: &Pubkey, payer: &Keypair) -> DowngradePaid {
    let report = world.report_node(leaf);
    let node = Pubkey::new_from_array(leaf.node);
    let market = world.market();
    let apply = apply_downgrade(&node, &world.read::<Node>(&node), receiver, &market, audit_args(&report, leaf));
    let receipt = world.must(&[apply], &[payer]);
    assert_eq!(receipt.event::<AuditApplied>().state, world.read::<Node>(&node).state);
    world.assert_books();
    receipt.event()
}

#[test]
fn a_suspension_pays_whoever_applies_it_from_the_providers_stake() {
    let (mut world, seller, node, rival, receiver) = sold(1_000 * MILL);
    let fee = world.config().params.downgrade_fee_amount;
    let leaf = NodeLeaf { verdict: Verdict::Refused, ..passed(&world, &node) };
    let event = apply(&mut world, &leaf, &receiver, &rival);
    assert_eq!((event.fee_amount, event.state), (fee, NodeState::Suspended as u8));
    assert_eq!(world.tokens(&receiver), fee);
    assert_eq!(world.tokens(&seller.vault), 1_000 * MILL - fee);
    // Free stake fills up the node's at once.
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.stake, provider.locked), (1_000 * MILL - fee, NODE_STAKE));
    assert_eq!(world.read::<Node>(&node).locked_stake, NODE_STAKE);
}

#[test]
fn without_free_stake_the_node_pays_and_sells_nothing_more() {
    let (mut world, seller, node, rival, receiver) = sold(NODE_STAKE);
    let fee = world.config().params.downgrade_fee_amount;
    // More than half of the claim, but more than a quarter less than before.
    let leaf = NodeLeaf { gops: 7_499, ..passed(&world, &node) };
    let event = apply(&mut world, &leaf, &receiver, &rival);
    assert_eq!((event.fee_amount, event.node_locked_stake), (fee, NODE_STAKE - fee));
    assert_eq!((event.provider_stake, event.provider_locked), (NODE_STAKE - fee, NODE_STAKE - fee));
    assert_eq!(world.read::<Node>(&node).state, NodeState::Suspended as u8);
    assert_eq!(world.tokens(&seller.vault), NODE_STAKE - fee);
}

#[test]
fn what_honest_measurements_differ_by_is_no_downgrade() {
    let (mut world, _, node, rival, receiver) = sold(1_000 * MILL);
    for (gops, is_paid) in [(7_500, false), (10_000, false), (7_499, true), (5_625, false), (5_000, false)] {
        world.warp_secs(1);
        let leaf = NodeLeaf { gops, ..passed(&world, &node) };
        let event = apply(&mut world, &leaf, &receiver, &rival);
        assert_eq!((event.fee_amount > 0, event.state), (is_paid, NodeState::Verified as u8), "{gops} gops");
    }
}

#[test]
fn a_node_that_sells_nothing_is_not_downgraded_twice() {
    let (mut world, _, node, rival, receiver) = sold(1_000 * MILL);
    for (verdict, is_paid) in [(Verdict::Withheld, true), (Verdict::Withheld, false), (Verdict::Refused, false)] {
        world.warp_secs(1);
        let leaf = NodeLeaf { verdict, ..passed(&world, &node) };
        assert_eq!(apply(&mut world, &leaf, &receiver, &rival).fee_amount > 0, is_paid);
    }
}

#[test]
fn an_audit_pays_once_whichever_way_it_was_applied() {
    let (mut world, _, node, rival, receiver) = sold(1_000 * MILL);
    let leaf = NodeLeaf { verdict: Verdict::Refused, ..passed(&world, &node) };
    let report = world.report_node(&leaf);
    let market = world.market();
    let paid = apply_downgrade(&node, &world.read::<Node>(&node), &receiver, &market, audit_args(&report, &leaf));
    let state = world.svm.clone();
    for first in [paid.clone(), application(&report, &leaf)] {
        world.svm = state.clone();
        world.must(&[first], &[&rival]);
        world.assert_refused(std::slice::from_ref(&paid), &[&rival], MillraceError::StaleLeaf);
    }
}

#[test]
fn no_fee_goes_to_the_provider_itself_or_where_it_cannot_be_received() {
    let (mut world, seller, node, rival, _) = sold(1_000 * MILL);
    let hot = world.put_tokens("hot tokens", &seller.operator.pubkey(), 0);
    let nowhere = tokens::named("nowhere");
    let state = world.svm.clone();
    for receiver in [seller.tokens, hot, seller.vault, nowhere, rival.pubkey()] {
        world.svm = state.clone();
        let before = world.svm.get_account(&receiver).map(|account| account.data);
        let leaf = NodeLeaf { verdict: Verdict::Refused, ..passed(&world, &node) };
        let event = apply(&mut world, &leaf, &receiver, &rival);
        assert_eq!((event.fee_amount, event.state), (0, NodeState::Suspended as u8));
        assert_eq!(world.svm.get_account(&receiver).map(|account| account.data), before);
    }
}

#[test]
fn a_fee_is_never_more_than_what_the_stake_holds() {
    let (mut world, seller, node, rival, receiver) = sold(NODE_STAKE);
    world.rewrite::<Config>(&pda::config(), |config| config.params.downgrade_fee_amount = NODE_STAKE + 1);
    let leaf = NodeLeaf { verdict: Verdict::Refused, ..passed(&world, &node) };
    assert_eq!(apply(&mut world, &leaf, &receiver, &rival).fee_amount, NODE_STAKE);
    assert_eq!(world.read::<Provider>(&seller.provider).owed(), 0);
}

#[test]
fn an_audit_is_proven_here_as_in_apply_audit() {
    let (mut world, seller, node, rival, receiver) = sold(1_000 * MILL);
    let other = world.node(&seller, &NodeSpec::default());
    let leaf = NodeLeaf { verdict: Verdict::Refused, ..passed(&world, &node) };
    let report = world.report_node(&leaf);
    let market = world.market();
    let honest = apply_downgrade(&node, &world.read::<Node>(&node), &receiver, &market, audit_args(&report, &leaf));
    let of_another = ix::swap(honest.clone(), &node, &other);
    world.assert_refused(&[of_another], &[&rival], MillraceError::LeafOfAnother);
    let changed = NodeLeaf { gops: 1, ..leaf };
    let forged = apply_downgrade(&node, &world.read::<Node>(&node), &receiver, &market, audit_args(&report, &changed));
    world.assert_refused(&[forged], &[&rival], MillraceError::WrongPath);
    let stranger = world.provider("stranger", 1_000 * MILL);
    for (real, swapped) in [(seller.provider, stranger.provider), (seller.vault, stranger.vault)] {
        let instruction = ix::swap(honest.clone(), &real, &swapped);
        world.assert_refused(&[instruction], &[&rival], MillraceError::WrongAccount);
    }
    let report = world.report_deep(NodeLeaf { at: leaf.at + 1, ..leaf }.tree_node(), 20);
    let leaf = NodeLeaf { at: leaf.at + 1, ..leaf };
    let longest = apply_downgrade(&node, &world.read::<Node>(&node), &receiver, &market, audit_args(&report, &leaf));
    world.must(&[longest], &[&rival]);
}
