//! The chain behind one trait, so that decisions can be tested without one.

mod fake;
mod rpc;

pub use fake::FakeChain;
pub use rpc::RpcChain;

use async_trait::async_trait;

use crate::{Account, Hash, MillraceEvent, Pubkey, Signature, Transaction, TransactionError, PROGRAM_ID};

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
        matches!(self, Self::Unreachable { .. } | Self::Refused { .. } | Self::UnknownTransaction(_))
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

    /// A fresh blockhash and the last block height at which it may be used.
    async fn latest_blockhash(&self) -> Result<(Hash, u64), ChainError>;

    /// The height of the latest confirmed block.
    async fn block_height(&self) -> Result<u64, ChainError>;

    /// The latest confirmed slot.
    async fn slot(&self) -> Result<u64, ChainError>;

    /// The chain's own clock, Unix seconds: what the program sees.
    async fn unix_timestamp(&self) -> Result<i64, ChainError>;

    /// What `transaction` would do now. Signatures and blockhash may be missing.
    async fn simulate(&self, transaction: &Transaction) -> Result<Simulation, ChainError>;

    /// Hands in a signed transaction. Success says that it was taken, not that it landed. Use [`crate::Outbox`].
    async fn send(&self, transaction: &Transaction) -> Result<Signature, ChainError>;

    /// What became of a transaction, `None` when the chain has not seen it.
    async fn signature_status(&self, signature: &Signature) -> Result<Option<Status>, ChainError>;

    /// The program's events in a landed transaction, in order.
    async fn transaction_events(&self, signature: &Signature) -> Result<Vec<MillraceEvent>, ChainError>;

    /// The latest transactions that named `address`, oldest first, at most 1,000; after `until` where given.
    async fn signatures_of(&self, address: &Pubkey, until: Option<Signature>) -> Result<Vec<Signature>, ChainError>;

    /// Lamports an account of `len` bytes must hold.
    async fn minimum_balance(&self, len: usize) -> Result<u64, ChainError>;
}
