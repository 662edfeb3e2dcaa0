//! The daemon: what its tasks share, and how they start and stop.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::DirBuilderExt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use ed25519_dalek::SigningKey;
use millrace_client::{keys, Chain, Keypair, Pubkey, Signer};
pub use millrace_daemon::blocking;
use millrace_daemon::gauges::Gauges;
use millrace_daemon::{Listeners, Outbox, Supervisor};
use millrace_wire::{Sealed, SignedClient};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::books::{AuditBook, AuditEntry, Ballots, LeaseBook};
use crate::evidence::EvidenceStore;
use crate::journal::{Journal, StoredLease};
use crate::settings::{of_epoch, Settings};
use crate::view::View;
use crate::{api, metrics, tasks};

/// Longest a reconciliation at the start may take: what is left undecided is found out by the next submission.
const RECONCILE_WITHIN: Duration = Duration::from_secs(20);

/// What the tasks share.
pub struct Daemon {
    /// What the operator set.
    pub settings: Settings,
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// The seat's key.
    pub key: Keypair,
    /// Its public half.
    pub me: Pubkey,
    seal_key: SigningKey,
    /// Asks agents and other oracles, signing with the seat's key.
    pub client: SignedClient,
    /// What must survive.
    pub journal: Arc<Journal>,
    /// What watchers may read.
    pub evidence: Arc<EvidenceStore>,
    /// Sends transactions.
    pub outbox: Outbox,
    /// The chain as last seen.
    pub view: watch::Sender<Option<Arc<View>>>,
    /// Epoch this process first saw.
    pub up_since_epoch: OnceLock<u64>,
    /// Leases as they were when the last process stopped; each is taken out when its watch resumes.
    pub stored_leases: Mutex<HashMap<[u8; 32], StoredLease>>,
    leases: Mutex<LeaseBook>,
    audits: Mutex<AuditBook>,
    ballots: Mutex<Ballots>,
    born: Instant,
    /// Held for as long as this process has the data directory.
    _lock: File,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Daemon {
    /// Opens the data directory and reads back what the last process left.
    ///
    /// # Errors
    /// When the directory, a database or the key cannot be used.
    pub fn open(settings: Settings, chain: Arc<dyn Chain>, key: Keypair) -> anyhow::Result<Arc<Self>> {
        let dir = &settings.data_dir;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .with_context(|| format!("cannot make the data directory {}", dir.display()))?;
        let lock = millrace_journal::claim(dir)?;
        let journal = Journal::open_or_begin(&dir.join("journal.db"))?;
        let max_bytes = settings.limits.evidence_mib.saturating_mul(1 << 20);
        let evidence_path = dir.join("evidence.db");
        let evidence = EvidenceStore::open(&evidence_path, max_bytes)
            .with_context(|| format!("cannot use {}", evidence_path.display()))?;
        let outbox = Outbox::open(dir.join("outbox.db"))?;

        let mut audits = AuditBook::default();
        for stored in journal.audits()? {
            audits.add(AuditEntry::new(stored.record, stored.is_reported));
        }
        let (tallies, counted) = journal.tallies()?;
        let tallies = tallies.into_iter().map(|stored| (stored.oracle, stored.tally)).collect();
        let ballots = Ballots { tallies, counted, ..Ballots::default() };
        let stored_leases = journal.leases()?.into_iter().map(|stored| (stored.lease, stored)).collect();
        let seal_key = SigningKey::from_bytes(&keys::seed(&key));
        let client = SignedClient::new(seal_key.clone(), Duration::from_secs(5))?;
        Ok(Arc::new(Self {
            me: key.pubkey(),
            seal_key,
            settings,
            chain,
            key,
            client,
            journal: Arc::new(journal),
            evidence: Arc::new(evidence),
            outbox,
            view: watch::Sender::new(None),
            up_since_epoch: OnceLock::new(),
            stored_leases: Mutex::new(stored_leases),
            leases: Mutex::default(),
            audits: Mutex::new(audits),
            ballots: Mutex::new(ballots),
            born: Instant::now(),
            _lock: lock,
        }))
    }

    /// Serves `listeners` and runs every task until `stop`.
    ///
    /// # Errors
    /// What the task that failed first failed with.
    pub async fn run(
        self: Arc<Self>,
        listeners: impl Into<Listeners>,
        stop: impl std::future::Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let Listeners { http, metrics } = listeners.into();
        let mut supervisor = Supervisor::default();
        if let Some(endpoint) = metrics {
            supervisor.spawn("metrics", |stop| endpoint.serve(stop));
            supervisor.spawn("gauges", |stop| self.clone().show_gauges(stop));
        }
        match tokio::time::timeout(RECONCILE_WITHIN, self.outbox.reconcile(self.chain.as_ref())).await {
            Ok(Ok(ends)) => {
                for end in ends {
                    tracing::info!(label = end.label, signature = %end.signature, settled = ?end.settled, "reconciled");
                }
            }
            Ok(Err(error)) => tracing::warn!("some transactions of the last run are undecided: {error}"),
            Err(_) => tracing::warn!("some transactions of the last run are undecided after {RECONCILE_WITHIN:?}"),
        }
        supervisor.spawn("chain", |stop| tasks::observer::run(self.clone(), stop));
        supervisor.spawn("http", |stop| api::serve(self.clone(), http, stop));
        supervisor.spawn("beacons", |stop| tasks::beacons::run(self.clone(), stop));
        supervisor.spawn("params", |stop| tasks::params::run(self.clone(), stop));
        supervisor.spawn("leases", |stop| tasks::leases::run(self.clone(), stop));
        supervisor.spawn("audits", |stop| tasks::audits::run(self.clone(), stop));
        supervisor.spawn("archive", |stop| tasks::archive::run(self.clone(), stop));
        supervisor.spawn("openings", |stop| tasks::openings::run(self.clone(), stop));
        supervisor.spawn("reports", |stop| tasks::reports::run(self.clone(), stop));
        supervisor.spawn("rewards", |stop| tasks::rewards::run(self.clone(), stop));
        supervisor.run(stop).await
    }

    /// Signs an answer.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn seal<T: serde::Serialize>(&self, domain: &str, answer: &T) -> Result<Sealed, serde_json::Error> {
        Sealed::seal(&self.seal_key, domain, answer)
    }

