//! The proof of memory of an audit: fill, walks, answer. None of it decides an audit; memory that was not proven in time
//! does not count.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::Json;
use millrace_core::proof::memory::{MemoryCommit, MemoryError, WalkCommit};
use millrace_core::proof::statement::MemoryStatement;
use millrace_gemm::memory::{verify_memory, MemoryRefusal};
use millrace_wire::messages::{MemoryRequest, Share, Statement, WalkReceipt, WalkRequest};
use millrace_wire::{ApiError, Verified};

use super::audits::{audited, pairs, read, refuse_commit, Audited, Verifying};
use super::{internal, Api};
use crate::books::AuditEntry;
use crate::daemon::blocking;
use crate::decide::intake::{check_shares, is_late, CommitRefusal, Givers};
use crate::decide::memory::{check_fill, time_for};
use crate::decide::{AuditState, MemoryTest};
use crate::metrics::{VERIFY_SECONDS, WALKS};
use crate::view::{named_slot, read_beacons};

/// `POST /v1/audits/{commit_id}/memory`: takes the commit to a full memory. When all GPUs of the node are full, gives this
/// oracle's share of the walks and starts its clock. Asked again, it gives the same share and the clock runs on.
pub(crate) async fn fill(
    State(api): State<Arc<Api>>,
    Path(commit_id): Path<String>,
    verified: Verified,
    body: Bytes,
) -> Result<Json<Share>, ApiError> {
    let request: MemoryRequest = read(&body)?;
    let commit = MemoryCommit::from_bytes(&request.commit).map_err(refuse_bytes)?;
    let Audited { entry, .. } = audited(&api, &commit_id, &verified).await?;
    check_fill(&commit.task, &entry.record.commit, entry.record.gops_of_one())
        .map_err(|refusal| unprocessable(refusal.to_string()))?;
    take_fill(&api, &entry.commit_id, commit)?;
    match api.daemon.audits().begin_walks(&entry.record.key()) {
        Some(share) => Ok(Json(Share { oracle: api.daemon.me.to_bytes(), share })),
        None => {
            Err(ApiError::new(StatusCode::TOO_EARLY, "the node's other GPUs are not full yet", "ask when they are"))
        }
    }
}

/// Writes a fill down, unless the audit has another.
fn take_fill(api: &Api, commit_id: &[u8; 32], commit: MemoryCommit) -> Result<(), ApiError> {
    let mut audits = api.daemon.audits();
    let entry = audits.by_commit(commit_id).filter(|entry| entry.record.state == AuditState::Pending);
    let entry = entry.ok_or_else(|| ApiError::conflict("this audit is judged", "prove the memory of the next one"))?;
    match entry.memory {
        MemoryTest::Filled { commit: known, .. } if known == commit => Ok(()),
        MemoryTest::Unfilled => {
            entry.memory = MemoryTest::Filled { commit, share: rand::random(), since: None };
            Ok(())
        }
        _ => Err(ApiError::conflict("this audit's memory is committed already", "fill it once an audit")),
    }
}

/// `POST /v1/audits/{commit_id}/walks`: stops the clock.
pub(crate) async fn walks(
    State(api): State<Arc<Api>>,
    Path(commit_id): Path<String>,
    verified: Verified,
    body: Bytes,
) -> Result<Json<WalkReceipt>, ApiError> {
    // The body is here and verified: what came after the clock stopped would be the prover's gain.
    let stopped = Instant::now();
    let request: WalkRequest = read(&body)?;
    let walks = WalkCommit::from_bytes(&request.walks).map_err(refuse_bytes)?;
    let Audited { entry, view, .. } = audited(&api, &commit_id, &verified).await?;
    let MemoryTest::Filled { commit, share, since: Some(since) } = entry.memory else {
        return Err(ApiError::conflict("no fill is waiting for its walks", "commit to the fill first, walk once"));
    };
    if walks.memory_id != commit.id() {
        return Err(unprocessable("the walks are of another fill than the one committed".to_owned()));
    }
    let givers =
        Givers { me: api.daemon.me.to_bytes(), seats: &view.share_givers(), quorum_bps: view.config.params.quorum_bps };
    check_shares(&walks.nonce, &pairs(&request.shares), share, &givers).map_err(refuse_commit)?;
    // Asked afresh, the slot last: a beacon not open by then names a slot that is still ahead.
    let chain = api.daemon.chain.as_ref();
    let beacons = read_beacons(chain).await.map_err(internal)?;
    let next_epoch = entry.record.commit.epoch.saturating_add(1);
    let next_beacon_slot = beacons.and_then(|beacons| named_slot(&beacons, next_epoch));
    if is_late(chain.slot().await.map_err(internal)?, next_beacon_slot) {
        return Err(refuse_commit(CommitRefusal::TooLate));
    }
    let elapsed_nanos = u64::try_from(stopped.saturating_duration_since(since).as_nanos()).unwrap_or(u64::MAX);
    let deadline_nanos = time_for(commit.task.walkers, entry.record.gops_of_one());
    let in_time = elapsed_nanos <= deadline_nanos;
    set_memory(&api, &entry.commit_id, entry.memory, MemoryTest::Walked { commit, walks, in_time })?;
    WALKS.inc(&[if in_time { "in_time" } else { "late" }]);
    Ok(Json(WalkReceipt { elapsed_nanos, deadline_nanos }))
}

