//! Who measures.

use anchor_lang::prelude::*;

use crate::constants::{ENDPOINT_LEN, MAX_SEATS};
use crate::errors::MillraceError;

/// One seat.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct Seat {
    /// Key that signs reports; zeros for a place whose oracle was removed.
    pub authority: Pubkey,
    /// Weight in the quorum; zero for such a place.
    pub weight: u64,
}

/// Seeds: `oracles`. The seats; a seat's index is its place here. The place of a removed oracle goes to the next one
/// added.
#[account(zero_copy)]
#[derive(Debug)]
pub struct OracleSet {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Places from the front that are, or between others were, in use.
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
}

impl OracleSet {
    /// The places in use, freed ones between them included.
    pub fn seats(&self) -> &[Seat] {
        self.seats.get(..usize::from(self.count)).unwrap_or(&[])
    }

    /// Adds a seat at the first free place and returns its index.
    ///
    /// # Errors
    /// [`MillraceError::SeatsFull`], [`MillraceError::SeatTaken`], [`MillraceError::ZeroWeight`].
    pub fn add(&mut self, authority: Pubkey, weight: u64) -> Result<u8> {
        require!(weight > 0, MillraceError::ZeroWeight);
        require!(self.seats().iter().all(|seat| seat.authority != authority), MillraceError::SeatTaken);
        let freed = self.seats().iter().position(|seat| seat.weight == 0);
        let place = freed.unwrap_or(usize::from(self.count));
        let seat = self.seats.get_mut(place).ok_or(MillraceError::SeatsFull)?;
        *seat = Seat { authority, weight };
        self.total_weight = self.total_weight.checked_add(weight).ok_or(MillraceError::MathOverflow)?;
        let index = u8::try_from(place).map_err(|_| MillraceError::SeatsFull)?;
        self.count = self.count.max(index.checked_add(1).ok_or(MillraceError::SeatsFull)?);
        Ok(index)
    }

    /// Frees the seat of `authority` and returns its index. Others keep theirs.
    ///
    /// # Errors
    /// [`MillraceError::NotAnOracle`].
    pub fn remove(&mut self, authority: &Pubkey) -> Result<u8> {
        let place = self.seats().iter().position(|seat| seat.weight > 0 && seat.authority == *authority);
        let place = place.ok_or(MillraceError::NotAnOracle)?;
        let seat = self.seats.get_mut(place).ok_or(MillraceError::NotAnOracle)?;
        self.total_weight = self.total_weight.checked_sub(seat.weight).ok_or(MillraceError::InvariantBroken)?;
        *seat = Seat { authority: Pubkey::default(), weight: 0 };
        while self.seats().last().is_some_and(|seat| seat.weight == 0) {
            self.count = self.count.saturating_sub(1);
        }
        u8::try_from(place).map_err(|_| error!(MillraceError::NotAnOracle))
    }

    /// Whether `weight` is a quorum: `weight × 10,000 > quorum_bps × total`.
    pub fn is_quorum(&self, weight: u64, quorum_bps: u16) -> bool {
        u128::from(weight).saturating_mul(10_000) > u128::from(quorum_bps).saturating_mul(u128::from(self.total_weight))
    }
}
