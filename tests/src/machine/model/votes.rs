//! Locks, proposals and votes.

use std::collections::BTreeMap;

use millrace::state::{Params, ProposalKind};

use super::{Model, Why};
use crate::books::holds;
use crate::machine::{Actor, Flows};
use crate::{Books, Pubkey};

/// A lock.
#[derive(Clone, Debug)]
pub struct LockModel {
    /// Who it is.
    pub actor: Actor,
    /// Its vault.
    pub vault: Pubkey,
    /// Base units.
    pub amount: u64,
    /// Length, seconds.
    pub lock_secs: i64,
    /// Instant of the last deposit.
    pub created_at: i64,
    /// Instant from which it may be taken out.
    pub lock_until: i64,
    /// Instant the last proposal voted on ends.
    pub held_until: i64,
}

/// A proposal.
#[derive(Clone, Debug)]
pub struct ProposalModel {
    /// What it would do.
    pub kind: ProposalKind,
    /// Who made it.
    pub proposer: Actor,
    /// Its deposit, base units.
    pub deposit: u64,
    /// Instant it was made.
    pub created_at: i64,
    /// Instant votes end.
    pub voting_ends_at: i64,
    /// First and last instant it may be executed.
    pub executable: (i64, i64),
    /// Who voted with which weight and which tokens, and how: each lock once (I8).
    pub votes: BTreeMap<Pubkey, (u64, u64, bool)>,
    /// All weight, and all tokens, there were when it was made.
    pub total: (u64, u64),
    /// Quorum, basis points of all weight.
    pub quorum_bps: u16,
    /// Whether it was executed.
    pub is_done: bool,
    /// The parameters it is about.
    pub params: Option<Params>,
    /// The oracle it is about, its key.
    pub oracle: Option<Pubkey>,
    /// The amount it is about, base units; for a seat, its weight.
    pub amount: u64,
}

impl ProposalModel {
    /// Whether the proposer's buffer is still with governance.
    pub fn keeps_buffer(&self) -> bool {
        self.kind == ProposalKind::UpgradeProgram && !self.is_done
    }

    fn is_over(&self, now: i64) -> bool {
        let has_failed = now >= self.voting_ends_at && !self.is_passed();
        self.is_done || has_failed || now > self.executable.1
    }

    fn weight(&self, side: bool) -> u64 {
        self.votes.values().filter(|(_, _, is_yes)| *is_yes == side).map(|(weight, _, _)| weight).sum()
    }

    fn tokens(&self) -> u64 {
        self.votes.values().map(|(_, tokens, _)| tokens).sum()
    }

    /// Whether enough weight and a tenth of all tokens voted.
    pub fn meets_quorum(&self) -> bool {
        let cast = u128::from(self.weight(true) + self.weight(false));
        cast * 10_000 >= u128::from(self.quorum_bps) * u128::from(self.total.0)
            && u128::from(self.tokens()) * 10 >= u128::from(self.total.1)
    }

    /// Whether it is carried.
    pub fn is_passed(&self) -> bool {
        let (yes, no) = (self.weight(true), self.weight(false));
        let has_share = !self.kind.is_grave() || 3 * u128::from(yes) >= 2 * u128::from(yes + no);
        self.meets_quorum() && yes > no && has_share
    }
}

impl Model {
    /// Weight of a lock: one to four times its tokens, by its length.
    fn weight_of(&self, lock: &LockModel) -> u64 {
        let (least, most) = (self.params.voting_secs, self.params.max_lock_secs);
        let bps = match lock.lock_secs {
            secs if secs < least => 0,
            secs if secs >= most => 40_000,
            secs => 10_000 + i128::from(secs - least) * 30_000 / i128::from(most - least),
        };
        (i128::from(lock.amount) * bps / 10_000) as u64
    }

    fn total_weight(&self) -> u64 {
        self.locks.values().map(|lock| self.weight_of(lock)).sum()
    }

    /// Tokens are locked, or more of them, from `source`.
    pub fn lock_votes(&mut self, key: Pubkey, lock: LockModel, source: Pubkey, amount: u64) -> Result<Flows, String> {
        let before = self.locks.insert(key, lock.clone());
        let keeps = before.is_none_or(|before| lock.lock_until >= before.lock_until);
        let is_long = (self.params.voting_secs..=self.params.max_lock_secs).contains(&lock.lock_secs);
        holds!(keeps && is_long, "a lock was made too short or too long, or shorter than before");
        Ok(vec![(source, -i128::from(amount)), (lock.vault, amount.into())])
    }

    /// A lock is taken out to `destination`.
    pub fn unlock_votes(&mut self, key: &Pubkey, destination: Pubkey, now: i64) -> Result<Flows, String> {
        let lock = self.locks.remove(key).ok_or("there is no such lock")?;
        let is_free = now >= lock.lock_until && now >= lock.held_until;
        let votes = self.votes.values().filter(|(_, of)| of == key).count();
        holds!(is_free && votes == 0, "a lock was taken out that is held, or {votes} of whose votes are open");
        let mut flows = self.sweep_dust(&lock.vault);
        flows.extend([(lock.vault, -i128::from(lock.amount)), (destination, i128::from(lock.amount))]);
        Ok(flows)
    }

