//! Moves of token holders, and of whoever carries out what they decide.

use std::collections::BTreeMap;

use millrace::instructions::ProposeArgs;
use millrace::state::{Params, ProposalKind};
use millrace_client::ix as client;
use millrace_client::pda as client_pda;

use super::seats;
use crate::machine::model::{LockModel, ProposalModel};
use crate::machine::{Actor, Dice, Market, Plan, Why};
use crate::voting::{encoded, NO_TARGET};
use crate::{Keypair, Pubkey, Signer, MILL};

/// Voter `nth` locks tokens, or more of them.
pub fn lock_votes(market: &Market, nth: usize, amount: u64, lock_secs: i64) -> Plan {
    let voter = market.voters[nth].clone();
    let before = market.model.locks.get(&voter.lock).cloned();
    let now = market.world.now();
    let lock = match &before {
        Some(_) => market.world.extend_lock(&voter, amount, lock_secs),
        None => market.world.lock_votes(&voter, amount, lock_secs),
    };
    let model = LockModel {
        actor: Actor::Voter(nth),
        vault: voter.vault,
        amount: before.as_ref().map_or(0, |lock| lock.amount) + amount,
        lock_secs,
        created_at: now,
        lock_until: now + lock_secs,
        held_until: before.map_or(0, |lock| lock.held_until),
    };
    let plan = Plan::new(lock, &voter.key).only(&[voter.key.pubkey()]);
    plan.then(move |books, _| books.lock_votes(voter.lock, model, voter.tokens, amount))
}

/// Voter `nth` takes its lock out.
pub fn unlock_votes(market: &Market, nth: usize) -> Plan {
    let voter = market.voters[nth].clone();
    let key = voter.key.pubkey();
    let unlock = client::unlock_votes(&key, &voter.tokens, &key, &market.world.market());
    // Where its own tokens go is the owner's choice.
    let plan = Plan::new(unlock, &voter.key).only(&[key]).about(&[voter.tokens]);
    plan.then(move |model, seen| model.unlock_votes(&voter.lock, voter.tokens, seen.now))
}

/// What a proposal would do.
pub struct Motion {
    /// Its kind.
    pub kind: ProposalKind,
    /// What it is about.
    pub target: Pubkey,
    /// Its payload.
    pub payload: Vec<u8>,
    /// The parameters it is about.
    pub params: Option<Params>,
    /// The oracle it is about, its key.
    pub oracle: Option<Pubkey>,
    /// The amount it is about, base units; for a seat, its weight.
    pub amount: u64,
}

impl Motion {
    /// One of `kind` about `target`, that carries `payload`.
    pub fn new(kind: ProposalKind, target: Pubkey, payload: Vec<u8>) -> Self {
        Self { kind, target, payload, params: None, oracle: None, amount: 0 }
    }

    /// What the model makes of it, once voter `nth` made it.
    pub fn model(&self, nth: usize) -> ProposalModel {
        ProposalModel {
            kind: self.kind,
            proposer: Actor::Voter(nth),
            deposit: 0,
            created_at: 0,
            voting_ends_at: 0,
            executable: (0, 0),
            votes: BTreeMap::new(),
            total: (0, 0),
            quorum_bps: 0,
            is_done: false,
            params: self.params,
            oracle: self.oracle,
            amount: self.amount,
        }
    }
}

/// Voter `nth` makes a proposal.
pub fn propose(market: &Market, nth: usize, motion: Motion) -> Plan {
    let voter = market.voters[nth].clone();
    let id = market.world.config().next_proposal_id;
    let proposal = client_pda::proposal(id);
    let (model, target) = (motion.model(nth), motion.target);
    let args = ProposeArgs { kind: motion.kind as u8, payload: motion.payload };
    let key = voter.key.pubkey();
    let propose = client::propose(&key, &voter.tokens, &market.world.market(), id, &target, args);
    let plan = Plan::new(propose, &voter.key).only(&[key]).about(&[target]);
    plan.then(move |books, seen| {
        books.propose(proposal, model, voter.tokens, seen.now).inspect(|_| {
            if let (Some(dispute), Some(account)) = (books.disputes.get_mut(&target), seen.after.disputes.get(&target))
            {
                // Asking for it gives the vote its time.
                dispute.is_appealed = true;
                dispute.appeal_until = dispute.appeal_until.max(Some(account.appeal_until));
            }
            if let (Some(case), Some(account)) = (books.judged.get_mut(&target), seen.after.slash_cases.get(&target)) {
                case.appeal_until = case.appeal_until.max(account.appeal_until);
            }
        })
    })
}

