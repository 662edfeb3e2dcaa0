//! A chain that executes the few instructions oracles send, and the accounts of a small market on it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anchor_lang::{AnchorDeserialize, Discriminator};
use async_trait::async_trait;
use bytemuck::Zeroable;
use ed25519_dalek::SigningKey;
use millrace::instruction::{ApplyOracleLeaf, LatchBeacon, OpenBeacon, SignReport};
use millrace::instructions::{ApplyOracleLeafArgs, SignReportArgs};
use millrace::state::{Beacons, Config, Node, NodeClass, Oracle, OracleSet, Provider, Reports};
use millrace_client::{
    endpoint, fetch, pda, Account, Chain, ChainError, FakeChain, Fate, Hash, Keypair, MillraceError, MillraceEvent,
    Pubkey, Signature, Signer, Simulation, Status, StatusLevel, Transaction, TransactionError, PROGRAM_ID,
};
use millrace_core::hash::sha256;
use millrace_core::leaves::OracleLeaf;
use millrace_wire::SignedClient;
use solana_instruction::error::InstructionError;

use crate::settings::{Limits, Timing};
use crate::Settings;

/// Of every toy market.
pub const DEPLOYMENT_ID: [u8; 32] = [5; 32];

/// The chain's clock when a test begins.
pub const GENESIS_AT: i64 = 1_700_000_000;

/// A chain that executes what oracles send.
pub struct ToyChain {
    /// All accounts; tests put there what they need.
    pub accounts: FakeChain,
    began: Instant,
    landed: Mutex<HashMap<Signature, Status>>,
}

impl ToyChain {
    /// A deployment with these seats, each of weight one, answering at these addresses over TLS.
    pub fn new(epoch_secs: i64, seats: &[(Pubkey, SocketAddr)]) -> Arc<Self> {
        let accounts = FakeChain::new();
        let mut config = Config::zeroed();
        config.deployment_id = DEPLOYMENT_ID;
        config.base_at = GENESIS_AT;
        config.params.epoch_secs = epoch_secs;
        config.params.quorum_bps = 6_000;
        config.params.reward_period_epochs = 4;
        accounts.set(pda::config(), &config);
        let mut set = OracleSet::zeroed();
        for (authority, address) in seats {
            let mut oracle = Oracle::zeroed();
            oracle.seat = set.add(*authority, 1).unwrap();
            oracle.authority = *authority;
            oracle.endpoint = endpoint::to_bytes(&format!("https://{address}")).unwrap();
            accounts.set(pda::oracle(authority), &oracle);
        }
        accounts.set(pda::oracles(), &set);
        accounts.set(pda::reports(), &Reports::zeroed());
        accounts.set(pda::beacons(), &Beacons::zeroed());
        Arc::new(Self { accounts, began: Instant::now(), landed: Mutex::default() })
    }

    /// The chain's clock, unix seconds.
    pub fn now(&self) -> i64 {
        GENESIS_AT + self.began.elapsed().as_secs() as i64
    }

    /// The chain's slot: one every 50 ms, from 1.
    pub fn slot_now(&self) -> u64 {
        1 + (self.began.elapsed().as_millis() / 50) as u64
    }

    /// The current epoch.
    pub async fn epoch(&self) -> u64 {
        self.config().await.epoch_at(self.now()).unwrap()
    }

    /// The deployment.
    pub async fn config(&self) -> Config {
        fetch(self, &pda::config()).await.unwrap().unwrap()
    }

    /// The reports so far.
    pub async fn reports(&self) -> Reports {
        fetch(self, &pda::reports()).await.unwrap().unwrap()
    }

    /// Opens and latches a beacon as if oracles had.
    pub async fn set_beacon(&self, epoch: u64, slot: u64, hash: [u8; 32]) {
        let mut beacons: Beacons = fetch(self, &pda::beacons()).await.unwrap().unwrap();
        beacons.ring[(epoch % 1_024) as usize] = millrace::state::Beacon { epoch, slot, hash };
        self.accounts.set(pda::beacons(), &beacons);
    }

    /// Executes the program's instructions of a transaction, or says why they fail.
    async fn execute(&self, transaction: &Transaction, is_real: bool) -> Result<(), TransactionError> {
        let message = &transaction.message;
        for (index, instruction) in message.instructions.iter().enumerate() {
            let key = |account: u8| message.account_keys[usize::from(account)];
            if key(instruction.program_id_index) != PROGRAM_ID {
                continue;
            }
            let signer = key(instruction.accounts[0]);
            self.instruction(&instruction.data, signer, is_real).await.map_err(|error| {
                TransactionError::InstructionError(index as u8, InstructionError::Custom(error.into()))
            })?;
        }
        Ok(())
    }

