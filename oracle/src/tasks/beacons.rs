//! Opens the beacon of each epoch and latches it as soon as its slot has passed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_client::{ix, MillraceError, SubmitError};
use tokio_util::sync::CancellationToken;

use crate::daemon::Daemon;
use crate::decide::beacon::{stagger_millis, BeaconStep};
use crate::metrics::BEACONS;
use crate::view::View;

/// Time before a step that did not show on chain is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A step this oracle has noticed.
struct Noticed {
    at: Instant,
    tried: Option<Instant>,
}

/// Keeps the beacons until stopped.
///
/// # Errors
/// None: what fails is tried again.
pub async fn run(daemon: Arc<Daemon>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut noticed: HashMap<(u64, bool), Noticed> = HashMap::new();
    let mut views = daemon.view.subscribe();
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = views.changed() => if changed.is_err() { return Ok(()) },
        }
        let Some(view) = daemon.fresh() else { continue };
        noticed.retain(|(epoch, _), _| epoch.saturating_add(2) > view.epoch);
        for (epoch, step) in steps(&view) {
            let wait = wait(&daemon, &view, epoch);
            let entry = noticed.entry((epoch, step == BeaconStep::Open));
            let entry = entry.or_insert_with(|| Noticed { at: Instant::now(), tried: None });
            if entry.at.elapsed() < wait || entry.tried.is_some_and(|tried| tried.elapsed() < RETRY) {
                continue;
            }
            entry.tried = Some(Instant::now());
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = take(&daemon, epoch, step) => {}
            }
        }
    }
}

/// What the beacons need: the last epoch's can still be latched, only the current one's can be opened.
fn steps(view: &View) -> impl Iterator<Item = (u64, BeaconStep)> + '_ {
    let last = view.epoch.checked_sub(1).map(|epoch| (epoch, view.beacon_step(epoch)));
    let last = last.filter(|(_, step)| *step == Some(BeaconStep::Latch));
    let all = last.into_iter().chain([(view.epoch, view.beacon_step(view.epoch))]);
    all.filter_map(|(epoch, step)| Some((epoch, step?)))
        .filter(|(_, step)| matches!(step, BeaconStep::Open | BeaconStep::Latch))
}

fn wait(daemon: &Daemon, view: &View, epoch: u64) -> Duration {
    let count = view.seat_count();
    let seat = view.seat_of(&daemon.me).unwrap_or(count);
    let each = daemon.millis_of_epoch(daemon.settings.timing.beacon_stagger, view);
    Duration::from_millis(stagger_millis(seat, count, epoch, each))
}

async fn take(daemon: &Daemon, epoch: u64, step: BeaconStep) {
    let (name, instruction) = match step {
        BeaconStep::Open => ("open", ix::open_beacon(epoch)),
        _ => ("latch", ix::latch_beacon(epoch)),
    };
    let label = format!("{name} beacon {epoch}");
    let outcome = match daemon.outbox.submit(daemon.chain.as_ref(), &label, &[instruction], &daemon.key, &[]).await {
        Ok(signature) => {
            tracing::info!(epoch, %signature, "beacon: {name}");
            "landed"
        }
        Err(error) if is_done(&error) => {
            tracing::debug!(epoch, "beacon: {name}: {error}");
            "by_other"
        }
        Err(error) => {
            tracing::warn!(epoch, "cannot {name} the beacon: {error}");
            "failed"
        }
    };
    BEACONS.inc(&[name, outcome]);
}

/// Whether another oracle was faster, or the moment is not now: what is left shows at the next look.
fn is_done(error: &SubmitError) -> bool {
    use MillraceError::{BeaconMissed, BeaconNotOpen, BeaconOpen, BeaconTooEarly, WrongEpoch};
    [BeaconOpen, BeaconNotOpen, BeaconTooEarly, BeaconMissed, WrongEpoch].into_iter().any(|known| error.is(known))
}
