//! A chain that obeys the rules of a real one and breaks everything they leave open.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytemuck::Zeroable;
use millrace::state::Config;
use millrace_client::fetch::to_account;
use millrace_client::{
    pda, Account, Chain, ChainError, Fate, Hash, MillraceEvent, Pubkey, Signature, Simulation, Status, StatusLevel,
    Transaction, TransactionError,
};
use tokio::sync::Notify;

/// Blocks a blockhash of this chain stays valid.
pub const VALID_BLOCKS: u64 = 8;

/// What goes wrong with one call. Calls after the script go well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The chain does not answer. A transaction is not taken.
    Down,
    /// The answer is lost: a transaction is taken nevertheless.
    AnswerLost,
    /// The packet is lost: the answer is good, the transaction is not taken.
    PacketLost,
    /// The packet is late: the answer is good, the transaction is taken two blocks later.
    Late,
    /// The process dies before the call reaches the chain.
    CrashBefore,
    /// The process dies after the call reached the chain.
    CrashAfter,
}

/// What becomes of a packet on its way to a block.
pub enum Packet {
    Arrives,
    Lost,
    Late,
}

#[derive(Default)]
pub struct State {
    pub height: u64,
    pub script: VecDeque<Fault>,
    pub calls: u32,
    pub last_valid: HashMap<Hash, u64>,
    pub valid_blocks: u64,
    pub ledger: HashMap<Signature, Status>,
    pub deployment_id: Option<[u8; 32]>,
    /// All that was handed in, lost packets included.
    pub sent: Vec<Transaction>,
    /// Packets on their way, with the height they arrive at.
    pub late: Vec<(u64, Transaction)>,
    /// Blocks that pass at the next questions for the height.
    pub blocks: VecDeque<u64>,
    pub simulation: Simulation,
    /// What recent transactions paid, and the accounts that was asked for.
    pub recent_price: u64,
    pub priced: Vec<Pubkey>,
    pub fails_with: Option<TransactionError>,
}

/// A chain that obeys the two rules a real one does: a signature lands once, and only while its blockhash is valid.
/// Its height grows by one with each question for it, unless `blocks` says more, and every block has another hash.
#[derive(Default)]
pub struct Rough {
    pub state: Mutex<State>,
    pub crashed: Notify,
}

impl Rough {
    pub fn new(script: &[Fault]) -> Arc<Self> {
        let chain = Self::default();
        chain.state.lock().unwrap().script = script.iter().copied().collect();
        chain.state.lock().unwrap().simulation.units = 1_000;
        chain.state.lock().unwrap().valid_blocks = VALID_BLOCKS;
        Arc::new(chain)
    }

    /// Runs `call` on the state, unless the script has another plan.
    async fn call<T>(&self, call: impl FnOnce(&mut State, Packet) -> T) -> Result<T, ChainError> {
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.calls += 1;
            state.script.pop_front().unwrap_or(Fault::None)
        };
        let down = || ChainError::Unreachable { url: "rough".into(), reason: "cut".into() };
        let run = |packet| call(&mut self.state.lock().unwrap(), packet);
        match fault {
            Fault::None => Ok(run(Packet::Arrives)),
            Fault::PacketLost => Ok(run(Packet::Lost)),
            Fault::Late => Ok(run(Packet::Late)),
            Fault::Down => Err(down()),
            Fault::AnswerLost => {
                run(Packet::Arrives);
                Err(down())
            }
            Fault::CrashBefore => self.crash().await,
            Fault::CrashAfter => {
                run(Packet::Arrives);
                self.crash().await
            }
        }
    }

    async fn crash<T>(&self) -> T {
        self.crashed.notify_one();
        pending().await
    }

    pub fn landed(&self) -> usize {
        self.state.lock().unwrap().ledger.values().filter(|status| status.error.is_none()).count()
    }

    pub fn signatures(&self) -> Vec<Signature> {
        self.state.lock().unwrap().sent.iter().map(|transaction| transaction.signatures[0]).collect()
    }
}

impl State {
    fn last_valid(&self, transaction: &Transaction) -> u64 {
        self.last_valid[&transaction.message.recent_blockhash]
    }