    async fn instruction(&self, data: &[u8], signer: Pubkey, is_real: bool) -> Result<(), MillraceError> {
        let (kind, args) = data.split_at(8);
        let named = |error: anchor_lang::error::Error| match error {
            anchor_lang::error::Error::AnchorError(error) => {
                millrace_client::error::millrace_error(error.error_code_number).unwrap()
            }
            other => panic!("{other}"),
        };
        if kind == OpenBeacon::DISCRIMINATOR || kind == LatchBeacon::DISCRIMINATOR {
            let epoch = u64::try_from_slice(args).unwrap();
            let mut beacons: Beacons = fetch(self, &pda::beacons()).await.unwrap().unwrap();
            if kind == OpenBeacon::DISCRIMINATOR {
                if epoch != self.epoch().await {
                    return Err(MillraceError::WrongEpoch);
                }
                beacons.open(epoch, self.slot_now(), |_| false).map_err(named)?;
            } else {
                let slot_now = self.slot_now();
                let beacon = beacons.opened_mut(epoch).ok_or(MillraceError::BeaconNotOpen)?;
                if beacon.is_latched() {
                    return Err(MillraceError::BeaconOpen);
                }
                if slot_now <= beacon.slot {
                    return Err(MillraceError::BeaconTooEarly);
                }
                beacon.hash = sha256(&[&beacon.slot.to_le_bytes()]);
            }
            if is_real {
                self.accounts.set(pda::beacons(), &beacons);
            }
        } else if kind == SignReport::DISCRIMINATOR {
            let args = SignReportArgs::try_from_slice(args).unwrap();
            let current = self.epoch().await;
            if args.epoch != current && args.epoch + 1 != current {
                return Err(MillraceError::WrongEpoch);
            }
            let set: OracleSet = fetch(self, &pda::oracles()).await.unwrap().unwrap();
            let seat = set.seats().iter().position(|seat| seat.authority == signer).unwrap() as u8;
            let mut reports = self.reports().await;
            reports.sign(seat, &signer, args.epoch, args.root, args.leaves).map_err(named)?;
            let tally = reports.tally(&set, args.epoch, args.root, args.leaves);
            if set.is_quorum(tally.weight, 6_000) {
                reports.accept(args.epoch, args.root, args.leaves, tally.signers, self.now());
            }
            let mut oracle: Oracle = fetch(self, &pda::oracle(&signer)).await.unwrap().unwrap();
            oracle.record_signature(args.epoch, args.next_observation_hash);
            reports.sequence += 1;
            if is_real {
                self.accounts.set(pda::reports(), &reports);
                self.accounts.set(pda::oracle(&signer), &oracle);
            }
        } else if kind == ApplyOracleLeaf::DISCRIMINATOR {
            let args = ApplyOracleLeafArgs::try_from_slice(args).unwrap();
            let leaf = OracleLeaf::from_bytes(&args.leaf).unwrap();
            let (key, config) = (Pubkey::from(leaf.oracle), self.config().await);
            let reports = self.reports().await;
            reports.prove(args.epoch, args.index, leaf.tree_node(), &args.path).map_err(named)?;
            let mut set: OracleSet = fetch(self, &pda::oracles()).await.unwrap().unwrap();
            let mut oracle: Oracle = fetch(self, &key).await.unwrap().unwrap();
            let epochs = config.params.reward_period_epochs;
            set.roll(self.epoch().await, epochs, 0);
            if args.epoch + 1 < set.reward_period {
                return Err(MillraceError::WrongEpoch);
            }
            set.count(&mut oracle, leaf.opened, leaf.at, epochs).map_err(named)?;
            if is_real {
                self.accounts.set(pda::oracles(), &set);
                self.accounts.set(key, &oracle);
            }
        } else {
            panic!("oracles send nothing else");
        }
        Ok(())
    }
}

