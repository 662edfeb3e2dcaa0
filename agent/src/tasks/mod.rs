//! The loops: look, decide, act.

mod ask;
pub mod audits;
pub mod bandwidth;
pub mod bids;
pub mod leases;
mod memory;
pub mod observer;
pub mod reports;

use std::sync::Arc;

use millrace_client::SubmitError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::view::View;

/// The next picture of the chain; `None` when it is time to stop.
pub(crate) async fn next_view(
    views: &mut watch::Receiver<Option<Arc<View>>>,
    stop: &CancellationToken,
) -> Option<Arc<View>> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            changed = views.changed() => changed.ok()?,
        }
        if let Some(view) = views.borrow_and_update().clone() {
            return Some(view);
        }
    }
}

/// Logs a transaction that did not land. A refusal by the program mostly means that someone else was first; the next
/// look at the chain tells.
pub(crate) fn note(label: &str, outcome: Result<(), SubmitError>) {
    match outcome {
        Ok(()) => {}
        Err(error @ SubmitError::Program { .. }) => tracing::info!(label, "not done: {error}"),
        Err(error) => tracing::warn!(label, "not done: {error}"),
    }
}
