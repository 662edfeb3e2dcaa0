//! What governance may set, and how far.

use anchor_lang::prelude::*;
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;

use crate::constants::MIN_WINDOW_EPOCHS;
use crate::errors::MillraceError;

/// The parameters of the market. Each has limits, checked by [`Params::check`] whenever they are set.
#[zero_copy]
#[derive(borsh::BorshSerialize, borsh::BorshDeserialize, Debug, PartialEq, Eq)]
#[borsh(crate = "anchor_lang::prelude::borsh")]
pub struct Params {
    /// Fee on top of every payment, basis points of the gross.
    pub fee_bps: u16,
    /// Oracle pool's share of a swept fee, basis points.
    pub oracle_share_bps: u16,
    /// Treasury's share of a swept fee, basis points. The rest burns.
    pub treasury_share_bps: u16,
    /// Part of every payment held back until acceptance or the end of the dispute window, basis points.
    pub holdback_bps: u16,
    /// Bond that stands behind a bid, basis points of `per_sec × max_secs`.
    pub bid_bond_bps: u16,
    /// Prover's part of a slashed amount, basis points; at most 500.
    pub bounty_bps: u16,
    /// Weight a root needs: `weight × 10,000 > quorum_bps × total`.
    pub quorum_bps: u16,
    /// Bond that stands behind a guaranteed lease, basis points of the most the job may pay for it.
    pub bond_bps: u16,
    /// Part of a failed guaranteed lease's bond that is its customer's, basis points.
    pub compensation_bps: u16,
    /// Pay of a stand-by, basis points of its own bid.
    pub standby_bps: u16,
    /// Penalty of a commit without a bundle, basis points of the node's locked stake.
    pub withheld_slash_bps: u16,
    /// Penalty of a node found repeatedly slower than sold, basis points of its locked stake.
    pub capacity_slash_bps: u16,
    /// Most a provider loses by judgement in one epoch, basis points of what it could lose at the epoch's first
    /// judgement. Fraud proofs are exempt.
    pub max_slash_per_epoch_bps: u16,
    /// Voting weight a proposal needs, basis points of all there is.
    pub vote_quorum_bps: u16,
    /// Zeros; keep what follows aligned.
    pub padding: [u8; 4],
    /// Stake a node locks whatever its speed, base units.
    pub stake_base_amount: u64,
    /// Stake a node locks for each 1,000 gops it claims, base units.
    pub stake_per_1000_gops_amount: u64,
    /// Penalty for one or two wrong entries, base units: a flipped bit is not a fraud, but not free.
    pub flip_penalty_amount: u64,
    /// Fee that moves a provider's reliability half the way up, base units.
    pub reliability_half_fee_amount: u64,
    /// Deposit of who opens a fraud case, lamports; to the provider if nothing is proven.
    pub case_deposit_lamports: u64,
    /// What applying a downgrade earns whoever does it, base units, from the node's stake.
    pub downgrade_fee_amount: u64,
    /// Bond of who opens a dispute, base units; the provider's if the result is found good.
    pub dispute_bond_amount: u64,
    /// Least stake of an oracle that signs, base units.
    pub oracle_stake_amount: u64,
    /// Deposit of who makes a proposal, base units; the treasury's if the quorum is not met.
    pub proposal_deposit_amount: u64,
    /// Epochs of one reward period of the oracles.
    pub reward_period_epochs: u64,
    /// Length of an epoch, seconds.
    pub epoch_secs: i64,
    /// Time between unstaking and withdrawing, seconds.
    pub unbonding_secs: i64,
    /// Time a holdback waits without acceptance, seconds.
    pub dispute_window_secs: i64,
    /// Time after bidding in which a job must be awarded, seconds.
    pub award_window_secs: i64,
    /// Time an audit's figures stay valid, seconds.
    pub audit_valid_secs: i64,
    /// Time without a leaf after which either side may leave a lease, seconds.
    pub oracle_outage_secs: i64,
    /// Time a provider caught cheating is jailed, seconds.
    pub jail_secs: i64,
    /// Time a fraud case stays open, seconds.
    pub case_window_secs: i64,
    /// Seconds paid after a stop was asked for.
    pub stop_notice_secs: i64,
    /// Longest lease, seconds.
    pub max_lease_secs: i64,
    /// Time to appeal a ruling or a judged slash to governance, seconds.
    pub appeal_window_secs: i64,
    /// Time in which the oracles rule a dispute, seconds; without a quorum by then it is dismissed.
    pub dispute_vote_secs: i64,
    /// Time a proposal takes votes, seconds.
    pub voting_secs: i64,
    /// Time between the end of the vote and the first instant it may be executed, seconds.
    pub timelock_secs: i64,
    /// Time in which a passed proposal may be executed, seconds.
    pub grace_secs: i64,
    /// Duration of a vote lock that multiplies its amount by four, seconds.
    pub max_lock_secs: i64,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

/// Least and most a duration may be, seconds.
#[zero_copy]
#[derive(borsh::BorshSerialize, borsh::BorshDeserialize, Debug, PartialEq, Eq)]
#[borsh(crate = "anchor_lang::prelude::borsh")]
pub struct Span {
    /// Least, seconds.
    pub min_secs: i64,
    /// Most, seconds.
    pub max_secs: i64,
}

/// Bounds of every duration, written once at initialise: days on mainnet, seconds on a local genesis. The same
/// program runs on both; no build feature loosens a check.
#[zero_copy]
#[derive(borsh::BorshSerialize, borsh::BorshDeserialize, Debug, PartialEq, Eq)]
#[borsh(crate = "anchor_lang::prelude::borsh")]
pub struct DurationBounds {
    /// Bounds of [`Params::epoch_secs`].
    pub epoch: Span,
    /// Bounds of [`Params::unbonding_secs`].
    pub unbonding: Span,
    /// Bounds of [`Params::dispute_window_secs`].
    pub dispute_window: Span,
    /// Bounds of [`Params::award_window_secs`], and of the time a job takes bids.
    pub award_window: Span,
    /// Bounds of [`Params::audit_valid_secs`].
    pub audit_valid: Span,
    /// Bounds of [`Params::oracle_outage_secs`].
    pub oracle_outage: Span,
    /// Bounds of [`Params::jail_secs`].
    pub jail: Span,
    /// Bounds of [`Params::case_window_secs`].
    pub case_window: Span,
    /// Bounds of [`Params::stop_notice_secs`].
    pub stop_notice: Span,
    /// Bounds of [`Params::max_lease_secs`], and of the `max_secs` of a job.
    pub max_lease: Span,
    /// Bounds of [`Params::appeal_window_secs`].
    pub appeal_window: Span,
    /// Bounds of [`Params::dispute_vote_secs`].
    pub dispute_vote: Span,
    /// Bounds of [`Params::voting_secs`].
    pub voting: Span,
    /// Bounds of [`Params::timelock_secs`].
    pub timelock: Span,
    /// Bounds of [`Params::grace_secs`].
    pub grace: Span,
    /// Bounds of [`Params::max_lock_secs`].
    pub max_lock: Span,
}

/// The parameters a lease is judged by for its whole life: a change never reaches back.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct LeaseTerms {
    /// [`Params::dispute_window_secs`].
    pub dispute_window_secs: i64,
    /// [`Params::oracle_outage_secs`].
    pub oracle_outage_secs: i64,
    /// [`Params::stop_notice_secs`].
    pub stop_notice_secs: i64,
    /// [`Params::unbonding_secs`]: when a claim on a bond matures.
    pub unbonding_secs: i64,
    /// [`Params::reliability_half_fee_amount`].
    pub reliability_half_fee_amount: u64,
    /// [`Params::fee_bps`].
    pub fee_bps: u16,
    /// [`Params::holdback_bps`].
    pub holdback_bps: u16,
    /// [`Params::bid_bond_bps`].
    pub bid_bond_bps: u16,
    /// [`Params::bond_bps`].
    pub bond_bps: u16,
    /// [`Params::compensation_bps`].
    pub compensation_bps: u16,
    /// [`Params::standby_bps`].
    pub standby_bps: u16,
    /// Zeros; keep what follows aligned.
    pub padding: [u8; 4],
}

