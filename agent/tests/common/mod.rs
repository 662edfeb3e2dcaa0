//! An agent that serves one lease on a fake chain: real HTTP, real sandbox, real journal.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytemuck::Zeroable;
use ed25519_dalek::SigningKey;
use millrace::state::{
    Config, Customer, Job, JobState, Lease, LeaseRole, LeaseState, Node, OracleSet, Provider, Reports,
};
use millrace_agent::{Agent, Settings};
use millrace_client::{keys, pda, FakeChain, Keypair, Pubkey, Signer};
use millrace_daemon::{Endpoint, Listeners};
use millrace_gemm::Cpu;
use millrace_jobs::{BundleFile, InputBundle, Manifest};
use millrace_wire::messages::{LeaseStatusAnswer, LEASE_STATUS_DOMAIN};
use millrace_wire::{Sealed, SignedClient};
use tokio::net::TcpListener;

/// Makes each nonce another.
static ASKED: AtomicU64 = AtomicU64::new(1);

/// When the lease was awarded, by the chain's clock.
pub const AWARDED_AT: i64 = 1_000;

/// A job that runs `script`, with 64 MiB and a deadline of 60 s.
pub fn job_of(script: &str) -> InputBundle {
    let text = r#"
        [job]
        command = ["sh", "main.sh"]
        environment = "plain"
        files = ["main.sh"]
        outputs = ["out.txt"]
        [limits]
        memory_mib = 64
        disk_mib = 8
        pids = 16
        max_secs = 60
    "#;
    assemble(text, script)
}

/// A job by its manifest, whose only file is `main.sh`.
pub fn assemble(manifest: &str, script: &str) -> InputBundle {
    let file = BundleFile { content: script.as_bytes().to_vec(), executable: false };
    let files = BTreeMap::from([("main.sh".to_owned(), file)]);
    InputBundle::assemble(Manifest::parse(manifest).unwrap(), files).unwrap()
}

/// Accounts and keys of the little market.
pub struct Market {
    pub chain: Arc<FakeChain>,
    pub operator: Keypair,
    pub customer: SigningKey,
    pub lease: Pubkey,
    pub settings: Settings,
}

impl Market {
    /// A market whose files lie in `dir` and whose one lease is for `bundle`. The same `dir` gives the same keys.
    pub fn new(dir: &Path, bundle: &InputBundle) -> Self {
        std::fs::create_dir_all(dir.join("environments/plain")).unwrap();
        let (operator, _) = keys::load_or_create(dir.join("operator.json")).unwrap();
        let customer = SigningKey::from_bytes(&[9; 32]);
        let authority = Pubkey::new_from_array([3; 32]);
        let provider = pda::provider(&authority);
        let node = pda::node(&provider, 0);
        let customer_key = Pubkey::from(customer.verifying_key().to_bytes());
        let customer_account = pda::customer(&customer_key);
        let job = pda::job(&customer_account, 0);
        let lease = pda::lease(&job, 0);

        let chain = Arc::new(FakeChain::new());
        chain.set_unix_timestamp(AWARDED_AT + 1);
        let mut config = Config { base_at: 1, ..Config::zeroed() };
        config.params.epoch_secs = 4;
        config.params.quorum_bps = 6_000;
        chain.set(pda::config(), &config);
        chain.set(pda::oracles(), &OracleSet::zeroed());
        chain.set(pda::reports(), &Reports::zeroed());
        chain.set(provider, &Provider { authority, operator: operator.pubkey(), ..Provider::zeroed() });
        chain.set(node, &Node { provider, lease, ..Node::zeroed() });
        chain.set(customer_account, &Customer { authority: customer_key, ..Customer::zeroed() });
        let state = JobState::Awarded as u8;
        let manifest_hash = bundle.hash();
        chain.set(job, &Job { state, customer: customer_account, manifest_hash, leases_open: 1, ..Job::zeroed() });
        let mut awarded = Lease {
            state: LeaseState::Awarded as u8,
            job,
            customer: customer_account,
            provider,
            node,
            per_sec: 10,
            max_secs: 60,
            started_at: AWARDED_AT,
            ..Lease::zeroed()
        };
        awarded.terms.oracle_outage_secs = 1_000_000;
        chain.set(lease, &awarded);
        let settings = Settings {
            keypair: dir.join("operator.json"),
            authority: authority.to_string(),
            data_dir: dir.join("data"),
            environments_dir: dir.join("environments"),
            ..Settings::default()
        };
        Self { chain, operator, customer, lease, settings }
    }

