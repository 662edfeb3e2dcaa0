//! What the daemon answers. Agents sign with their operator key, oracles with their seat key, watchers not at all.

mod audits;
mod bandwidth;
mod limit;
mod memory;
mod nodes;
mod public;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::{from_fn_with_state, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::Router;
use millrace_client::keys;
use millrace_core::proof::memory::{Layout, MAX_WALKERS, MAX_WORDS};
use millrace_core::proof::{MAX_N, MAX_ROUNDS};
use millrace_daemon::common::refused;
use millrace_daemon::http::meter;
use millrace_gemm::bundle_len;
use millrace_gemm::memory::memory_bundle_len;
use millrace_wire::messages::Statement;
use millrace_wire::{verify, ApiError, Verified, VerifierState};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::daemon::Daemon;
use crate::metrics;
use crate::view::{read_beacons, View};
use limit::RateLimit;
use nodes::NodeDirectory;

/// Largest body but for bundles and answers, bytes: the statements of 32 oracles.
const MAX_BODY: usize = 64 << 10;

/// Requests under way at once: with the largest bundle they take 96 MB.
const MAX_REQUESTS: usize = 256;

/// Answers about memory read at once: with the largest they take 96 MB.
const MAX_ANSWERS: usize = 16;

/// Longest open connections may take to end when the daemon stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);

/// What handlers share.
pub(crate) struct Api {
    pub daemon: Arc<Daemon>,
    pub nodes: NodeDirectory,
    /// Bundles and answers verified at once.
    pub verifying: Semaphore,
    /// Links measured at once.
    pub measuring: Arc<Semaphore>,
    /// Accepted reports being sent.
    pub reports: public::ReportTexts,
    /// Answers about memory read at once.
    answers: Semaphore,
    rate: RateLimit,
    requests: Semaphore,
}

impl Api {
    /// The latched beacon of `epoch`: as last seen, or read now, for an agent that saw it a moment earlier.
    pub async fn beacon(&self, view: &View, epoch: u64) -> Result<Option<[u8; 32]>, ApiError> {
        if let Some(hash) = view.beacon(epoch) {
            return Ok(Some(hash));
        }
        let beacons = read_beacons(self.daemon.chain.as_ref()).await.map_err(internal)?;
        Ok(beacons.and_then(|beacons| beacons.latched(epoch).map(|beacon| beacon.hash)))
    }

    /// A statement of this oracle.
    pub fn sign(&self, statement: &[u8]) -> Statement {
        let signature = keys::sign(&self.daemon.key, statement).to_vec();
        Statement { statement: statement.to_vec(), signature }
    }

    /// The beacon after that of `epoch`.
    pub async fn next_beacon(&self, view: &View, epoch: u64) -> Result<[u8; 32], ApiError> {
        self.beacon(view, epoch.saturating_add(1)).await?.ok_or_else(|| {
            ApiError::conflict("the next beacon is not latched yet", "answer its queries once it is in Beacons")
        })
    }

    /// The chain as last seen.
    pub fn view(&self) -> Result<Arc<View>, ApiError> {
        self.daemon.fresh().ok_or_else(|| {
            ApiError::unavailable("this oracle does not see the chain at the moment", "try again in some seconds")
        })
    }
}

/// An error that is this oracle's own, said without its particulars.
pub(crate) fn internal(error: impl std::fmt::Display) -> ApiError {
    tracing::error!("a request failed: {error:#}");
    ApiError::unavailable("this oracle cannot answer at the moment", "try another oracle, or again later")
}

/// All routes.
pub fn router(daemon: Arc<Daemon>) -> Router {
    let limits = daemon.settings.limits;
    let verifier = VerifierState::new(daemon.settings.authority(), MAX_BODY);
    let bundle_verifier = verifier.with_max_body(bundle_len(MAX_N, MAX_ROUNDS));
    let largest = Layout::new(MAX_WORDS).map_or(0, |layout| memory_bundle_len(&layout, MAX_WALKERS));
    let answer_verifier = verifier.with_max_body(largest);
    let api = Arc::new(Api {
        daemon,
        nodes: NodeDirectory::default(),
        verifying: Semaphore::new(limits.verify_at_once),
        reports: public::ReportTexts::default(),
        measuring: Arc::new(Semaphore::new(limits.measure_at_once)),
        answers: Semaphore::new(MAX_ANSWERS),
        rate: RateLimit::new(limits.requests_per_sec),
        requests: Semaphore::new(MAX_REQUESTS),
    });
    // Layers run from the last added to the first.
    let signed = |routes: Router<Arc<Api>>, verifier: VerifierState| {
        routes.layer(from_fn_with_state(api.clone(), limit_rate)).layer(from_fn_with_state(verifier, verify))
    };
    let small = Router::new()
        .route("/v1/audits/shares", post(audits::share))
        .route("/v1/audits/commits", post(audits::commit))
        .route("/v1/audits/{commit_id}/memory", post(memory::fill))
        .route("/v1/audits/{commit_id}/walks", post(memory::walks))
        .route("/v1/audits/{commit_id}/statements", post(bandwidth::statements))
        .route("/v1/nodes/{node}/transfers", get(bandwidth::transfers))
        .route("/v1/nodes/{node}/link", post(bandwidth::link))
        .route("/v1/observations/{epoch}/{oracle}", get(public::observations))
        .route("/v1/ballots/{epoch}", post(public::ballot))
        .route("/v1/proposals/{epoch}", get(public::proposal));
    let bundles = Router::new().route("/v1/audits/{commit_id}/bundle", post(audits::bundle));
    let answers = Router::new().route("/v1/audits/{commit_id}/memory/answer", post(memory::answer));
    Router::new()
        .route("/v1/health", get(public::health))
        .route("/v1/reports/{epoch}", get(public::report))
        .route("/v1/evidence", get(public::evidence_list))
        .route("/v1/evidence/{commit_id}", get(public::evidence))
        .merge(signed(small, verifier))
        .merge(signed(bundles, bundle_verifier))
        .merge(signed(answers, answer_verifier).layer(from_fn_with_state(api.clone(), limit_answers)))
        .fallback(|| async { ApiError::not_found("there is no such route", "see /v1/health, /v1/reports/{epoch}") })
        .layer(from_fn_with_state(api.clone(), limit_requests))
        .layer(from_fn_with_state(metrics::HTTP, meter))
        .with_state(api)
}

/// Serves until stopped.
///
/// # Errors
/// When the listener fails.
pub async fn serve(daemon: Arc<Daemon>, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "serving");
    let server = axum::serve(listener, router(daemon)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN_WITHIN).await;
    };
    tokio::select! {
        outcome = std::future::IntoFuture::into_future(server) => Ok(outcome?),
        () = drained => Ok(()),
    }
}

async fn limit_requests(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    match api.requests.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => {
            refused("busy");
            ApiError::unavailable("too many requests are under way", "try again in a moment").into_response()
        }
    }
}

async fn limit_answers(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    match api.answers.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => {
            refused("busy");
            ApiError::unavailable("too many answers are under way", "try again in a moment").into_response()
        }
    }
}

async fn limit_rate(State(api): State<Arc<Api>>, verified: Verified, request: Request, next: Next) -> Response {
    if api.rate.admits(&verified.key, Instant::now()) {
        return next.run(request).await;
    }
    refused("rate");
    let most = api.daemon.settings.limits.requests_per_sec;
    ApiError::too_many("this key sends too many requests", format!("at most {most} a second")).into_response()
}
