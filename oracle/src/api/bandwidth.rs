//! The bandwidth of a node: this oracle measures it and states it, and hears what the others stated.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::Json;
use millrace_client::Pubkey;
use millrace_core::proof::bandwidth::{Direction, Transfer};
use millrace_gemm::bandwidth::{finish, measure, BandwidthError, Limits, Measured};
use millrace_wire::link::accept;
use millrace_wire::messages::{Figures, Statement, Statements, TRANSFER_PROTOCOL};
use millrace_wire::{ApiError, Link, Verified};

use super::audits::{audited, find_node, read, refuse_commit, Audited};
use super::nodes::NodeInfo;
use super::Api;
use crate::daemon::Daemon;
use crate::decide::intake::CommitRefusal;
use crate::decide::statements::{is_fresh, Expected};
use crate::metrics::LINKS;
use crate::view::View;

/// Longest one transfer may take: a link that does not bring 4 MiB in it, of 1.1 Mbit/s, is not measured.
const MEASURE_WITHIN: Duration = Duration::from_secs(30);

/// `GET /v1/nodes/{node}/transfers`: what this oracle last measured of the node's link, signed; nothing when that is too
/// long ago.
pub(crate) async fn transfers(
    State(api): State<Arc<Api>>,
    Path(node): Path<String>,
    verified: Verified,
) -> Result<Json<Vec<Statement>>, ApiError> {
    let view = api.view()?;
    let (node, _) = own_node(&api, &node, &view, &verified).await?;
    let stated = fresh_transfers(&api, &node, &view);
    Ok(Json(stated.into_iter().flatten().map(|transfer| api.sign(&transfer.to_bytes())).collect()))
}

/// `POST /v1/nodes/{node}/link`: measures the link to whoever asks for it with the node's operator key.
pub(crate) async fn link(
    State(api): State<Arc<Api>>,
    Path(node): Path<String>,
    verified: Verified,
    mut request: Request,
) -> Result<Response, ApiError> {
    let view = api.view()?;
    let (node, info) = own_node(&api, &node, &view, &verified).await?;
    if !info.is_verified {
        return Err(ApiError::conflict("only a verified node's link is measured", "ask after the first audit"));
    }
    if fresh_transfers(&api, &node, &view).is_some() {
        return Err(ApiError::conflict("this link was measured not long ago", "ask for the transfers"));
    }
    let permit = api.measuring.clone().try_acquire_owned().map_err(|_| {
        ApiError::unavailable("this oracle measures other links at the moment", "try again in some seconds")
    })?;
    if !api.daemon.audits().may_measure(&node) {
        return Err(ApiError::too_many("this link was measured a moment ago", "ask again in five minutes"));
    }
    let from_peer = Transfer {
        deployment_id: view.config.deployment_id,
        measurer: api.daemon.me.to_bytes(),
        peer: node,
        epoch: view.epoch,
        direction: Direction::FromPeer,
        bytes: 0,
        nanos: 0,
    };
    let daemon = api.daemon.clone();
    accept(&mut request, TRANSFER_PROTOCOL, move |mut link| {
        let peer = Pubkey::from(node);
        match measure_both(&daemon, &mut link, from_peer) {
            Ok(both) => {
                let [from_mbps, to_mbps] = both.map(|transfer| transfer.mbps());
                tracing::info!(node = %peer, from_mbps, to_mbps, "link measured");
                LINKS.inc(&["measured"]);
                daemon.audits().transfers.insert(node, both);
                // Only now, so that whoever asks for the transfers next gets them.
                let _ = finish(&mut link);
            }
            Err(error) => {
                tracing::info!(node = %peer, "link not measured: {error}");
                LINKS.inc(&["failed"]);
            }
        }
        drop(permit);
    })
}

fn measure_both(daemon: &Daemon, link: &mut Link, from_peer: Transfer) -> Result<[Transfer; 2], BandwidthError> {
    let max_bytes = daemon.settings.limits.transfer_mib << 20;
    let limits = Limits { max_bytes, max_time: MEASURE_WITHIN, ..Limits::default() };
    let mut one = |direction| measure(link, direction, &limits, rand::random).map(|it| (direction, it));
    let both = [one(Direction::FromPeer)?, one(Direction::ToPeer)?];
    Ok(both.map(|(direction, Measured { bytes, nanos })| Transfer { direction, bytes, nanos, ..from_peer }))
}

/// `POST /v1/audits/{commit_id}/statements`: what the oracles stated of the audited GPU and its node's link, all of it.
pub(crate) async fn statements(
    State(api): State<Arc<Api>>,
    Path(commit_id): Path<String>,
    verified: Verified,
    body: Bytes,
) -> Result<Json<Figures>, ApiError> {
    let Statements { memory, transfers } = read(&body)?;
    let Audited { entry, view } = audited(&api, &commit_id, &verified).await?;
    let seats = view.share_givers();
    let expected = Expected {
        deployment_id: view.config.deployment_id,
        node: entry.record.commit.node,
        commit_id: entry.commit_id,
        // Whenever it is shown, it is judged alike.
        epoch: entry.record.commit.epoch,
        epoch_secs: epoch_secs(&view),
        seats: &seats,
        quorum_bps: view.config.params.quorum_bps,
    };
    let signed = |list: Vec<Statement>| list.into_iter().map(|it| (it.statement, it.signature)).collect::<Vec<_>>();
    let figures =
        Figures { vram_mib: expected.memory(&signed(memory)), bandwidth_mbps: expected.bandwidth(&signed(transfers)) };
    let mut audits = api.daemon.audits();
    let entry = audits.by_commit(&entry.commit_id).filter(|entry| entry.record.takes_bundle(view.epoch));
    let entry = entry.ok_or_else(|| ApiError::conflict("this audit is judged", "show statements before the bundle"))?;
    entry.figures = figures;
    Ok(Json(figures))
}

/// The node, if the asker signs for it now.
async fn own_node(api: &Api, node: &str, view: &View, verified: &Verified) -> Result<([u8; 32], NodeInfo), ApiError> {
    let key = node.parse::<Pubkey>();
    let node = key.map_err(|_| ApiError::bad_request("this is no node's address", "base58 of 32 bytes"))?.to_bytes();
    let info = find_node(api, &node, view).await?;
    match info.operator_at(view.epoch) == verified.key {
        true => Ok((node, info)),
        false => Err(refuse_commit(CommitRefusal::WrongOperator)),
    }
}

fn fresh_transfers(api: &Api, node: &[u8; 32], view: &View) -> Option<[Transfer; 2]> {
    let both = api.daemon.audits().transfers.get(node).copied()?;
    is_fresh(both[0].epoch, view.epoch, epoch_secs(view)).then_some(both)
}

fn epoch_secs(view: &View) -> u64 {
    u64::try_from(view.epoch_secs()).unwrap_or(1)
}
