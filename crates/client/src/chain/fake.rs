//! A chain in memory, for tests of decisions. It holds what a test puts there and executes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Chain, ChainError, Fate, Simulation, Status, BLOCKHASH_BLOCKS};
use crate::{Account, Hash, MillraceEvent, Pubkey, Signature, Transaction};

#[derive(Default)]
struct Inner {
    accounts: BTreeMap<Pubkey, Account>,
    slot: u64,
    unix_timestamp: i64,
    sent: Vec<Transaction>,
    statuses: HashMap<Signature, Status>,
    simulation: Option<Simulation>,
    recent_price: u64,
}

/// Accounts and a clock, set by the test. Transactions handed in are kept to be looked at: they change nothing, and
/// no status appears unless the test sets it. Block height equals the slot, a blockhash lives 150 of them.
#[derive(Default)]
pub struct FakeChain {
    inner: Mutex<Inner>,
}

impl FakeChain {
    /// An empty chain at slot zero and second zero.
    pub fn new() -> Self {
        Self::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an account at `key`.
    pub fn set_account(&self, key: Pubkey, account: Account) {
        self.inner().accounts.insert(key, account);
    }

    /// Puts one of the program's accounts at `key`.
    pub fn set<T: anchor_lang::ZeroCopy>(&self, key: Pubkey, state: &T) {
        self.set_account(key, crate::fetch::to_account(state, &[]));
    }

    /// Removes the account at `key`.
    pub fn remove_account(&self, key: &Pubkey) {
        self.inner().accounts.remove(key);
    }

    /// Sets the chain's clock, Unix seconds.
    pub fn set_unix_timestamp(&self, unix_timestamp: i64) {
        self.inner().unix_timestamp = unix_timestamp;
    }

    /// Sets the slot, and with it the block height.
    pub fn set_slot(&self, slot: u64) {
        self.inner().slot = slot;
    }

    /// Says what every simulation answers from now on.
    pub fn set_simulation(&self, simulation: Simulation) {
        self.inner().simulation = Some(simulation);
    }

    /// Says what recent transactions paid for priority, millionths of a lamport a compute unit.
    pub fn set_recent_price(&self, price: u64) {
        self.inner().recent_price = price;
    }

    /// Says what became of a transaction.
    pub fn set_status(&self, signature: Signature, status: Status) {
        self.inner().statuses.insert(signature, status);
    }

    /// What was handed in, in order.
    pub fn sent(&self) -> Vec<Transaction> {
        self.inner().sent.clone()
    }
}

#[async_trait]
impl Chain for FakeChain {
    async fn account(&self, key: &Pubkey) -> Result<Option<Account>, ChainError> {
        Ok(self.inner().accounts.get(key).cloned())
    }

    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        let inner = self.inner();
        Ok(keys.iter().map(|key| inner.accounts.get(key).cloned()).collect())
    }

    async fn agreed(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        self.accounts(keys).await
    }

    async fn accounts_of(
        &self,
        program: &Pubkey,
        filters: &[(usize, Vec<u8>)],
    ) -> Result<Vec<(Pubkey, Account)>, ChainError> {
        let holds = |data: &[u8], at: usize, bytes: &[u8]| data.get(at..).is_some_and(|tail| tail.starts_with(bytes));
        let matches = |account: &Account| {
            account.owner == *program && filters.iter().all(|(at, bytes)| holds(&account.data, *at, bytes))
        };
        let inner = self.inner();
        let found = inner.accounts.iter().filter(|(_, account)| matches(account));
        Ok(found.map(|(key, account)| (*key, account.clone())).collect())
    }

    async fn latest_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        let slot = self.inner().slot;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&slot.to_le_bytes());
        Ok((Hash::new_from_array(bytes), slot.saturating_add(BLOCKHASH_BLOCKS)))
    }

    async fn slot(&self) -> Result<u64, ChainError> {
        Ok(self.inner().slot)
    }

    async fn unix_timestamp(&self) -> Result<i64, ChainError> {
        Ok(self.inner().unix_timestamp)
    }

    async fn simulate(&self, _transaction: &Transaction) -> Result<Simulation, ChainError> {
        self.inner().simulation.clone().ok_or(ChainError::Fake("simulate a transaction"))
    }

    async fn recent_price(&self, _written: &[Pubkey]) -> Result<u64, ChainError> {
        Ok(self.inner().recent_price)
    }

    async fn send(&self, transaction: &Transaction) -> Result<Signature, ChainError> {
        let signature = transaction.signatures.first().copied().unwrap_or_default();
        self.inner().sent.push(transaction.clone());
        Ok(signature)
    }

    async fn fate(&self, signature: &Signature, last_valid_block_height: u64) -> Result<Fate, ChainError> {
        let inner = self.inner();
        Ok(Fate::of(inner.slot, inner.statuses.get(signature).cloned(), last_valid_block_height))
    }

    async fn transaction_events(&self, signature: &Signature) -> Result<Vec<MillraceEvent>, ChainError> {
        Err(ChainError::UnknownTransaction(*signature))
    }

    async fn signatures_of(&self, _address: &Pubkey, _until: Option<Signature>) -> Result<Vec<Signature>, ChainError> {
        Err(ChainError::Fake("list transactions"))
    }

    async fn minimum_balance(&self, len: usize) -> Result<u64, ChainError> {
        // What every cluster answers today: (128 + len) × 3,480 × 2.
        Ok((len as u64).saturating_add(128).saturating_mul(6_960))
    }
}
