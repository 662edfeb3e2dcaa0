//! A lease's routes. Only its customer sends inputs and reads logs and results.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use millrace_client::Pubkey;
use millrace_daemon::blocking;
use millrace_daemon::common::refused;
use millrace_jobs::{prove_chunks, Bounds, Content, InputBundle, Limits, MAX_CHUNKS_PROVEN};
use millrace_wire::messages::{JobPhase, LeaseStatusAnswer, LEASE_STATUS_DOMAIN};
use millrace_wire::{ApiError, Sealed, Verified};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::agent::Agent;
use crate::journal::LeaseRecord;
use crate::sandbox::MAX_LOG_BYTES;
use crate::settings::Jobs;
use crate::tasks::leases::{durable_write, INPUTS, LOG, RESULTS};
use crate::view::Seat;

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
    let LeaseRecord { phase, exit_code, result_root, result_bytes, detail, .. } = record;
    let answer = LeaseStatusAnswer {
        lease: lease.to_bytes(),
        nonce,
        phase,
        exit_code,
        result_root,
        result_bytes,
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

/// `GET /v1/leases/{lease}/results`: the outputs as a tar archive, named by the lease's result root.
pub(super) async fn results(
    State(agent): State<Arc<Agent>>,
    Path(lease): Path<String>,
    asker: Verified,
) -> Result<Vec<u8>, ApiError> {
    let (key, record) = find_as_customer(&agent, &lease, asker)?;
    check_results(&record)?;
    let path = agent.lease_dir(&key).join(RESULTS);
    blocking(move || std::fs::read(path)).await.map_err(internal)?.map_err(internal)
}

fn check_results(record: &LeaseRecord) -> Result<(), ApiError> {
    match record.result_root != [0; 32] {
        true => Ok(()),
        false => Err(ApiError::conflict(
            format!("there are no results: the job is {:?}. {}", record.phase, record.detail).trim_end().to_owned(),
            "ask once the job has ended and written its outputs",
        )),
    }
}

#[derive(Deserialize)]
pub(super) struct Chunks {
    of: String,
}

/// `GET /v1/leases/{lease}/results/chunks?of=1,5`: these chunks of the results with their paths, by `prove_chunks`. To the
/// customer and to oracles, which believe that a job is completed once they were shown some.
pub(super) async fn result_chunks(
    State(agent): State<Arc<Agent>>,
    Path(lease): Path<String>,
    Query(Chunks { of }): Query<Chunks>,
    Extension(proofs): Extension<Arc<Semaphore>>,
    asker: Verified,
) -> Result<Vec<u8>, ApiError> {
    let (key, record) = find(&agent, &lease)?;
    if record.customer != asker.key {
        check_seat(&agent, asker)?;
    }
    check_results(&record)?;
    let content = Content { hash: record.result_root, bytes: record.result_bytes };
    let indices = read_indices(&of, content.chunks())?;
    let path = agent.lease_dir(&key).join(RESULTS);
    let _permit = proofs.acquire().await.map_err(internal)?;
    let prove = move || prove_chunks(BufReader::new(std::fs::File::open(path)?), content.bytes, &indices);
    blocking(prove).await.map_err(internal)?.map_err(internal)
}

fn read_indices(text: &str, chunks: u64) -> Result<Vec<u64>, ApiError> {
    let indices: Option<Vec<u64>> = text.split(',').map(|index| index.parse().ok()).collect();
    indices
        .filter(|indices| indices.len() <= MAX_CHUNKS_PROVEN && indices.iter().all(|index| *index < chunks))
        .ok_or_else(|| {
            let right = format!("at most {MAX_CHUNKS_PROVEN} numbers below {chunks}, with commas between");
            ApiError::bad_request("\"of\" does not name chunks of the results", right)
        })
}

/// Whether the asker is an oracle: only those are answered what costs.
fn check_seat(agent: &Agent, asker: Verified) -> Result<(), ApiError> {
    let view = agent.view.borrow();
    let is_seat = |seat: &Seat| seat.authority.to_bytes() == asker.key;
    match view.as_ref().is_some_and(|view| view.seats.iter().any(is_seat)) {
        true => Ok(()),
        false => Err(ApiError::forbidden(
            format!("the request is signed by {}", Pubkey::from(asker.key)),
            "only the oracles that hold a seat on chain, and the lease's customer, may ask this",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_asked_for_by_number_and_a_few_at_once() {
        assert_eq!(read_indices("0,7,3", 8).unwrap(), [0, 7, 3]);
        let too_many = vec!["1"; MAX_CHUNKS_PROVEN + 1].join(",");
        for text in ["", "8", "1,", "-1", "1, 2", &too_many] {
            assert!(read_indices(text, 8).is_err(), "{text:?}");
        }
    }
}
