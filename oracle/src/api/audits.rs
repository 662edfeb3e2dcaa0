//! An audit's conversation: share, commit, bundle.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::Json;
use ed25519_dalek::{Signature, VerifyingKey};
use millrace_client::Pubkey;
use millrace_core::proof::{gops, Commit};
use millrace_gemm::{verify_bundle, Bundle, Refusal};
use millrace_wire::messages::{CommitReceipt, CommitRequest, Share, ShareRequest};
use millrace_wire::{ApiError, Verified};

use super::nodes::NodeInfo;
use super::public::parse_commit_id;
use super::{internal, Api};
use crate::books::{AuditEntry, NodeShares};
use crate::daemon::blocking;
use crate::decide::audit::is_proof;
use crate::decide::intake::{self, CommitRefusal, Givers, Intake};
use crate::decide::{AuditRecord, AuditState};
use crate::metrics::{COMMITS, SHARES, VERIFY_SECONDS};
use crate::tasks::audits::settle;
use crate::view::{named_slot, read_beacons, View};

/// `POST /v1/audits/shares`: gives this oracle's share of a nonce and starts its clock. Asked again, it gives the same
/// share and the clock runs on.
pub(crate) async fn share(
    State(api): State<Arc<Api>>,
    verified: Verified,
    body: Bytes,
) -> Result<Json<Share>, ApiError> {
    let request: ShareRequest = read(&body)?;
    let view = api.view()?;
    let node = find_node(&api, &request.node, &view).await?;
    if node.operator_at(request.epoch) != verified.key {
        return Err(refuse_commit(CommitRefusal::WrongOperator));
    }
    if request.gpu_index >= u32::from(node.gpu_count) {
        let (gpu_count, gpu_index) = (node.gpu_count, request.gpu_index);
        return Err(refuse_commit(CommitRefusal::NoSuchGpu { gpu_count, gpu_index }));
    }
    // The epoch may have changed since this oracle looked: its beacon tells, since only in its epoch is one opened.
    let is_current = request.epoch == view.epoch || Some(request.epoch) == view.epoch.checked_add(1);
    if !is_current || api.beacon(&view, request.epoch).await?.is_none() {
        return Err(ApiError::conflict(
            format!("shares are given in the current epoch, here {}, once its beacon is latched", view.epoch),
            "ask for the current epoch when its beacon is in Beacons",
        ));
    }
    let most = api.daemon.settings.limits.audits_per_epoch;
    let mut audits = api.daemon.audits();
    let key = (request.node, request.epoch);
    let audited = audits.shares.keys().filter(|(_, epoch)| *epoch == request.epoch).count();
    if audited >= most && !audits.shares.contains_key(&key) {
        return Err(ApiError::too_many("this oracle audits no more nodes in this epoch", "ask in the next epoch"));
    }
    let shares =
        audits.shares.entry(key).or_insert_with(|| NodeShares { since: Instant::now(), by_gpu: Default::default() });
    let share = *shares.by_gpu.entry(request.gpu_index).or_insert_with(|| {
        SHARES.inc(&[]);
        rand::random()
    });
    Ok(Json(Share { oracle: api.daemon.me.to_bytes(), share }))
}

/// `POST /v1/audits/commits`: stops the clock.
pub(crate) async fn commit(
    State(api): State<Arc<Api>>,
    verified: Verified,
    body: Bytes,
) -> Result<Json<CommitReceipt>, ApiError> {
    // The body is here and verified: what came after the clock stopped would be the prover's gain.
    let stopped = Instant::now();
    let request: CommitRequest = read(&body)?;
    let view = api.view()?;
    let commit = Commit::from_bytes(&request.commit)
        .map_err(|error| ApiError::bad_request(error.to_string(), "send Commit::to_bytes"))?;
    let commit_id = commit.id();
    let node = find_node(&api, &commit.node, &view).await?;
    let operator = node.operator_at(commit.epoch);
    if verified.key != operator {
        return Err(refuse_commit(CommitRefusal::WrongOperator));
    }
    check_signature(&operator, &request)?;
    // Sent again after a lost answer.
    if let Some(entry) = api.daemon.audits().by_commit(&commit_id) {
        return Ok(Json(receipt(entry)));
    }
    let shares = pairs(&request.shares);
    let (own_share, since) = own_share(&api, &commit);
    // Asked afresh, the slot last: a beacon not open by then names a slot that is still ahead.
    let chain = api.daemon.chain.as_ref();
    let beacons = read_beacons(chain).await.map_err(internal)?;
    let beacon = beacons.as_ref().and_then(|beacons| beacons.latched(commit.epoch).map(|beacon| beacon.hash));
    let next_beacon_slot = beacons.and_then(|beacons| named_slot(&beacons, commit.epoch.saturating_add(1)));
    let slot = chain.slot().await.map_err(internal)?;
    let known = Intake {
        deployment_id: view.config.deployment_id,
        beacon,
        next_beacon_slot,
        slot,
        is_gpu: node.is_gpu,
        gpu_count: node.gpu_count,
        operator,
        signer: verified.key,
        own_share,
        givers: Givers {
            me: api.daemon.me.to_bytes(),
            seats: &view.share_givers(),
            quorum_bps: view.config.params.quorum_bps,
        },
    };
    intake::check(&commit, &shares, &known).map_err(refuse_commit)?;
    let since = since.ok_or_else(|| refuse_commit(CommitRefusal::NoShare))?;
    let elapsed = stopped.saturating_duration_since(since);
    let elapsed_nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
    let NodeInfo { gpu_count, claimed_gops, .. } = node;
    let record = AuditRecord { commit, elapsed_nanos, gpu_count, claimed_gops, state: AuditState::Pending };
    take_commit(&api, record, request.signature).await
}

