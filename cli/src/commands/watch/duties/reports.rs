//! Reports as the chain accepted them, whichever oracle gives them.

use anyhow::{bail, Context as _, Result};
use millrace::state::AcceptedRoot;
use millrace_client::leaves::{prove, Proven, RawReport};
use millrace_core::leaves::{NodeLeaf, NODE_LEAF_LEN};
use millrace_wire::messages::Report;

use super::OracleAt;

/// A node's leaf with what proves it on chain.
pub type ProvenNode = Proven<NodeLeaf, NODE_LEAF_LEN>;

/// The leaves of nodes that `wants` asks for, of the report the chain accepted. Asks one oracle after the other and
/// believes none: what does not give the accepted root is as good as no answer.
///
/// # Errors
/// When no oracle has it.
pub async fn node_leaves(
    oracles: &[OracleAt],
    accepted: &AcceptedRoot,
    wants: impl Fn(&NodeLeaf) -> bool,
) -> Result<Vec<ProvenNode>> {
    let most_bytes = Report::most_bytes(accepted.leaves as usize);
    let mut last = None;
    for (url, client) in oracles {
        let asked = client.expecting(most_bytes).get::<Report>(&format!("{url}/v1/reports/{}", accepted.epoch)).await;
        let report = match asked {
            Ok(report) => report,
            Err(error) => {
                last = Some(error.to_string());
                continue;
            }
        };
        let raw = RawReport {
            leases: &report.lease_leaves.0,
            nodes: &report.node_leaves.0,
            oracles: &report.oracle_leaves.0,
        };
        match prove(raw, accepted, |_| false, &wants) {
            Ok(proven) => return Ok(proven.nodes),
            Err(error) => last = Some(format!("{url}: {error}")),
        }
    }
    let last = last.context("no oracle registered an address")?;
    bail!("no oracle has the report of epoch {}: {last}", accepted.epoch)
}
