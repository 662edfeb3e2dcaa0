//! Moves around guaranteed leases and claims on bonds.

use millrace::state::Lease;

use super::jobs::buyer_of;
use super::leases::any_lease;
use super::providers::seller_of;
use crate::machine::{Dice, Market, Plan};
use crate::{pda, Keypair, Pubkey, Signer};

fn next_claim(market: &Market, lease: &Pubkey) -> Pubkey {
    let provider = market.books.leases[lease].provider;
    pda::claim(&provider, market.books.providers[&provider].next_claim)
}

/// Anyone puts `stand_by` in the place of `failed`.
pub fn fail_over(market: &Market, failed: &Pubkey, stand_by: &Pubkey, payer: &Keypair) -> Plan {
    let (failed, stand_by) = (*failed, *stand_by);
    let job = market.books.leases[&stand_by].job;
    let lease = pda::lease(&job, market.books.jobs[&job].leases_opened);
    let take_over = market.world.fail_over(&payer.pubkey(), &failed, &stand_by);
    let plan = Plan::new(take_over, payer).about(&[failed, stand_by]).once();
    plan.then(move |model, seen| model.fail_over(&failed, &stand_by, lease, seen.now))
}

/// Anyone claims what `member` lost from the bond of `failed`.
pub fn claim_unkept(market: &Market, failed: &Pubkey, member: &Pubkey, payer: &Keypair) -> Plan {
    let (failed, member) = (*failed, *member);
    let claim = next_claim(market, &failed);
    let plan = Plan::new(market.world.claim_unkept(&payer.pubkey(), &failed, &member), payer);
    plan.about(&[failed, member]).once().then(move |model, seen| model.claim_unkept(&failed, &member, claim, seen.now))
}

/// Anyone claims the customer's compensation from the bond of `failed`.
pub fn claim_compensation(market: &Market, failed: &Pubkey, payer: &Keypair) -> Plan {
    let failed = *failed;
    let claim = next_claim(market, &failed);
    let plan = Plan::new(market.world.claim_compensation(&payer.pubkey(), &failed), payer).about(&[failed]).once();
    plan.then(move |model, seen| model.claim_compensation(&failed, claim, seen.now))
}

/// Anyone has `claim` paid.
pub fn pay_claim(market: &Market, claim: &Pubkey, caller: &Keypair) -> Plan {
    let claim = *claim;
    let plan = Plan::new(market.world.pay_claim(&claim), caller).about(&[claim]);
    plan.then(move |model, seen| model.pay_claim(&claim, seen.now))
}

/// Both sides end `lease` on `secs` seconds.
pub fn settle_mutual(market: &Market, lease: &Pubkey, secs: u64) -> Plan {
    let lease = *lease;
    let state = &market.books.leases[&lease];
    let buyer = market.buyers[buyer_of(market, &state.customer)].clone();
    let seller = market.sellers[seller_of(market, &state.provider)].clone();
    let settle = market.world.settle_mutual(&buyer, &seller.operator, &lease, secs);
    let allowed = [buyer.authority.pubkey(), seller.authority.pubkey(), seller.operator.pubkey()];
    let signers = vec![buyer.authority.insecure_clone(), seller.operator.insecure_clone()];
    let plan = Plan::of(vec![settle], signers).only(&allowed).about(&[lease]).once();
    plan.then(move |model, seen| model.settle_mutual(&lease, secs, seen.now))
}

/// Anyone unwinds `lease`, whose job was cancelled.
pub fn unwind_lease(market: &Market, lease: &Pubkey, caller: &Keypair) -> Plan {
    let lease = *lease;
    let plan = Plan::new(market.world.unwind_lease(&lease), caller).about(&[lease]).once();
    plan.then(move |model, seen| model.unwind_lease(&lease, seen.now))
}

/// Another lease of the same job.
fn sibling(market: &Market, dice: &mut Dice, of: &Pubkey, fit: impl Fn(&Lease) -> bool) -> Option<Pubkey> {
    let job = market.books.leases[of].job;
    let leases = market.books.leases.iter().filter(|(key, lease)| *key != of && lease.job == job && fit(lease));
    dice.pick(&leases.map(|(key, _)| *key).collect::<Vec<_>>())
}

pub(super) fn any_take_over(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let may = |lease: &Lease| lease.is_failed_member() && lease.is_replaced == 0 && now < lease.closes_at();
    let failed = any_lease(market, dice, may)?;
    let is_careless = dice.once_in(6);
    let stand_by = sibling(market, dice, &failed, |lease| is_careless || lease.role == 1 && !lease.has_ended())?;
    let payer = market.anyone(dice);
    Some(fail_over(market, &failed, &stand_by, &payer))
}

pub(super) fn any_unkept(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let may = |lease: &Lease| lease.is_failed_member() && lease.bond_left > 0 && now < lease.closes_at();
    let failed = any_lease(market, dice, may)?;
    let is_careless = dice.once_in(6);
    let provider = market.books.leases[&failed].provider;
    let has_lost = |lease: &Lease| lease.provider != provider && lease.lost_secs > lease.lost_claimed_secs;
    let member = sibling(market, dice, &failed, |lease| is_careless || has_lost(lease))?;
    let payer = market.anyone(dice);
    Some(claim_unkept(market, &failed, &member, &payer))
}

pub(super) fn any_compensation(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let may = |lease: &Lease| lease.is_failed_member() && lease.bond_left > 0 && now >= lease.closes_at();
    let failed = any_lease(market, dice, may)?;
    let payer = market.anyone(dice);
    Some(claim_compensation(market, &failed, &payer))
}

pub(super) fn any_payment(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let claim = dice.pick(&market.books.claims.keys().copied().collect::<Vec<_>>())?;
    let caller = market.anyone(dice);
    Some(pay_claim(market, &claim, &caller))
}

pub(super) fn any_mutual_end(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let lease = any_lease(market, dice, |lease| !lease.has_ended())?;
    let state = &market.model.leases[&lease];
    let payable = state.payable(market.world.now());
    let secs = state.paid_secs + dice.below(payable.saturating_sub(state.paid_secs) + 3);
    Some(settle_mutual(market, &lease, secs).fails_if(secs > payable, "more seconds than passed were agreed"))
}

pub(super) fn any_unwinding(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let jobs = &market.model.jobs;
    let is_cancelled = |lease: &Lease| jobs.get(&lease.job).is_some_and(|job| job.is_cancelled);
    let lease = any_lease(market, dice, |lease| !lease.has_ended() && is_cancelled(lease))?;
    let caller = market.anyone(dice);
    Some(unwind_lease(market, &lease, &caller))
}
