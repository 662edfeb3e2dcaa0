//! The books of a fraud: what a case takes from a provider, in which order, and when it is done.

use bytemuck::Zeroable;
use millrace::errors::MillraceError;
use millrace::state::{FraudCase, Node, NodeState, Outcome, Params, Provider, ProviderStatus, Reach, Unbonding};

const UNBONDING_SECS: i64 = 1_000;
const JAIL_SECS: i64 = 500;
const NOW: i64 = 10_000;
/// End of the fraud window of every commit here.
const WINDOW_ENDS_AT: i64 = 50_000;

fn params() -> Params {
    Params { flip_penalty_amount: 7, jail_secs: JAIL_SECS, unbonding_secs: UNBONDING_SECS, ..Params::zeroed() }
}

/// A provider with `stake`, and its node that locks `node_stake` of it.
fn provider_with_node(stake: u64, node_stake: u64) -> (Provider, Node) {
    let mut provider = Provider::zeroed();
    provider.add_stake(stake).unwrap();
    provider.add_node(node_stake).unwrap();
    (provider, node(node_stake))
}

fn node(locked_stake: u64) -> Node {
    Node { state: NodeState::Verified as u8, locked_stake, stake_required: locked_stake, ..Node::zeroed() }
}

fn retire(provider: &mut Provider, node: &mut Node, now: i64) {
    provider.unlock(node.locked_stake).unwrap();
    node.retire(now);
}

fn fraud() -> FraudCase {
    FraudCase { entry_count: 3, closes_at: NOW, ..FraudCase::zeroed() }
}

fn flip() -> FraudCase {
    FraudCase { entry_count: 2, closes_at: NOW, ..FraudCase::zeroed() }
}

fn execute(case: &mut FraudCase, provider: &mut Provider, node: &mut Node, now: i64) -> (Outcome, u64) {
    execute_with(case, provider, node, vec![], now)
}

fn execute_with(
    case: &mut FraudCase,
    provider: &mut Provider,
    node: &mut Node,
    others: Vec<&mut Node>,
    now: i64,
) -> (Outcome, u64) {
    let mut reach = Reach { provider, node: Some(node), others };
    let result = case.execute(&mut reach, &params(), WINDOW_ENDS_AT, now).unwrap();
    provider.invariant().unwrap();
    result
}

#[test]
fn fraud_takes_the_nodes_own_stake_and_nothing_else() {
    let (mut provider, mut node) = provider_with_node(1_000, 300);
    provider.max_bonds_amount = 200;
    provider.lock_bond(200).unwrap();
    assert_eq!(execute(&mut fraud(), &mut provider, &mut node, NOW), (Outcome::Fraud, 300));
    assert_eq!((provider.stake, provider.locked, provider.bonds), (700, 200, 200));
    assert_eq!((provider.slashed_total, provider.status), (300, ProviderStatus::Jailed as u8));
    assert_eq!(provider.jailed_until, NOW + JAIL_SECS);
    assert_eq!((node.state, node.locked_stake, node.retired_at), (NodeState::Retired as u8, 0, NOW));
    // The bond is still its job's business.
    provider.unlock_bond(200).unwrap();
}

#[test]
fn a_retired_node_answers_with_free_stake_then_with_the_newest_unbonding() {
    let (mut provider, mut node) = provider_with_node(1_000, 600);
    retire(&mut provider, &mut node, 5);
    provider.begin_unstake(300, 100).unwrap();
    provider.begin_unstake(400, 200).unwrap();
    provider.begin_unstake(250, 300).unwrap();
    assert_eq!(execute(&mut fraud(), &mut provider, &mut node, NOW).1, 600);
    // 50 were free, 250 and 300 of the 400 unbonding.
    assert_eq!((provider.stake, provider.locked), (0, 0));
    let left = [Unbonding { amount: 300, matures_at: 100 }, Unbonding { amount: 100, matures_at: 200 }];
    assert_eq!(provider.unbonding_entries(), left);
    assert_eq!(provider.unbonding[2], Unbonding { amount: 0, matures_at: 0 });
    assert_eq!((node.locked_stake, node.retired_at), (0, 5));
}

