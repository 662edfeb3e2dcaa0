//! Moves around judged cases, downgrades and stake put back.

use millrace::instructions::{ApplyAuditArgs, OpenSlashCaseArgs};
use millrace_client::ix as client;
use millrace_client::pda as client_pda;
use millrace_core::leaves::{NodeLeaf, Verdict};

use super::fraud::other_nodes;
use super::nodes::any_node;
use super::providers::seller_of;
use crate::machine::reports::Found;
use crate::machine::{Actor, Dice, Market, Plan};
use crate::{Keypair, Pubkey, Signer};

/// Where node leaves stand.
fn leaves(market: &Market, fit: impl Fn(&NodeLeaf) -> bool) -> Vec<((u64, bool), usize, NodeLeaf)> {
    let mut leaves = vec![];
    for (at, draft) in &market.drafts {
        for (nth, found) in draft.found.iter().enumerate() {
            match found {
                Found::Node(leaf) if fit(leaf) => leaves.push((*at, nth, *leaf)),
                _ => {}
            }
        }
    }
    leaves
}

fn is_signed(market: &Market, epoch: u64, leaf: &NodeLeaf) -> bool {
    market.model.reports.accepted_with(epoch, &leaf.tree_node()).is_some()
}

/// Anyone executes the judged case at `case`.
pub fn execute_slash_case(market: &Market, case: &Pubkey, caller: &Keypair) -> Plan {
    let (key, epoch) = (*case, market.world.epoch());
    let execute = client::execute_slash_case(&key, &market.books.slash_cases[&key], &market.world.market());
    let plan = Plan::new(execute, caller).about(&[key]);
    plan.then(move |model, seen| model.execute_slash_case(&key, epoch, seen))
}

/// Anyone closes the judged case at `case`.
pub fn close_slash_case(market: &Market, case: &Pubkey, caller: &Keypair) -> Plan {
    let key = *case;
    let plan = Plan::new(client::close_slash_case(&key, &market.books.slash_cases[&key]), caller).about(&[key]);
    plan.then(move |model, _| model.close_slash_case(&key))
}

pub(super) fn any_charge(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let is_careless = dice.once_in(6);
    let found = leaves(market, |leaf| is_careless || leaf.verdict == Verdict::Withheld || leaf.gops < 5_000);
    let (at, nth, leaf) = dice.pick(&found)?;
    let node = Pubkey::new_from_array(leaf.node);
    let state = market.books.nodes.get(&node)?;
    let watcher_nth = dice.below(market.watchers.len() as u64) as usize;
    let watcher = market.watchers[watcher_nth].clone();
    let (index, path) = market.drafts[&at].report.proof(nth);
    let args = OpenSlashCaseArgs { epoch: at.0, index, leaf: leaf.to_bytes(), path, bounty_account: watcher.tokens };
    let number = market.books.providers[&state.provider].next_slash_case;
    let others = if dice.once_in(3) { vec![] } else { other_nodes(market, &node, &state.provider) };
    let open = client::open_slash_case(&watcher.authority.pubkey(), &node, state, number, args, &others);
    let key = client_pda::slash_case(&state.provider, number);
    let chosen: Vec<Pubkey> = others.iter().copied().chain([node]).collect();
    let plan = Plan::new(open, &watcher.authority)
        .about(&chosen)
        .once()
        .fails_if(!is_signed(market, at.0, &leaf), "no quorum signed the leaf");
    let bounty = (Actor::Watcher(watcher_nth), watcher.tokens);
    Some(plan.then(move |model, seen| model.open_slash_case(key, (&node, &others), (&leaf, at.0), bounty, seen)))
}

fn any_case(market: &Market, dice: &mut Dice) -> Option<Pubkey> {
    dice.pick(&market.books.slash_cases.keys().copied().collect::<Vec<_>>())
}

pub(super) fn any_execution(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let case = any_case(market, dice)?;
    let caller = market.anyone(dice);
    Some(execute_slash_case(market, &case, &caller))
}

pub(super) fn any_close(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let case = any_case(market, dice)?;
    let caller = market.anyone(dice);
    Some(close_slash_case(market, &case, &caller))
}

pub(super) fn any_downgrade(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let found = leaves(market, |leaf| {
        let node = market.model.nodes.get(&Pubkey::new_from_array(leaf.node));
        node.is_some_and(|node| leaf.at > node.last_leaf_at)
    });
    let (at, nth, leaf) = dice.pick(&found)?;
    let key = Pubkey::new_from_array(leaf.node);
    let state = market.books.nodes.get(&key)?;
    let caller = market.anyone(dice);
    let actor = market.holder(&caller.pubkey())?;
    let receiver = market.wallet(actor);
    let (index, path) = market.drafts[&at].report.proof(nth);
    let args = ApplyAuditArgs { epoch: at.0, index, leaf: leaf.to_bytes(), path };
    let apply = client::apply_downgrade(&key, state, &receiver, &market.world.market(), args);
    let plan = Plan::new(apply, &caller)
        .about(&[receiver])
        .once()
        .fails_if(!is_signed(market, at.0, &leaf), "no quorum signed the leaf");
    Some(plan.then(move |model, seen| model.apply_downgrade(&key, leaf.at, (actor, receiver), seen)))
}

pub(super) fn any_refill(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let is_short = |node: &millrace::state::Node| !node.is_retired() && node.stake_missing() > 0;
    let short: Vec<_> = market.books.nodes.iter().filter(|(_, node)| is_short(node)).map(|(key, _)| *key).collect();
    let node = if dice.once_in(8) { any_node(market, dice, false)? } else { dice.pick(&short)? };
    let provider = market.books.nodes[&node].provider;
    let seller = market.sellers[seller_of(market, &provider)].clone();
    let relock = client::relock_node(&seller.authority.pubkey(), &provider, &node);
    let plan = Plan::new(relock, &seller.authority).only(&[seller.authority.pubkey()]).about(&[node]);
    Some(plan.then(move |model, _| model.relock_node(&node)))
}
