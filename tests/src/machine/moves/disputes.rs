//! Moves around disputes.

use millrace::state::{Lease, Ruling};
use millrace_client::ix as client;
use millrace_client::pda as client_pda;

use super::jobs::buyer_of;
use super::leases::any_lease;
use super::oracles;
use crate::machine::model::DisputeModel;
use crate::machine::{Dice, Market, Plan};
use crate::{pda, Keypair, Pubkey, Signer};

/// The customer of `lease` calls its result wrong.
pub fn open_dispute(market: &Market, lease: &Pubkey) -> Plan {
    let lease = *lease;
    let state = &market.books.leases[&lease];
    let buyer = market.buyers[buyer_of(market, &state.customer)].clone();
    let authority = buyer.authority.pubkey();
    let dispute = client_pda::dispute(&lease);
    let open = client::open_dispute(&authority, &lease, state, [8; 32]);
    let plan = Plan::new(open, &buyer.authority).only(&[authority]).about(&[lease]).once();
    plan.then(move |model, seen| model.open_dispute(dispute, &lease, seen.now))
}

/// Oracle `nth` votes on the dispute of `lease`.
pub fn vote_dispute(market: &Market, lease: &Pubkey, nth: usize, uphold: bool) -> Plan {
    let dispute = client_pda::dispute(lease);
    let measurer = market.measurers[nth].clone();
    let key = measurer.key.pubkey();
    let plan =
        Plan::new(client::vote_dispute(&key, lease, uphold), &measurer.key).only(&[key]).about(&[dispute]).once();
    plan.then(move |model, seen| model.vote_dispute(&dispute, &measurer.oracle, uphold, seen.now))
}

/// Anyone ends the vote on the dispute of `lease`.
pub fn lapse_dispute(market: &Market, lease: &Pubkey, caller: &Keypair) -> Plan {
    debug_assert!(market.books.leases.contains_key(lease), "a dispute outlives no lease");
    let dispute = client_pda::dispute(lease);
    let plan = Plan::new(client::lapse_dispute(lease), caller).about(&[dispute]).once();
    plan.then(move |model, seen| model.lapse_dispute(&dispute, seen.now))
}

/// Anyone carries the ruling on the dispute of `lease` out.
pub fn resolve_dispute(market: &Market, lease: &Pubkey, caller: &Keypair) -> Plan {
    let key = client_pda::dispute(lease);
    let (dispute, lease) = (&market.books.disputes[&key], &market.books.leases[lease]);
    let provider = &market.books.providers[&lease.provider];
    let claim = pda::claim(&lease.provider, provider.next_claim);
    let resolve = client::resolve_dispute(&caller.pubkey(), dispute, lease, provider, &market.world.market());
    // Where no claim is opened, nobody looks at its place.
    let plan = Plan::new(resolve, caller).about(&[key, claim]).once();
    plan.then(move |model, seen| model.resolve_dispute(&key, claim, seen.now))
}

/// A lease that is in dispute.
fn disputed(market: &Market, dice: &mut Dice) -> Option<Pubkey> {
    dice.pick(&market.books.disputes.values().map(|dispute| dispute.lease).collect::<Vec<_>>())
}

pub(super) fn any_opening(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let may = |lease: &Lease| lease.has_ended() && lease.is_disputed == 0 && now < lease.closes_at();
    Some(open_dispute(market, &any_lease(market, dice, may)?))
}

pub(super) fn any_vote(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let open = market.model.disputes.values().filter(|dispute| dispute.ruling == Ruling::None);
    let lease = match dice.once_in(12) {
        true => disputed(market, dice)?,
        false => dice.pick(&open.map(|dispute| dispute.lease).collect::<Vec<_>>())?,
    };
    let nth = oracles::any_open(market, dice)?;
    let seat = market.model.oracles[&market.measurers[nth].oracle].seat;
    let has_voted = market.model.disputes[&client_pda::dispute(&lease)].voted.contains(&seat);
    if has_voted && !dice.once_in(8) {
        return None;
    }
    // Most see the same.
    let plan = vote_dispute(market, &lease, nth, lease.to_bytes()[0].is_multiple_of(2) || dice.once_in(4));
    Some(plan.fails_if(has_voted, "the seat voted before"))
}

pub(super) fn any_lapse(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let lease = disputed(market, dice)?;
    let caller = market.anyone(dice);
    Some(lapse_dispute(market, &lease, &caller))
}

pub(super) fn any_resolution(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let is_due = |dispute: &&DisputeModel| dispute.appeal_until.is_some_and(|until| now >= until);
    let due = market.model.disputes.values().filter(is_due).map(|dispute| dispute.lease);
    let lease = match dice.once_in(4) {
        true => disputed(market, dice)?,
        false => dice.pick(&due.collect::<Vec<_>>())?,
    };
    let caller = market.anyone(dice);
    Some(resolve_dispute(market, &lease, &caller))
}
