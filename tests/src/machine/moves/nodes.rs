//! Moves of providers with their nodes.

use millrace_client::ix as client;

use super::providers::{seller, seller_of};
use crate::machine::{Dice, Market, Plan};
use crate::{ix, pda, Keypair, NodeSpec, Pubkey, Signer, MILL};

/// Seller `nth` registers its next node.
pub fn register_node(market: &Market, nth: usize, gops: u64) -> Plan {
    let seller = market.sellers[nth].clone();
    let index = market.books.providers.get(&seller.provider).map_or(0, |provider| provider.next_node_index);
    let node = pda::node(&seller.provider, index);
    let args = NodeSpec { gops, ..NodeSpec::default() }.args();
    let register = client::register_node(&seller.authority.pubkey(), &seller.provider, index, args);
    let plan = Plan::new(register, &seller.authority).only(&[seller.authority.pubkey()]);
    plan.then(move |model, _| model.register_node(node, seller.provider, gops))
}

/// Its seller retires `node`.
pub fn retire(market: &Market, node: &Pubkey) -> Plan {
    let provider = market.books.nodes[node].provider;
    let seller = market.sellers[seller_of(market, &provider)].clone();
    let retire = ix::retire(&seller, node);
    let node = *node;
    let plan = Plan::new(retire, &seller.authority).only(&[seller.authority.pubkey()]).about(&[node]);
    plan.then(move |model, seen| model.retire(&node, seen.now))
}

/// Anyone closes `node`.
pub fn close_node(market: &Market, node: &Pubkey, caller: &Keypair) -> Plan {
    let close = ix::close_node(&market.world, node);
    let node = *node;
    Plan::new(close, caller).about(&[node]).then(move |model, seen| model.close_node(&node, seen.now))
}

pub(super) fn any_node(market: &Market, dice: &mut Dice, is_retired: bool) -> Option<Pubkey> {
    let nodes = market.books.nodes.iter().filter(|(_, node)| node.is_retired() == is_retired);
    dice.pick(&nodes.map(|(key, _)| *key).collect::<Vec<_>>())
}

pub(super) fn any_registration(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = seller(market, dice, true)?;
    let provider = market.sellers[nth].provider;
    let open = market.books.nodes.values().filter(|node| node.provider == provider && !node.is_retired()).count();
    let is_rich = market.books.providers[&provider].free_stake() > 220 * MILL;
    if open > 3 || (!is_rich && !dice.once_in(8)) {
        return None;
    }
    let gops = dice.pick(&[10_000, 10_000, 5_001, 20_000])?;
    Some(register_node(market, nth, gops))
}

pub(super) fn any_ask(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let node = any_node(market, dice, false)?;
    let seller = market.sellers[seller_of(market, &market.books.nodes[&node].provider)].clone();
    let signer = if dice.once_in(2) { &seller.authority } else { &seller.operator };
    let ask = ix::set_ask(&signer.pubkey(), &seller.provider, &node, 1 + dice.below(500));
    let allowed = [seller.authority.pubkey(), seller.operator.pubkey()];
    Some(Plan::new(ask, signer).only(&allowed).about(&[node]))
}

pub(super) fn any_drain(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let node = any_node(market, dice, false)?;
    let seller = market.sellers[seller_of(market, &market.books.nodes[&node].provider)].clone();
    let is_draining = market.books.nodes[&node].draining == 0 && dice.once_in(3);
    let drain = ix::drain(&seller.operator.pubkey(), &seller.provider, &node, is_draining);
    let allowed = [seller.authority.pubkey(), seller.operator.pubkey()];
    Some(Plan::new(drain, &seller.operator).only(&allowed).about(&[node]))
}

pub(super) fn any_retirement(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    // Who is accused would rather be gone.
    let accused = market.model.cases.values().map(|case| case.node);
    let accused = accused.filter(|node| market.books.nodes.get(node).is_some_and(|node| !node.is_retired()));
    let accused = dice.pick(&accused.collect::<Vec<_>>());
    if let Some(node) = accused.filter(|_| dice.once_in(2)) {
        return Some(retire(market, &node));
    }
    let open = market.books.nodes.values().filter(|node| !node.is_retired()).count();
    // Enough nodes are left to do business with.
    let node = any_node(market, dice, false).filter(|_| open > 5)?;
    Some(retire(market, &node))
}

pub(super) fn any_close(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let caller = market.anyone(dice);
    Some(close_node(market, &any_node(market, dice, true)?, &caller))
}
