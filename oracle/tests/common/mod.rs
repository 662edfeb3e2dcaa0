//! A market of three oracles without a cluster: accounts in memory, the program's own state methods behind the few
//! instructions oracles send, a clock that runs, and real HTTP on loopback.
#![allow(dead_code)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anchor_lang::{AnchorDeserialize, Discriminator};
use async_trait::async_trait;
use axum::extract::{Path as UrlPath, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use bytemuck::Zeroable;
use ed25519_dalek::SigningKey;
use millrace::instruction::{ApplyOracleLeaf, LatchBeacon, OpenBeacon, SignReport};
use millrace::instructions::{ApplyOracleLeafArgs, SignReportArgs};
use millrace::state::{Beacons, Config, Lease, Node, NodeClass, Oracle, OracleSet, Provider, Reports};
use millrace_client::{
    endpoint, fetch, pda, Account, Chain, ChainError, FakeChain, Hash, Keypair, MillraceError, MillraceEvent, Pubkey,
    Signature, Signer, Simulation, Status, StatusLevel, Transaction, TransactionError, PROGRAM_ID,
};
use millrace_core::hash::sha256;
use millrace_core::leaves::OracleLeaf;
use millrace_oracle::settings::{Limits, Timing};
use millrace_oracle::{Daemon, Settings};
use millrace_wire::messages::{JobPhase, LeaseStatusAnswer, LEASE_STATUS_DOMAIN};
use millrace_wire::{Sealed, SignedClient};
use solana_instruction::error::InstructionError;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The chain's clock when a test begins.
pub const GENESIS_AT: i64 = 1_700_000_000;

/// A chain that executes what oracles send.
pub struct ToyChain {
    pub accounts: FakeChain,
    began: Instant,
    landed: Mutex<HashMap<Signature, Status>>,
}

impl ToyChain {
    /// A deployment with these seats, each of weight one, answering at these addresses.
    pub fn new(epoch_secs: i64, seats: &[(Pubkey, SocketAddr)]) -> Arc<Self> {
        let accounts = FakeChain::new();
        let mut config = Config::zeroed();
        config.deployment_id = [5; 32];
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
            oracle.endpoint = endpoint::to_bytes(&format!("http://{address}")).unwrap();
            accounts.set(pda::oracle(authority), &oracle);
        }
        accounts.set(pda::oracles(), &set);
        accounts.set(pda::reports(), &Reports::zeroed());
        accounts.set(pda::beacons(), &Beacons::zeroed());
        Arc::new(Self { accounts, began: Instant::now(), landed: Mutex::default() })
    }

    pub fn now(&self) -> i64 {
        GENESIS_AT + self.began.elapsed().as_secs() as i64
    }

    pub fn slot_now(&self) -> u64 {
        1 + (self.began.elapsed().as_millis() / 50) as u64
    }

    pub async fn epoch(&self) -> u64 {
        self.config().await.epoch_at(self.now()).unwrap()
    }

    pub async fn config(&self) -> Config {
        fetch(self, &pda::config()).await.unwrap().unwrap()
    }

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

    async fn block_height(&self) -> Result<u64, ChainError> {
        Ok(self.slot_now())
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

    async fn signature_status(&self, signature: &Signature) -> Result<Option<Status>, ChainError> {
        Ok(self.landed.lock().unwrap().get(signature).cloned())
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
        limits: Limits::default(),
        ..Settings::default()
    }
}

/// A running oracle. Dropping it is its kill -9: nothing is finished or flushed.
pub struct Running {
    task: JoinHandle<anyhow::Result<()>>,
    pub daemon: Arc<Daemon>,
    pub url: String,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Running {
    /// Starts oracle `number` on its own runtime, so that a kill takes all of its tasks at once.
    pub fn start(chain: Arc<ToyChain>, number: u8, dir: &Path, listener: std::net::TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let daemon = Daemon::open(settings(dir, address), chain, oracle_key(number)).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _guard = runtime.enter();
        let listener = TcpListener::from_std(listener).unwrap();
        let task = runtime.spawn(daemon.clone().run(listener, std::future::pending()));
        drop(_guard);
        Self { task, daemon, url: format!("http://{address}"), runtime: Some(runtime) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
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

/// Registers the one provider, whose agent answers at `agent`, and its CPU node.
pub fn register(chain: &ToyChain, agent: &str) {
    let (provider, node) = provider_and_node();
    let mut account = Provider::zeroed();
    account.operator = Pubkey::from(operator().verifying_key().to_bytes());
    account.endpoint = endpoint::to_bytes(agent).unwrap();
    chain.accounts.set(provider, &account);
    chain.accounts.set(node, &Node { provider, class: NodeClass::Cpu as u8, gpu_count: 1, ..Node::zeroed() });
}

/// Opens a lease of the one node.
pub fn open_lease(chain: &ToyChain, max_secs: u64) -> Pubkey {
    let (provider, node) = provider_and_node();
    let key = Pubkey::new_from_array([88; 32]);
    chain.accounts.set(key, &Lease { provider, node, max_secs, started_at: chain.now(), ..Lease::zeroed() });
    key
}

/// What the agent says of every lease.
pub type Said = Arc<Mutex<(JobPhase, i32)>>;

/// Starts an agent that says what it is told to, sealed by the operator.
pub async fn agent(said: Said) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/leases/{lease}/status", get(status)).with_state(said);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn status(
    State(said): State<Said>,
    UrlPath(lease): UrlPath<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Sealed> {
    let (phase, exit_code) = *said.lock().unwrap();
    let has_ended = !matches!(phase, JobPhase::AwaitingInputs | JobPhase::Running);
    let answer = LeaseStatusAnswer {
        lease: lease.parse::<Pubkey>().unwrap().to_bytes(),
        nonce: query["nonce"].clone(),
        phase,
        exit_code,
        result_root: if has_ended { [9; 32] } else { [0; 32] },
        checkpoint_root: [0; 32],
        detail: String::new(),
    };
    Json(Sealed::seal(&operator(), LEASE_STATUS_DOMAIN, &answer).unwrap())
}

/// A client that signs with `key`.
pub fn client(key: &SigningKey) -> SignedClient {
    SignedClient::new(key.clone(), Duration::from_secs(10)).unwrap()
}

/// Waits until `done` gives something, at most `secs`.
pub async fn wait_for<T, F: std::future::Future<Output = Option<T>>>(
    what: &str,
    secs: u64,
    mut done: impl FnMut() -> F,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = done().await {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(secs), "{what} did not happen within {secs} s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The seat key of an oracle.
pub fn seat(number: u8) -> Pubkey {
    oracle_key(number).pubkey()
}
