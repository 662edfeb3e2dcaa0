//! Events of locks, proposals, votes and what they change. Amounts are base units after the change, unless they say
//! otherwise.

use anchor_lang::prelude::*;

use crate::state::{Params, Proposal, VoterLock};

/// Tokens were locked for a say; all of the lock as one from now on.
#[event]
pub struct VotesLocked {
    /// Number among the lock's events.
    pub sequence: u64,
    /// The lock account.
    pub lock: Pubkey,
    /// Whose tokens they are.
    pub voter: Pubkey,
    /// Added now.
    pub added_amount: u64,
    /// Locked in all.
    pub amount: u64,
    /// Weight of one unit, basis points.
    pub multiplier_bps: u64,
    /// What it weighs.
    pub weight: u64,
    /// Instant from which it may be taken out.
    pub lock_until: i64,
    /// Weight of all locks.
    pub vote_weight_total: u64,
}

impl VotesLocked {
    pub(crate) fn of(sequence: u64, key: Pubkey, added_amount: u64, lock: &VoterLock, vote_weight_total: u64) -> Self {
        Self {
            sequence,
            lock: key,
            voter: lock.voter,
            added_amount,
            amount: lock.amount,
            multiplier_bps: lock.multiplier_bps,
            weight: lock.weight,
            lock_until: lock.lock_until,
            vote_weight_total,
        }
    }
}

/// A lock was paid out and closed.
#[event]
pub struct VotesUnlocked {
    /// Number among the lock's events: its last.
    pub sequence: u64,
    /// The lock account.
    pub lock: Pubkey,
    /// Paid out now.
    pub amount: u64,
    /// Tokens of strangers swept to the treasury.
    pub surplus_amount: u64,
    /// Weight of all locks.
    pub vote_weight_total: u64,
}

/// A proposal was made.
#[event]
pub struct ProposalMade {
    /// Number among the proposal's events.
    pub sequence: u64,
    /// The proposal account.
    pub proposal: Pubkey,
    /// Its number.
    pub id: u64,
    /// What it would do, a [`crate::state::ProposalKind`].
    pub kind: u8,
    /// Who made it.
    pub proposer: Pubkey,
    /// Account it is about, zeros if none.
    pub target: Pubkey,
    /// sha256 of kind, target and payload.
    pub payload_hash: [u8; 32],
    /// What its kind needs.
    pub payload: Vec<u8>,
    /// Deposit, in the treasury from now on.
    pub deposit_amount: u64,
    /// All deposits the treasury keeps.
    pub deposits_held: u64,
    /// Weight of all locks.
    pub total_weight: u64,
    /// Mint supply.
    pub supply_amount: u64,
    /// Quorum, basis points of that weight.
    pub quorum_bps: u16,
    /// Instant votes end.
    pub voting_ends_at: i64,
    /// First instant it may be executed.
    pub eta: i64,
    /// Last instant it may be executed.
    pub expires_at: i64,
}

/// A judged case or a ruling waits for a vote on it.
#[event]
pub struct Appealed {
    /// Number among the events of what was appealed against.
    pub sequence: u64,
    /// The case or dispute.
    pub appealed: Pubkey,
    /// The proposal to overturn it.
    pub proposal: Pubkey,
    /// Instant until which it waits.
    pub appeal_until: i64,
}

/// A vote was cast.
#[event]
pub struct VoteCast {
    /// Number among the proposal's events.
    pub sequence: u64,
    /// The proposal account.
    pub proposal: Pubkey,
    /// Who voted.
    pub voter: Pubkey,
    /// Whether for it.
    pub is_yes: bool,
    /// What the vote weighs.
    pub weight: u64,
    /// Weight in favour so far.
    pub yes_weight: u64,
    /// Weight against so far.
    pub no_weight: u64,
    /// Tokens that voted so far.
    pub voted_amount: u64,
    /// Instant until which the voter's lock is held.
    pub lock_held_until: i64,
    /// Votes of that lock whose account is open.
    pub lock_open_votes: u32,
    /// The vote account.
    pub vote: Pubkey,
}

/// A vote's account was closed.
#[event]
pub struct VoteClosed {
    /// Number among the lock's events.
    pub sequence: u64,
    /// The voter's lock account.
    pub lock: Pubkey,
    /// The vote account.
    pub vote: Pubkey,
    /// Votes of that lock whose account is open.
    pub open_votes: u32,
}

