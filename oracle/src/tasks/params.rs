//! Puts parameters in force that were voted for, once their epoch has come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_client::{ix, MillraceError};
use tokio_util::sync::CancellationToken;

use crate::daemon::Daemon;
use crate::decide::beacon::stagger_millis;
use crate::view::View;

/// Time before a call that did not show on chain is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Calls `activate_params` when it is due, until stopped.
///
/// # Errors
/// None: what fails is tried again.
pub async fn run(daemon: Arc<Daemon>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut due_since: Option<Instant> = None;
    let mut tried: Option<Instant> = None;
    let mut views = daemon.view.subscribe();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = views.changed() => if changed.is_err() { return Ok(()) },
        }
        let Some(view) = daemon.fresh() else { continue };
        if !is_due(&view) {
            due_since = None;
            continue;
        }
        let waited = due_since.get_or_insert_with(Instant::now).elapsed();
        if waited < wait(&daemon, &view) || tried.is_some_and(|tried| tried.elapsed() < RETRY) {
            continue;
        }
        tried = Some(Instant::now());
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = activate(&daemon) => {}
        }
    }
}

/// Whether parameters are pending whose epoch has come.
fn is_due(view: &View) -> bool {
    view.config.pending_epoch > 0 && view.epoch >= view.config.pending_epoch
}

/// The seats take turns, as with beacons.
fn wait(daemon: &Daemon, view: &View) -> Duration {
    let count = view.seat_count();
    let seat = view.seat_of(&daemon.me).unwrap_or(count);
    let each = daemon.millis_of_epoch(daemon.settings.timing.beacon_stagger, view);
    Duration::from_millis(stagger_millis(seat, count, view.config.pending_epoch, each))
}

async fn activate(daemon: &Daemon) {
    match daemon
        .outbox
        .submit(daemon.chain.as_ref(), "activate params", &[ix::activate_params()], &daemon.key, &[])
        .await
    {
        Ok(signature) => tracing::info!(%signature, "the parameters voted for are in force"),
        Err(error) if error.is(MillraceError::NothingPending) => tracing::debug!("another was faster: {error}"),
        Err(error) => tracing::warn!("cannot put parameters in force: {error}"),
    }
}