/// Writes a commit down and takes it, unless the GPU has another one in that epoch.
async fn take_commit(api: &Api, record: AuditRecord, signature: Vec<u8>) -> Result<Json<CommitReceipt>, ApiError> {
    let commit = record.commit;
    {
        let mut audits = api.daemon.audits();
        let most = api.daemon.settings.limits.audits_per_epoch;
        if !audits.records().contains_key(&record.key()) && !audits.has_room(most) {
            return Err(ApiError::too_many("this oracle remembers no more audits", "ask in some epochs"));
        }
        audits.add(AuditEntry::new(record, false));
    }
    let is_second = api.daemon.audits().records().get(&record.key()).is_none_or(|entry| entry.record.commit != commit);
    let (journal, evidence) = (api.daemon.journal.clone(), api.daemon.evidence.clone());
    let written = blocking(move || -> anyhow::Result<()> {
        // Two commits for one audit are a fraud by themselves: the second is kept for whoever opens the case.
        evidence.keep_commit(&commit, &signature, if is_second { "second" } else { "pending" })?;
        if !is_second {
            journal.save_audit(&record)?;
        }
        Ok(())
    });
    if let Err(error) = written.await.and_then(|written| written) {
        if !is_second {
            api.daemon.audits().remove(&record.key());
        }
        return Err(internal(error));
    }
    COMMITS.inc(&[if is_second { "second" } else { "taken" }]);
    if is_second {
        return Err(ApiError::conflict(
            "this GPU already has another commit in this epoch",
            "commit once an epoch: two commits for one audit are slashed as fraud",
        ));
    }
    let node = Pubkey::from(commit.node);
    let entry = AuditEntry::new(record, false);
    let answer = receipt(&entry);
    tracing::info!(%node, epoch = commit.epoch, gpu = commit.gpu_index, gops = answer.gops, "commit taken");
    Ok(Json(answer))
}

/// `POST /v1/audits/{commit_id}/bundle`: the answer to the queries of the next beacon.
pub(crate) async fn bundle(
    State(api): State<Arc<Api>>,
    Path(commit_id): Path<String>,
    verified: Verified,
    body: Bytes,
) -> Result<Json<CommitReceipt>, ApiError> {
    let Audited { entry, view } = audited(&api, &commit_id, &verified).await?;
    let (commit_id, record) = (entry.commit_id, entry.record);
    if matches!(record.state, AuditState::Passed { .. }) {
        return Ok(Json(receipt(&entry)));
    }
    if !record.takes_bundle(view.epoch) {
        return Err(ApiError::conflict(
            "this commit is judged, or its time is up",
            "answer before the end of the second epoch after the commit's",
        ));
    }
    let next_beacon = api.next_beacon(&view, record.commit.epoch).await?;
    let _verifying = Verifying::begin(&api, commit_id)?;
    let _permit = api.verifying.acquire().await.map_err(internal)?;
    let (outcome, body) = blocking(move || {
        let began = Instant::now();
        let outcome = Bundle::from_bytes(&record.commit, &body)
            .and_then(|bundle| verify_bundle(&record.commit, &next_beacon, &bundle));
        VERIFY_SECONDS.observe(began.elapsed(), &["product"]);
        (outcome, body)
    })
    .await
    .map_err(internal)?;
    let state = match &outcome {
        Ok(_) => passed(&api, &commit_id),
        Err(refusal) if is_proof(refusal) => AuditState::Refused,
        Err(refusal) => return Err(refuse_bundle(refusal)),
    };
    settle(&api.daemon, AuditRecord { state, ..record }, Some(body.to_vec())).await.map_err(internal)?;
    match outcome {
        Ok(_) => Ok(Json(receipt(&entry))),
        Err(refusal) => Err(refuse_bundle(&refusal)),
    }
}

