//! A committed computation under accusation. Affects no one before its first proven entry.

use std::ops::DerefMut;

use anchor_lang::prelude::*;
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_core::proof::{Commit, Query, COMMIT_LEN};

use super::{Node, Params, Reach};
use crate::errors::MillraceError;

/// Bytes a commit takes in the account, padded to eight.
pub const COMMIT_SPACE: usize = COMMIT_LEN.div_ceil(8) * 8;

/// Wrong entries that make a fraud; no two share a row or a column.
pub const ENTRIES_FOR_FRAUD: usize = 3;

/// A wrong entry the program recomputed.
#[zero_copy]
#[derive(Debug, PartialEq, Eq)]
pub struct ProvenEntry {
    /// Round of the computation.
    pub round: u32,
    /// Row of C.
    pub row: u32,
    /// Column of C.
    pub col: u32,
}

/// What was proven when a case is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Nothing: the deposit is the provider's.
    Nothing = 0,
    /// One or two wrong entries: a flipped bit explains them, so the node is suspended and pays a fixed penalty.
    FlippedBits = 1,
    /// Three wrong entries, a false link or a second commit: all the node answers with, and jail.
    Fraud = 2,
}

/// Seeds: `fraud`, sha256(commit).
#[account(zero_copy)]
#[derive(Debug)]
pub struct FraudCase {
    /// Layout version.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Wrong entries proven.
    pub entry_count: u8,
    /// One when a false seed link was proven: fraud at once.
    pub link_proven: u8,
    /// One when the consequence of what was proven by then was executed in full.
    pub executed: u8,
    /// One when another commit of the same node, GPU and epoch was shown: fraud at once.
    pub double_commit: u8,
    /// One once it was executed as a fraud: what the node answered with is owed by this case.
    pub is_punished: u8,
    /// Zeros.
    pub padding: [u8; 1],
    /// The commit, as `millrace_core::proof::Commit` encodes it, padded with zeros.
    pub commit: [u8; COMMIT_SPACE],
    /// Node accused.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Who opened it: gets the deposit back once an entry is proven, and the rent.
    pub opener: Pubkey,
    /// Token account that gets the bounty, named by the opener; where it cannot be paid, the bounty burns.
    pub bounty_account: Pubkey,
    /// Deposit, lamports, kept on this account beside its rent; zero once it was paid out.
    pub deposit_lamports: u64,
    /// Instant it was opened.
    pub opened_at: i64,
    /// Instant from which what was proven so far is executed, and from which nothing more is proven. An execution as
    /// flipped bits moves it to the end of the commit's fraud window.
    pub closes_at: i64,
    /// Instant it was first executed, zero before.
    pub executed_at: i64,
    /// The entries proven.
    pub entries: [ProvenEntry; ENTRIES_FOR_FRAUD],
    /// Zeros.
    pub padding2: [u8; 4],
    /// Base units taken so far.
    pub taken_amount: u64,
    /// Base units of a fraud's penalty that were out of reach (locked by nodes not given, or behind leases): taken by a
    /// later execution, the provider in jail until then.
    pub unpaid_amount: u64,
    /// Count of events this account emitted.
    pub sequence: u64,
    /// Who paid the rent and gets it back.
    pub rent_payer: Pubkey,
    /// Zeros, for later versions.
    pub reserved: [u8; 64],
}

impl FraudCase {
    /// Bytes of the account, discriminator included.
    pub const SPACE: usize = 8 + std::mem::size_of::<Self>();

    /// The commit accused.
    ///
    /// # Errors
    /// [`MillraceError::BadCommit`]; never for a case that was opened.
    pub fn commit(&self) -> Result<Commit> {
        decode_commit(&self.commit[..COMMIT_LEN])
    }

    /// Whether anything was proven.
    pub fn is_proven(&self) -> bool {
        self.entry_count > 0 || self.is_fraud()
    }