    /// A proposal is made, with a deposit from `source`.
    pub fn propose(
        &mut self,
        key: Pubkey,
        mut proposal: ProposalModel,
        source: Pubkey,
        now: i64,
    ) -> Result<Flows, String> {
        let params = &self.params;
        let leave = params.unbonding_secs + params.max_lease_secs;
        let wait = if proposal.kind.is_grave() { leave.max(params.timelock_secs) } else { params.timelock_secs };
        proposal.deposit = params.proposal_deposit_amount;
        proposal.created_at = now;
        proposal.voting_ends_at = now + params.voting_secs;
        let eta = proposal.voting_ends_at + wait;
        proposal.executable = (eta, eta + params.grace_secs);
        proposal.quorum_bps = params.vote_quorum_bps;
        proposal.total = (self.total_weight(), crate::tokens::SUPPLY - self.burned);
        let deposit = i128::from(proposal.deposit);
        self.proposals.insert(key, proposal);
        Ok(vec![(source, -deposit), (self.treasury, deposit)])
    }

    /// A lock votes: once, and only if it is older than the proposal.
    pub fn vote(
        &mut self,
        key: Pubkey,
        proposal_key: &Pubkey,
        lock_key: &Pubkey,
        is_yes: bool,
        now: i64,
    ) -> Result<Flows, String> {
        let lock = self.locks.get(lock_key).ok_or("one voted who has no lock")?.clone();
        let weight = self.weight_of(&lock);
        let proposal = self.proposals.get_mut(proposal_key).ok_or("there is no such proposal")?;
        holds!(now < proposal.voting_ends_at, "I8: a vote came in after the vote");
        holds!(lock.created_at < proposal.created_at, "I8: tokens voted that were locked after the proposal");
        let before = proposal.votes.insert(*lock_key, (weight, lock.amount, is_yes));
        holds!(before.is_none() && weight > 0, "I8: tokens voted twice, or without weight");
        let voting_ends_at = proposal.voting_ends_at;
        let lock = self.locks.get_mut(lock_key).ok_or("one voted who has no lock")?;
        lock.held_until = lock.held_until.max(voting_ends_at);
        self.votes.insert(key, (*proposal_key, *lock_key));
        Ok(vec![])
    }

    /// A vote's account closes.
    pub fn close_vote(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let (proposal, _) = self.votes.remove(key).ok_or("there is no such vote")?;
        let is_over = self.proposals.get(&proposal).is_none_or(|proposal| now >= proposal.voting_ends_at);
        holds!(is_over, "I8: a vote was closed before the end of the vote");
        Ok(vec![])
    }

    /// A proposal is carried out.
    pub fn execute(&mut self, key: &Pubkey, kind: ProposalKind, now: i64) -> Result<ProposalModel, String> {
        let proposal = self.proposals.get_mut(key).ok_or("there is no such proposal")?;
        let is_due = now >= proposal.executable.0 && now <= proposal.executable.1;
        let may = proposal.kind == kind && proposal.is_passed() && is_due && !proposal.is_done;
        holds!(may, "a proposal was executed that is of another kind, not passed, not due, or done: {proposal:?}");
        proposal.is_done = true;
        Ok(proposal.clone())
    }

    /// The buffer of an upgrade that did not come about goes back.
    pub fn return_buffer(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let proposal = self.proposals.get_mut(key).ok_or("there is no such proposal")?;
        holds!(proposal.keeps_buffer() && proposal.is_over(now), "a buffer was given back that may still be installed");
        proposal.is_done = true;
        Ok(vec![])
    }

    /// A proposal's account closes: its deposit goes to `destination` if the quorum was met, else it stays the treasury's.
    pub fn close_proposal(&mut self, key: &Pubkey, destination: Pubkey, now: i64) -> Result<Flows, String> {
        let proposal = self.proposals.remove(key).ok_or("there is no such proposal")?;
        let may = proposal.is_over(now) && !proposal.keeps_buffer();
        holds!(may, "a proposal was closed that may still be executed, or keeps its proposer's buffer");
        if !proposal.meets_quorum() {
            self.pass(proposal.proposer, None, proposal.deposit, Why::Deposit);
            return Ok(vec![]);
        }
        let deposit = i128::from(proposal.deposit);
        Ok(vec![(self.treasury, -deposit), (destination, deposit)])
    }

    pub(super) fn compare_votes(&self, books: &Books) -> Result<(), String> {
        for (key, proposal) in &self.proposals {
            let account = &books.proposals[key];
            let found = [account.yes_weight, account.no_weight, account.voted_amount, account.total_weight];
            let wanted = [proposal.weight(true), proposal.weight(false), proposal.tokens(), proposal.total.0];
            holds!(found == wanted, "I8: proposal {key}: {found:?} for, against, tokens, of all; should be {wanted:?}");
        }
        for (key, lock) in &self.locks {
            let (found, wanted) = (books.locks[key].amount, lock.amount);
            holds!(found == wanted, "lock {key} holds {found} base units, should hold {wanted}");
        }
        Ok(())
    }
}
