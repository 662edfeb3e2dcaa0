//! Looks at the chain and hands the picture to the others.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::daemon::Daemon;
use crate::metrics;
use crate::tasks::leases::Watches;
use crate::view::View;

/// Longest one look may take.
const READ_WITHIN: Duration = Duration::from_secs(15);

/// Looks every poll interval until stopped.
///
/// # Errors
/// None: a chain that does not answer is asked again.
pub async fn run(daemon: Arc<Daemon>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut was_silent = false;
    let mut watches = Watches::default();
    loop {
        let last = daemon.latest();
        let read = tokio::time::timeout(READ_WITHIN, View::read(daemon.chain.as_ref(), last.as_deref()));
        let outcome = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            outcome = read => outcome,
        };
        match outcome {
            Ok(Ok(view)) => {
                if was_silent || last.is_none() {
                    tracing::info!(epoch = view.epoch, slot = view.slot, seats = view.seats.len(), "the chain answers");
                }
                if last.is_none() && view.seat_of(&daemon.me).is_none() {
                    tracing::warn!(key = %daemon.me, "this key holds no oracle seat: it serves, but signs nothing");
                }
                was_silent = false;
                daemon.up_since_epoch.get_or_init(|| view.epoch);
                watches.sync(&daemon, &view);
                metrics::seen(&daemon, &view);
                daemon.view.send_replace(Some(Arc::new(view)));
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
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(daemon.poll_every()) => {}
        }
    }
}