/// Voter `nth` votes.
pub fn vote(market: &Market, nth: usize, proposal: &Pubkey, is_yes: bool) -> Plan {
    let voter = market.voters[nth].clone();
    let (proposal, key) = (*proposal, voter.key.pubkey());
    let account = client_pda::vote(&proposal, &key);
    let plan = Plan::new(client::vote(&key, &proposal, is_yes), &voter.key).only(&[key]).about(&[proposal]);
    plan.then(move |model, seen| model.vote(account, &proposal, &voter.lock, is_yes, seen.now))
}

/// Anyone closes the vote of voter `nth` on `proposal`.
pub fn close_vote(market: &Market, vote: &Pubkey, proposal: &Pubkey, nth: usize, caller: &Keypair) -> Plan {
    let (vote, voter) = (*vote, market.voters[nth].key.pubkey());
    let plan = Plan::new(client::close_vote(proposal, &voter, &voter), caller).about(&[vote]);
    plan.then(move |model, seen| model.close_vote(&vote, seen.now))
}

/// Anyone closes `proposal`.
pub fn close_proposal(market: &Market, proposal: &Pubkey, caller: &Keypair) -> Plan {
    let key = *proposal;
    let proposer = market.model.proposals[&key].proposer;
    let destination = market.wallet(proposer);
    let close =
        client::close_proposal(&key, &destination, &market.books.proposals[&key].rent_payer, &market.world.market());
    // Where nothing goes, it may go anywhere.
    let plan = Plan::new(close, caller).about(&[key, destination]);
    plan.then(move |model, seen| model.close_proposal(&key, destination, seen.now))
}

/// Anyone carries out a vote on the parameters.
fn execute_params(proposal: &Pubkey, caller: &Keypair) -> Plan {
    let key = *proposal;
    Plan::new(client::execute_params(&key), caller).about(&[key]).then(move |model, seen| {
        let proposal = model.execute(&key, ProposalKind::UpdateParams, seen.now)?;
        model.pending = proposal.params;
        Ok(vec![])
    })
}

/// Anyone pays out of the treasury, by a vote.
fn execute_transfer(market: &Market, proposal: &Pubkey, caller: &Keypair) -> Plan {
    let key = *proposal;
    let destination = market.books.proposals[&key].target;
    let pay = client::execute_transfer(&key, &destination, &market.world.market());
    let receiver = market.owner_of(&destination);
    let plan = Plan::new(pay, caller).about(&[key]);
    plan.then(move |model, seen| {
        let proposal = model.execute(&key, ProposalKind::TreasuryTransfer, seen.now)?;
        model.grant(receiver, proposal.amount);
        let amount = i128::from(proposal.amount);
        Ok(vec![(model.treasury, -amount), (destination, amount)])
    })
}

/// Anyone names the guardian, by a vote.
fn execute_guardian(proposal: &Pubkey, caller: &Keypair) -> Plan {
    let key = *proposal;
    Plan::new(client::execute_guardian(&key), caller).about(&[key]).then(move |model, seen| {
        model.execute(&key, ProposalKind::SetGuardian, seen.now)?;
        Ok(vec![])
    })
}

/// Anyone turns a ruling, by a vote.
fn execute_overturn_ruling(market: &Market, proposal: &Pubkey, caller: &Keypair) -> Plan {
    let key = *proposal;
    let dispute = market.books.proposals[&key].target;
    let plan = Plan::new(client::execute_overturn_ruling(&key, &dispute), caller).about(&[key]);
    plan.then(move |model, seen| {
        model.execute(&key, ProposalKind::OverturnRuling, seen.now)?;
        model.overturn_ruling(&dispute, seen.now)
    })
}