    /// Whether what was proven is fraud rather than a flipped bit.
    pub fn is_fraud(&self) -> bool {
        let is_at_once = self.link_proven == 1 || self.double_commit == 1;
        is_at_once || usize::from(self.entry_count) >= ENTRIES_FOR_FRAUD
    }

    /// Whether its execution has begun.
    pub fn is_begun(&self) -> bool {
        self.executed_at != 0
    }

    /// Whether nothing is left to execute: one executed as flipped bits and proven to be fraud since has its penalty
    /// still to come.
    pub fn is_done(&self) -> bool {
        self.executed == 1 && (self.is_punished == 1 || !self.is_fraud())
    }

    /// Whether a proof may be added at `now`. Executed as flipped bits it stays open: a cheat that had itself accused
    /// of one entry would be safe otherwise.
    ///
    /// # Errors
    /// [`MillraceError::CaseExecuted`]; [`MillraceError::CaseClosed`] from `closes_at` on and once it is fraud.
    pub fn require_open(&self, now: i64) -> Result<()> {
        let is_over = self.is_begun() && (!self.is_proven() || self.is_punished == 1);
        require!(!is_over, MillraceError::CaseExecuted);
        require!(!self.is_fraud() && now < self.closes_at, MillraceError::CaseClosed);
        Ok(())
    }

    /// Marks this case and `other` as fraud: their operator signed two commits for the work of one GPU in one epoch.
    ///
    /// # Errors
    /// [`MillraceError::NotADoubleCommit`]; [`MillraceError::CaseClosed`] when both are fraud already.
    pub fn prove_double_commit(&mut self, other: &mut Self) -> Result<()> {
        let (one, two) = (self.commit()?, other.commit()?);
        let is_same_work = one.node == two.node && one.gpu_index == two.gpu_index && one.epoch == two.epoch;
        require!(is_same_work && one != two, MillraceError::NotADoubleCommit);
        require!(!self.is_fraud() || !other.is_fraud(), MillraceError::CaseClosed);
        (self.double_commit, other.double_commit) = (1, 1);
        Ok(())
    }

    /// Whether `entry` shares a row or a column with one already proven, in whichever round: a bad memory cell
    /// spoils the same line of every round.
    pub fn shares_line(&self, entry: &Query) -> bool {
        let mut proven = self.entries.iter().take(usize::from(self.entry_count));
        proven.any(|known| Query { round: known.round, row: known.row, col: known.col }.shares_line(entry))
    }

    /// Counts a wrong entry.
    ///
    /// # Errors
    /// [`MillraceError::SharedLine`]; [`MillraceError::CaseClosed`] when three are known.
    pub fn add(&mut self, entry: &Query) -> Result<()> {
        require!(!self.shares_line(entry), MillraceError::SharedLine);
        let place = self.entries.get_mut(usize::from(self.entry_count)).ok_or(MillraceError::CaseClosed)?;
        *place = ProvenEntry { round: entry.round, row: entry.row, col: entry.col };
        self.entry_count = self.entry_count.saturating_add(1);
        Ok(())
    }

    /// What follows from the case at `now`.
    ///
    /// # Errors
    /// [`MillraceError::CaseExecuted`] when nothing is left to do; [`MillraceError::CaseOpen`] short of fraud before
    /// `closes_at`.
    pub fn outcome(&self, now: i64) -> Result<Outcome> {
        require!(!self.is_done(), MillraceError::CaseExecuted);
        if self.is_fraud() {
            return Ok(Outcome::Fraud);
        }
        require!(now >= self.closes_at, MillraceError::CaseOpen);
        Ok(if self.entry_count > 0 { Outcome::FlippedBits } else { Outcome::Nothing })
    }