/// `POST /v1/audits/{commit_id}/memory/answer`: what the next beacon asked for. Gives this oracle's statement about it.
pub(crate) async fn answer(
    State(api): State<Arc<Api>>,
    Path(commit_id): Path<String>,
    verified: Verified,
    body: Bytes,
) -> Result<Json<Statement>, ApiError> {
    let Audited { entry, view, .. } = audited(&api, &commit_id, &verified).await?;
    let (commit, walks, in_time) = match entry.memory {
        MemoryTest::Answered { vram_mib } => return Ok(Json(statement(&api, &entry, vram_mib))),
        MemoryTest::Walked { commit, walks, in_time } => (commit, walks, in_time),
        _ => return Err(ApiError::conflict("there are no walks to answer for", "commit to fill and walks first")),
    };
    if !entry.record.takes_bundle(view.epoch) {
        return Err(ApiError::conflict("this audit is judged, or its time is up", "answer before the bundle"));
    }
    let next_beacon = api.next_beacon(&view, entry.record.commit.epoch).await?;
    let _verifying = Verifying::begin(&api, entry.commit_id)?;
    let _permit = api.verifying.acquire().await.map_err(internal)?;
    let began = Instant::now();
    let outcome = blocking(move || verify_memory(&commit, &walks, &next_beacon, &body)).await.map_err(internal)?;
    VERIFY_SECONDS.observe(began.elapsed(), &["memory"]);
    let proven_mib = match outcome {
        Ok(()) => commit.task.layout().map_err(refuse_bytes)?.proven_mib(),
        Err(ref refusal @ MemoryRefusal::Wrong { .. }) => {
            tracing::warn!(commit_id = hex::encode(entry.commit_id), "a false proof of memory: {refusal}");
            0
        }
        Err(refusal) => return Err(unprocessable(refusal.to_string())),
    };
    let vram_mib = if in_time { proven_mib } else { 0 };
    set_memory(&api, &entry.commit_id, entry.memory, MemoryTest::Answered { vram_mib })?;
    match outcome {
        Ok(()) => Ok(Json(statement(&api, &entry, vram_mib))),
        Err(refusal) => Err(unprocessable(refusal.to_string())),
    }
}

fn statement(api: &Api, entry: &AuditEntry, vram_mib: u32) -> Statement {
    let stated = MemoryStatement {
        deployment_id: entry.record.commit.deployment_id,
        oracle: api.daemon.me.to_bytes(),
        commit_id: entry.commit_id,
        vram_mib,
    };
    api.sign(&stated.to_bytes())
}

/// Takes the proof of memory a step further, unless another request did.
fn set_memory(api: &Api, commit_id: &[u8; 32], from: MemoryTest, to: MemoryTest) -> Result<(), ApiError> {
    let mut audits = api.daemon.audits();
    let entry = audits.by_commit(commit_id).filter(|entry| entry.memory == from);
    let entry = entry.ok_or_else(|| ApiError::conflict("another request was first", "send each step once"))?;
    entry.memory = to;
    Ok(())
}

fn refuse_bytes(error: MemoryError) -> ApiError {
    ApiError::bad_request(error.to_string(), "send the encoding that millrace_core::proof::memory describes")
}

fn unprocessable(wrong: String) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, wrong, "see docs/memory-and-bandwidth.md")
}
