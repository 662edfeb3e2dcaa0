//! Running oracles, an agent that says what it is told to, and what is needed besides [`millrace_oracle::testing`].
#![allow(dead_code)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path as UrlPath, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use bytemuck::Zeroable;
use millrace::state::Lease;
use millrace_client::Pubkey;
use millrace_daemon::Server;
use millrace_jobs::{content_hash, prove_chunks};
pub use millrace_oracle::testing::*;
use millrace_oracle::Daemon;
use millrace_wire::messages::{JobPhase, LeaseStatusAnswer, LEASE_STATUS_DOMAIN};
use millrace_wire::tls::server_config;
use millrace_wire::Sealed;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

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

/// Opens a lease of the one node.
pub fn open_lease(chain: &ToyChain, max_secs: u64) -> Pubkey {
    let (provider, node) = provider_and_node();
    let key = Pubkey::new_from_array([88; 32]);
    chain.accounts.set(key, &Lease { provider, node, max_secs, started_at: chain.now(), ..Lease::zeroed() });
    key
}

/// What the agent says of every lease.
pub type Said = Arc<Mutex<(JobPhase, i32)>>;

/// The results of every job that ended, three chunks of them.
pub const RESULTS: &[u8] = &[9; 40_000];

/// Starts an agent that says what it is told to, sealed by the operator, over TLS.
pub async fn agent(said: Said) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/v1/leases/{lease}/status", get(status))
        .route("/v1/leases/{lease}/results/chunks", get(chunks))
        .with_state(said);
    serve(router, listener).await;
    url
}

/// Starts an agent that says so too, and has no results.
pub async fn agent_without_results(said: Said) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    serve(Router::new().route("/v1/leases/{lease}/status", get(status)).with_state(said), listener).await;
    url
}

async fn serve(router: Router, listener: TcpListener) {
    let server = Server::new(router, server_config(&operator()).unwrap());
    tokio::spawn(server.run(listener, CancellationToken::new()));
}

async fn chunks(Query(query): Query<HashMap<String, String>>) -> Vec<u8> {
    let indices: Vec<u64> = query["of"].split(',').map(|index| index.parse().unwrap()).collect();
    prove_chunks(RESULTS, RESULTS.len() as u64, &indices).unwrap()
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
        result_root: if has_ended { content_hash(RESULTS) } else { [0; 32] },
        result_bytes: if has_ended { RESULTS.len() as u64 } else { 0 },
        checkpoint_root: [0; 32],
        detail: String::new(),
    };
    Json(Sealed::seal(&operator(), LEASE_STATUS_DOMAIN, &answer).unwrap())
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
