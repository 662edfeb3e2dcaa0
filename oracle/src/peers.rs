//! Questions to the other oracles, several at once: one that is down costs no more than its time-out.

use std::future::Future;
use std::time::Duration;

use millrace_wire::messages::Report;
use millrace_wire::{transfer_time, SignedClient, WireError};
use serde::de::DeserializeOwned;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::daemon::Daemon;
use crate::decide::report::most_leaves;
use crate::view::View;

impl Daemon {
    /// Every seat but this oracle's own.
    pub fn other_seats(&self, view: &View) -> Vec<u8> {
        let seats = (0u8..).zip(&view.seats).filter(|(_, seat)| seat.authority != self.me);
        seats.map(|(seat, _)| seat).collect()
    }

    /// Time that one report takes to arrive, by what is to be reported now.
    pub fn report_time(&self, view: &View) -> Duration {
        transfer_time(Report::most_bytes(view.leases.len()))
    }

    /// Asks these seats for `path`. Each answer comes with its seat as soon as it is there; a seat that does not answer
    /// `within` the time, or with something else, gives `None`.
    pub fn ask_seats<T: DeserializeOwned + Send + 'static>(
        &self,
        view: &View,
        seats: &[u8],
        path: &str,
        within: Duration,
    ) -> JoinSet<Option<(u8, T)>> {
        self.each_seat(view, seats, path, within, |client, url| async move { client.get(&url).await })
    }

    /// The same with a body.
    pub fn tell_seats<B: Serialize + Clone + Send + Sync + 'static, T: DeserializeOwned + Send + 'static>(
        &self,
        view: &View,
        seats: &[u8],
        path: &str,
        body: &B,
        within: Duration,
    ) -> JoinSet<Option<(u8, T)>> {
        self.each_seat(view, seats, path, within, |client, url| {
            let body = body.clone();
            async move { client.post(&url, &body).await }
        })
    }

    fn each_seat<T: Send + 'static, F: Future<Output = Result<T, WireError>> + Send + 'static>(
        &self,
        view: &View,
        seats: &[u8],
        path: &str,
        within: Duration,
        ask: impl Fn(SignedClient, String) -> F,
    ) -> JoinSet<Option<(u8, T)>> {
        let mut asked = JoinSet::new();
        let leaves = most_leaves(view.leases.len(), self.settings.limits.audits_per_epoch);
        let client = self.client.with_max_answer(Report::most_bytes(leaves)).within(within);
        for seat in seats.iter().copied() {
            let Some(url) = view.seats.get(usize::from(seat)).and_then(|seat| seat.endpoint.as_ref()) else { continue };
            let url = format!("{}{path}", url.trim_end_matches('/'));
            let answer = tokio::time::timeout(within, ask(client.clone(), url.clone()));
            asked.spawn(async move {
                match answer.await {
                    Ok(Ok(answer)) => Some((seat, answer)),
                    Ok(Err(error)) => {
                        tracing::debug!(seat, url, "no answer: {error}");
                        None
                    }
                    Err(_) => None,
                }
            });
        }
        asked
    }
}
