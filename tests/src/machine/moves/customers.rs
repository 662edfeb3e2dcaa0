//! Moves of customers.

use crate::machine::{Actor, Dice, Market, Plan};
use crate::{ix, Pubkey, Signer, MILL};

/// Buyer `nth` opens its account.
pub fn open_customer(market: &Market, nth: usize) -> Plan {
    let buyer = market.buyers[nth].clone();
    let open = ix::open_customer(&market.world, &buyer.authority.pubkey());
    Plan::new(open, &buyer.authority).only(&[buyer.authority.pubkey()]).then(move |model, _| {
        model.open_customer(buyer.customer, Actor::Buyer(nth), buyer.vault);
        Ok(vec![(buyer.vault, 0)])
    })
}

/// Buyer `nth` deposits.
pub fn deposit(market: &Market, nth: usize, amount: u64) -> Plan {
    let buyer = market.buyers[nth].clone();
    let deposit = ix::deposit(&market.world, &buyer, amount);
    let plan = Plan::new(deposit, &buyer.authority).only(&[buyer.authority.pubkey()]);
    plan.then(move |model, _| model.deposit(&buyer.customer, buyer.tokens, amount))
}

/// Buyer `nth` withdraws.
pub fn withdraw_customer(market: &Market, nth: usize, amount: u64) -> Plan {
    let buyer = market.buyers[nth].clone();
    let withdraw = ix::withdraw_customer(&market.world, &buyer, amount);
    // Where its own money goes is the owner's choice.
    let plan = Plan::new(withdraw, &buyer.authority).only(&[buyer.authority.pubkey()]).about(&[buyer.tokens]);
    plan.then(move |model, _| model.withdraw_customer(&buyer.customer, buyer.tokens, amount))
}

/// Buyer `nth` closes its account.
pub fn close_customer(market: &Market, nth: usize) -> Plan {
    let buyer = market.buyers[nth].clone();
    let close = ix::close_customer(&market.world, &buyer);
    let plan = Plan::new(close, &buyer.authority).only(&[buyer.authority.pubkey()]);
    plan.then(move |model, _| model.close_customer(&buyer.customer))
}

/// Anyone sweeps what buyer `nth` owes.
pub fn sweep_fees(market: &Market, nth: usize, caller: &crate::Keypair) -> Plan {
    let buyer = market.buyers[nth].clone();
    let plan = Plan::new(ix::sweep_fees(&market.world, &buyer), caller);
    plan.then(move |model, _| model.sweep_fees(&buyer.customer))
}

/// A buyer, open or not as asked.
pub fn buyer(market: &Market, dice: &mut Dice, is_open: bool) -> Option<usize> {
    let fit = |nth: &usize| market.books.customers.contains_key(&market.buyers[*nth].customer) == is_open;
    dice.pick(&(0..market.buyers.len()).filter(fit).collect::<Vec<_>>())
}

pub(super) fn any_open(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    Some(open_customer(market, buyer(market, dice, false)?))
}

pub(super) fn any_deposit(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let amount = dice.below(30 * MILL);
    Some(deposit(market, buyer(market, dice, true)?, amount))
}

pub(super) fn any_withdrawal(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = buyer(market, dice, true)?;
    let free = market.books.customers[&market.buyers[nth].customer].free;
    let amount = match dice.below(10) {
        0 => free,
        1 | 2 => free + 1 + dice.below(MILL),
        _ => dice.below(free / 4 + 2),
    };
    Some(withdraw_customer(market, nth, amount).fails_if(amount > free, "it is more than is free"))
}

pub(super) fn any_close(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let idle = |nth: &usize| {
        let customer = market.books.customers.get(&market.buyers[*nth].customer);
        customer.is_some_and(|customer| customer.open_jobs == 0 && customer.claims_due == 0)
    };
    let idle = dice.pick(&(0..market.buyers.len()).filter(idle).collect::<Vec<_>>());
    let nth = idle.filter(|_| !dice.once_in(4)).or_else(|| buyer(market, dice, true))?;
    Some(close_customer(market, nth))
}

pub(super) fn any_sweep(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let caller = market.anyone(dice);
    let is_careless = dice.once_in(12);
    let owes = |customer: &Pubkey| market.books.customers.get(customer).is_some_and(|it| is_careless || it.fee_due > 0);
    let owing = (0..market.buyers.len()).filter(|nth| owes(&market.buyers[*nth].customer));
    let nth = dice.pick(&owing.collect::<Vec<_>>())?;
    Some(sweep_fees(market, nth, &caller))
}
