//! Who measures.

use anchor_lang::prelude::*;

use millrace_core::reward;

use super::Params;
use crate::constants::{ENDPOINT_LEN, MAX_SEATS, REPORT_RING};
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
    /// Reward period under way, as of the last leaf or claim: its first epoch.
    pub reward_period: u64,
    /// Opened observations counted for it so far, all seats together.
    pub period_points: u64,
    /// The period before, whose rewards can be claimed: its first epoch.
    pub closed_period: u64,
    /// Opened observations of that period, all seats together.
    pub closed_points: u64,
    /// What the pool held when it closed, base units.
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
    /// Reward period of `points`: its first epoch.
    pub reward_period: u64,
    /// Opened observations counted for that period.
    pub points: u64,
    /// Opened observations of the period before it, not claimed yet.
    pub closed_points: u64,
    /// Base units of rewards paid to it so far.
    pub rewarded_total: u64,
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

/// What an oracle is paid for one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reward {
    /// Its points.
    pub points: u64,
    /// Base units.
    pub amount: u64,
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

    /// Whether it may sign or vote: not removed, and with the stake that answers for it.
    ///
    /// # Errors
    /// [`MillraceError::OracleRemoved`], [`MillraceError::OracleUnderstaked`].
    pub fn require_able(&self, oracle_stake_amount: u64) -> Result<()> {
        require!(self.is_removed == 0, MillraceError::OracleRemoved);
        require!(self.stake >= oracle_stake_amount, MillraceError::OracleUnderstaked);
        Ok(())
    }

    /// Credits stake that arrived.
    ///
    /// # Errors
    /// [`MillraceError::OracleRemoved`]: there is nothing left to answer for. [`MillraceError::MathOverflow`].
    pub fn add_stake(&mut self, amount: u64) -> Result<()> {
        require!(self.is_removed == 0, MillraceError::OracleRemoved);
        self.stake = self.stake.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// Takes `amount` out of the stake at work, all on its way out maturing together: beside a seat only what exceeds
    /// the least stake, after it everything. It matures when unbonding is over and no root that this key could have
    /// signed until now is in the ring.
    ///
    /// # Errors
    /// [`MillraceError::NotEnoughStake`], [`MillraceError::MathOverflow`].
    pub fn begin_unstake(&mut self, amount: u64, params: &Params, now: i64) -> Result<()> {
        let kept = if self.is_removed == 1 { 0 } else { params.oracle_stake_amount };
        require!(amount <= self.stake.saturating_sub(kept), MillraceError::NotEnoughStake);
        self.stake = self.stake.checked_sub(amount).ok_or(MillraceError::InvariantBroken)?;
        self.unbonding_amount = self.unbonding_amount.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        self.unbonding_matures_at = now.saturating_add(params.unbonding_secs.max(answerable_secs(params)));
        Ok(())
    }

    /// Takes out what has unbonded. Returns how much.
    ///
    /// # Errors
    /// [`MillraceError::NothingToWithdraw`].
    pub fn withdraw(&mut self, now: i64) -> Result<u64> {
        let is_mature = self.unbonding_amount > 0 && now >= self.unbonding_matures_at;
        require!(is_mature, MillraceError::NothingToWithdraw);
        self.unbonding_matures_at = 0;
        Ok(std::mem::take(&mut self.unbonding_amount))
    }

    /// What its vault must hold at least, base units.
    pub fn owed(&self) -> u64 {
        self.stake.saturating_add(self.unbonding_amount)
    }

    /// Whether it may be closed in `epoch`: removed, without stake, out of reach of any proof and of any reward.
    ///
    /// # Errors
    /// [`MillraceError::OracleSeated`], [`MillraceError::OracleNotEmpty`].
    pub fn require_closable(&self, epoch: u64, period_epochs: u64) -> Result<()> {
        require!(self.is_removed == 1, MillraceError::OracleSeated);
        let ring_left_at = self.last_epoch.max(self.removed_epoch).saturating_add(REPORT_RING as u64);
        let claims_end_at = self.reward_period.saturating_add(period_epochs.saturating_mul(2));
        let is_done = self.owed() == 0 && epoch > ring_left_at && epoch >= claims_end_at;
        require!(is_done, MillraceError::OracleNotEmpty);
        Ok(())
    }

    /// Goes on to the set's period: points of the period the set just closed can be claimed, older ones are gone.
    fn roll(&mut self, set: &OracleSet) {
        if self.reward_period == set.reward_period {
            return;
        }
        self.closed_points = if self.reward_period == set.closed_period { self.points } else { 0 };
        self.points = 0;
        self.reward_period = set.reward_period;
    }
}