/// Compile-time limits on shares and amounts, and the outer limit of every duration.
pub mod limits {
    /// Highest fee, basis points.
    pub const MAX_FEE_BPS: u16 = 2_000;
    /// Least part of a fee that burns, basis points.
    pub const MIN_BURN_SHARE_BPS: u16 = 1_000;
    /// Highest holdback, basis points.
    pub const MAX_HOLDBACK_BPS: u16 = 5_000;
    /// Highest bid bond, basis points.
    pub const MAX_BID_BOND_BPS: u16 = 5_000;
    /// Highest bond of a guaranteed lease, basis points.
    pub const MAX_BOND_BPS: u16 = 10_000;
    /// Highest pay of a stand-by, basis points of its bid.
    pub const MAX_STANDBY_BPS: u16 = 5_000;
    /// Highest penalty by judgement, basis points of a node's locked stake.
    pub const MAX_JUDGED_SLASH_BPS: u16 = 5_000;
    /// Least and highest loss by judgement in one epoch, basis points. The least lets every case come to an end.
    pub const JUDGED_PER_EPOCH_BPS: std::ops::RangeInclusive<u16> = 100..=5_000;
    /// Least and highest quorum of a vote, basis points of all weight.
    pub const VOTE_QUORUM_BPS: std::ops::RangeInclusive<u16> = 400..=6_000;
    /// Highest fee of applying a downgrade, base units: one MILL.
    pub const MAX_DOWNGRADE_FEE_AMOUNT: u64 = 1_000_000;
    /// Highest bond of a dispute and deposit of a proposal, base units: 100,000 MILL.
    pub const MAX_DEPOSIT_AMOUNT: u64 = 100_000_000_000;
    /// Least and most epochs of a reward period. The most is what the ring of accepted roots holds.
    pub const REWARD_PERIOD_EPOCHS: std::ops::RangeInclusive<u64> = 1..=crate::constants::REPORT_RING as u64;
    /// Least quorum, basis points: more than half.
    pub const MIN_QUORUM_BPS: u16 = 5_000;
    /// Highest quorum, basis points; above it one silent seat of ten would stop the network.
    pub const MAX_QUORUM_BPS: u16 = 9_000;
    /// Highest deposit of a fraud case, lamports: one SOL, so that any watcher can afford it.
    pub const MAX_CASE_DEPOSIT_LAMPORTS: u64 = 1_000_000_000;
    /// Shortest duration of any kind, seconds.
    pub const MIN_DURATION_SECS: i64 = 0;
    /// Longest duration of any kind, seconds: two years.
    pub const MAX_DURATION_SECS: i64 = 2 * 365 * 86_400;
}

