//! Moves of who proposes another build of the program, and of whoever installs it or gives its buffer back.
//!
//! The build is the one that runs already, so that the rules after an upgrade are those before it.

use millrace::state::ProposalKind;
use millrace_client::ix as client;
use millrace_client::pda as client_pda;
use millrace_core::hash::sha256;

use super::votes::{any_of, voter, Motion};
use crate::machine::{Dice, Market, Plan};
use crate::{Keypair, Pubkey, Signer};

/// Anyone gives the buffer of `proposal` back to who made it.
pub fn return_buffer(market: &Market, proposal: &Pubkey, caller: &Keypair) -> Plan {
    let key = *proposal;
    let state = &market.books.proposals[&key];
    let plan = Plan::new(client::return_buffer(&key, &state.target, &state.proposer), caller).about(&[key]);
    plan.then(move |model, seen| model.return_buffer(&key, seen.now))
}

pub(super) fn any_offer(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    if market.model.proposals.len() > 2 {
        return None;
    }
    let nth = voter(market, dice);
    let voter = market.voters[nth].clone();
    let key = voter.key.pubkey();
    let program = market.world.program();
    let id = market.world.config().next_proposal_id;
    let buffer = market.world.put_buffer(&format!("buffer {id}"), &key, &program);
    let hash = sha256(&[&program]);
    let propose = client::propose_upgrade(&key, &voter.tokens, &market.world.market(), id, &buffer, hash);
    let model = Motion::new(ProposalKind::UpgradeProgram, buffer, vec![]).model(nth);
    let proposal = client_pda::proposal(id);
    let plan = Plan::new(propose, &voter.key).only(&[key]);
    Some(plan.then(move |books, seen| books.propose(proposal, model, voter.tokens, seen.now)))
}

pub(super) fn any_installation(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let key = any_of(market, dice, Some(ProposalKind::UpgradeProgram))?;
    let (caller, state) = (market.anyone(dice), &market.books.proposals[&key]);
    let plan = Plan::new(client::execute_upgrade(&key, &state.target, &state.proposer), &caller);
    // The program is named twice, and looked at once.
    let plan = plan.about(&[key, millrace::ID]);
    Some(plan.then(move |model, seen| {
        model.execute(&key, ProposalKind::UpgradeProgram, seen.now)?;
        Ok(vec![])
    }))
}

pub(super) fn any_return(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let is_careless = dice.once_in(6);
    let fit = market.model.proposals.iter().filter(|(_, proposal)| is_careless || proposal.keeps_buffer());
    let key = dice.pick(&fit.map(|(key, _)| *key).collect::<Vec<_>>())?;
    let caller = market.anyone(dice);
    Some(return_buffer(market, &key, &caller))
}