/// Seconds in which an oracle answers for a root: what the ring holds, and one epoch more since a root is signed in its
/// epoch or the next.
fn answerable_secs(params: &Params) -> i64 {
    let epochs = i64::try_from(REPORT_RING).unwrap_or(i64::MAX).saturating_add(1);
    params.epoch_secs.saturating_mul(epochs)
}

impl OracleSet {
    /// The places in use, freed ones between them included.
    pub fn seats(&self) -> &[Seat] {
        self.seats.get(..usize::from(self.count)).unwrap_or(&[])
    }

    /// The seat at `index`, if `authority` holds it.
    ///
    /// # Errors
    /// [`MillraceError::NotAnOracle`].
    pub fn seat_of(&self, index: u8, authority: &Pubkey) -> Result<&Seat> {
        let seat = self.seats().get(usize::from(index)).ok_or(MillraceError::NotAnOracle)?;
        require_keys_eq!(seat.authority, *authority, MillraceError::NotAnOracle);
        Ok(seat)
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

    /// Goes on to the period of `epoch`, if it has not: the one under way closes with what the pool holds. Nothing is
    /// left of one that ended a whole period ago or more. A change of the period's length never leads back.
    pub fn roll(&mut self, epoch: u64, period_epochs: u64, pool_amount: u64) {
        let period = reward::period_of(epoch, period_epochs).unwrap_or(0).max(self.reward_period);
        if period == self.reward_period {
            return;
        }
        let points = std::mem::take(&mut self.period_points);
        let follows = period.saturating_sub(self.reward_period) <= period_epochs;
        (self.closed_period, self.closed_points) =
            if follows { (self.reward_period, points) } else { (period.saturating_sub(period_epochs), 0) };
        self.closed_pot_amount = pool_amount;
        self.closed_claimed_amount = 0;
        self.reward_period = period;
    }

    /// Counts what `opened` observations, found at `at`, are worth to `oracle` in the period under way. The set has been
    /// rolled. Returns the points.
    ///
    /// # Errors
    /// [`MillraceError::StaleLeaf`] for a leaf that is not newer or whose counter fell,
    /// [`MillraceError::MathOverflow`].
    pub fn count(&mut self, oracle: &mut Oracle, opened: u64, at: i64, period_epochs: u64) -> Result<u64> {
        require!(at > oracle.last_leaf_at && opened >= oracle.opened, MillraceError::StaleLeaf);
        oracle.roll(self);
        let points = reward::points(oracle.opened, opened, oracle.points, period_epochs);
        oracle.opened = opened;
        oracle.last_leaf_at = at;
        oracle.points = oracle.points.checked_add(points).ok_or(MillraceError::MathOverflow)?;
        self.period_points = self.period_points.checked_add(points).ok_or(MillraceError::MathOverflow)?;
        Ok(points)
    }

    /// Takes what `oracle` earned in the period just closed. The set has been rolled.
    ///
    /// # Errors
    /// [`MillraceError::NothingToClaim`]; [`MillraceError::InvariantBroken`] when all claims together exceed the pot.
    pub fn claim(&mut self, oracle: &mut Oracle) -> Result<Reward> {
        oracle.roll(self);
        let points = std::mem::take(&mut oracle.closed_points);
        require!(points > 0, MillraceError::NothingToClaim);
        let amount =
            reward::share(self.closed_pot_amount, points, self.closed_points).ok_or(MillraceError::InvariantBroken)?;
        require!(amount > 0, MillraceError::NothingToClaim);
        for (total, error) in [
            (&mut self.closed_claimed_amount, MillraceError::InvariantBroken),
            (&mut self.rewarded_total, MillraceError::MathOverflow),
            (&mut oracle.rewarded_total, MillraceError::MathOverflow),
        ] {
            *total = total.checked_add(amount).ok_or(error)?;
        }
        require!(self.closed_claimed_amount <= self.closed_pot_amount, MillraceError::InvariantBroken);
        Ok(Reward { points, amount })
    }
}
