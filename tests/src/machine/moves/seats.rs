//! Moves of who carries out votes on the oracles' seats.

use millrace::instructions::SeatOracleArgs;
use millrace::state::ProposalKind;
use millrace_client::ix as client;

use super::oracles::any_open;
use super::votes::{any_of, Motion};
use crate::genesis::endpoint;
use crate::machine::{Actor, Dice, Market, Plan};
use crate::voting::{encoded, NO_TARGET};
use crate::{pda, Signer};

/// A seat is to be given, mostly to one who has none, or taken.
pub(super) fn any_motion(market: &Market, dice: &mut Dice) -> Option<Motion> {
    if dice.once_in(3) {
        let oracle = market.measurers[any_open(market, dice)?].key.pubkey();
        let motion = Motion::new(ProposalKind::RemoveOracle, NO_TARGET, encoded(&oracle));
        return Some(Motion { oracle: Some(oracle), ..motion });
    }
    let is_careless = dice.once_in(8);
    let fit = market.measurers.iter().filter(|one| is_careless || !market.model.oracles.contains_key(&one.oracle));
    let oracle = dice.pick(&fit.map(|one| one.key.pubkey()).collect::<Vec<_>>())?;
    let weight = dice.within(1, 3);
    let args = SeatOracleArgs { oracle_authority: oracle, weight, endpoint: endpoint("http://127.0.0.1:9100") };
    let motion = Motion::new(ProposalKind::AddOracle, NO_TARGET, encoded(&args));
    Some(Motion { oracle: Some(oracle), amount: weight, ..motion })
}

pub(super) fn any_seating(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let proposal = any_of(market, dice, Some(ProposalKind::AddOracle))?;
    let authority = market.model.proposals[&proposal].oracle?;
    let nth = market.measurers.iter().position(|one| one.key.pubkey() == authority)?;
    let key = market.measurers[nth].oracle;
    let (caller, next_epoch) = (market.anyone(dice), market.world.epoch() + 1);
    let seat = client::execute_add_oracle(&caller.pubkey(), &proposal, &authority, &market.world.market());
    let is_open = market.model.oracles.contains_key(&key);
    let plan = Plan::new(seat, &caller).about(&[proposal]).fails_if(is_open, "its account is open");
    Some(plan.then(move |model, seen| {
        let motion = model.execute(&proposal, ProposalKind::AddOracle, seen.now)?;
        model.seat(key, Actor::Oracle(nth), (pda::vault(&key), next_epoch), motion.amount);
        Ok(vec![])
    }))
}

pub(super) fn any_unseating(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let proposal = any_of(market, dice, Some(ProposalKind::RemoveOracle))?;
    let authority = market.model.proposals[&proposal].oracle?;
    let key = pda::oracle(&authority);
    let (caller, epoch) = (market.anyone(dice), market.world.epoch());
    let plan = Plan::new(client::execute_remove_oracle(&proposal, &authority), &caller).about(&[proposal]);
    Some(plan.then(move |model, seen| {
        model.execute(&proposal, ProposalKind::RemoveOracle, seen.now)?;
        model.unseat(&key, epoch)
    }))
}
