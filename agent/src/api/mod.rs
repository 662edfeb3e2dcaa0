//! What the agent answers: status to oracles, logs and results to the customer, health to anyone.

mod leases;

use std::sync::Arc;

use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, put};
use axum::{Extension, Json, Router};
use millrace_client::Signer;
use millrace_daemon::http::meter;
use millrace_jobs::MAX_BUNDLE_BYTES;
use millrace_wire::messages::JobPhase;
use millrace_wire::{verify, ApiError, VerifierState};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::agent::Agent;
use crate::metrics;
use crate::sandbox::Environment;

/// Uploads under way at once, each in memory until its signature is checked.
const MAX_UPLOADS: usize = 4;

/// Proofs of chunks made at once: each reads all of its results.
const MAX_PROOFS: usize = 2;

/// All routes.
pub fn router(agent: Arc<Agent>) -> Router {
    let verifier = VerifierState::new(agent.settings.http_authority(), 0);
    let inputs_verifier = verifier.with_max_body(MAX_BUNDLE_BYTES as usize);
    let inputs = Router::new()
        .route("/v1/leases/{lease}/inputs", put(leases::put_inputs))
        .layer(from_fn_with_state(inputs_verifier, verify))
        .layer(from_fn_with_state((agent.clone(), Arc::new(Semaphore::new(MAX_UPLOADS))), leases::admit_upload));
    let proofs = Arc::new(Semaphore::new(MAX_PROOFS));
    let chunks =
        Router::new().route("/v1/leases/{lease}/results/chunks", get(leases::result_chunks)).layer(Extension(proofs));
    let reads = Router::new()
        .merge(chunks)
        .route("/v1/leases/{lease}/logs", get(leases::logs))
        .route("/v1/leases/{lease}/results", get(leases::results));
    Router::new()
        .route("/v1/health", get(health))
        // Its answer is evidence by itself, and tells a stranger nothing the chain does not.
        .route("/v1/leases/{lease}/status", get(leases::status))
        .merge(inputs)
        .merge(reads.layer(from_fn_with_state(verifier, verify)))
        .fallback(|| async {
            ApiError::not_found("there is no such route", "see /v1/health, /v1/leases/{lease}/status")
        })
        .layer(from_fn_with_state(metrics::HTTP, meter))
        .with_state(agent)
}

/// How the daemon is.
#[derive(Debug, Serialize)]
struct Health {
    version: &'static str,
    provider: String,
    operator: String,
    nodes: Vec<NodeHealth>,
    epoch: Option<u64>,
    /// How long ago the chain was looked at, milliseconds.
    seen_millis_ago: Option<u64>,
    journal: bool,
    environments: Vec<String>,
    jobs_running: usize,
    leases: usize,
}

#[derive(Debug, Serialize)]
struct NodeHealth {
    node: String,
    verified_gops: u64,
    verified_until: i64,
    leased: bool,
}

async fn health(State(agent): State<Arc<Agent>>) -> Json<Health> {
    let view = agent.view.borrow().clone();
    let leases = agent.leases();
    let nodes = view.iter().flat_map(|view| &view.nodes).map(|(key, node)| NodeHealth {
        node: key.to_string(),
        verified_gops: node.verified_gops,
        verified_until: node.verified_until,
        leased: node.lease != Default::default(),
    });
    Json(Health {
        version: env!("CARGO_PKG_VERSION"),
        provider: agent.provider.to_string(),
        operator: agent.key.pubkey().to_string(),
        nodes: nodes.collect(),
        epoch: view.as_ref().map(|view| view.epoch),
        seen_millis_ago: view.map(|view| u64::try_from(view.taken.elapsed().as_millis()).unwrap_or(u64::MAX)),
        journal: agent.journal.is_healthy(),
        environments: Environment::list(&agent.settings.environments_dir),
        jobs_running: leases.iter().filter(|(_, record)| record.phase == JobPhase::Running).count(),
        leases: leases.len(),
    })
}
