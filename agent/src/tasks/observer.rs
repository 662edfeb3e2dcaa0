//! Reads the chain again and again.

use std::sync::Arc;
use std::time::Duration;

use millrace_client::Signer;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::metrics;
use crate::view::View;

/// Longest one reading may take.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Reads until stopped.
///
/// # Errors
/// None: a chain that does not answer is asked again.
pub async fn run(agent: Arc<Agent>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut was_silent = false;
    loop {
        let last = agent.view.borrow().clone();
        let read = View::read(agent.chain.as_ref(), &agent.provider, &agent.nodes, last.as_deref());
        let outcome = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            outcome = tokio::time::timeout(READ_WITHIN, read) => outcome,
        };
        match outcome {
            Ok(Ok(view)) => {
                if was_silent || last.is_none() {
                    greet(&agent, &view);
                }
                was_silent = false;
                metrics::seen(&view, last.as_deref());
                agent.view.send_replace(Some(Arc::new(view)));
            }
            Ok(Err(error)) => {
                if !was_silent {
                    tracing::warn!("the chain cannot be read, trying again: {error:#}");
                }
                was_silent = true;
            }
            Err(_) => {
                tracing::warn!("the chain did not answer within {READ_WITHIN:?}, trying again");
                was_silent = true;
            }
        }
        let epoch_secs = agent.view.borrow().as_ref().map_or(1, |view| view.epoch_secs());
        // Twenty times an epoch, so that an audit begins soon after its beacon.
        let pause =
            Duration::from_millis(u64::try_from(epoch_secs.saturating_mul(50)).unwrap_or(200).clamp(200, 5_000));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn greet(agent: &Agent, view: &View) {
    let found = view.nodes.len();
    tracing::info!(epoch = view.epoch, nodes = found, oracles = view.seats.len(), "the chain answers");
    if view.provider.operator != agent.key.pubkey() {
        tracing::warn!(
            "the provider's operator is {}, this key is {}: nothing it signs will count; set it with the cold key",
            view.provider.operator,
            agent.key.pubkey()
        );
    }
    if found < agent.nodes.len() {
        tracing::warn!(
            "{} of {} nodes are not registered; register them with the cold key",
            agent.nodes.len() - found,
            agent.nodes.len()
        );
    }
}
