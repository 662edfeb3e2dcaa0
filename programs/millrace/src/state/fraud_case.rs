//! A committed computation under accusation. Affects no one before its first proven entry.

use anchor_lang::prelude::*;
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_core::proof::{Commit, Query, COMMIT_LEN};

use super::{Node, NodeState, Params, Provider};
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
    /// Three wrong entries or a false link: all the node answers with, and jail.
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
    /// One when its consequence was executed in full.
    pub executed: u8,
    /// Zeros.
    pub padding: [u8; 3],
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
    /// Instant from which what was proven so far is executed.
    pub closes_at: i64,
    /// Instant it was first executed, zero before.
    pub executed_at: i64,
    /// The entries proven.
    pub entries: [ProvenEntry; ENTRIES_FOR_FRAUD],
    /// Zeros.
    pub padding2: [u8; 4],
    /// Base units taken so far.
    pub taken_amount: u64,
    /// Base units of a fraud's penalty that were out of reach (locked by other nodes or by bids): taken by a later
    /// execution, the provider in jail until then.
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

    /// Whether what was proven is fraud rather than a flipped bit.
    pub fn is_fraud(&self) -> bool {
        self.link_proven == 1 || usize::from(self.entry_count) >= ENTRIES_FOR_FRAUD
    }

    /// Whether its execution has begun.
    pub fn is_begun(&self) -> bool {
        self.executed_at != 0
    }

    /// Whether a proof may be added at `now`.
    ///
    /// # Errors
    /// [`MillraceError::CaseExecuted`]; [`MillraceError::CaseClosed`] from `closes_at` on and once it is fraud.
    pub fn require_open(&self, now: i64) -> Result<()> {
        require!(!self.is_begun(), MillraceError::CaseExecuted);
        require!(!self.is_fraud() && now < self.closes_at, MillraceError::CaseClosed);
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
        require!(self.executed == 0, MillraceError::CaseExecuted);
        if self.is_fraud() {
            return Ok(Outcome::Fraud);
        }
        require!(now >= self.closes_at, MillraceError::CaseOpen);
        Ok(if self.entry_count > 0 { Outcome::FlippedBits } else { Outcome::Nothing })
    }

    /// Takes what follows from the case, or of a fraud's penalty what a first execution could not reach. `node` is none
    /// when its account is closed, its own fraud window being over. Returns the outcome and what was taken, which the
    /// caller pays out of the provider's vault.
    ///
    /// # Errors
    /// Those of [`FraudCase::outcome`] and of [`Provider::slash`].
    pub fn execute(
        &mut self,
        provider: &mut Provider,
        node: Option<&mut Node>,
        params: &Params,
        now: i64,
    ) -> Result<(Outcome, u64)> {
        let outcome = self.outcome(now)?;
        let taken = match (outcome, node) {
            (Outcome::Nothing, _) => 0,
            (Outcome::FlippedBits, None) => 0,
            (Outcome::FlippedBits, Some(node)) => punish_flip(provider, node, params.flip_penalty_amount)?,
            (Outcome::Fraud, node) => self.punish_fraud(provider, node, now.saturating_add(params.jail_secs), now)?,
        };
        self.taken_amount = self.taken_amount.checked_add(taken).ok_or(MillraceError::MathOverflow)?;
        if !self.is_begun() {
            self.executed_at = now;
        }
        let is_nothing_left = provider.stake == 0 && provider.unbonding_count == 0;
        self.executed = u8::from(self.unpaid_amount == 0 || is_nothing_left);
        Ok((outcome, taken))
    }

    /// All the node answers with. What is locked elsewhere stays owed, and every execution until it is paid jails
    /// again: else a cheat would lock its free stake behind another node first and keep it.
    fn punish_fraud(
        &mut self,
        provider: &mut Provider,
        node: Option<&mut Node>,
        jailed_until: i64,
        now: i64,
    ) -> Result<u64> {
        provider.jail(jailed_until);
        let node_locked = match node {
            Some(node) if !self.is_begun() => {
                let node_locked = held_by(node);
                self.unpaid_amount = std::mem::take(&mut node.locked_stake);
                if !node.is_retired() {
                    node.retire(now);
                }
                node_locked
            }
            _ => 0,
        };
        let taken = provider.slash(self.unpaid_amount, node_locked)?;
        self.unpaid_amount = self.unpaid_amount.saturating_sub(taken);
        Ok(taken)
    }

    /// Whether its account may go at `epoch`: where something was proven, not before its commit is too old for
    /// another case. Where nothing was, at once: else a cheat would use up the one case of its commit itself.
    /// A provider that is gone (its nodes' fraud windows are over, its stake is out) has nothing to execute on.
    ///
    /// # Errors
    /// [`MillraceError::CaseNotExecuted`], [`MillraceError::CommitInWindow`], [`MillraceError::BadCommit`].
    pub fn require_closable(&self, epoch: u64, is_provider_gone: bool) -> Result<()> {
        require!(self.executed == 1 || is_provider_gone, MillraceError::CaseNotExecuted);
        let is_harmless = self.entry_count == 0 && self.link_proven == 0;
        require!(is_harmless || !is_in_window(&self.commit()?, epoch), MillraceError::CommitInWindow);
        Ok(())
    }
}

/// A small fixed penalty, at most what the node answers with, and suspension until the next good audit.
fn punish_flip(provider: &mut Provider, node: &mut Node, penalty_amount: u64) -> Result<u64> {
    let taken = provider.slash(penalty_amount.min(node.locked_stake), held_by(node))?;
    node.locked_stake = node.locked_stake.saturating_sub(taken);
    if !node.is_retired() {
        node.state = NodeState::Suspended as u8;
    }
    Ok(taken)
}

/// What the node itself still locks of its provider's stake: retirement unlocks it, the figure stays.
fn held_by(node: &Node) -> u64 {
    if node.is_retired() {
        0
    } else {
        node.locked_stake
    }
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