#[test]
fn then_with_other_nodes_then_with_bonds_and_last_with_claims() {
    let (mut provider, mut cheat) = provider_with_node(1_000, 1_000);
    retire(&mut provider, &mut cheat, 5);
    provider.max_bonds_amount = 1_000;
    // 100 free, 100 unbonding, 200 and 300 behind nodes, 50 and 50 behind bids, 200 claimed: all of it is reached.
    let (mut first, mut second) = (node(200), node(300));
    provider.add_node(200).unwrap();
    provider.add_node(300).unwrap();
    for node in [&mut first, &mut second] {
        provider.lock_bond(50).unwrap();
        node.bid_bond = 50;
    }
    provider.open_claim(200).unwrap();
    provider.begin_unstake(100, 100).unwrap();
    let held = |node: &Node| (node.locked_stake, node.bid_bond);
    for (penalty, wanted) in [
        (100, (600, 600, 100, (200, 50), (300, 50), 100, 200)),
        (200, (600, 600, 0, (200, 50), (300, 50), 100, 200)),
        (350, (450, 450, 0, (50, 50), (300, 50), 100, 200)),
        (700, (100, 100, 0, (0, 50), (0, 50), 100, 200)),
        (770, (30, 30, 0, (0, 0), (0, 30), 30, 200)),
        (900, (0, 0, 0, (0, 0), (0, 0), 0, 100)),
        (1_000, (0, 0, 0, (0, 0), (0, 0), 0, 0)),
    ] {
        let (mut provider, mut first, mut second) = (provider, first, second);
        cheat.locked_stake = penalty;
        let taken = execute_with(&mut fraud(), &mut provider, &mut cheat, vec![&mut first, &mut second], NOW).1;
        assert_eq!(taken, penalty);
        let left = (
            provider.stake,
            provider.locked,
            provider.unbonding_amount(),
            held(&first),
            held(&second),
            provider.bonds,
            provider.claims,
        );
        assert_eq!(left, wanted, "after a penalty of {penalty}");
        let is_touched = |node: &Node| node.locked_stake < node.stake_required;
        for node in [&first, &second] {
            assert_eq!(node.state == NodeState::Suspended as u8, is_touched(node), "who loses stake sells nothing");
        }
    }
}

#[test]
fn bonds_of_leases_are_out_of_reach_until_they_end_and_owed_until_then() {
    let (mut provider, mut cheat) = provider_with_node(600, 600);
    retire(&mut provider, &mut cheat, NOW);
    provider.lock_lease_bond(600).unwrap();
    let mut case = fraud();
    assert_eq!(execute(&mut case, &mut provider, &mut cheat, NOW).1, 0);
    assert_eq!((case.executed, case.unpaid_amount), (0, 600));
    // It ends: 100 are compensation, which waits as a claim, the rest is free. The claim is reached too.
    provider.unlock_lease_bond(600).unwrap();
    provider.open_claim(100).unwrap();
    assert_eq!(execute(&mut case, &mut provider, &mut cheat, NOW + 1).1, 600);
    assert_eq!((case.executed, case.unpaid_amount, provider.claims, provider.owed()), (1, 0, 0, 0));
}

#[test]
fn two_commits_of_one_node_cost_its_stake_once() {
    let (mut provider, mut node) = provider_with_node(1_000, 600);
    assert_eq!(execute(&mut fraud(), &mut provider, &mut node, NOW).1, 600);
    let mut second = fraud();
    assert_eq!(execute(&mut second, &mut provider, &mut node, NOW + 9).1, 0);
    assert_eq!((provider.stake, provider.jailed_until, second.executed), (400, NOW + 9 + JAIL_SECS, 1));
}

#[test]
fn an_executed_case_is_not_executed_again() {
    let (mut provider, mut node) = provider_with_node(1_000, 600);
    for mut case in [fraud(), flip(), FraudCase { closes_at: NOW, ..FraudCase::zeroed() }] {
        execute(&mut case, &mut provider, &mut node, NOW);
        let stake = provider.stake;
        let mut reach = Reach { provider: &mut provider, node: Some(&mut node), others: vec![] };
        let refused = case.execute(&mut reach, &params(), WINDOW_ENDS_AT, WINDOW_ENDS_AT + 1).unwrap_err();
        assert_eq!(refused, MillraceError::CaseExecuted.into());
        assert_eq!(provider.stake, stake);
    }
}

#[test]
fn a_flipped_bit_costs_a_fixed_penalty_and_a_suspension_but_no_jail() {
    let (mut provider, mut node) = provider_with_node(1_000, 600);
    node.last_leaf_at = NOW - 5;
    assert_eq!(execute(&mut flip(), &mut provider, &mut node, NOW), (Outcome::FlippedBits, 7));
    assert_eq!((provider.stake, provider.locked, provider.status), (993, 593, ProviderStatus::Active as u8));
    assert_eq!((node.state, node.locked_stake), (NodeState::Suspended as u8, 593));
    assert_eq!(node.last_leaf_at, NOW, "no older audit lifts it");
    // What the node still says it locks is what it still locks.
    retire(&mut provider, &mut node, NOW);
    assert_eq!((provider.locked, provider.stake), (0, 993));
}

