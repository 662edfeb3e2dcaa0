//! The daemon: what its tasks share, and how they start and stop.

use std::collections::HashMap;
use std::fs::File;
use std::future::Future;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use ed25519_dalek::SigningKey;
use millrace_client::{keys, pda, Chain, Instruction, Keypair, Pubkey, RpcChain, Signer, SubmitError};
use millrace_daemon::common::COMMON;
use millrace_daemon::gauges::Gauges;
use millrace_daemon::{process, Endpoint, Listeners, MeteredChain, Outbox, Server, Supervisor};
use millrace_gemm::Backend;
use millrace_wire::messages::Statement;
use millrace_wire::{tls, Sealed, SignedClient};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::journal::{Journal, LeaseRecord};
use crate::sandbox::{Cgroups, Environment, EnvironmentError, Privilege, Sandbox};
use crate::settings::Settings;
use crate::tasks::bandwidth::Transfers;
use crate::view::View;
use crate::{api, metrics, tasks};

/// Longest an oracle may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Longest a reconciliation at the start may take: what is left undecided is found out by the next submission.
const RECONCILE_WITHIN: Duration = Duration::from_secs(20);

/// Runs asked for and not yet begun.
const MAX_WAITING_RUNS: usize = 16;

/// Age from which a view is no longer acted on.
const VIEW_LASTS: Duration = Duration::from_secs(15);

/// What the tasks share.
pub struct Agent {
    /// What the operator set.
    pub settings: Settings,
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// The operator's key.
    pub key: Keypair,
    /// The same, for answers and for TLS.
    pub seal_key: SigningKey,
    /// The provider account.
    pub provider: Pubkey,
    /// The nodes this machine stands for.
    pub nodes: Vec<Pubkey>,
    /// What computes audits: one for each GPU of this host, then the processor. An honest agent has honest ones; the type
    /// does not enforce it, the oracles do.
    pub backends: Vec<Arc<dyn Backend>>,
    /// Asks oracles, signing with the operator's key.
    pub http: SignedClient,
    /// What must survive.
    pub journal: Journal,
    /// Sends transactions.
    pub outbox: Outbox,
    /// Runs jobs.
    pub sandbox: Sandbox,
    /// The chain as last seen.
    pub view: watch::Sender<Option<Arc<View>>>,
    /// Leases whose inputs have arrived.
    pub runs: mpsc::Sender<Pubkey>,
    waiting_runs: Mutex<Option<mpsc::Receiver<Pubkey>>>,
    leases: Mutex<HashMap<Pubkey, LeaseRecord>>,
    transfers: Mutex<HashMap<Pubkey, Transfers>>,
    /// Held for as long as this process has the data directory.
    _lock: File,
}

/// Runs an agent with `backends` (see [`Agent::backends`]) until SIGTERM or SIGINT: all that a program around it has to do.
///
/// # Errors
/// When it cannot start, or a task fails.
pub async fn run_until_signal(settings: Settings, backends: Vec<Arc<dyn Backend>>) -> anyhow::Result<()> {
    settings.check()?;
    let key = keys::load(&settings.keypair)?;
    let chain = Arc::new(MeteredChain(RpcChain::new(&settings.rpc_urls)?));
    let http = TcpListener::bind(settings.listen).await.with_context(|| {
        format!("cannot listen on {}; is another program there? Give the agent another --listen", settings.listen)
    })?;
    let catalogs = [COMMON, metrics::CATALOG, metrics::gpu::CATALOG];
    let metrics = Endpoint::open(settings.metrics_listen, &catalogs).await?;
    let agent = Agent::open(settings, chain, key, backends)?;
    agent.run(Listeners { http, metrics }, process::stop_signal()?).await
}