#[async_trait]
impl Chain for ToyChain {
    async fn account(&self, key: &Pubkey) -> Result<Option<Account>, ChainError> {
        self.accounts.account(key).await
    }

    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        self.accounts.accounts(keys).await
    }

    async fn agreed(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        self.accounts(keys).await
    }

    async fn program_accounts(
        &self,
        discriminator: &[u8],
        filters: &[(usize, Vec<u8>)],
    ) -> Result<Vec<(Pubkey, Account)>, ChainError> {
        self.accounts.program_accounts(discriminator, filters).await
    }

    async fn accounts_of(
        &self,
        program: &Pubkey,
        filters: &[(usize, Vec<u8>)],
    ) -> Result<Vec<(Pubkey, Account)>, ChainError> {
        self.accounts.accounts_of(program, filters).await
    }

    async fn latest_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        let slot = self.slot_now();
        Ok((Hash::new_from_array(sha256(&[&slot.to_le_bytes()])), slot + 150))
    }

    async fn slot(&self) -> Result<u64, ChainError> {
        Ok(self.slot_now())
    }

    async fn unix_timestamp(&self) -> Result<i64, ChainError> {
        Ok(self.now())
    }

    async fn simulate(&self, transaction: &Transaction) -> Result<Simulation, ChainError> {
        let error = self.execute(transaction, false).await.err();
        Ok(Simulation { error, units: 10_000, logs: Vec::new() })
    }

    async fn recent_price(&self, _: &[Pubkey]) -> Result<u64, ChainError> {
        Ok(0)
    }

    async fn send(&self, transaction: &Transaction) -> Result<Signature, ChainError> {
        let signature = transaction.signatures[0];
        if self.landed.lock().unwrap().contains_key(&signature) {
            return Ok(signature);
        }
        let error = self.execute(transaction, true).await.err();
        let status = Status { slot: self.slot_now(), level: StatusLevel::Finalized, error };
        self.landed.lock().unwrap().insert(signature, status);
        Ok(signature)
    }

    async fn fate(&self, signature: &Signature, last_valid_block_height: u64) -> Result<Fate, ChainError> {
        let status = self.landed.lock().unwrap().get(signature).cloned();
        Ok(Fate::of(self.slot_now(), status, last_valid_block_height))
    }

    async fn transaction_events(&self, signature: &Signature) -> Result<Vec<MillraceEvent>, ChainError> {
        Err(ChainError::UnknownTransaction(*signature))
    }

    async fn signatures_of(&self, _: &Pubkey, _: Option<Signature>) -> Result<Vec<Signature>, ChainError> {
        Ok(Vec::new())
    }

    async fn minimum_balance(&self, _: usize) -> Result<u64, ChainError> {
        Ok(1)
    }
}

/// The key of oracle `number`.
pub fn oracle_key(number: u8) -> Keypair {
    Keypair::new_from_array([100 + number; 32])
}

/// Settings of an oracle with its data at `dir`.
pub fn settings(dir: &Path, address: SocketAddr) -> Settings {
    Settings {
        keypair: "unused.json".into(),
        listen: address,
        data_dir: dir.to_path_buf(),
        timing: Timing { lease_poll_secs: 0.5, ..Timing::default() },
        limits: Limits { transfer_mib: 4, ..Limits::default() },
        ..Settings::default()
    }
}

/// A free loopback address, kept by its listener.
pub fn listener() -> (std::net::TcpListener, SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The operator of the one provider.
pub fn operator() -> SigningKey {
    SigningKey::from_bytes(&[77; 32])
}

/// Addresses of the one provider and its node.
pub fn provider_and_node() -> (Pubkey, Pubkey) {
    let provider = pda::provider(&Pubkey::new_from_array([70; 32]));
    (provider, pda::node(&provider, 0))
}

/// A CPU node that claims no speed.
pub fn cpu_node() -> Node {
    Node { class: NodeClass::Cpu as u8, gpu_count: 1, ..Node::zeroed() }
}

/// Registers the one provider, whose agent answers at `agent`, and its node: class, GPUs and claims as in `spec`.
pub fn register(chain: &ToyChain, agent: &str, spec: Node) {
    let (provider, node) = provider_and_node();
    let mut account = Provider::zeroed();
    account.operator = Pubkey::from(operator().verifying_key().to_bytes());
    account.endpoint = endpoint::to_bytes(agent).unwrap();
    chain.accounts.set(provider, &account);
    chain.accounts.set(node, &Node { provider, ..spec });
}

/// A client that signs with `key`.
pub fn client(key: &SigningKey) -> SignedClient {
    SignedClient::new(key.clone(), Duration::from_secs(10)).unwrap()
}

/// The seat key of an oracle.
pub fn seat(number: u8) -> Pubkey {
    oracle_key(number).pubkey()
}
