//! Stake that is locked anew, and registrations while new work is paused.

use super::*;
use millrace::events::NodeRelocked;
use millrace::state::{Config, Node, Provider};
use millrace_client::ix::relock_node;
use millrace_tests::{ix, pda, MillraceError, NodeSpec, Signer};

const NODE_STAKE: u64 = 200 * MILL;

/// A market with a node that lost `lost` of its stake.
fn short(lost: u64) -> (World, Seller, Pubkey) {
    let (mut world, seller) = market();
    let node = world.verified_node(&seller, NodeSpec::default());
    world.rewrite::<Node>(&node, |node| node.locked_stake -= lost);
    world.rewrite::<Provider>(&seller.provider, |provider| {
        (provider.stake, provider.locked) = (provider.stake - lost, provider.locked - lost);
    });
    (world, seller, node)
}

fn relock(seller: &Seller, node: &Pubkey) -> Instruction {
    relock_node(&seller.authority.pubkey(), &seller.provider, node)
}

#[test]
fn relocking_fills_up_what_the_claim_needs_and_no_more() {
    let (mut world, seller, node) = short(30 * MILL);
    let event: NodeRelocked = world.must(&[relock(&seller, &node)], &[&seller.authority]).event();
    assert_eq!((event.locked_amount, event.node_locked_stake), (30 * MILL, NODE_STAKE));
    assert_eq!((event.provider_locked, event.provider_stake), (NODE_STAKE, STAKE - 30 * MILL));
    assert_eq!(world.read::<Provider>(&seller.provider).locked, NODE_STAKE);
    world.assert_books();
    world.assert_refused(&[relock(&seller, &node)], &[&seller.authority], MillraceError::StakeNotShort);
}

#[test]
fn relocking_needs_free_stake_and_a_node_at_work() {
    let (mut world, seller, node) = short(30 * MILL);
    world.must(&[ix::begin_unstake(&seller, STAKE - NODE_STAKE)], &[&seller.authority]);
    world.assert_refused(&[relock(&seller, &node)], &[&seller.authority], MillraceError::NotEnoughStake);
    world.must(&[ix::retire(&seller, &node)], &[&seller.authority]);
    world.assert_refused(&[relock(&seller, &node)], &[&seller.authority], MillraceError::NodeRetired);
    world.assert_books();
}

#[test]
fn only_the_cold_key_relocks_its_own_node() {
    let (mut world, seller, node) = short(30 * MILL);
    let other = world.provider("other", STAKE);
    let honest = relock(&seller, &node);
    let by_operator = ix::swap(honest.clone(), &seller.authority.pubkey(), &seller.operator.pubkey());
    world.assert_refused(&[by_operator], &[&seller.operator], MillraceError::WrongAuthority);
    world.assert_refused(&[relock(&other, &node)], &[&other.authority], MillraceError::WrongAccount);
    world.assert_no_account_is_replaceable(&honest, &[&seller.authority]);
}

#[test]
fn nobody_registers_while_new_work_is_paused_and_everybody_leaves() {
    let (mut world, seller) = market();
    let node = world.node(&seller, &NodeSpec::default());
    let newcomer = world.unregistered_provider("newcomer", 0);
    let until = world.now() + 100;
    world.rewrite::<Config>(&pda::config(), |config| config.paused_until = until);
    let register = registration(&world, &newcomer);
    let register_node = ix::register_node(&seller.authority.pubkey(), 1, NodeSpec::default().args());
    world.warp_to(until - 1);
    world.assert_refused(std::slice::from_ref(&register), &[&newcomer.authority], MillraceError::Paused);
    world.assert_refused(std::slice::from_ref(&register_node), &[&seller.authority], MillraceError::Paused);
    world.must(&[ix::retire(&seller, &node), ix::begin_unstake(&seller, 200 * MILL)], &[&seller.authority]);
    world.warp_to(until);
    world.must(&[register], &[&newcomer.authority]);
    world.must(&[register_node], &[&seller.authority]);
}