impl Agent {
    /// Opens the data directory and reads back what the last process left.
    ///
    /// # Errors
    /// When the directory, a database or the sandbox cannot be used.
    pub fn open(
        settings: Settings,
        chain: Arc<dyn Chain>,
        key: Keypair,
        backends: Vec<Arc<dyn Backend>>,
    ) -> anyhow::Result<Arc<Self>> {
        let dir = std::path::absolute(&settings.data_dir)?;
        let keypair = std::path::absolute(&settings.keypair)?;
        let settings = Settings { data_dir: dir.clone(), keypair, ..settings };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir.join("leases"))
            .with_context(|| format!("cannot make the data directory {}", dir.display()))?;
        let lock = millrace_journal::claim(&dir)?;
        let journal = Journal::open(&dir.join("agent.db"))?;
        let leases = journal.leases_after_restart()?.into_iter().collect();
        let provider = pda::provider(&settings.authority_key()?);
        let nodes = settings.nodes.iter().map(|index| pda::node(&provider, *index)).collect();
        // One name a data directory: a restart finds and removes what a killed agent left.
        let cgroup =
            format!("millrace-{}", &hex::encode(millrace_jobs::content_hash(dir.as_os_str().as_encoded_bytes()))[..16]);
        let cgroups = settings.jobs.use_cgroups.then(|| Cgroups::find(&cgroup)).flatten();
        let sandbox = Sandbox::new(Privilege::of_this_process(), cgroups)?.keeping_free(settings.jobs.keep_free_mib);
        let seal_key = SigningKey::from_bytes(&keys::seed(&key));
        let (runs, waiting_runs) = mpsc::channel(MAX_WAITING_RUNS);
        Ok(Arc::new(Self {
            http: SignedClient::new(seal_key.clone(), ANSWER_WITHIN)?,
            outbox: Outbox::open(dir.join("outbox.db"))?.with_max_priority_fee(settings.max_priority_fee_lamports),
            settings,
            chain,
            key,
            seal_key,
            provider,
            nodes,
            backends,
            journal,
            sandbox,
            view: watch::Sender::new(None),
            runs,
            waiting_runs: Mutex::new(Some(waiting_runs)),
            leases: Mutex::new(leases),
            transfers: Mutex::default(),
            _lock: lock,
        }))
    }

    /// Runs until `stop`, then stops in order: no more requests, no more bids and audits, the sandboxes, the view.
    ///
    /// # Errors
    /// When the sandbox does not work or a task fails.
    pub async fn run(
        self: Arc<Self>,
        listeners: impl Into<Listeners>,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let Listeners { http, metrics } = listeners.into();
        let server = Server::new(api::router(self.clone()), tls::server_config(&self.seal_key)?);
        let mut supervisor = Supervisor::default();
        if let Some(endpoint) = metrics {
            supervisor.spawn("metrics", |stop| endpoint.serve(stop));
            supervisor.spawn("gauges", |stop| self.clone().show_gauges(stop));
            supervisor.spawn("gpus", metrics::gpu::run);
        }
        self.sandbox.check(&self.settings.data_dir).await?;
        tracing::info!(
            provider = %self.provider,
            operator = %self.key.pubkey(),
            provers = %self.backends.iter().map(|backend| backend.name()).collect::<Vec<_>>().join(", "),
            limits = if self.sandbox.has_cgroups() { "cgroup" } else { "watchdog" },
            environments = %Environment::list(&self.settings.environments_dir).join(", "),
            "starting"
        );
        match tokio::time::timeout(RECONCILE_WITHIN, self.outbox.reconcile(self.chain.as_ref())).await {
            Ok(Ok(ends)) => ends
                .iter()
                .for_each(|end| tracing::info!(label = end.label, end = ?end.settled, "left by the last process")),
            Ok(Err(error)) => tracing::warn!("what the last process sent is not yet known: {error}"),
            Err(_) => tracing::warn!("what the last process sent is not yet known: the chain is slow"),
        }
        let waiting_runs = lock(&self.waiting_runs).take().context("the agent runs already")?;
        supervisor.spawn("observer", |stop| tasks::observer::run(self.clone(), stop));
        supervisor.spawn("reports", |stop| tasks::reports::run(self.clone(), stop));
        supervisor.spawn("leases", |stop| tasks::leases::run(self.clone(), waiting_runs, stop));
        supervisor.spawn("audits", |stop| tasks::audits::run(self.clone(), stop));
        supervisor.spawn("bandwidth", |stop| tasks::bandwidth::run(self.clone(), stop));
        supervisor.spawn("bids", |stop| tasks::bids::run(self.clone(), stop));
        supervisor.spawn("http", |stop| server.run(http, stop));
        supervisor.run(stop).await
    }

    async fn show_gauges(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let gauges = Gauges {
            chain: self.chain.clone(),
            payer: self.key.pubkey(),
            data_dir: self.settings.data_dir.clone(),
            databases: &["agent", "outbox"],
        };
        gauges.run(|| metrics::show(&self), stop).await
    }

    /// The chain as last seen, unless that is too long ago.
    pub fn fresh(&self) -> Option<Arc<View>> {
        self.view.borrow().clone().filter(|view| view.taken.elapsed() < VIEW_LASTS)
    }

    /// Submits instructions signed and paid by the operator.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, label: &str, instructions: &[Instruction]) -> Result<(), SubmitError> {
        let signature = self.outbox.submit(self.chain.as_ref(), label, instructions, &self.key, &[]).await?;
        tracing::info!(label, %signature, "landed");
        Ok(())
    }

    /// A lease as it now is.
    pub fn lease(&self, lease: &Pubkey) -> Option<LeaseRecord> {
        lock(&self.leases).get(lease).cloned()
    }

    /// All leases.
    pub fn leases(&self) -> Vec<(Pubkey, LeaseRecord)> {
        lock(&self.leases).iter().map(|(lease, record)| (*lease, record.clone())).collect()
    }

    /// What the oracles state of a node's link.
    pub fn transfers(&self, node: &Pubkey) -> Transfers {
        lock(&self.transfers).get(node).cloned().unwrap_or_default()
    }

    /// Keeps what an oracle states of a node's link.
    pub fn keep_transfers(&self, node: &Pubkey, oracle: &Pubkey, stated: Vec<Statement>) {
        lock(&self.transfers).entry(*node).or_default().insert(*oracle, stated);
    }

    /// Writes a lease down, then lets it be seen.
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing changed.
    pub fn set_lease(&self, lease: &Pubkey, record: LeaseRecord) -> anyhow::Result<()> {
        self.journal.save_lease(lease, &record)?;
        let phase = record.phase;
        let before = lock(&self.leases).insert(*lease, record);
        metrics::moved(before.map(|before| before.phase), phase);
        Ok(())
    }

    /// Forgets a lease and its files.
    ///
    /// # Errors
    /// When the journal or the files cannot be changed.
    pub fn forget_lease(&self, lease: &Pubkey) -> anyhow::Result<()> {
        match std::fs::remove_dir_all(self.lease_dir(lease)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        self.journal.forget_lease(lease)?;
        lock(&self.leases).remove(lease);
        Ok(())
    }

    /// Where a lease's inputs, log and results lie.
    pub fn lease_dir(&self, lease: &Pubkey) -> PathBuf {
        self.settings.data_dir.join("leases").join(lease.to_string())
    }

    /// The environment `name`, unless using it would show a job this agent's secrets.
    ///
    /// # Errors
    /// [`EnvironmentError`].
    pub fn environment(&self, name: &str) -> Result<Environment, EnvironmentError> {
        Environment::load(&self.settings.environments_dir, name, &[&self.settings.data_dir, &self.settings.keypair])
    }

    /// Signs an answer.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn seal<T: serde::Serialize>(&self, domain: &str, answer: &T) -> Result<Sealed, serde_json::Error> {
        Sealed::seal(&self.seal_key, domain, answer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
