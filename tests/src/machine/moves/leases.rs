//! Moves around leases.

use millrace_core::leaves::LeaseLeaf;

use super::jobs::buyer_of;
use super::providers::seller_of;
use crate::machine::reports::Found;
use crate::machine::{Dice, Market, Plan};
use crate::{ix, Keypair, Pubkey, Signer};
use millrace::instructions::SettleLeaseArgs;
use millrace::state::Lease;

/// Anyone applies leaf `nth` of a draft of `epoch` to `lease`; of the gang's own draft if `is_gangs`.
pub fn settle_lease(market: &Market, lease: &Pubkey, at: (u64, bool), nth: usize, caller: &Keypair) -> Option<Plan> {
    let key = *lease;
    let epoch = at.0;
    let draft = market.drafts.get(&at)?.clone();
    let Found::Lease(leaf) = draft.found[nth] else { return None };
    let (index, path) = draft.report.proof(nth);
    let args = SettleLeaseArgs { epoch, index, leaf: leaf.to_bytes(), path };
    let model = &market.model;
    let state = model.leases.get(&key)?;
    let is_signed = model.reports.accepted_with(epoch, &leaf.tree_node()).is_some();
    let plan = Plan::new(ix::settle_lease(&market.world, &key, args), caller)
        .once()
        .fails_if(!is_signed, "no quorum signed the leaf")
        .fails_if(leaf.at <= state.known_at(), "I5: the leaf is stale")
        .fails_if(state.ended_at.is_some(), "the lease has ended");
    Some(plan.then(move |model, seen| model.settle_lease(&key, &leaf, epoch, seen.now)))
}

/// The customer of `lease` accepts its result.
pub fn accept_result(market: &Market, lease: &Pubkey) -> Plan {
    let key = *lease;
    let buyer = market.buyers[buyer_of(market, &market.books.leases[&key].customer)].clone();
    let accept = ix::accept_result(&market.world, &buyer.authority.pubkey(), &key);
    let plan = Plan::new(accept, &buyer.authority).only(&[buyer.authority.pubkey()]).about(&[key]).once();
    plan.then(move |model, seen| model.pay_out(&key, true, seen.now))
}

/// Anyone closes `lease`.
pub fn close_lease(market: &Market, lease: &Pubkey, caller: &Keypair) -> Plan {
    let key = *lease;
    let close = ix::close_lease(&market.world, &caller.pubkey(), &key);
    let plan = Plan::new(close, caller).about(&[key]).once();
    plan.then(move |model, seen| model.pay_out(&key, false, seen.now))
}

/// The customer of `lease` asks it to stop.
pub fn stop_lease(market: &Market, lease: &Pubkey) -> Plan {
    let key = *lease;
    let buyer = market.buyers[buyer_of(market, &market.books.leases[&key].customer)].clone();
    let plan = Plan::new(ix::stop_lease(&buyer, &key), &buyer.authority).only(&[buyer.authority.pubkey()]);
    plan.about(&[key]).once().then(move |model, seen| model.stop_lease(&key, seen.now))
}

/// A side leaves `lease`.
pub fn exit_lease(market: &Market, lease: &Pubkey, caller: &Keypair) -> Plan {
    let key = *lease;
    let state = &market.books.leases[&key];
    let buyer = &market.buyers[buyer_of(market, &state.customer)];
    let seller = &market.sellers[seller_of(market, &state.provider)];
    let sides = [buyer.authority.pubkey(), seller.authority.pubkey(), seller.operator.pubkey()];
    let plan = Plan::new(ix::exit_lease(&market.world, &caller.pubkey(), &key), caller).only(&sides);
    plan.about(&[key]).once().then(move |model, seen| model.exit_lease(&key, seen.now))
}

/// A lease, most often one that fits what comes next.
pub fn any_lease(market: &Market, dice: &mut Dice, fit: impl Fn(&Lease) -> bool) -> Option<Pubkey> {
    let is_careless = dice.once_in(12);
    let leases = market.books.leases.iter().filter(|(_, lease)| is_careless || fit(lease));
    dice.pick(&leases.map(|(key, _)| *key).collect::<Vec<_>>())
}

/// Where leaves of `lease` stand, oldest first.
fn leaves_of(market: &Market, lease: &Pubkey) -> Vec<((u64, bool), usize, LeaseLeaf)> {
    let mut leaves = vec![];
    for (at, draft) in &market.drafts {
        for (nth, found) in draft.found.iter().enumerate() {
            match found {
                Found::Lease(leaf) if leaf.lease == lease.to_bytes() => leaves.push((*at, nth, *leaf)),
                _ => {}
            }
        }
    }
    leaves
}

pub(super) fn any_settlement(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let key = any_lease(market, dice, |lease| !lease.has_ended())?;
    let mut leaves = leaves_of(market, &key);
    // Most apply what is new; some try whatever was ever put forward.
    if !dice.once_in(4) {
        let known_at = market.model.leases[&key].known_at();
        let accepted = &market.model.reports;
        leaves.retain(|((epoch, _), _, leaf)| {
            leaf.at > known_at && accepted.accepted_with(*epoch, &leaf.tree_node()).is_some()
        });
    }
    let (at, nth, _) = dice.pick(&leaves)?;
    let caller = market.anyone(dice);
    settle_lease(market, &key, at, nth, &caller)
}

pub(super) fn any_acceptance(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    Some(accept_result(market, &any_lease(market, dice, Lease::has_ended)?))
}

pub(super) fn any_close(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let is_over = |lease: &Lease| lease.has_ended() && lease.is_disputed != 1 && now >= lease.closes_at();
    // Who cannot wait tries before its time.
    let key = match dice.once_in(4) {
        true => any_lease(market, dice, Lease::has_ended)?,
        false => any_lease(market, dice, is_over)?,
    };
    let caller = market.anyone(dice);
    Some(close_lease(market, &key, &caller))
}

pub(super) fn any_stop(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    Some(stop_lease(market, &any_lease(market, dice, |lease| !lease.has_ended() && lease.stop_at == 0)?))
}

pub(super) fn any_exit(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let is_silent = |lease: &Lease| !lease.has_ended() && now >= lease.silent_until();
    let key = match dice.once_in(4) {
        true => any_lease(market, dice, |lease| !lease.has_ended())?,
        false => any_lease(market, dice, is_silent)?,
    };
    let state = &market.books.leases[&key];
    let seller = market.sellers[seller_of(market, &state.provider)].clone();
    let buyer = market.buyers[buyer_of(market, &state.customer)].clone();
    let caller = if dice.once_in(2) { &buyer.authority } else { &seller.operator };
    Some(exit_lease(market, &key, caller))
}