/// A proposal was carried out.
#[event]
pub struct ProposalExecuted {
    /// Number among the proposal's events.
    pub sequence: u64,
    /// The proposal account.
    pub proposal: Pubkey,
    /// What it did, a [`crate::state::ProposalKind`].
    pub kind: u8,
    /// Account it was about, zeros if none.
    pub target: Pubkey,
    /// Paid out of the treasury, or unfrozen, now.
    pub amount: u64,
}

impl ProposalExecuted {
    pub(crate) fn of(sequence: u64, key: Pubkey, proposal: &Proposal, amount: u64) -> Self {
        Self { sequence, proposal: key, kind: proposal.kind, target: proposal.target, amount }
    }
}

/// A proposal was closed and its deposit settled.
#[event]
pub struct ProposalClosed {
    /// Number among the proposal's events: its last.
    pub sequence: u64,
    /// The proposal account.
    pub proposal: Pubkey,
    /// Its number.
    pub id: u64,
    /// Whether it had passed.
    pub is_passed: bool,
    /// Whether it was carried out, or its buffer given back.
    pub is_done: bool,
    /// Its deposit.
    pub deposit_amount: u64,
    /// What of it went back to the proposer now. The rest is the treasury's.
    pub returned_amount: u64,
    /// All deposits the treasury still keeps.
    pub deposits_held: u64,
}

/// Parameters were voted for and come into force later.
#[event]
pub struct ParamsScheduled {
    /// Number among the config's events.
    pub sequence: u64,
    /// The proposal account.
    pub proposal: Pubkey,
    /// Epoch from which they count.
    pub pending_epoch: u64,
    /// The parameters in force.
    pub old: Params,
    /// Those that come.
    pub new: Params,
}

/// Parameters came into force.
#[event]
pub struct ParamsActivated {
    /// Number among the config's events.
    pub sequence: u64,
    /// Number of the first epoch of the present length.
    pub base_epoch: u64,
    /// Instant that epoch began.
    pub base_at: i64,
    /// The parameters before.
    pub old: Params,
    /// The parameters in force.
    pub new: Params,
}

/// Another guardian was named.
#[event]
pub struct GuardianSet {
    /// Number among the config's events.
    pub sequence: u64,
    /// The proposal account.
    pub proposal: Pubkey,
    /// The guardian, zeros for nobody.
    pub guardian: Pubkey,
    /// The one before.
    pub previous_guardian: Pubkey,
}

/// New work is refused for a while, or taken again.
#[event]
pub struct PauseSet {
    /// Number among the config's events.
    pub sequence: u64,
    /// Instant the last pause began.
    pub paused_at: i64,
    /// Instant it ends.
    pub paused_until: i64,
}

/// An oracle lost its seat.
#[event]
pub struct OracleUnseated {
    /// Number among the oracle set's events.
    pub sequence: u64,
    /// The oracle account.
    pub oracle: Pubkey,
    /// Index of the seat it had.
    pub seat: u8,
    /// The epoch under way.
    pub removed_epoch: u64,
    /// Weight of all seats now.
    pub total_weight: u64,
}

/// A judged case was overturned.
#[event]
pub struct SlashOverturned {
    /// Number among the case's events.
    pub sequence: u64,
    /// The case account.
    pub case: Pubkey,
    /// The provider account.
    pub provider: Pubkey,
    /// Given back now.
    pub amount: u64,
    /// The provider's stake.
    pub provider_stake: u64,
    /// What other cases keep frozen.
    pub provider_frozen: u64,
}

/// A ruling was overturned.
#[event]
pub struct RulingOverturned {
    /// Number among the dispute's events.
    pub sequence: u64,
    /// The dispute account.
    pub dispute: Pubkey,
    /// The ruling now, a [`crate::state::Ruling`].
    pub ruling: u8,
}

/// A buffer went back to its proposer.
#[event]
pub struct BufferReturned {
    /// Number among the proposal's events.
    pub sequence: u64,
    /// The proposal account.
    pub proposal: Pubkey,
    /// The buffer.
    pub buffer: Pubkey,
    /// Who may write it again.
    pub proposer: Pubkey,
}

/// What strangers left in a vault went to the treasury.
#[event]
pub struct SurplusSwept {
    /// Number among the events of the vault's owner.
    pub sequence: u64,
    /// Customer, provider or lock account.
    pub owner: Pubkey,
    /// Sent now.
    pub amount: u64,
}