    async fn show_gauges(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let gauges = Gauges {
            chain: self.chain.clone(),
            payer: self.me,
            data_dir: self.settings.data_dir.clone(),
            databases: &["journal", "outbox", "evidence"],
        };
        gauges.run(|| metrics::show(&self), stop).await
    }

    /// Milliseconds of this process's monotonic clock.
    pub fn millis(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The chain as last seen; `None` before the first look.
    pub fn latest(&self) -> Option<Arc<View>> {
        self.view.borrow().clone()
    }

    /// The chain as last seen, unless that is too long ago to decide by.
    pub fn fresh(&self) -> Option<Arc<View>> {
        let view = self.latest()?;
        let most = self.settings.timing.poll_every(view.epoch_secs()).saturating_mul(5).max(Duration::from_secs(3));
        (view.taken.elapsed() <= most).then_some(view)
    }

    /// Time between two looks at the chain.
    pub fn poll_every(&self) -> Duration {
        let epoch_secs = self.latest().map_or(1, |view| view.epoch_secs());
        self.settings.timing.poll_every(epoch_secs)
    }

    /// A fraction of an epoch in milliseconds.
    pub fn millis_of_epoch(&self, fraction: f64, view: &View) -> u64 {
        u64::try_from(of_epoch(fraction, view.epoch_secs()).as_millis()).unwrap_or(u64::MAX)
    }

    /// Leases under watch. Held only between two awaits.
    pub fn leases(&self) -> MutexGuard<'_, LeaseBook> {
        lock(&self.leases)
    }

    /// Audits under way. Held only between two awaits; after [`Self::leases`] where both are.
    pub fn audits(&self) -> MutexGuard<'_, AuditBook> {
        lock(&self.audits)
    }

    /// Ballots. Held only between two awaits; after the other two.
    pub fn ballots(&self) -> MutexGuard<'_, Ballots> {
        lock(&self.ballots)
    }

    /// Takes out what the last process knew of a lease.
    pub fn take_stored(&self, lease: &[u8; 32]) -> Option<StoredLease> {
        lock(&self.stored_leases).remove(lease)
    }

    /// What the last process knew of leases this one has not looked at yet: to be kept until it has.
    pub fn still_stored(&self) -> Vec<StoredLease> {
        lock(&self.stored_leases).values().copied().collect()
    }

    /// Whether the last process knew of a lease this one has not looked at yet.
    pub fn is_still_stored(&self, lease: &[u8; 32]) -> bool {
        lock(&self.stored_leases).contains_key(lease)
    }

    /// Forgets what the last process knew of leases that did not show up.
    pub fn forget_stored(&self) {
        lock(&self.stored_leases).clear();
    }
}
