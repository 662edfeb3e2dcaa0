//! How oracles are asked: all at once, again where they are a moment behind, and without waiting for the slowest.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::bail;
use millrace_client::Pubkey;
use millrace_wire::messages::Share;
use millrace_wire::{SignedClient, WireError};
use tokio::task::JoinSet;

use crate::agent::Agent;
use crate::view::{Seat, View};

/// How long an oracle is asked again that may see the beacon a moment after this agent did.
pub(super) const ASK_FOR: Duration = Duration::from_millis(1_500);

/// Time between two attempts to reach an oracle.
const RETRY_EVERY: Duration = Duration::from_millis(300);

/// Asks the same of every oracle at once.
pub(super) async fn each_oracle<F, T>(
    agent: &Agent,
    seats: &[Seat],
    ask: impl Fn(SignedClient, String) -> F,
) -> Vec<(Pubkey, Result<T, WireError>)>
where
    F: Future<Output = Result<T, WireError>> + Send + 'static,
    T: Send + 'static,
{
    let mut asked = JoinSet::new();
    for seat in seats {
        let Some(url) = seat.url.clone() else { continue };
        let (oracle, answer) = (seat.authority, ask(seat.client(&agent.http), url));
        asked.spawn(async move { (oracle, answer.await) });
    }
    asked.join_all().await
}

/// Asks all of `seats`, which are in seat order, for a share at once. Once a quorum has given them, the others have `grace`
/// more: whoever is slow holds nobody up. In seat order.
pub(super) async fn quorum_of_shares<F>(
    agent: &Agent,
    view: &View,
    seats: &[Seat],
    grace: Duration,
    ask: impl Fn(SignedClient, String) -> F,
) -> anyhow::Result<Vec<Share>>
where
    F: Future<Output = Result<Share, WireError>> + Send + 'static,
{
    let mut asked = JoinSet::new();
    for (place, seat) in seats.iter().enumerate() {
        let Some(url) = seat.url.clone() else { continue };
        let answer = ask(seat.client(&agent.http), url);
        asked.spawn(async move { (place, answer.await) });
    }
    let mut shares = BTreeMap::new();
    let mut weight = 0u64;
    let mut wait_until = Instant::now() + ASK_FOR;
    while let Ok(Some(answered)) = tokio::time::timeout_at(wait_until.into(), asked.join_next()).await {
        let (place, answer) = answered?;
        let seat = &seats[place];
        match answer {
            Ok(share) if share.oracle == seat.authority.to_bytes() => {
                weight = weight.saturating_add(seat.weight);
                shares.insert(place, share);
            }
            Ok(_) => tracing::warn!(oracle = %seat.authority, "an oracle gave a share in another's name"),
            Err(error) => tracing::warn!(oracle = %seat.authority, "no share: {error:#}"),
        }
        if view.is_quorum(weight) {
            wait_until = wait_until.min(Instant::now() + grace);
        }
    }
    match view.is_quorum(weight) {
        true => Ok(shares.into_values().collect()),
        false => bail!("only {} of {} oracles gave a share, which is no quorum", shares.len(), view.seats.len()),
    }
}

/// Asks again for a while as long as an oracle just has not seen yet what this agent saw.
pub(super) async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, WireError>
where
    F: Future<Output = Result<T, WireError>>,
{
    let give_up_at = Instant::now() + ASK_FOR;
    loop {
        match ask().await {
            Err(error) if is_early(&error) && Instant::now() < give_up_at => tokio::time::sleep(RETRY_EVERY).await,
            answer => return answer,
        }
    }
}

/// Whether an oracle just has not seen yet what this agent saw.
fn is_early(error: &WireError) -> bool {
    matches!(error.status(), Some(409 | 503))
}

/// Whether an oracle refused an answer for good: sending it again changes nothing.
pub(super) fn is_verdict(error: &WireError) -> bool {
    matches!(error.status(), Some(400 | 401 | 403 | 404 | 413 | 422))
}

/// Whether an oracle could not be reached or was busy: the same may do better a little later.
pub(super) fn is_passing(error: &WireError) -> bool {
    matches!(error.status(), None | Some(429 | 503))
}
