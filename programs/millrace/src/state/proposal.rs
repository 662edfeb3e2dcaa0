//! What token holders decide.

use anchor_lang::prelude::*;
use millrace_core::hash::sha256;
use millrace_core::vote::Tally;

use super::{Config, VoterLock};
use crate::errors::MillraceError;

/// Most bytes of a proposal's payload.
pub const MAX_PAYLOAD: usize = 640;

/// What a proposal would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ProposalKind {
    /// Sets the parameters, from a later epoch on.
    UpdateParams = 0,
    /// Names who may pause new work.
    SetGuardian = 1,
    /// Gives an oracle a seat.
    AddOracle = 2,
    /// Takes an oracle's seat.
    RemoveOracle = 3,
    /// Pays out of the treasury.
    TreasuryTransfer = 4,
    /// Gives back what a judged case froze.
    OverturnSlash = 5,
    /// Turns the ruling of a dispute round.
    OverturnRuling = 6,
    /// Replaces the program.
    UpgradeProgram = 7,
}

impl ProposalKind {
    /// All kinds, by their number.
    pub const ALL: [Self; 8] = [
        Self::UpdateParams,
        Self::SetGuardian,
        Self::AddOracle,
        Self::RemoveOracle,
        Self::TreasuryTransfer,
        Self::OverturnSlash,
        Self::OverturnRuling,
        Self::UpgradeProgram,
    ];

    /// The kind numbered `number`.
    ///
    /// # Errors
    /// [`MillraceError::BadProposal`].
    pub fn of(number: u8) -> Result<Self> {
        Self::ALL.get(usize::from(number)).copied().ok_or_else(|| error!(MillraceError::BadProposal))
    }

    /// Whether it changes who or what is trusted: two thirds must want it, and whoever does not has time to leave.
    pub fn is_grave(self) -> bool {
        matches!(self, Self::AddOracle | Self::RemoveOracle | Self::UpgradeProgram)
    }
}

/// Seeds: `proposal`, id. What it would do is fixed when it is made: the payload lies in the account.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Proposal {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// A [`ProposalKind`].
    pub kind: u8,
    /// One once it was executed, or its buffer given back.
    pub is_done: u8,
    /// Bytes of `payload` in use.
    pub payload_len: u16,
    /// Zeros.
    pub padding: [u8; 2],
    /// Its number.
    pub id: u64,
    /// Who made it.
    pub proposer: Pubkey,
    /// sha256 of kind, target and payload.
    pub payload_hash: [u8; 32],
    /// Account it is about (a case, a dispute, a buffer, a token account that receives), zeros if none.
    pub target: Pubkey,
    /// Deposit, base units.
    pub deposit_amount: u64,
    /// Weight in favour.
    pub yes_weight: u64,
    /// Weight against.
    pub no_weight: u64,
    /// Tokens that voted, base units, multipliers left out.
    pub voted_amount: u64,
    /// All weight there was when it was made.
    pub total_weight: u64,
    /// Mint supply when it was made, base units.
    pub supply_amount: u64,
    /// Instant it was made.
    pub created_at: i64,
    /// Instant votes end.
    pub voting_ends_at: i64,
    /// First instant it may be executed.
    pub eta: i64,
    /// Last instant it may be executed.
    pub expires_at: i64,
    /// Quorum it needs, basis points of `total_weight`.
    pub quorum_bps: u16,
    /// Zeros.
    pub padding2: [u8; 6],
    /// What its kind needs, Borsh-encoded.
    pub payload: [u8; MAX_PAYLOAD],
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

/// What a proposal is made of.
pub struct Draft<'a> {
    /// What it would do.
    pub kind: ProposalKind,
    /// Who makes it.
    pub proposer: Pubkey,
    /// Account it is about, zeros if none.
    pub target: Pubkey,
    /// What its kind needs, checked by the caller.
    pub payload: &'a [u8],
}

impl Proposal {
    /// Writes what it would do, and every figure and instant it is decided by: nothing that changes later counts.
    ///
    /// # Errors
    /// [`MillraceError::BadProposal`] for too long a payload.
    pub fn open(&mut self, draft: &Draft, config: &Config, supply_amount: u64, now: i64) -> Result<()> {
        let params = &config.params;
        let leave_secs = params.unbonding_secs.saturating_add(params.max_lease_secs);
        let wait_secs = if draft.kind.is_grave() { leave_secs.max(params.timelock_secs) } else { params.timelock_secs };
        let kept = self.payload.get_mut(..draft.payload.len()).ok_or(MillraceError::BadProposal)?;
        kept.copy_from_slice(draft.payload);
        self.payload_len = u16::try_from(draft.payload.len()).map_err(|_| MillraceError::BadProposal)?;
        self.payload_hash = sha256(&[&[draft.kind as u8], draft.target.as_ref(), draft.payload]);
        self.kind = draft.kind as u8;
        self.proposer = draft.proposer;
        self.target = draft.target;
        self.deposit_amount = params.proposal_deposit_amount;
        self.total_weight = config.vote_weight_total;
        self.supply_amount = supply_amount;
        self.quorum_bps = params.vote_quorum_bps;
        self.created_at = now;
        self.voting_ends_at = now.saturating_add(params.voting_secs);
        self.eta = self.voting_ends_at.saturating_add(wait_secs);
        self.expires_at = self.eta.saturating_add(params.grace_secs);
        Ok(())
    }

