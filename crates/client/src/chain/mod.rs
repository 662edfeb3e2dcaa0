//! The chain behind one trait, so that decisions can be tested without one.

mod fake;
mod rpc;

pub use fake::FakeChain;
pub use rpc::{BadRpcUrls, RpcChain};

use async_trait::async_trait;

use crate::{Account, Hash, MillraceEvent, Pubkey, Signature, Transaction, TransactionError, PROGRAM_ID};

/// Blocks after a blockhash's own in which it may be used.
pub(crate) const BLOCKHASH_BLOCKS: u64 = 150;

/// Why the chain gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Nothing answers at the address.
    #[error("the RPC at {url} does not answer: {reason}; check --url")]
    Unreachable {
        /// Where it was looked for, without path or query: they may hold an access key.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The RPC answered with a refusal.
    #[error("the RPC at {url} refused {method}: {message}")]
    Refused {
        /// Which RPC.
        url: String,
        /// Which of its methods.
        method: String,
        /// What it said.
        message: String,
    },
    /// The RPCs say different things, and more than half of them must say the same where money is at stake.
    #[error("the RPCs do not agree on {about}: {said}; ask again, and replace the one that lags or lies")]
    Disagree {
        /// What was asked.
        about: String,
        /// Who said what.
        said: String,
    },
    /// An account is not what it should be.
    #[error("the account {address} is not a Millrace {expected}: {reason}")]
    NotWhatItShouldBe {
        /// Its address.
        address: Pubkey,
        /// What it should be.
        expected: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// The chain does not know the transaction (yet).
    #[error("the chain does not know the transaction {0}; it may not be confirmed yet")]
    UnknownTransaction(Signature),
    /// A fake cannot do this.
    #[error("a fake chain cannot {0}; use a real one or script the answer")]
    Fake(&'static str),
}

impl ChainError {
    /// Whether the same question may be answered later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Disagree { .. } | Self::UnknownTransaction(_)
        )
    }
}

/// How sure the chain is of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusLevel {
    /// In a block that may yet be dropped.
    Processed,
    /// In a block that two thirds of the stake voted for.
    Confirmed,
    /// In a block nothing can remove.
    Finalized,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Slot of its block.
    pub slot: u64,
    /// How sure that is.
    pub level: StatusLevel,
    /// Why it failed. A failed transaction changed nothing but its payer's lamports.
    pub error: Option<TransactionError>,
}

/// The end of a transaction that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A confirmed block took it, and it did what it should.
    Landed,
    /// A confirmed block took it, and it failed.
    Failed(TransactionError),
    /// It may yet land, or nobody can tell.
    Open,
    /// No block took it, and none can any more.
    Expired,
}

impl Fate {
    /// What one observer knows of a transaction usable through `last_valid_block_height`: its own block height, and
    /// the status it tells when asked after that. In the other order a block between the questions would be missed.
    pub fn of(block_height: u64, status: Option<Status>, last_valid_block_height: u64) -> Self {
        match status {
            Some(status) if status.level >= StatusLevel::Confirmed => status.error.map_or(Self::Landed, Self::Failed),
            None if block_height > last_valid_block_height => Self::Expired,
            _ => Self::Open,
        }
    }
}

/// What a transaction would do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simulation {
    /// Why it would fail.
    pub error: Option<TransactionError>,
    /// Compute units it would use.
    pub units: u64,
    /// Its log lines.
    pub logs: Vec<String>,
}

/// What this software needs of a Solana cluster. Reads are of confirmed state.
#[async_trait]
pub trait Chain: Send + Sync {
    /// The account at `key`, `None` when there is none.
    async fn account(&self, key: &Pubkey) -> Result<Option<Account>, ChainError>;

    /// The accounts at `keys`, in their order.
    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError>;

    /// The accounts at `keys` as a strict majority of the RPCs answers: for what money is decided by. Costs a question
    /// to each of them.
    async fn agreed(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError>;

    /// The accounts `program` owns whose data hold each `(offset, bytes)` of `filters`.
    async fn accounts_of(
        &self,
        program: &Pubkey,
        filters: &[(usize, Vec<u8>)],
    ) -> Result<Vec<(Pubkey, Account)>, ChainError>;

    /// Millrace's accounts whose data begin with `discriminator` and hold each `(offset, bytes)` of `filters`.
    /// Offsets count from the start of the data, discriminator included.
    async fn program_accounts(
        &self,
        discriminator: &[u8],
        filters: &[(usize, Vec<u8>)],
    ) -> Result<Vec<(Pubkey, Account)>, ChainError> {
        let kind = std::iter::once((0, discriminator.to_vec()));
        let filters: Vec<_> = kind.chain(filters.iter().cloned()).collect();
        self.accounts_of(&PROGRAM_ID, &filters).await
    }

    /// A fresh blockhash and the last block height at which it may be used, or one shortly above: never one below.
    async fn latest_blockhash(&self) -> Result<(Hash, u64), ChainError>;

    /// The latest confirmed slot.
    async fn slot(&self) -> Result<u64, ChainError>;

    /// The chain's own clock, Unix seconds: what the program sees.
    async fn unix_timestamp(&self) -> Result<i64, ChainError>;

    /// What `transaction` would do now. Signatures and blockhash may be missing.
    async fn simulate(&self, transaction: &Transaction) -> Result<Simulation, ChainError>;

    /// What the recent transactions that wrote these accounts paid for priority, and three quarters of the slots took less
    /// than: millionths of a lamport a compute unit.
    async fn recent_price(&self, written: &[Pubkey]) -> Result<u64, ChainError>;

    /// Hands in a signed transaction. Success says that it was taken, not that it landed. Use [`crate::Outbox`].
    async fn send(&self, transaction: &Transaction) -> Result<Signature, ChainError>;

    /// What became of a transaction usable through `last_valid_block_height`. An end is said only where it is proven.
    async fn fate(&self, signature: &Signature, last_valid_block_height: u64) -> Result<Fate, ChainError>;

    /// The program's events in a landed transaction, in order.
    async fn transaction_events(&self, signature: &Signature) -> Result<Vec<MillraceEvent>, ChainError>;

    /// The transactions that named `address`, oldest first; after `until` where given. None is left out, so that
    /// following an address loses nothing after a gap. Some of `until`'s own slot may be given again, and what an RPC made
    /// up is unknown to [`Chain::transaction_events`].
    async fn signatures_of(&self, address: &Pubkey, until: Option<Signature>) -> Result<Vec<Signature>, ChainError>;

    /// Lamports an account of `len` bytes must hold.
    async fn minimum_balance(&self, len: usize) -> Result<u64, ChainError>;
}
