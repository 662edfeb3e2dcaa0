//! Reports, evidence and health: for anyone. Proposals: for oracles.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::Json;
use millrace_client::Pubkey;
use millrace_wire::messages::{BallotRequest, Evidence, EvidenceSummary, Opening, Report, BALLOT_DOMAIN};
use millrace_wire::{ApiError, Sealed, Verified};
use serde::Serialize;

use super::audits::read;
use super::{internal, Api};
use crate::daemon::blocking;
use crate::decide::report::to_wire;
use crate::journal::JournalError;
use crate::view::View;

/// How the daemon is.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    /// Version of the program.
    version: &'static str,
    /// The oracle's key.
    oracle: String,
    /// Its seat, if it holds one.
    seat: Option<u8>,
    /// The current epoch.
    epoch: u64,
    /// The chain's slot.
    slot: u64,
    /// How long ago the chain was looked at, milliseconds.
    seen_millis_ago: u64,
    /// Leases under watch.
    leases: usize,
    /// Audits remembered.
    audits: usize,
}

/// `GET /v1/health`
pub(crate) async fn health(State(api): State<Arc<Api>>) -> Result<Json<Health>, ApiError> {
    let view = api.view()?;
    let leases = api.daemon.leases().len();
    let audits = api.daemon.audits().records().len();
    Ok(Json(Health {
        version: env!("CARGO_PKG_VERSION"),
        oracle: api.daemon.me.to_string(),
        seat: view.seat_of(&api.daemon.me),
        epoch: view.epoch,
        slot: view.slot,
        seen_millis_ago: u64::try_from(view.taken.elapsed().as_millis()).unwrap_or(u64::MAX),
        leases,
        audits,
    }))
}

/// The chain as last seen, if it is an oracle that asks.
fn for_oracles(api: &Api, verified: &Verified, what: &str) -> Result<Arc<View>, ApiError> {
    let view = api.view()?;
    match view.seat_of(&Pubkey::from(verified.key)) {
        Some(_) => Ok(view),
        None => {
            let instead = "read the accepted report at /v1/reports/{epoch}";
            Err(ApiError::forbidden(format!("{what} are for oracles"), instead))
        }
    }
}

/// `GET /v1/proposals/{epoch}`: the report this oracle signs for the epoch. It is written down, so it is never another.
pub(crate) async fn proposal(
    State(api): State<Arc<Api>>,
    Path(epoch): Path<u64>,
    verified: Verified,
) -> Result<Json<Report>, ApiError> {
    for_oracles(&api, &verified, "proposals")?;
    let journal = api.daemon.journal.clone();
    let signed = blocking(move || journal.signed(epoch)).await.map_err(internal)?.map_err(internal)?;
    let set = signed.ok_or_else(|| {
        ApiError::not_found(format!("this oracle signs no report of epoch {epoch} yet"), "ask again in a moment")
    })?;
    Ok(Json(to_wire(&set)))
}

/// `POST /v1/ballots/{epoch}`: what this oracle saw of an epoch that is over, for the seat that proposes, and for one that saw
/// something else than is proposed.
pub(crate) async fn ballot(
    State(api): State<Arc<Api>>,
    Path(epoch): Path<u64>,
    verified: Verified,
    body: Bytes,
) -> Result<Json<Sealed>, ApiError> {
    for_oracles(&api, &verified, "ballots")?;
    let request: BallotRequest = read(&body)?;
    let ballot = api.daemon.ballots().by_epoch.get(&epoch).cloned();
    let ballot = ballot.ok_or_else(|| {
        ApiError::not_found(
            format!("there is no ballot for epoch {epoch} here"),
            "ask when the epoch has ended, and for one of the last two",
        )
    })?;
    let seal = move || match request.accounts {
        Some(accounts) => {
            let accounts: HashSet<Vec<u8>> = accounts.into_iter().map(|account| account.0).collect();
            let told = ballot.own.of(|account| accounts.contains(&account[..]));
            api.daemon.seal(BALLOT_DOMAIN, &to_wire(&told))
        }
        None => api.daemon.seal(BALLOT_DOMAIN, &to_wire(&ballot.own)),
    };
    blocking(seal).await.map_err(internal)?.map(Json).map_err(internal)
}