/// An audit that a request is about, and the chain by which its asker was found to sign for it.
pub(super) struct Audited {
    pub entry: AuditEntry,
    pub view: Arc<View>,
}

/// Finds the audit of a commit.
pub(super) async fn audited(api: &Api, commit_id: &str, verified: &Verified) -> Result<Audited, ApiError> {
    let commit_id = parse_commit_id(commit_id)?;
    let view = api.view()?;
    let entry = api.daemon.audits().by_commit(&commit_id).copied().ok_or_else(|| {
        ApiError::not_found("this oracle took no such commit", "send the commit first, in its own epoch")
    })?;
    let commit = &entry.record.commit;
    match find_node(api, &commit.node, &view).await?.operator_at(commit.epoch) == verified.key {
        true => Ok(Audited { entry, view }),
        false => Err(refuse_commit(CommitRefusal::WrongOperator)),
    }
}

/// A passed audit, with what the statements shown until now give.
fn passed(api: &Api, commit_id: &[u8; 32]) -> AuditState {
    let figures = api.daemon.audits().by_commit(commit_id).map(|entry| entry.figures);
    AuditState::Passed { figures: figures.unwrap_or_default() }
}

/// Shares as the rules take them.
pub(super) fn pairs(shares: &[Share]) -> Vec<([u8; 32], [u8; 16])> {
    shares.iter().map(|share| (share.oracle, share.share)).collect()
}

pub(super) fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(error.to_string(), "JSON as millrace_wire::messages describes it"))
}

/// Marks an audit as being verified until dropped: one bundle of it at a time, and no verdict beside it.
pub(super) struct Verifying<'a> {
    api: &'a Api,
    commit_id: [u8; 32],
}

impl<'a> Verifying<'a> {
    pub(super) fn begin(api: &'a Api, commit_id: [u8; 32]) -> Result<Self, ApiError> {
        let mut audits = api.daemon.audits();
        let entry = audits.by_commit(&commit_id).filter(|entry| !entry.is_verifying);
        let entry = entry
            .ok_or_else(|| ApiError::conflict("a bundle of this commit is being verified", "wait for its answer"))?;
        entry.is_verifying = true;
        Ok(Self { api, commit_id })
    }
}

impl Drop for Verifying<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.api.daemon.audits().by_commit(&self.commit_id) {
            entry.is_verifying = false;
        }
    }
}

pub(super) async fn find_node(api: &Api, node: &[u8; 32], view: &View) -> Result<NodeInfo, ApiError> {
    let found = api.nodes.find(api.daemon.chain.as_ref(), &Pubkey::from(*node), view.epoch).await;
    found.map_err(internal)?.ok_or_else(|| {
        ApiError::not_found("there is no such node, or it is retired", "name a node account registered on chain")
    })
}

fn own_share(api: &Api, commit: &Commit) -> (Option<[u8; 16]>, Option<Instant>) {
    let audits = api.daemon.audits();
    let shares = audits.shares.get(&(commit.node, commit.epoch));
    (shares.and_then(|shares| shares.by_gpu.get(&commit.gpu_index).copied()), shares.map(|shares| shares.since))
}

fn receipt(entry: &AuditEntry) -> CommitReceipt {
    let AuditRecord { commit, elapsed_nanos, .. } = entry.record;
    CommitReceipt { commit_id: entry.commit_id, gops: gops(commit.n, commit.rounds, elapsed_nanos) }
}

fn check_signature(operator: &[u8; 32], request: &CommitRequest) -> Result<(), ApiError> {
    let signature = Signature::from_slice(&request.signature);
    let is_right = signature.is_ok_and(|signature| {
        VerifyingKey::from_bytes(operator).is_ok_and(|key| key.verify_strict(&request.commit, &signature).is_ok())
    });
    if is_right {
        return Ok(());
    }
    Err(ApiError::unauthorized(
        "the commit does not carry the operator's signature",
        "an ed25519 signature by the operator key over exactly the commit's bytes",
    ))
}

pub(super) fn refuse_commit(refusal: CommitRefusal) -> ApiError {
    let status = match refusal {
        CommitRefusal::WrongOperator => StatusCode::FORBIDDEN,
        CommitRefusal::TooLate | CommitRefusal::NoShare => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let text = refusal.to_string();
    match text.split_once("; ") {
        Some((wrong, right)) => ApiError::new(status, wrong, right),
        None => ApiError::new(status, text, "see the rules of an audit in the documentation"),
    }
}

fn refuse_bundle(refusal: &Refusal) -> ApiError {
    let right = match is_proof(refusal) {
        true => "an honest computation; this verdict is final",
        false => "answer every query of the next beacon with the committed entries, in order",
    };
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.to_string(), right)
}