    /// What its kind needs, as it was when it was made.
    pub fn payload(&self) -> &[u8] {
        self.payload.get(..usize::from(self.payload_len)).unwrap_or(&[])
    }

    /// Counts a vote with all the weight of `lock`. One account per proposal and voter sees to it that it is the only one.
    ///
    /// # Errors
    /// [`MillraceError::VotingOver`]; [`MillraceError::LockTooYoung`] for a lock made or topped up in the same second
    /// as the proposal or later; [`MillraceError::LockTooShort`] for one shorter than this vote.
    pub fn count(&mut self, lock: &VoterLock, is_yes: bool, now: i64) -> Result<()> {
        require!(now < self.voting_ends_at, MillraceError::VotingOver);
        require!(lock.created_at < self.created_at, MillraceError::LockTooYoung);
        let voting_secs = self.voting_ends_at.saturating_sub(self.created_at);
        require!(lock.weight > 0 && lock.lock_secs >= voting_secs, MillraceError::LockTooShort);
        let side = if is_yes { &mut self.yes_weight } else { &mut self.no_weight };
        *side = side.checked_add(lock.weight).ok_or(MillraceError::MathOverflow)?;
        self.voted_amount = self.voted_amount.checked_add(lock.amount).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// The votes so far and the figures they are held against.
    pub fn tally(&self) -> Tally {
        Tally {
            yes_weight: self.yes_weight,
            no_weight: self.no_weight,
            voted_amount: self.voted_amount,
            total_weight: self.total_weight,
            quorum_bps: self.quorum_bps,
            supply_amount: self.supply_amount,
        }
    }

    /// Whether it has passed by the votes so far.
    pub fn is_passed(&self) -> bool {
        ProposalKind::of(self.kind).is_ok_and(|kind| self.tally().is_passed(kind.is_grave()))
    }

    /// Marks it executed, once, by the instruction of `kind`.
    ///
    /// # Errors
    /// [`MillraceError::WrongKind`], [`MillraceError::AlreadyExecuted`], [`MillraceError::VotingOpen`],
    /// [`MillraceError::NotPassed`], [`MillraceError::TimelockRunning`], [`MillraceError::GraceOver`].
    pub fn execute(&mut self, kind: ProposalKind, now: i64) -> Result<()> {
        require!(self.kind == kind as u8, MillraceError::WrongKind);
        require!(self.is_done == 0, MillraceError::AlreadyExecuted);
        require!(now >= self.voting_ends_at, MillraceError::VotingOpen);
        require!(self.is_passed(), MillraceError::NotPassed);
        require!(now >= self.eta, MillraceError::TimelockRunning);
        require!(now <= self.expires_at, MillraceError::GraceOver);
        self.is_done = 1;
        Ok(())
    }

    /// Whether nothing more can come of it: it was executed, it did not pass, or its time is over.
    ///
    /// # Errors
    /// [`MillraceError::ProposalNotOver`].
    pub fn require_over(&self, now: i64) -> Result<()> {
        let has_failed = now >= self.voting_ends_at && !self.is_passed();
        require!(self.is_done == 1 || has_failed || now > self.expires_at, MillraceError::ProposalNotOver);
        Ok(())
    }

    /// Marks that its buffer went back to its proposer, since nothing more can come of it.
    ///
    /// # Errors
    /// [`MillraceError::WrongKind`], [`MillraceError::AlreadyExecuted`], [`MillraceError::ProposalNotOver`].
    pub fn give_buffer_back(&mut self, now: i64) -> Result<()> {
        require!(self.kind == ProposalKind::UpgradeProgram as u8, MillraceError::WrongKind);
        require!(self.is_done == 0, MillraceError::AlreadyExecuted);
        self.require_over(now)?;
        self.is_done = 1;
        Ok(())
    }

    /// Whether its account may be closed at `now`: it is over, and no buffer of its proposer waits for its return.
    ///
    /// # Errors
    /// [`MillraceError::ProposalNotOver`].
    pub fn require_closable(&self, now: i64) -> Result<()> {
        self.require_over(now)?;
        let keeps_buffer = self.kind == ProposalKind::UpgradeProgram as u8 && self.is_done == 0;
        require!(!keeps_buffer, MillraceError::ProposalNotOver);
        Ok(())
    }
}

/// Seeds: `vote`, proposal, voter. Shows that the voter voted, and how; it cannot be closed before the proposal ends.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Vote {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// One for, zero against.
    pub is_yes: u8,
    /// Zeros.
    pub padding: [u8; 5],
    /// The proposal.
    pub proposal: Pubkey,
    /// The voter.
    pub voter: Pubkey,
    /// Weight it counted with.
    pub weight: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}
