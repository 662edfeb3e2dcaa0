//! The one account that says what this deployment is.

use anchor_lang::prelude::*;
use bytemuck::Zeroable;
use millrace_core::epoch::{epoch_at, epoch_starts_at, FRAUD_WINDOW_EPOCHS};

use super::{DurationBounds, Params};
use crate::constants::{MAX_PAUSE_SECS, PARAMS_DELAY_EPOCHS, PAUSE_PERIOD_SECS};
use crate::errors::MillraceError;

/// Seeds: `config`. Written at genesis, by governance and its locks, and (only `burned_total`) by sweeps and slashes.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Config {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// One until genesis is sealed: oracle seats may be added by [`Config::authority`].
    pub genesis_open: u8,
    /// Canonical bump of [`Config::governance`].
    pub governance_bump: u8,
    /// Zeros.
    pub padding: [u8; 4],
    /// The deployer until genesis is sealed, nobody afterwards.
    pub authority: Pubkey,
    /// Signs for governance: owns treasury and oracle pool, may upgrade the program. An address of this program.
    pub governance: Pubkey,
    /// Who may pause new work for a while; zeros for nobody.
    pub guardian: Pubkey,
    /// Instant the last pause began, zero if never.
    pub paused_at: i64,
    /// Instant until which no new job, bid or registration is taken.
    pub paused_until: i64,
    /// Sum of the weights of all vote locks.
    pub vote_weight_total: u64,
    /// Id of the next proposal.
    pub next_proposal_id: u64,
    /// Proposal deposits the treasury keeps for their proposers, base units.
    pub deposits_held: u64,
    /// The MILL mint.
    pub mint: Pubkey,
    /// Program that owns the mint: SPL Token or Token-2022.
    pub token_program: Pubkey,
    /// Token account that receives the oracles' share of fees.
    pub oracle_pool: Pubkey,
    /// Token account that receives the treasury's share of fees.
    pub treasury: Pubkey,
    /// Tells this deployment from every other: sha256 of the program id and a slot hash.
    pub deployment_id: [u8; 32],
    /// Mint supply at initialise, base units.
    pub genesis_supply: u64,
    /// Burned by this program since, base units.
    pub burned_total: u64,
    /// Number of the first epoch of the current length.
    pub base_epoch: u64,
    /// Instant that epoch began.
    pub base_at: i64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Immutable bounds of every duration.
    pub bounds: DurationBounds,
    /// The parameters in force.
    pub params: Params,
    /// Parameters that come into force at `pending_epoch`.
    pub pending: Params,
    /// Epoch from which `pending` counts; zero when nothing is pending.
    pub pending_epoch: u64,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl Config {
    /// The epoch at `now`.
    ///
    /// # Errors
    /// [`MillraceError::ClockBeforeGenesis`].
    pub fn epoch_at(&self, now: i64) -> Result<u64> {
        epoch_at(self.base_epoch, self.base_at, self.params.epoch_secs, now)
            .ok_or_else(|| error!(MillraceError::ClockBeforeGenesis))
    }

    /// Instant from which a commit of `epoch` can no longer be accused; `now` where that lies before the base.
    pub fn fraud_window_ends_at(&self, epoch: u64, now: i64) -> i64 {
        let first_after = epoch.saturating_add(FRAUD_WINDOW_EPOCHS);
        epoch_starts_at(self.base_epoch, self.base_at, self.params.epoch_secs, first_after).unwrap_or(now)
    }

    /// Whether genesis is open and `signer` is its deployer.
    ///
    /// # Errors
    /// [`MillraceError::GenesisSealed`], [`MillraceError::WrongAuthority`].
    pub fn require_genesis(&self, signer: &Pubkey) -> Result<()> {
        require!(self.genesis_open == 1, MillraceError::GenesisSealed);
        require_keys_eq!(self.authority, *signer, MillraceError::WrongAuthority);
        Ok(())
    }

    /// Whether new jobs, bids and registrations are taken at `now`.
    ///
    /// # Errors
    /// [`MillraceError::Paused`].
    pub fn require_not_paused(&self, now: i64) -> Result<()> {
        require!(now >= self.paused_until, MillraceError::Paused);
        Ok(())
    }

    /// Counts a lock that weighed `old_weight` with `new_weight`.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`], [`MillraceError::MathOverflow`].
    pub fn reweigh(&mut self, old_weight: u64, new_weight: u64) -> Result<()> {
        let others = self.vote_weight_total.checked_sub(old_weight).ok_or(MillraceError::InvariantBroken)?;
        self.vote_weight_total = others.checked_add(new_weight).ok_or(MillraceError::MathOverflow)?;
        Ok(())
    }

    /// Takes the number of a new proposal and keeps its deposit. Returns the number.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`].
    pub fn open_proposal(&mut self, deposit_amount: u64) -> Result<u64> {
        let id = self.next_proposal_id;
        self.next_proposal_id = id.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        self.deposits_held = self.deposits_held.checked_add(deposit_amount).ok_or(MillraceError::MathOverflow)?;
        Ok(id)
    }

    /// Lets go of a deposit: it is paid back, or the treasury's own from here on.
    ///
    /// # Errors
    /// [`MillraceError::InvariantBroken`].
    pub fn settle_deposit(&mut self, deposit_amount: u64) -> Result<()> {
        self.deposits_held = self.deposits_held.checked_sub(deposit_amount).ok_or(MillraceError::InvariantBroken)?;
        Ok(())
    }

    /// Makes `params` the parameters of two epochs from now: whoever signs a report of this epoch or the last one
    /// still signs it under the old. Returns that epoch.
    ///
    /// # Errors
    /// [`MillraceError::ParamsPending`], and those of [`Params::check`].
    pub fn schedule(&mut self, params: &Params, now: i64) -> Result<u64> {
        require!(self.pending_epoch == 0, MillraceError::ParamsPending);
        params.check(&self.bounds)?;
        self.pending = params.clean();
        self.pending_epoch = self.epoch_at(now)?.checked_add(PARAMS_DELAY_EPOCHS).ok_or(MillraceError::MathOverflow)?;
        Ok(self.pending_epoch)
    }

    /// Puts the pending parameters in force. Where the length of an epoch changes, the epoch under way begins anew, so
    /// that its number neither falls nor leaps.
    ///
    /// # Errors
    /// [`MillraceError::NothingPending`].
    pub fn activate(&mut self, now: i64) -> Result<()> {
        let epoch = self.epoch_at(now)?;
        require!(self.pending_epoch > 0 && epoch >= self.pending_epoch, MillraceError::NothingPending);
        if self.pending.epoch_secs != self.params.epoch_secs {
            (self.base_epoch, self.base_at) = (epoch, now);
        }
        self.params = self.pending;
        self.pending = Zeroable::zeroed();
        self.pending_epoch = 0;
        Ok(())
    }

    /// Whether `signer` may pause.
    ///
    /// # Errors
    /// [`MillraceError::WrongGuardian`], also while there is none.
    pub fn require_guardian(&self, signer: &Pubkey) -> Result<()> {
        require!(self.guardian != Pubkey::default(), MillraceError::WrongGuardian);
        require_keys_eq!(self.guardian, *signer, MillraceError::WrongGuardian);
        Ok(())
    }

    /// Refuses new work for `secs`: at most [`MAX_PAUSE_SECS`] in any [`PAUSE_PERIOD_SECS`].
    ///
    /// # Errors
    /// [`MillraceError::ParameterOutOfBounds`], [`MillraceError::PausedTooOften`].
    pub fn pause(&mut self, secs: i64, now: i64) -> Result<()> {
        require!((1..=MAX_PAUSE_SECS).contains(&secs), MillraceError::ParameterOutOfBounds);
        let is_first = self.paused_at == 0;
        let next_at = self.paused_at.saturating_add(PAUSE_PERIOD_SECS);
        require!(is_first || now >= next_at, MillraceError::PausedTooOften);
        self.paused_at = now;
        self.paused_until = now.saturating_add(secs);
        Ok(())
    }

    /// Takes new work again, at once. The time to the next pause counts from the begin of this one all the same.
    pub fn unpause(&mut self, now: i64) {
        self.paused_until = self.paused_until.min(now);
    }

    /// Records a burn the program just made, and checks I6's half of the books: burned ≤ genesis supply.
    ///
    /// # Errors
    /// [`MillraceError::MathOverflow`], [`MillraceError::InvariantBroken`].
    pub fn record_burn(&mut self, amount: u64) -> Result<()> {
        self.burned_total = self.burned_total.checked_add(amount).ok_or(MillraceError::MathOverflow)?;
        require!(self.burned_total <= self.genesis_supply, MillraceError::InvariantBroken);
        Ok(())
    }
}
