//! Who measures.

use anchor_lang::prelude::*;

use crate::constants::{ENDPOINT_LEN, MAX_SEATS};
use crate::errors::MillraceError;

/// One seat.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct Seat {
    /// Key that signs reports.
    pub authority: Pubkey,
    /// Weight in the quorum.
    pub weight: u64,
}

/// Seeds: `oracles`. The seats, in order of entry; a seat's index is its place here.
#[account(zero_copy)]
#[derive(Debug)]
pub struct OracleSet {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Seats in use.
    pub count: u8,
    /// Zeros.
    pub padding: [u8; 5],
    /// Sum of the weights.
    pub total_weight: u64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Reward period under way.
    pub reward_period: u64,
    /// Opened observations counted for it so far, all seats together.
    pub period_points: u64,
    /// Opened observations of the period before, all seats together.
    pub closed_points: u64,
    /// What the pool held for the period before when it closed, base units.
    pub closed_pot_amount: u64,
    /// What of that was claimed, base units.
    pub closed_claimed_amount: u64,
    /// Paid out of the pool so far, base units.
    pub rewarded_total: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// The seats.
    pub seats: [Seat; MAX_SEATS],
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

/// Seeds: `oracle`, authority. One oracle's address and record.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Oracle {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Index of its seat.
    pub seat: u8,
    /// One once governance removed it.
    pub is_removed: u8,
    /// Zeros.
    pub padding: [u8; 4],
    /// Key that signs reports.
    pub authority: Pubkey,
    /// Token account of its stake, owned by this account.
    pub vault: Pubkey,
    /// Stake at work, base units.
    pub stake: u64,
    /// Stake on its way out, base units; slashable until withdrawn.
    pub unbonding_amount: u64,
    /// Instant from which that may be withdrawn.
    pub unbonding_matures_at: i64,
    /// Base units slashed so far.
    pub slashed_total: u64,
    /// Epoch from which it holds its seat.
    pub seated_epoch: u64,
    /// Epoch in which it was removed; zero while seated.
    pub removed_epoch: u64,
    /// Reward period of `points`.
    pub reward_period: u64,
    /// Opened observations counted for that period.
    pub points: u64,
    /// Opened observations of the period before it, not claimed yet.
    pub closed_points: u64,
    /// Reports signed.
    pub signed: u64,
    /// Observations opened and found uncopied, as of the last leaf applied.
    pub opened: u64,
    /// `at` of the last leaf applied; strictly increases.
    pub last_leaf_at: i64,
    /// Epoch of the last report signed.
    pub last_epoch: u64,
    /// Commitment to its observations for the next epoch.
    pub observation_hash: [u8; 32],
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// URL of the daemon, UTF-8, padded with zeros.
    pub endpoint: [u8; ENDPOINT_LEN],
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl Oracle {
    /// Counts a signature: presence, whether or not the root found its quorum.
    pub fn record_signature(&mut self, epoch: u64, next_observation_hash: [u8; 32]) {
        self.signed = self.signed.saturating_add(1);
        self.last_epoch = self.last_epoch.max(epoch);
        self.observation_hash = next_observation_hash;
    }

    /// Whether it stands behind the report of `epoch` signed by the seats of `signers`: a seat that was another's
    /// before, or is after it, signed nothing of its.
    ///
    /// # Errors
    /// [`MillraceError::NotASigner`].
    pub fn require_signer(&self, signers: u32, epoch: u64) -> Result<()> {
        let has_signed = signers.checked_shr(u32::from(self.seat)).is_some_and(|bits| bits & 1 == 1);
        let was_seated = epoch >= self.seated_epoch && (self.is_removed == 0 || epoch <= self.removed_epoch);
        require!(has_signed && was_seated, MillraceError::NotASigner);
        Ok(())
    }

    /// Takes all its stake, at work and on its way out. Returns what was taken.
    ///
    /// # Errors
    /// [`MillraceError::NothingToSlash`], [`MillraceError::MathOverflow`].
    pub fn slash_all(&mut self) -> Result<u64> {
        let taken = self.stake.checked_add(self.unbonding_amount).ok_or(MillraceError::MathOverflow)?;
        require!(taken > 0, MillraceError::NothingToSlash);
        (self.stake, self.unbonding_amount) = (0, 0);
        self.slashed_total = self.slashed_total.checked_add(taken).ok_or(MillraceError::MathOverflow)?;
        Ok(taken)
    }
}

impl OracleSet {
    /// The seats in use.
    pub fn seats(&self) -> &[Seat] {
        self.seats.get(..usize::from(self.count)).unwrap_or(&[])
    }

    /// Adds a seat and returns its index.
    ///
    /// # Errors
    /// [`MillraceError::SeatsFull`], [`MillraceError::SeatTaken`], [`MillraceError::ZeroWeight`].
    pub fn add(&mut self, authority: Pubkey, weight: u64) -> Result<u8> {
        require!(weight > 0, MillraceError::ZeroWeight);
        require!(usize::from(self.count) < MAX_SEATS, MillraceError::SeatsFull);
        require!(self.seats().iter().all(|seat| seat.authority != authority), MillraceError::SeatTaken);
        let index = self.count;
        self.seats[usize::from(index)] = Seat { authority, weight };
        self.total_weight = self.total_weight.checked_add(weight).ok_or(MillraceError::MathOverflow)?;
        self.count = index.checked_add(1).ok_or(MillraceError::SeatsFull)?;
        Ok(index)
    }

    /// Whether `weight` is a quorum: `weight × 10,000 > quorum_bps × total`.
    pub fn is_quorum(&self, weight: u64, quorum_bps: u16) -> bool {
        u128::from(weight).saturating_mul(10_000) > u128::from(quorum_bps).saturating_mul(u128::from(self.total_weight))
    }
}