impl Params {
    /// Checks every share, amount and duration against its limits, and those that must not overtake each other.
    ///
    /// # Errors
    /// [`MillraceError::ParameterOutOfBounds`], [`MillraceError::UnbondingTooShort`].
    pub fn check(&self, bounds: &DurationBounds) -> Result<()> {
        use limits::*;
        let shares = u32::from(self.oracle_share_bps).saturating_add(u32::from(self.treasury_share_bps));
        let most_shared = 10_000u32.saturating_sub(u32::from(MIN_BURN_SHARE_BPS));
        let in_bounds = self.fee_bps <= MAX_FEE_BPS
            && shares <= most_shared
            && self.holdback_bps <= MAX_HOLDBACK_BPS
            && self.bid_bond_bps <= MAX_BID_BOND_BPS
            && self.bond_bps <= MAX_BOND_BPS
            && self.compensation_bps <= 10_000
            && self.standby_bps <= MAX_STANDBY_BPS
            && self.withheld_slash_bps <= MAX_JUDGED_SLASH_BPS
            && self.capacity_slash_bps <= MAX_JUDGED_SLASH_BPS
            && JUDGED_PER_EPOCH_BPS.contains(&self.max_slash_per_epoch_bps)
            && VOTE_QUORUM_BPS.contains(&self.vote_quorum_bps)
            && self.downgrade_fee_amount <= MAX_DOWNGRADE_FEE_AMOUNT
            && self.dispute_bond_amount <= MAX_DEPOSIT_AMOUNT
            && self.proposal_deposit_amount <= MAX_DEPOSIT_AMOUNT
            && REWARD_PERIOD_EPOCHS.contains(&self.reward_period_epochs)
            && self.bounty_bps <= millrace_core::slash::MAX_BOUNTY_BPS
            && (MIN_QUORUM_BPS..=MAX_QUORUM_BPS).contains(&self.quorum_bps)
            && self.stake_base_amount > 0
            && self.case_deposit_lamports <= MAX_CASE_DEPOSIT_LAMPORTS
            && self.epoch_secs > 0
            && bounds.epoch.admits(self.epoch_secs)
            && bounds.unbonding.admits(self.unbonding_secs)
            && bounds.dispute_window.admits(self.dispute_window_secs)
            && bounds.award_window.admits(self.award_window_secs)
            && bounds.audit_valid.admits(self.audit_valid_secs)
            && bounds.oracle_outage.admits(self.oracle_outage_secs)
            && bounds.jail.admits(self.jail_secs)
            && bounds.case_window.admits(self.case_window_secs)
            && bounds.stop_notice.admits(self.stop_notice_secs)
            && bounds.max_lease.admits(self.max_lease_secs)
            && bounds.appeal_window.admits(self.appeal_window_secs)
            && bounds.dispute_vote.admits(self.dispute_vote_secs)
            && bounds.voting.admits(self.voting_secs)
            && bounds.timelock.admits(self.timelock_secs)
            && bounds.grace.admits(self.grace_secs)
            && bounds.max_lock.admits(self.max_lock_secs);
        require!(in_bounds, MillraceError::ParameterOutOfBounds);
        // A window shorter than this would close before a report could speak within it.
        let least_window_secs = self.epoch_secs.saturating_mul(MIN_WINDOW_EPOCHS);
        let windows_hold = self.oracle_outage_secs >= least_window_secs
            && self.case_window_secs >= least_window_secs
            && self.voting_secs > 0
            && self.grace_secs > 0
            && self.max_lock_secs >= self.voting_secs;
        require!(windows_hold, MillraceError::ParameterOutOfBounds);
        // Whoever unbonds must still be there when a fraud or a fault of the longest lease is judged.
        require!(self.unbonding_secs >= self.fraud_window_secs(), MillraceError::UnbondingTooShort);
        require!(self.unbonding_secs >= self.judged_lease_secs(), MillraceError::UnbondingTooShort);
        Ok(())
    }