impl crate::machine::Model {
    fn grant(&mut self, to: Option<Actor>, amount: u64) {
        self.pass(None, to, amount, Why::Grant);
    }
}

pub(super) fn voter(market: &Market, dice: &mut Dice) -> usize {
    dice.below(market.voters.len() as u64) as usize
}

pub(super) fn any_lock(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = voter(market, dice);
    (!market.model.locks.contains_key(&market.voters[nth].lock)).then(|| {
        let amount = dice.within(MILL, 180_000_000 * MILL);
        lock_votes(market, nth, amount, dice.within(600, 90_000) as i64)
    })
}

pub(super) fn any_extension(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = voter(market, dice);
    market.model.locks.contains_key(&market.voters[nth].lock).then(|| {
        let amount = dice.below(5_000_000 * MILL);
        lock_votes(market, nth, amount, dice.within(600, 90_000) as i64)
    })
}

pub(super) fn any_unlocking(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = voter(market, dice);
    market.model.locks.contains_key(&market.voters[nth].lock).then(|| unlock_votes(market, nth))
}

pub(super) fn any_proposal(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    if market.model.proposals.len() > 2 {
        return None;
    }
    let nth = voter(market, dice);
    let motion = match dice.below(8) {
        0 | 1 => {
            let params = Params {
                fee_bps: dice.below(1_000) as u16,
                holdback_bps: dice.below(3_000) as u16,
                bid_bond_bps: dice.within(100, 1_000) as u16,
                bond_bps: dice.within(500, 5_000) as u16,
                compensation_bps: dice.within(1_000, 10_000) as u16,
                dispute_window_secs: dice.within(300, 900) as i64,
                ..market.model.params
            };
            let motion = Motion::new(ProposalKind::UpdateParams, NO_TARGET, encoded(&params));
            Motion { params: Some(params), ..motion }
        }
        2 => {
            let amount = dice.below(2 * MILL);
            let target = market.wallet(dice.pick(&market.everyone())?);
            Motion { amount, ..Motion::new(ProposalKind::TreasuryTransfer, target, encoded(&amount)) }
        }
        3 => {
            let guardian = market.anyone(dice).pubkey();
            Motion::new(ProposalKind::SetGuardian, NO_TARGET, encoded(&guardian))
        }
        4 => {
            let target = dice.pick(&market.books.slash_cases.keys().copied().collect::<Vec<_>>())?;
            Motion::new(ProposalKind::OverturnSlash, target, vec![])
        }
        5 | 6 => seats::any_motion(market, dice)?,
        _ => {
            let target = dice.pick(&market.books.disputes.keys().copied().collect::<Vec<_>>())?;
            Motion::new(ProposalKind::OverturnRuling, target, vec![])
        }
    };
    Some(propose(market, nth, motion))
}

pub(super) fn any_of(market: &Market, dice: &mut Dice, kind: Option<ProposalKind>) -> Option<Pubkey> {
    let proposals = market.model.proposals.iter();
    let is_careless = dice.once_in(6);
    let fit = proposals.filter(|(_, proposal)| {
        kind.is_none_or(|kind| proposal.kind == kind && (is_careless || (proposal.is_passed() && !proposal.is_done)))
    });
    dice.pick(&fit.map(|(key, _)| *key).collect::<Vec<_>>())
}

pub(super) fn any_vote(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let is_careless = dice.once_in(12);
    let open = market.model.proposals.iter().filter(|(_, proposal)| is_careless || now < proposal.voting_ends_at);
    let proposal = dice.pick(&open.map(|(key, _)| *key).collect::<Vec<_>>())?;
    let nth = voter(market, dice);
    let has_voted = market.model.proposals[&proposal].votes.contains_key(&market.voters[nth].lock);
    let made_at = market.model.proposals[&proposal].created_at;
    let lock = market.model.locks.get(&market.voters[nth].lock);
    let may = !has_voted && lock.is_some_and(|lock| lock.created_at < made_at);
    if !may && !dice.once_in(8) {
        return None;
    }
    let is_yes = !dice.once_in(4);
    Some(vote(market, nth, &proposal, is_yes).fails_if(has_voted, "I8: the voter voted before"))
}

