//! The chain, with every question to it counted and timed.

use std::future::Future;
use std::time::Instant;

use async_trait::async_trait;
use millrace_client::{
    Account, Chain, ChainError, Fate, Hash, MillraceEvent, Pubkey, Signature, Simulation, Transaction,
};

use crate::common::{RPC_REQUESTS, RPC_SECONDS};

/// What is asked of a chain.
pub(crate) const METHODS: &[&str] = &[
    "account",
    "accounts",
    "agreed",
    "accounts_of",
    "latest_blockhash",
    "slot",
    "unix_timestamp",
    "simulate",
    "recent_price",
    "send",
    "fate",
    "transaction_events",
    "signatures_of",
    "minimum_balance",
];

/// What comes of it.
pub(crate) const OUTCOMES: &[&str] = &["answered", "unreachable", "refused", "disagreed", "failed"];

/// A chain whose answers are counted.
pub struct MeteredChain<C>(pub C);

impl<C: Chain> MeteredChain<C> {
    async fn count<T>(
        &self,
        method: &'static str,
        question: impl Future<Output = Result<T, ChainError>>,
    ) -> Result<T, ChainError> {
        let asked = Instant::now();
        let answer = question.await;
        RPC_SECONDS.observe(asked.elapsed(), &[method]);
        let outcome = match &answer {
            Ok(_) => "answered",
            Err(ChainError::Unreachable { .. }) => "unreachable",
            Err(ChainError::Refused { .. }) => "refused",
            Err(ChainError::Disagree { .. }) => "disagreed",
            Err(_) => "failed",
        };
        RPC_REQUESTS.inc(&[method, outcome]);
        answer.inspect_err(|error| tracing::debug!(method, "the chain does not answer: {error}"))
    }
}

#[async_trait]
impl<C: Chain> Chain for MeteredChain<C> {
    async fn account(&self, key: &Pubkey) -> Result<Option<Account>, ChainError> {
        self.count("account", self.0.account(key)).await
    }

    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        self.count("accounts", self.0.accounts(keys)).await
    }

    async fn agreed(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        self.count("agreed", self.0.agreed(keys)).await
    }

    async fn accounts_of(
        &self,
        program: &Pubkey,
        filters: &[(usize, Vec<u8>)],
    ) -> Result<Vec<(Pubkey, Account)>, ChainError> {
        self.count("accounts_of", self.0.accounts_of(program, filters)).await
    }

    async fn latest_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        self.count("latest_blockhash", self.0.latest_blockhash()).await
    }

    async fn slot(&self) -> Result<u64, ChainError> {
        self.count("slot", self.0.slot()).await
    }

    async fn unix_timestamp(&self) -> Result<i64, ChainError> {
        self.count("unix_timestamp", self.0.unix_timestamp()).await
    }

    async fn simulate(&self, transaction: &Transaction) -> Result<Simulation, ChainError> {
        self.count("simulate", self.0.simulate(transaction)).await
    }

    async fn recent_price(&self, written: &[Pubkey]) -> Result<u64, ChainError> {
        self.count("recent_price", self.0.recent_price(written)).await
    }

    async fn send(&self, transaction: &Transaction) -> Result<Signature, ChainError> {
        self.count("send", self.0.send(transaction)).await
    }

    async fn fate(&self, signature: &Signature, last_valid_block_height: u64) -> Result<Fate, ChainError> {
        self.count("fate", self.0.fate(signature, last_valid_block_height)).await
    }

    async fn transaction_events(&self, signature: &Signature) -> Result<Vec<MillraceEvent>, ChainError> {
        self.count("transaction_events", self.0.transaction_events(signature)).await
    }

    async fn signatures_of(&self, address: &Pubkey, until: Option<Signature>) -> Result<Vec<Signature>, ChainError> {
        self.count("signatures_of", self.0.signatures_of(address, until)).await
    }

    async fn minimum_balance(&self, len: usize) -> Result<u64, ChainError> {
        self.count("minimum_balance", self.0.minimum_balance(len)).await
    }
}