    /// The same with zeros in what has no meaning.
    pub fn clean(&self) -> Self {
        Self { padding: [0; 4], reserved: [0; 64], ..*self }
    }

    /// Time in which a fraud can be proven, seconds.
    pub fn fraud_window_secs(&self) -> i64 {
        self.epoch_secs.saturating_mul(i64::try_from(FRAUD_WINDOW_EPOCHS).unwrap_or(i64::MAX))
    }

    /// From the begin of the longest lease until the last judgement on it, seconds: it runs, is disputed at the last
    /// moment, ruled, appealed, voted on; or a fraud case waits for its proofs.
    pub fn judged_lease_secs(&self) -> i64 {
        let steps = [
            self.dispute_window_secs,
            self.dispute_vote_secs,
            self.appeal_window_secs,
            self.case_window_secs,
            self.voting_secs,
        ];
        steps.iter().fold(self.max_lease_secs, |sum, secs| sum.saturating_add(*secs))
    }

    /// Time after a node retired in which a fraud of it may still be opened, judged and executed, seconds: the
    /// last case opens at the end of the window, closes one case window later, and waits as long for an executor.
    pub fn judged_within_secs(&self) -> i64 {
        self.fraud_window_secs().max(self.unbonding_secs).saturating_add(self.case_window_secs.saturating_mul(2))
    }

    /// What a lease made now is judged by.
    pub fn lease_terms(&self) -> LeaseTerms {
        LeaseTerms {
            dispute_window_secs: self.dispute_window_secs,
            oracle_outage_secs: self.oracle_outage_secs,
            stop_notice_secs: self.stop_notice_secs,
            unbonding_secs: self.unbonding_secs,
            reliability_half_fee_amount: self.reliability_half_fee_amount,
            fee_bps: self.fee_bps,
            holdback_bps: self.holdback_bps,
            bid_bond_bps: self.bid_bond_bps,
            bond_bps: self.bond_bps,
            compensation_bps: self.compensation_bps,
            standby_bps: self.standby_bps,
            padding: [0; 4],
        }
    }
}

impl Span {
    /// Whether `secs` lies within.
    pub fn admits(&self, secs: i64) -> bool {
        (self.min_secs..=self.max_secs).contains(&secs)
    }

    fn is_sane(&self) -> bool {
        limits::MIN_DURATION_SECS <= self.min_secs
            && self.min_secs <= self.max_secs
            && self.max_secs <= limits::MAX_DURATION_SECS
    }
}

impl DurationBounds {
    /// Checks the bounds themselves against the compile-time outer limits.
    ///
    /// # Errors
    /// [`MillraceError::ParameterOutOfBounds`].
    pub fn check(&self) -> Result<()> {
        let spans = [
            self.epoch,
            self.unbonding,
            self.dispute_window,
            self.award_window,
            self.audit_valid,
            self.oracle_outage,
            self.jail,
            self.case_window,
            self.stop_notice,
            self.max_lease,
            self.appeal_window,
            self.dispute_vote,
            self.voting,
            self.timelock,
            self.grace,
            self.max_lock,
        ];
        require!(spans.iter().all(Span::is_sane), MillraceError::ParameterOutOfBounds);
        Ok(())
    }
}