    fn hand_in(&mut self, transaction: &Transaction, packet: Packet) -> Signature {
        let signature = transaction.signatures[0];
        // The rule under test: nothing is signed anew while what was signed before could still land.
        for earlier in self.sent.iter().filter(|earlier| earlier.signatures[0] != signature) {
            let same_thing = earlier.message.instructions.last() == transaction.message.instructions.last();
            let is_alive = self.height <= self.last_valid(earlier) && !self.ledger.contains_key(&earlier.signatures[0]);
            assert!(!(same_thing && is_alive), "signed anew while {} could still land", earlier.signatures[0]);
        }
        self.sent.push(transaction.clone());
        match packet {
            Packet::Arrives => self.land(transaction),
            Packet::Late => self.late.push((self.height + 2, transaction.clone())),
            Packet::Lost => {}
        }
        signature
    }

    fn land(&mut self, transaction: &Transaction) {
        if self.height <= self.last_valid(transaction) {
            let status = Status { slot: self.height, level: StatusLevel::Confirmed, error: self.fails_with.clone() };
            self.ledger.entry(transaction.signatures[0]).or_insert(status);
        }
    }

    fn next_block(&mut self) -> u64 {
        self.height += 1;
        let arrived: Vec<_> = self.late.extract_if(.., |(at, _)| *at <= self.height).collect();
        arrived.iter().for_each(|(_, transaction)| self.land(transaction));
        self.height
    }
}

#[async_trait]
impl Chain for Rough {
    async fn account(&self, _key: &Pubkey) -> Result<Option<Account>, ChainError> {
        panic!("the outbox decides by what the majority says");
    }

    async fn accounts(&self, _keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        panic!("the outbox decides by what the majority says");
    }

    async fn agreed(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        let deployment_id = self.state.lock().unwrap().deployment_id;
        let config = deployment_id.map(|deployment_id| Config { deployment_id, ..Config::zeroed() });
        Ok(keys.iter().map(|key| config.filter(|_| *key == pda::config()).map(|it| to_account(&it, &[]))).collect())
    }

    async fn accounts_of(
        &self,
        _program: &Pubkey,
        _filters: &[(usize, Vec<u8>)],
    ) -> Result<Vec<(Pubkey, Account)>, ChainError> {
        Ok(Vec::new())
    }

    async fn latest_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        self.call(|state, _| {
            let mut bytes = [7; 32];
            bytes[..8].copy_from_slice(&state.height.to_le_bytes());
            let (hash, last_valid) = (Hash::new_from_array(bytes), state.height + state.valid_blocks);
            state.last_valid.insert(hash, last_valid);
            (hash, last_valid)
        })
        .await
    }

    async fn slot(&self) -> Result<u64, ChainError> {
        Ok(self.state.lock().unwrap().height)
    }

    async fn unix_timestamp(&self) -> Result<i64, ChainError> {
        Ok(0)
    }

    async fn simulate(&self, _transaction: &Transaction) -> Result<Simulation, ChainError> {
        self.call(|state, _| state.simulation.clone()).await
    }

    async fn recent_price(&self, written: &[Pubkey]) -> Result<u64, ChainError> {
        let mut state = self.state.lock().unwrap();
        state.priced.extend(written);
        Ok(state.recent_price)
    }

    async fn send(&self, transaction: &Transaction) -> Result<Signature, ChainError> {
        assert!(transaction.is_signed());
        self.call(|state, packet| state.hand_in(transaction, packet)).await
    }

    /// Two calls: the script may come between the height and the status.
    async fn fate(&self, signature: &Signature, last_valid_block_height: u64) -> Result<Fate, ChainError> {
        let height = self
            .call(|state, _| {
                let blocks = state.blocks.pop_front().unwrap_or(1);
                (0..blocks).map(|_| state.next_block()).last().unwrap_or(state.height)
            })
            .await?;
        let status = self.call(|state, _| state.ledger.get(signature).cloned()).await?;
        Ok(Fate::of(height, status, last_valid_block_height))
    }

    async fn transaction_events(&self, signature: &Signature) -> Result<Vec<MillraceEvent>, ChainError> {
        Err(ChainError::UnknownTransaction(*signature))
    }

    async fn signatures_of(&self, _address: &Pubkey, _until: Option<Signature>) -> Result<Vec<Signature>, ChainError> {
        Ok(Vec::new())
    }

    async fn minimum_balance(&self, _len: usize) -> Result<u64, ChainError> {
        Ok(0)
    }
}