#[test]
fn flipped_bits_become_fraud_within_the_window_for_what_is_left() {
    let (mut provider, mut node) = provider_with_node(1_000, 600);
    let mut case = flip();
    assert_eq!(execute(&mut case, &mut provider, &mut node, NOW), (Outcome::FlippedBits, 7));
    assert!(case.is_done() && case.require_open(WINDOW_ENDS_AT - 1).is_ok());
    assert_eq!(case.require_open(WINDOW_ENDS_AT).unwrap_err(), MillraceError::CaseClosed.into());
    case.entry_count = 3;
    assert!(!case.is_done() && case.require_open(NOW + 1).is_err());
    assert_eq!(execute(&mut case, &mut provider, &mut node, NOW + 1), (Outcome::Fraud, 593));
    assert_eq!((case.taken_amount, case.is_done(), case.executed_at), (600, true, NOW));
    assert_eq!((provider.stake, provider.slashed_total, provider.status), (400, 600, ProviderStatus::Jailed as u8));
}

#[test]
fn a_case_executed_on_nothing_stays_closed() {
    let (mut provider, mut node) = provider_with_node(1_000, 600);
    let mut case = FraudCase { closes_at: NOW, ..FraudCase::zeroed() };
    execute(&mut case, &mut provider, &mut node, NOW);
    assert_eq!(case.require_open(NOW).unwrap_err(), MillraceError::CaseExecuted.into());
}

#[test]
fn a_flipped_bit_of_a_retired_node_costs_free_stake_and_leaves_it_retired() {
    let (mut provider, mut node) = provider_with_node(1_000, 5);
    retire(&mut provider, &mut node, 1);
    // At most what the node answered with.
    assert_eq!(execute(&mut flip(), &mut provider, &mut node, NOW).1, 5);
    assert_eq!((node.state, node.locked_stake, provider.stake), (NodeState::Retired as u8, 0, 995));
}

#[test]
fn nothing_proven_changes_nothing() {
    let (mut provider, mut node) = provider_with_node(1_000, 600);
    let before = (provider, node);
    let mut case = FraudCase { closes_at: NOW, ..FraudCase::zeroed() };
    assert_eq!(execute(&mut case, &mut provider, &mut node, NOW), (Outcome::Nothing, 0));
    assert_eq!(bytemuck::bytes_of(&provider), bytemuck::bytes_of(&before.0));
    assert_eq!(bytemuck::bytes_of(&node), bytemuck::bytes_of(&before.1));
    assert_eq!(case.executed, 1);
}

#[test]
fn stake_locked_behind_a_node_left_out_is_owed_until_it_is_named() {
    let (mut provider, mut cheat) = provider_with_node(600, 600);
    retire(&mut provider, &mut cheat, NOW);
    provider.add_node(600).unwrap();
    let mut refuge = node(600);
    let mut case = fraud();
    assert_eq!(execute(&mut case, &mut provider, &mut cheat, NOW).1, 0);
    assert_eq!((case.executed, case.unpaid_amount), (0, 600));
    // While it is owed, each call jails anew.
    assert_eq!(execute(&mut case, &mut provider, &mut cheat, NOW + JAIL_SECS).1, 0);
    assert!(provider.require_active(NOW + JAIL_SECS + 1).is_err());
    assert_eq!(execute_with(&mut case, &mut provider, &mut cheat, vec![&mut refuge], NOW + 700).1, 600);
    assert_eq!((case.executed, case.unpaid_amount, case.taken_amount, provider.owed()), (1, 0, 600, 0));
    assert_eq!((refuge.locked_stake, refuge.state), (0, NodeState::Suspended as u8));
}

#[test]
fn a_case_that_can_take_nothing_more_is_done() {
    let mut provider = Provider::zeroed();
    let mut node = Node { state: NodeState::Retired as u8, ..node(600) };
    let mut case = fraud();
    execute(&mut case, &mut provider, &mut node, NOW);
    assert_eq!((case.executed, case.unpaid_amount), (1, 600));
    // But not while something is frozen that may come back.
    let mut provider = Provider { frozen: 1, ..Provider::zeroed() };
    node.locked_stake = 600;
    let mut case = fraud();
    execute(&mut case, &mut provider, &mut node, NOW);
    assert_eq!((case.executed, case.unpaid_amount), (0, 600));
}