/// `GET /v1/observations/{epoch}/{oracle}`: what an oracle opened, as far as it is known here, once the epoch is over. Before
/// that, others could still commit to what they read here.
pub(crate) async fn observations(
    State(api): State<Arc<Api>>,
    Path((epoch, oracle)): Path<(u64, String)>,
    verified: Verified,
) -> Result<Json<Opening>, ApiError> {
    let view = for_oracles(&api, &verified, "observations")?;
    if epoch >= view.epoch {
        return Err(ApiError::forbidden(
            format!("epoch {epoch} is not over"),
            "ask when no one can commit to it any more",
        ));
    }
    let journal = api.daemon.journal.clone();
    let address: Pubkey =
        oracle.parse().map_err(|_| ApiError::bad_request("this is no oracle's account", "its address in base58"))?;
    let opening = move || -> Result<Option<Opening>, JournalError> {
        let kept = journal.opening(epoch, &address.to_bytes())?;
        Ok(kept.map(|it| Opening { oracle: it.oracle, salt: it.salt, seen: to_wire(&it.seen) }))
    };
    blocking(opening).await.map_err(internal)?.map_err(internal)?.map(Json).ok_or_else(|| {
        ApiError::not_found(format!("nothing of {oracle} for epoch {epoch} is known here"), "ask another oracle")
    })
}

/// `GET /v1/reports/{epoch}`: all leaves of the accepted report, from which anyone computes paths.
pub(crate) async fn report(State(api): State<Arc<Api>>, Path(epoch): Path<u64>) -> Result<Response, ApiError> {
    let journal = api.daemon.journal.clone();
    let text = api.reports.text(epoch, move || journal.accepted_text(epoch)).await?;
    let text = text.ok_or_else(|| {
        ApiError::not_found(
            format!("this oracle has no accepted report of epoch {epoch}"),
            "ask for one of the last 64 epochs with an accepted root on chain",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The texts of reports that are being sent: however many ask for one, and however slowly they read, it is in memory once.
#[derive(Default)]
pub(crate) struct ReportTexts {
    sent: tokio::sync::Mutex<HashMap<u64, Weak<String>>>,
}

/// A text that many answers share.
struct SharedText(Arc<String>);

impl AsRef<[u8]> for SharedText {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl ReportTexts {
    /// The text for `epoch`, as it is being sent to others or as `read` gives it. One is read at a time.
    async fn text(
        &self,
        epoch: u64,
        read: impl FnOnce() -> Result<Option<String>, JournalError> + Send + 'static,
    ) -> Result<Option<Bytes>, ApiError> {
        let mut sent = self.sent.lock().await;
        sent.retain(|_, text| text.strong_count() > 0);
        let text = match sent.get(&epoch).and_then(Weak::upgrade) {
            Some(text) => text,
            None => {
                let Some(text) = blocking(read).await.map_err(internal)?.map_err(internal)? else { return Ok(None) };
                let text = Arc::new(text);
                sent.insert(epoch, Arc::downgrade(&text));
                text
            }
        };
        Ok(Some(Bytes::from_owner(SharedText(text))))
    }
}

/// `GET /v1/evidence`
pub(crate) async fn evidence_list(State(api): State<Arc<Api>>) -> Result<Json<Vec<EvidenceSummary>>, ApiError> {
    let evidence = api.daemon.evidence.clone();
    blocking(move || evidence.list()).await.map_err(internal)?.map(Json).map_err(internal)
}

/// `GET /v1/evidence/{commit_id}`
pub(crate) async fn evidence(
    State(api): State<Arc<Api>>,
    Path(commit_id): Path<String>,
) -> Result<Json<Evidence>, ApiError> {
    let commit_id = parse_commit_id(&commit_id)?;
    let evidence = api.daemon.evidence.clone();
    let found = blocking(move || evidence.get(&commit_id)).await.map_err(internal)?.map_err(internal)?;
    found.map(Json).ok_or_else(|| {
        ApiError::not_found("there is no evidence of this commit here", "see /v1/evidence for what there is")
    })
}

/// Reads a commit's id out of a path.
pub(super) fn parse_commit_id(text: &str) -> Result<[u8; 32], ApiError> {
    let mut id = [0; 32];
    hex::decode_to_slice(text, &mut id)
        .map_err(|_| ApiError::bad_request("this is no commit's id", "sha256 of the commit as 64 hex digits"))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_report_that_many_read_is_in_memory_once() {
        let texts = ReportTexts::default();
        let first = texts.text(7, || Ok(Some("leaves".to_owned()))).await.unwrap().unwrap();
        let second = texts.text(7, || panic!("it is read again")).await.unwrap().unwrap();
        assert_eq!((first.as_ptr(), &first[..]), (second.as_ptr(), &b"leaves"[..]));
        assert_eq!(texts.text(8, || Ok(None)).await.unwrap(), None);
        drop((first, second));
        let later = texts.text(7, || Ok(Some("others".to_owned()))).await.unwrap().unwrap();
        assert_eq!(&later[..], b"others", "it is not kept beyond that");
    }
}
