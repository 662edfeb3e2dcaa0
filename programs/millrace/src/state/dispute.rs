//! A result its customer calls wrong: the oracles rule, governance may overturn.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;

/// How a dispute was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ruling {
    /// Not yet.
    None = 0,
    /// The result is wrong or unusable: holdback and bond are the customer's.
    Upheld = 1,
    /// The result is good: holdback and the dispute's bond are the provider's.
    Dismissed = 2,
    /// No quorum in time: as dismissed, but the dispute's bond goes back.
    Lapsed = 3,
}

/// Seeds: `dispute`, lease.
#[account(zero_copy)]
#[derive(Debug)]
pub struct Dispute {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// A [`Ruling`].
    pub ruling: u8,
    /// One when governance has been asked to overturn it: its appeal time was extended, once.
    pub is_appealed: u8,
    /// Seats that voted: bit s for seat s.
    pub voted: u32,
    /// The lease.
    pub lease: Pubkey,
    /// Customer account that opened it.
    pub customer: Pubkey,
    /// Provider account of the lease.
    pub provider: Pubkey,
    /// sha256 of the evidence.
    pub evidence_hash: [u8; 32],
    /// Bond of the opener, base units: kept in the customer's vault, out of its free money.
    pub bond: u64,
    /// Weight for [`Ruling::Upheld`].
    pub upheld_weight: u64,
    /// Weight for [`Ruling::Dismissed`].
    pub dismissed_weight: u64,
    /// Instant it was opened.
    pub opened_at: i64,
    /// Instant votes end.
    pub vote_until: i64,
    /// Instant from which the ruling may be carried out; zero before there is one.
    pub appeal_until: i64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl Dispute {
    /// Gives governance time until `until` to overturn the ruling: once, before the time to appeal is over.
    ///
    /// # Errors
    /// [`MillraceError::DisputeOpen`], [`MillraceError::AlreadyAppealed`], [`MillraceError::AppealOver`].
    pub fn appeal(&mut self, until: i64, now: i64) -> Result<()> {
        require!(self.ruling != Ruling::None as u8, MillraceError::DisputeOpen);
        require!(self.is_appealed == 0, MillraceError::AlreadyAppealed);
        require!(now < self.appeal_until, MillraceError::AppealOver);
        self.is_appealed = 1;
        self.appeal_until = self.appeal_until.max(until);
        Ok(())
    }

    /// Turns the ruling, by a vote: upheld becomes dismissed, anything else upheld.
    ///
    /// # Errors
    /// [`MillraceError::DisputeOpen`].
    pub fn overturn(&mut self) -> Result<()> {
        require!(self.ruling != Ruling::None as u8, MillraceError::DisputeOpen);
        let is_upheld = self.ruling == Ruling::Upheld as u8;
        self.ruling = if is_upheld { Ruling::Dismissed } else { Ruling::Upheld } as u8;
        Ok(())
    }
}
