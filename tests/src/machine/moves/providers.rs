//! Moves of providers.

use millrace::instructions::SetTermsArgs;
use millrace_client::ix as client;

use crate::genesis::endpoint;
use crate::machine::market::operators;
use crate::machine::{Actor, Dice, Market, Plan};
use crate::parties::provider_args;
use crate::{ix, Pubkey, Signer, MILL};

/// Seller `nth` registers.
pub fn register_provider(market: &Market, nth: usize) -> Plan {
    let seller = market.sellers[nth].clone();
    let authority = seller.authority.pubkey();
    let register = ix::register_provider(&market.world, &authority, provider_args(&seller.operator.pubkey()));
    Plan::new(register, &seller.authority).only(&[authority]).then(move |model, _| {
        model.register_provider(seller.provider, Actor::Seller(nth), seller.vault, authority);
        Ok(vec![])
    })
}

/// Seller `nth` stakes.
pub fn stake(market: &Market, nth: usize, amount: u64) -> Plan {
    let seller = market.sellers[nth].clone();
    let stake = ix::stake(&market.world, &seller, amount);
    let plan = Plan::new(stake, &seller.authority).only(&[seller.authority.pubkey()]);
    plan.then(move |model, _| model.stake(&seller.provider, seller.tokens, amount))
}

/// Seller `nth` begins to unstake.
pub fn begin_unstake(market: &Market, nth: usize, amount: u64) -> Plan {
    let seller = market.sellers[nth].clone();
    let plan = Plan::new(ix::begin_unstake(&seller, amount), &seller.authority).only(&[seller.authority.pubkey()]);
    plan.then(move |model, seen| model.begin_unstake(&seller.provider, amount, seen.now))
}

/// Seller `nth` withdraws.
pub fn withdraw(market: &Market, nth: usize) -> Plan {
    let seller = market.sellers[nth].clone();
    let withdraw = ix::withdraw(&market.world, &seller);
    let plan = Plan::new(withdraw, &seller.authority).only(&[seller.authority.pubkey()]);
    plan.then(move |model, seen| model.withdraw(&seller.provider, seller.tokens, seen.now))
}

/// Seller `nth` closes its account.
pub fn close_provider(market: &Market, nth: usize) -> Plan {
    let seller = market.sellers[nth].clone();
    let close = ix::close_provider(&market.world, &seller);
    let plan = Plan::new(close, &seller.authority).only(&[seller.authority.pubkey()]);
    plan.then(move |model, _| model.close_provider(&seller.provider))
}

/// A seller, registered or not as asked.
pub fn seller(market: &Market, dice: &mut Dice, is_registered: bool) -> Option<usize> {
    let fit = |nth: &usize| market.books.providers.contains_key(&market.sellers[*nth].provider) == is_registered;
    dice.pick(&(0..market.sellers.len()).filter(fit).collect::<Vec<_>>())
}

/// The seller of a provider account.
pub fn seller_of(market: &Market, provider: &Pubkey) -> usize {
    market.sellers.iter().position(|seller| seller.provider == *provider).expect("every provider is a seller's")
}

pub(super) fn any_registration(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    Some(register_provider(market, seller(market, dice, false)?))
}

pub(super) fn any_stake(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let amount = dice.below(300 * MILL);
    Some(stake(market, seller(market, dice, true)?, amount))
}

pub(super) fn any_unstaking(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    // Who is accused would rather be gone.
    let accused = market.model.cases.values().map(|case| case.provider);
    let accused = accused.filter(|provider| market.books.providers.contains_key(provider));
    let accused = dice.pick(&accused.collect::<Vec<_>>()).filter(|_| !dice.once_in(3));
    let nth = match accused {
        Some(provider) => seller_of(market, &provider),
        None => seller(market, dice, true)?,
    };
    let free = market.books.providers[&market.sellers[nth].provider].free_stake();
    let amount = match dice.below(6) {
        _ if accused.is_some() => free,
        0 => free,
        1 => free + 1 + dice.below(100 * MILL),
        _ => dice.below(free / 3 + 2),
    };
    Some(begin_unstake(market, nth, amount).fails_if(amount > free, "it is more than is free"))
}

pub(super) fn any_withdrawal(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = seller(market, dice, true)?;
    let (provider, now) = (&market.books.providers[&market.sellers[nth].provider], market.world.now());
    let is_something = provider.earned > 0 || provider.unbonding_entries().iter().any(|entry| entry.matures_at <= now);
    // What has not matured is tried too.
    (is_something || provider.unbonding_count > 0 || dice.once_in(12)).then(|| withdraw(market, nth))
}

pub(super) fn any_rotation(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = seller(market, dice, true)?;
    let seller = market.sellers[nth].clone();
    let operator = dice.pick(&operators(nth).map(|key| key.pubkey()))?;
    let rotate = ix::set_operator(&seller, &operator);
    Some(Plan::new(rotate, &seller.authority).only(&[seller.authority.pubkey()]))
}

pub(super) fn any_succession(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = seller(market, dice, true)?;
    let seller = market.sellers[nth].clone();
    let authority = seller.authority.pubkey();
    let spare = market.cold_keys[nth].iter().map(|cold| cold.key.pubkey()).find(|key| *key != authority)?;
    // Now and then it takes the proposal back.
    let next = if dice.once_in(4) { Pubkey::default() } else { spare };
    let plan = Plan::new(client::propose_authority(&authority, &seller.provider, &next), &seller.authority);
    let plan = plan.only(&[authority]);
    Some(plan.then(move |model, _| model.propose_authority(&seller.provider, next)))
}

pub(super) fn any_takeover(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let promised = |nth: &usize| {
        let provider = market.books.providers.get(&market.sellers[*nth].provider);
        provider.is_some_and(|provider| provider.pending_authority != Pubkey::default())
    };
    let nth = match dice.once_in(6) {
        true => seller(market, dice, true)?,
        false => dice.pick(&(0..market.sellers.len()).filter(promised).collect::<Vec<_>>())?,
    };
    let provider = market.sellers[nth].provider;
    let next = market.books.providers[&provider].pending_authority;
    let signer = market.key_of(&next).unwrap_or_else(|| market.anyone(dice));
    let key = signer.pubkey();
    let plan = Plan::new(client::accept_authority(&key, &provider), &signer).only(&[key]).about(&[provider]);
    let plan = plan.fails_if(key != next, "nobody was proposed");
    Some(plan.then(move |model, _| model.accept_authority(&provider, &key)))
}

pub(super) fn any_terms(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = seller(market, dice, true)?;
    let seller = market.sellers[nth].clone();
    let args = SetTermsArgs {
        endpoint: endpoint("http://127.0.0.1:9300"),
        tls_spki_hash: [4; 32],
        max_bonds_amount: dice.within(MILL, 1_000_000 * MILL),
        min_bid_per_sec: 1 + dice.below(100),
    };
    Some(Plan::new(ix::set_terms(&seller, args), &seller.authority).only(&[seller.authority.pubkey()]))
}

pub(super) fn any_close(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    Some(close_provider(market, seller(market, dice, true)?))
}
