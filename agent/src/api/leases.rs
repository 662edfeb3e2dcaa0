//! A lease's routes. Only its customer sends inputs and reads logs and results.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::Json;
use millrace_client::Pubkey;
use millrace_daemon::blocking;
use millrace_daemon::common::refused;
use millrace_jobs::{Bounds, InputBundle, Limits};
use millrace_wire::messages::{JobPhase, LeaseStatusAnswer, LEASE_STATUS_DOMAIN};
use millrace_wire::{ApiError, Sealed, Verified};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::agent::Agent;
use crate::journal::LeaseRecord;
use crate::sandbox::MAX_LOG_BYTES;
use crate::settings::Jobs;
use crate::tasks::leases::{durable_write, INPUTS, LOG, RESULTS};

/// Longest nonce an asker may have sealed.
const MAX_NONCE: usize = 128;

/// An error that is this agent's own, said without its particulars.
fn internal(error: impl std::fmt::Display) -> ApiError {
    tracing::error!("a request failed: {error:#}");
    ApiError::unavailable("this agent cannot answer at the moment", "try again later")
}

fn find(agent: &Agent, lease: &str) -> Result<(Pubkey, LeaseRecord), ApiError> {
    let key: Pubkey = lease
        .parse()
        .map_err(|_| ApiError::bad_request(format!("{lease:?} is not an address"), "the lease account's, in base58"))?;
    let record = agent.lease(&key).ok_or_else(|| {
        ApiError::not_found(
            format!("this agent serves no lease {key}"),
            "ask the agent of the lease's provider; right after an award, ask again in a moment",
        )
    })?;
    Ok((key, record))
}

fn find_as_customer(agent: &Agent, lease: &str, asker: Verified) -> Result<(Pubkey, LeaseRecord), ApiError> {
    let (key, record) = find(agent, lease)?;
    match record.customer == asker.key {
        true => Ok((key, record)),
        false => Err(ApiError::forbidden(
            format!("the request is signed by {}", Pubkey::from(asker.key)),
            format!("only the lease's customer {} may do this", Pubkey::from(record.customer)),
        )),
    }
}

fn seal_status(agent: &Agent, lease: &Pubkey, record: LeaseRecord, nonce: String) -> Result<Json<Sealed>, ApiError> {
    let LeaseRecord { phase, exit_code, result_root, detail, .. } = record;
    let answer = LeaseStatusAnswer {
        lease: lease.to_bytes(),
        nonce,
        phase,
        exit_code,
        result_root,
        checkpoint_root: [0; 32],
        detail,
    };
    agent.seal(LEASE_STATUS_DOMAIN, &answer).map(Json).map_err(internal)
}

#[derive(Deserialize)]
pub(super) struct Nonce {
    #[serde(default)]
    nonce: String,
}

/// `GET /v1/leases/{lease}/status?nonce=`: how far the job is, signed with the asker's nonce.
pub(super) async fn status(
    State(agent): State<Arc<Agent>>,
    Path(lease): Path<String>,
    Query(Nonce { nonce }): Query<Nonce>,
) -> Result<Json<Sealed>, ApiError> {
    if nonce.len() > MAX_NONCE || !nonce.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(ApiError::bad_request("the nonce is not one", format!("at most {MAX_NONCE} letters and digits")));
    }
    let (key, record) = find(&agent, &lease)?;
    seal_status(&agent, &key, record, nonce)
}

/// Middleware before any byte of an upload is read: only for a lease of this agent, and only a few at once.
pub(super) async fn admit_upload(
    State((agent, uploads)): State<(Arc<Agent>, Arc<Semaphore>)>,
    Path(lease): Path<String>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(refusal) = find(&agent, &lease) {
        return refusal.into_response();
    }
    match uploads.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => {
            refused("busy");
            ApiError::unavailable("other uploads are under way", "try again in a moment").into_response()
        }
    }
}

/// `PUT /v1/leases/{lease}/inputs`: the bundle the job was posted with. Sent again, it changes nothing.
pub(super) async fn put_inputs(
    State(agent): State<Arc<Agent>>,
    Path(lease): Path<String>,
    asker: Verified,
    body: Bytes,
) -> Result<Json<Sealed>, ApiError> {
    let (key, record) = find_as_customer(&agent, &lease, asker)?;
    let hash = record.manifest_hash;
    let bundle =
        blocking(move || InputBundle::unpack(body.to_vec(), &hash, Bounds::default())).await.map_err(internal)?;
    let bundle = bundle.map_err(|error| refuse(&error.to_string()))?;
    if record.phase == JobPhase::AwaitingInputs {
        agent.environment(&bundle.manifest.job.environment).map_err(|error| {
            tracing::warn!(lease = %key, "{error}");
            refuse(&error.to_string())
        })?;
        check_limits(&bundle.manifest.limits, &agent.settings.jobs)?;
        let path = agent.lease_dir(&key).join(INPUTS);
        let write = move || -> anyhow::Result<()> {
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir)?;
            }
            durable_write(&path, bundle.bytes())
        };
        blocking(write).await.and_then(|written| written).map_err(internal)?;
        agent.runs.send(key).await.map_err(internal)?;
    }
    let record = agent.lease(&key).unwrap_or(record);
    seal_status(&agent, &key, record, String::new())
}

/// Splits what is wrong from what would be right.
fn refuse(text: &str) -> ApiError {
    match text.split_once("; ") {
        Some((wrong, right)) => ApiError::bad_request(wrong, right),
        None => ApiError::bad_request(text, "the bundle the job was posted with"),
    }
}

fn check_limits(asked: &Limits, granted: &Jobs) -> Result<(), ApiError> {
    for (name, asked, granted) in [
        ("limits.memory_mib", asked.memory_mib, granted.max_memory_mib),
        ("limits.disk_mib", asked.disk_mib, granted.max_disk_mib),
        ("limits.pids", u64::from(asked.pids), u64::from(granted.max_pids)),
    ] {
        if asked > granted {
            return Err(ApiError::bad_request(
                format!("the manifest asks for {name} = {asked}"),
                format!("this node grants at most {granted}"),
            ));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
pub(super) struct Offset {
    #[serde(default)]
    offset: u64,
}

/// `GET /v1/leases/{lease}/logs?offset=N`: the job's output from byte N on.
pub(super) async fn logs(
    State(agent): State<Arc<Agent>>,
    Path(lease): Path<String>,
    Query(Offset { offset }): Query<Offset>,
    asker: Verified,
) -> Result<Vec<u8>, ApiError> {
    let (key, _) = find_as_customer(&agent, &lease, asker)?;
    let path = agent.lease_dir(&key).join(LOG);
    let read = move || -> std::io::Result<Vec<u8>> {
        let mut file = match std::fs::File::open(path) {
            // No job ran yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(MAX_LOG_BYTES as u64 * 2).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    blocking(read).await.map_err(internal)?.map_err(internal)
}

/// `GET /v1/leases/{lease}/results`: the outputs as a tar archive whose sha256 is the lease's result root.
pub(super) async fn results(
    State(agent): State<Arc<Agent>>,
    Path(lease): Path<String>,
    asker: Verified,
) -> Result<Vec<u8>, ApiError> {
    let (key, record) = find_as_customer(&agent, &lease, asker)?;
    if record.result_root == [0; 32] {
        return Err(ApiError::conflict(
            format!("there are no results: the job is {:?}. {}", record.phase, record.detail).trim_end().to_owned(),
            "ask once the job has ended and written its outputs",
        ));
    }
    let path = agent.lease_dir(&key).join(RESULTS);
    blocking(move || std::fs::read(path)).await.map_err(internal)?.map_err(internal)
}