    /// Takes what follows from the case, or of a fraud's penalty what earlier executions could not reach. The node is
    /// none when its account is closed, its own fraud window being over; that of the commit ends at `window_ends_at`.
    /// Returns the outcome and what was taken, which the caller pays out of the provider's vault.
    ///
    /// # Errors
    /// Those of [`FraudCase::outcome`] and of [`Reach::take`].
    pub fn execute<N: DerefMut<Target = Node>>(
        &mut self,
        reach: &mut Reach<N>,
        params: &Params,
        window_ends_at: i64,
        now: i64,
    ) -> Result<(Outcome, u64)> {
        let outcome = self.outcome(now)?;
        let taken = match outcome {
            Outcome::Nothing => 0,
            Outcome::FlippedBits => {
                self.closes_at = self.closes_at.max(window_ends_at);
                punish_flip(reach, params.flip_penalty_amount, now)?
            }
            Outcome::Fraud => self.punish_fraud(reach, now.saturating_add(params.jail_secs), now)?,
        };
        reach.provider.record_slash(taken)?;
        self.taken_amount = self.taken_amount.checked_add(taken).ok_or(MillraceError::MathOverflow)?;
        if !self.is_begun() {
            self.executed_at = now;
        }
        self.executed = u8::from(self.unpaid_amount == 0 || reach.provider.has_nothing_to_slash());
        Ok((outcome, taken))
    }

    /// All the node answers with. What is out of reach stays owed, and every execution until it is paid jails again:
    /// else a cheat would put its stake where one execution does not reach, and keep it.
    fn punish_fraud<N: DerefMut<Target = Node>>(
        &mut self,
        reach: &mut Reach<N>,
        jailed_until: i64,
        now: i64,
    ) -> Result<u64> {
        reach.provider.jail(jailed_until);
        if self.is_punished == 0 {
            self.is_punished = 1;
            self.unpaid_amount = reach.node.as_deref().map_or(0, |node| node.locked_stake);
        }
        let taken = reach.take(self.unpaid_amount)?;
        self.unpaid_amount = self.unpaid_amount.saturating_sub(taken);
        if let Some(node) = &mut reach.node {
            // What is still owed is owed by the case, and no longer by the node to another one.
            node.locked_stake = 0;
            if !node.is_retired() {
                node.retire(now);
            }
        }
        Ok(taken)
    }

    /// Whether its account may go at `epoch`: where something was proven, not before its commit is too old for
    /// another case. Where nothing was, at once: else a cheat would use up the one case of its commit itself.
    /// A provider that is gone (its nodes' fraud windows are over, its stake is out) has nothing to execute on.
    ///
    /// # Errors
    /// [`MillraceError::CaseNotExecuted`], [`MillraceError::CommitInWindow`], [`MillraceError::BadCommit`].
    pub fn require_closable(&self, epoch: u64, is_provider_gone: bool) -> Result<()> {
        require!(self.is_done() || is_provider_gone, MillraceError::CaseNotExecuted);
        require!(!self.is_proven() || !is_in_window(&self.commit()?, epoch), MillraceError::CommitInWindow);
        Ok(())
    }
}

/// A small fixed penalty, at most what the node answers with, and suspension until the next good audit: one found from
/// now on, since an older one may be held back for this.
fn punish_flip<N: DerefMut<Target = Node>>(reach: &mut Reach<N>, penalty_amount: u64, now: i64) -> Result<u64> {
    let Some(node) = reach.node.as_deref_mut() else { return Ok(0) };
    node.suspend();
    node.last_leaf_at = node.last_leaf_at.max(now);
    let penalty_amount = penalty_amount.min(node.locked_stake);
    reach.take(penalty_amount)
}

/// Reads a commit.
///
/// # Errors
/// [`MillraceError::BadCommit`].
pub fn decode_commit(bytes: &[u8]) -> Result<Commit> {
    Commit::from_bytes(bytes).map_err(|_| error!(MillraceError::BadCommit))
}

/// Whether fraud of this commit can still be accused at `epoch`.
pub fn is_in_window(commit: &Commit, epoch: u64) -> bool {
    epoch.checked_sub(commit.epoch).is_some_and(|age| age < FRAUD_WINDOW_EPOCHS)
}
