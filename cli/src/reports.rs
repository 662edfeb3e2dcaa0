//! Reports as the chain accepted them, whichever oracle gives them.

use anyhow::{bail, Context as _, Result};
use millrace::state::{AcceptedRoot, Oracle};
use millrace_client::leaves::{prove, Proven, ProvenReport, RawReport};
use millrace_client::{endpoint, fetch_all, Chain};
use millrace_core::leaves::{LeaseLeaf, NodeLeaf, NODE_LEAF_LEN};
use millrace_wire::messages::Report;
use millrace_wire::{Pin, SignedClient};

/// An oracle as it is asked: where it answers, and what asks it.
pub type OracleAt = (String, SignedClient);

/// The oracles with an address, each asked by `http`: over TLS nobody but the holder of its key answers.
///
/// # Errors
/// When the chain does not answer.
pub async fn oracles(chain: &dyn Chain, http: &SignedClient) -> Result<Vec<OracleAt>> {
    let oracles = fetch_all::<Oracle>(chain, &[]).await.context("cannot read the oracles")?;
    let reach = |oracle: &Oracle| {
        let url = endpoint::from_bytes(&oracle.endpoint)?;
        Some((url, http.pinned(Pin::Key(oracle.authority.to_bytes()))))
    };
    Ok(oracles.iter().filter_map(|(_, oracle)| reach(oracle)).collect())
}

/// A node's leaf with what proves it on chain.
pub type ProvenNode = Proven<NodeLeaf, NODE_LEAF_LEN>;

/// The leaves of nodes that `wants` asks for, of the report the chain accepted.
///
/// # Errors
/// As [`leaves`].
pub async fn node_leaves(
    oracles: &[OracleAt],
    accepted: &AcceptedRoot,
    wants: impl Fn(&NodeLeaf) -> bool,
) -> Result<Vec<ProvenNode>> {
    Ok(leaves(oracles, accepted, |_| false, wants).await?.nodes)
}

/// The leaves that `wants_lease` or `wants_node` asks for, of the report the chain accepted. Asks one oracle after the other and
/// believes none: what does not give the accepted root is as good as no answer.
///
/// # Errors
/// When no oracle has it.
pub async fn leaves(
    oracles: &[OracleAt],
    accepted: &AcceptedRoot,
    wants_lease: impl Fn(&LeaseLeaf) -> bool,
    wants_node: impl Fn(&NodeLeaf) -> bool,
) -> Result<ProvenReport> {
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
        match prove(raw, accepted, &wants_lease, &wants_node) {
            Ok(proven) => return Ok(proven),
            Err(error) => last = Some(format!("{url}: {error}")),
        }
    }
    let last = last.context("no oracle registered an address")?;
    bail!("no oracle has the report of epoch {}: {last}", accepted.epoch)
}
