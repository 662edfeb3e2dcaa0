//! Whenever the oracles' report is accepted: finds the own leaves in it and applies them on chain, which verifies
//! the nodes and pays the leases.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, Context};
use millrace::constants::REPORT_RING;
use millrace::instructions::{ApplyAuditArgs, SettleLeaseArgs};
use millrace::state::AcceptedRoot;
use millrace_client::leaves::{prove, Proven, ProvenReport, RawReport};
use millrace_client::{ix, Pubkey};
use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, LEASE_LEAF_LEN, NODE_LEAF_LEN};
use millrace_wire::messages::Report;
use tokio_util::sync::CancellationToken;

use super::{next_view, note};
use crate::agent::Agent;
use crate::metrics::{found, sent, LEAVES};
use crate::view::View;

/// How long a report may not be had before it is worth a warning.
const PATIENCE: Duration = Duration::from_secs(10);

/// Applies leaves until stopped.
///
/// # Errors
/// None: what was not applied is tried again.
pub async fn run(agent: Arc<Agent>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut views = agent.view.subscribe();
    // Every report of the ring is looked at once: the last process may have missed some.
    let mut next_epoch = None;
    let mut failing_since: Option<Instant> = None;
    while let Some(view) = next_view(&mut views, &stop).await {
        let from = next_epoch.unwrap_or(view.epoch.saturating_sub(REPORT_RING as u64));
        for epoch in from..=view.epoch {
            let Some(accepted) = view.reports.accepted(epoch).copied() else { continue };
            let work = apply(&agent, &view, &accepted);
            let done = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                done = work => done,
            };
            if let Err(error) = done {
                // An oracle may see the acceptance a moment after this agent.
                if failing_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                    tracing::warn!(epoch, "the report cannot be had, trying again: {error:#}");
                    failing_since = None;
                }
                break;
            }
            failing_since = None;
            // An epoch passed over was not accepted when it could have been: roots are signed for two epochs only.
            next_epoch = Some(epoch.saturating_add(1));
        }
    }
    Ok(())
}

async fn apply(agent: &Agent, view: &View, accepted: &AcceptedRoot) -> anyhow::Result<()> {
    let report = fetch_proven(agent, view, accepted).await?;
    for leaf in &report.nodes {
        apply_audit(agent, view, accepted.epoch, leaf).await;
    }
    for leaf in &report.leases {
        settle(agent, view, accepted.epoch, leaf).await;
    }
    Ok(())
}

/// Asks one oracle after the other until one has the report that the chain accepted.
async fn fetch_proven(agent: &Agent, view: &View, accepted: &AcceptedRoot) -> anyhow::Result<ProvenReport> {
    let mut last = None;
    let client = agent.http.expecting(Report::most_bytes(accepted.leaves as usize));
    for (seat, url) in view.seats.iter().filter_map(|seat| Some((seat, seat.url.as_deref()?))) {
        let report = match seat.client(&client).get::<Report>(&format!("{url}/v1/reports/{}", accepted.epoch)).await {
            Ok(report) => report,
            Err(error) => {
                last = Some(error.to_string());
                continue;
            }
        };
        let is_wanted_lease = |leaf: &LeaseLeaf| {
            let lease = Pubkey::from(leaf.lease);
            view.leases.contains_key(&lease) || view.others.contains_key(&lease)
        };
        let is_own_node = |leaf: &NodeLeaf| view.node(&Pubkey::from(leaf.node)).is_some();
        let raw = RawReport {
            leases: &report.lease_leaves.0,
            nodes: &report.node_leaves.0,
            oracles: &report.oracle_leaves.0,
        };
        match prove(raw, accepted, is_wanted_lease, is_own_node) {
            Ok(proven) => return Ok(proven),
            Err(error) => last = Some(format!("{url}: {error}")),
        }
    }
    bail!("no oracle has it: {}", last.context("no oracle registered an address")?)
}

async fn apply_audit(agent: &Agent, view: &View, epoch: u64, proven: &Proven<NodeLeaf, NODE_LEAF_LEN>) {
    let key = Pubkey::from(proven.leaf.node);
    if view.node(&key).is_none_or(|node| node.is_retired() || proven.leaf.at <= node.last_leaf_at) {
        return;
    }
    let args = ApplyAuditArgs { epoch, index: proven.index, leaf: proven.bytes, path: proven.path.clone() };
    tracing::info!(node = %key, epoch, verdict = ?proven.leaf.verdict, gops = proven.leaf.gops, "the oracles' finding");
    found(proven.leaf.verdict);
    let outcome = agent.submit(&format!("apply audit {key} {epoch}"), &[ix::apply_audit(&key, args)]).await;
    LEAVES.inc(&["node", sent(&outcome)]);
    note("apply audit", outcome);
}

async fn settle(agent: &Agent, view: &View, epoch: u64, proven: &Proven<LeaseLeaf, LEASE_LEAF_LEN>) {
    let key = Pubkey::from(proven.leaf.lease);
    // Whose node failed may not be there to say so: who stands by does, since nobody can take over before.
    let has_failed = proven.leaf.status == LeaseStatus::NodeFailed;
    let other = || view.others.get(&key).filter(|_| has_failed);
    let Some(lease) = view.leases.get(&key).or_else(other) else { return };
    let pays_nothing = proven.leaf.live_secs <= lease.paid_secs && !proven.leaf.status.is_final();
    if lease.has_ended() || proven.leaf.at <= lease.last_leaf_at || pays_nothing {
        return;
    }
    let args = SettleLeaseArgs { epoch, index: proven.index, leaf: proven.bytes, path: proven.path.clone() };
    let settle = ix::settle_lease(&key, lease, &view.market(), args);
    tracing::info!(lease = %key, epoch, live_secs = proven.leaf.live_secs, status = ?proven.leaf.status, "settling");
    let outcome = agent.submit(&format!("settle {key} {epoch}"), &[settle]).await;
    LEAVES.inc(&["lease", sent(&outcome)]);
    note("settle lease", outcome);
}
