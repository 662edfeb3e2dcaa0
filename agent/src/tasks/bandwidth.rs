//! Lets each oracle measure the link of each node, one after the other, and keeps what they state of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context};
use millrace::state::{Node, NodeState};
use millrace_client::Pubkey;
use millrace_daemon::blocking;
use millrace_gemm::bandwidth::serve;
use millrace_wire::messages::{Statement, TRANSFER_PROTOCOL};
use tokio_util::sync::CancellationToken;

use super::next_view;
use crate::agent::Agent;
use crate::view::{Seat, View};

/// Time between two rounds of questions.
const ASK_EVERY: Duration = Duration::from_secs(15);

/// Time between two measurements of one link by one oracle: it should not want more than one a week.
const LINK_EVERY: Duration = Duration::from_secs(3_600);

/// Most that one measurement may send and take, both directions together, bytes: three times what an honest one takes.
const MAX_BYTES: u64 = 400 << 20;

/// What the oracles state of a node's link, by their keys.
pub type Transfers = BTreeMap<Pubkey, Vec<Statement>>;

/// When each oracle last measured the link of each node.
type Measured = HashMap<(Pubkey, Pubkey), Instant>;

/// Measures until stopped.
///
/// # Errors
/// None: an oracle that does not measure is asked again.
pub async fn run(agent: Arc<Agent>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut views = agent.view.subscribe();
    let mut asked_at: Option<Instant> = None;
    let mut measured = Measured::new();
    while let Some(view) = next_view(&mut views, &stop).await {
        if asked_at.is_some_and(|at| at.elapsed() < ASK_EVERY) {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = ask_all(&agent, &view, &mut measured) => {}
        }
        asked_at = Some(Instant::now());
    }
    Ok(())
}

async fn ask_all(agent: &Arc<Agent>, view: &View, measured: &mut Measured) {
    for (node, _) in &view.nodes {
        for seat in &view.seats {
            // A lease may have begun since.
            let may_measure = agent.fresh().is_some_and(|view| view.node(node).is_some_and(is_idle));
            match ask(agent, node, seat, measured, may_measure).await {
                Ok(stated) => agent.keep_transfers(node, &seat.authority, stated),
                Err(error) => tracing::debug!(oracle = %seat.authority, %node, "the link is not measured: {error:#}"),
            }
        }
    }
}

/// Whether the link can be measured: not beside a customer's job, and not before the node is verified, so that nothing
/// slows its first audit down.
fn is_idle(node: &Node) -> bool {
    node.state == NodeState::Verified as u8 && node.lease == Default::default()
}

/// What this oracle states, after it has measured where it has to.
async fn ask(
    agent: &Arc<Agent>,
    node: &Pubkey,
    seat: &Seat,
    measured: &mut Measured,
    may_measure: bool,
) -> anyhow::Result<Vec<Statement>> {
    let url = format!("{}/v1/nodes/{node}", seat.url.as_deref().context("it registered no address")?);
    let http = seat.client(&agent.http);
    let stated: Vec<Statement> = http.get(&format!("{url}/transfers")).await?;
    if !stated.is_empty() {
        return Ok(stated);
    }
    ensure!(may_measure, "the node is at work, or not verified");
    let key = (*node, seat.authority);
    ensure!(measured.get(&key).is_none_or(|at| at.elapsed() >= LINK_EVERY), "it measured a short while ago");
    let mut link = http.connect(&format!("{url}/link"), TRANSFER_PROTOCOL).await?;
    measured.insert(key, Instant::now());
    blocking(move || serve(&mut link, MAX_BYTES)).await??;
    tracing::info!(oracle = %seat.authority, %node, "an oracle measured the link");
    Ok(http.get(&format!("{url}/transfers")).await?)
}