pub(super) fn any_vote_closing(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let votes: Vec<_> = market.model.votes.iter().map(|(vote, (proposal, lock))| (*vote, *proposal, *lock)).collect();
    let (vote, proposal, lock) = dice.pick(&votes)?;
    let nth = market.voters.iter().position(|voter| voter.lock == lock)?;
    let caller = market.anyone(dice);
    Some(close_vote(market, &vote, &proposal, nth, &caller))
}

pub(super) fn any_proposal_closing(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let proposal = any_of(market, dice, None)?;
    let caller = market.anyone(dice);
    Some(close_proposal(market, &proposal, &caller))
}

pub(super) fn any_params(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let kind = if dice.once_in(8) { None } else { Some(ProposalKind::UpdateParams) };
    let proposal = any_of(market, dice, kind)?;
    Some(execute_params(&proposal, &market.anyone(dice)))
}

pub(super) fn any_activation(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    if market.model.pending.is_none() && !dice.once_in(8) {
        return None;
    }
    let caller = market.anyone(dice);
    Some(Plan::new(client::activate_params(), &caller).then(|model, _| {
        model.params = model.pending.take().ok_or("parameters came into force that no vote decided on")?;
        Ok(vec![])
    }))
}

pub(super) fn any_transfer(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let proposal = any_of(market, dice, Some(ProposalKind::TreasuryTransfer))?;
    let caller = market.anyone(dice);
    Some(execute_transfer(market, &proposal, &caller))
}

pub(super) fn any_guardian(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let proposal = any_of(market, dice, Some(ProposalKind::SetGuardian))?;
    Some(execute_guardian(&proposal, &market.anyone(dice)))
}

pub(super) fn any_overturning(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let proposal = any_of(market, dice, Some(ProposalKind::OverturnRuling))?;
    let caller = market.anyone(dice);
    Some(execute_overturn_ruling(market, &proposal, &caller))
}

pub(super) fn any_slash_overturning(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let proposal = any_of(market, dice, Some(ProposalKind::OverturnSlash))?;
    let case = market.books.proposals[&proposal].target;
    let provider = market.books.slash_cases.get(&case)?.provider;
    let caller = market.anyone(dice);
    let overturn = client::execute_overturn_slash(&proposal, &case, &provider);
    Some(Plan::new(overturn, &caller).about(&[proposal]).then(move |model, seen| {
        model.execute(&proposal, ProposalKind::OverturnSlash, seen.now)?;
        model.overturn_slash(&case)
    }))
}

fn guardian(market: &Market, dice: &mut Dice) -> Option<(Keypair, Pubkey)> {
    let guardian = market.world.config().guardian;
    let key = market.key_of(&guardian)?;
    Some((if dice.once_in(4) { market.anyone(dice) } else { key }, guardian))
}

pub(super) fn any_pause(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let (caller, guardian) = guardian(market, dice)?;
    let secs = dice.within(1, 700) as i64;
    let plan = Plan::new(client::pause(&caller.pubkey(), secs), &caller).only(&[guardian]);
    Some(plan.fails_if(caller.pubkey() != guardian, "it is not the guardian"))
}

pub(super) fn any_unpause(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let (caller, guardian) = guardian(market, dice)?;
    let plan = Plan::new(client::unpause(&caller.pubkey()), &caller).only(&[guardian]);
    Some(plan.fails_if(caller.pubkey() != guardian, "it is not the guardian"))
}

pub(super) fn any_surplus(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let customers = market.model.customers.iter().map(|(key, customer)| (*key, customer.vault));
    let providers = market.model.providers.iter().map(|(key, provider)| (*key, provider.vault));
    let (owner, vault) = dice.pick(&customers.chain(providers).collect::<Vec<_>>())?;
    let caller = market.anyone(dice);
    let plan = Plan::new(client::sweep_surplus(&owner, &market.world.market()), &caller);
    Some(plan.then(move |model, _| Ok(model.sweep_dust(&vault))))
}