    /// Changes the lease on chain.
    pub fn change_lease(&self, change: impl FnOnce(&mut Lease)) {
        let chain = self.chain.clone();
        let account = futures_free(async move { millrace_client::Chain::account(&*chain, &self.lease).await });
        let account = account.unwrap().unwrap();
        let mut lease: Lease = millrace_client::fetch::decode(&self.lease, &account).unwrap().unwrap();
        change(&mut lease);
        self.chain.set(self.lease, &lease);
    }

    /// Puts a second lease of the same job on chain, whose node failed just now. Returns its address.
    pub fn fail_other_member(&self) -> Pubkey {
        let mut failed = None;
        self.change_lease(|own| failed = Some(*own));
        let own = failed.unwrap();
        let key = pda::lease(&own.job, 7);
        let mut failed = Lease {
            state: LeaseState::NodeFailed as u8,
            role: LeaseRole::Member as u8,
            index: 0,
            node: Pubkey::new_from_array([8; 32]),
            ended_at: AWARDED_AT,
            ..own
        };
        failed.terms.dispute_window_secs = 1_000;
        self.chain.set(key, &failed);
        key
    }

    /// Gives an oracle a seat, without an endpoint, from the next epoch on, which begins.
    pub fn seat(&self, key: &SigningKey) {
        let mut set = OracleSet::zeroed();
        set.add(Pubkey::from(key.verifying_key().to_bytes()), 1).unwrap();
        self.chain.set(pda::oracles(), &set);
        self.chain.set_unix_timestamp(AWARDED_AT + 5);
    }

    /// Serves on a free port until `stop`; calls `ready` with the port.
    pub async fn serve(&self, ready: impl FnOnce(u16), stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        self.serve_with(None, ready, stop).await
    }

    /// The same, with metrics.
    pub async fn serve_with(
        &self,
        metrics: Option<Endpoint>,
        ready: impl FnOnce(u16),
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let http = TcpListener::bind("127.0.0.1:0").await?;
        let listen = http.local_addr()?;
        let settings = Settings { listen, ..self.settings.clone() };
        let operator = keys::load(&settings.keypair)?;
        let agent = Agent::open(settings, self.chain.clone(), operator, vec![Arc::new(Cpu::new(1)?)])?;
        ready(listen.port());
        agent.run(Listeners { http, metrics }, stop).await
    }

    /// The customer's view of the agent at `port`.
    pub fn asker(&self, port: u16) -> Asker {
        let http = SignedClient::new(self.customer.clone(), Duration::from_secs(10)).unwrap();
        let url = format!("http://127.0.0.1:{port}/v1/leases/{}", self.lease);
        Asker { http, url, operator: self.operator.pubkey().to_bytes() }
    }
}

/// The operator's public key.
pub fn operator_of(market: &Market) -> [u8; 32] {
    market.operator.pubkey().to_bytes()
}

/// Drives a future that never waits.
fn futures_free<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    match work.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the fake chain waited"),
    }
}

/// Somebody who asks an agent about a lease.
pub struct Asker {
    pub http: SignedClient,
    pub url: String,
    pub operator: [u8; 32],
}

impl Asker {
    /// The sealed status, checked as an oracle does; `None` while the agent does not know the lease.
    pub async fn status(&self) -> Option<LeaseStatusAnswer> {
        let nonce = format!("n{}", ASKED.fetch_add(1, Ordering::Relaxed));
        let sealed: Sealed = self.http.get(&format!("{}/status?nonce={nonce}", self.url)).await.ok()?;
        let answer: LeaseStatusAnswer = sealed.open(LEASE_STATUS_DOMAIN, &self.operator).unwrap();
        assert_eq!(answer.nonce, nonce);
        Some(answer)
    }

    /// Waits for a status.
    pub async fn until(&self, wanted: impl Fn(&LeaseStatusAnswer) -> bool) -> LeaseStatusAnswer {
        let give_up_at = Instant::now() + Duration::from_secs(40);
        let mut last = None;
        while Instant::now() < give_up_at {
            if let Some(answer) = self.status().await {
                if wanted(&answer) {
                    return answer;
                }
                last = Some(answer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("waited in vain; the last answer was {last:?}");
    }

    /// Hands in inputs.
    pub async fn put(&self, bytes: &[u8]) -> Result<Sealed, millrace_wire::WireError> {
        self.http.put_bytes(&format!("{}/inputs", self.url), bytes.to_vec()).await
    }
}

/// Processes on this host with `word` among their arguments.
pub fn processes_with(word: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let command_lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    command_lines.filter(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())).count()
}
