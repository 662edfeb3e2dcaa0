//! The books of a slash: what a case takes from a provider, in which order, and that no order of calls escapes it.

use bytemuck::Zeroable;
use millrace::errors::MillraceError;
use millrace::state::{FraudCase, Node, NodeState, Outcome, Params, Provider, ProviderStatus, Unbonding};
use proptest::prelude::*;

const UNBONDING_SECS: i64 = 1_000;
const JAIL_SECS: i64 = 500;
const NOW: i64 = 10_000;

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
    Node { state: NodeState::Verified as u8, locked_stake, ..Node::zeroed() }
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
    let result = case.execute(provider, Some(node), &params(), now).unwrap();
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
        let refused = case.execute(&mut provider, Some(&mut node), &params(), NOW + 1).unwrap_err();
        assert_eq!(refused, MillraceError::CaseExecuted.into());
        assert_eq!(provider.stake, stake);
    }
}

#[test]
fn a_flipped_bit_costs_a_fixed_penalty_and_a_suspension_but_no_jail() {
    let (mut provider, mut node) = provider_with_node(1_000, 600);
    assert_eq!(execute(&mut flip(), &mut provider, &mut node, NOW), (Outcome::FlippedBits, 7));
    assert_eq!((provider.stake, provider.locked, provider.status), (993, 593, ProviderStatus::Active as u8));
    assert_eq!((node.state, node.locked_stake), (NodeState::Suspended as u8, 593));
    // What the node still says it locks is what it still locks.
    retire(&mut provider, &mut node, NOW);
    assert_eq!((provider.locked, provider.stake), (0, 993));
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
fn stake_locked_behind_another_node_is_taken_when_it_leaves_it() {
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
    retire(&mut provider, &mut refuge, NOW + 600);
    provider.begin_unstake(200, NOW + 600 + UNBONDING_SECS).unwrap();
    assert_eq!(execute(&mut case, &mut provider, &mut cheat, NOW + 700).1, 600);
    assert_eq!((case.executed, case.unpaid_amount, case.taken_amount, provider.owed()), (1, 0, 600, 0));
}

#[test]
fn a_case_that_can_take_nothing_more_is_done() {
    let mut provider = Provider::zeroed();
    let mut node = Node { state: NodeState::Retired as u8, ..node(600) };
    let mut case = fraud();
    execute(&mut case, &mut provider, &mut node, NOW);
    assert_eq!((case.executed, case.unpaid_amount), (1, 600));
}

/// What a provider can try between its fraud and the last execution.
#[derive(Clone, Debug)]
enum Move {
    RetireCheat,
    AddNode(u64),
    RetireNode,
    Unstake(u64),
    Withdraw,
    Wait(i64),
    Execute,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        Just(Move::RetireCheat),
        (1u64..2_000).prop_map(Move::AddNode),
        Just(Move::RetireNode),
        (1u64..2_000).prop_map(Move::Unstake),
        Just(Move::Withdraw),
        (1i64..UNBONDING_SECS / 4).prop_map(Move::Wait),
        Just(Move::Execute),
    ];
    prop::collection::vec(one, 0..60)
}

proptest! {
    /// I7, and security's "no order of calls escapes": as long as somebody executes now and then (here: within half
    /// of the unbonding time), whatever the provider does, exactly what the node answered with is taken in the end.
    #[test]
    fn no_order_of_calls_escapes(stake in 600u64..3_000, node_stake in 1u64..600, moves in moves()) {
        let (mut provider, mut cheat) = provider_with_node(stake, node_stake);
        let mut others: Vec<Node> = vec![];
        let mut case = fraud();
        let (mut now, mut last_execution, mut withdrawn) = (NOW, NOW, 0);
        for step in moves {
            match step {
                Move::RetireCheat if !cheat.is_retired() => retire(&mut provider, &mut cheat, now),
                Move::AddNode(amount) if provider.require_active(now).is_ok() && provider.add_node(amount).is_ok() => {
                    others.push(node(amount));
                }
                Move::RetireNode => if let Some(mut other) = others.pop() {
                    retire(&mut provider, &mut other, now);
                },
                Move::Unstake(amount) => { let _ = provider.begin_unstake(amount, now + UNBONDING_SECS); }
                Move::Withdraw => if let Ok(payout) = provider.withdraw(now) {
                    withdrawn += payout.unbonded_amount;
                },
                Move::Wait(secs) => now += secs,
                Move::Execute if case.executed == 0 => { execute(&mut case, &mut provider, &mut cheat, now); }
                _ => {}
            }
            if case.executed == 0 && now - last_execution > UNBONDING_SECS / 2 {
                execute(&mut case, &mut provider, &mut cheat, now);
                last_execution = now;
            }
            provider.invariant().unwrap();
        }
        for mut other in others {
            retire(&mut provider, &mut other, now);
        }
        if case.executed == 0 {
            execute(&mut case, &mut provider, &mut cheat, now);
        }
        prop_assert_eq!((case.executed, case.unpaid_amount, case.taken_amount), (1, 0, node_stake));
        prop_assert_eq!(provider.slashed_total, node_stake);
        prop_assert_eq!(provider.owed() + withdrawn + node_stake, stake);
    }
}
