//! Asks for chunks of the results of jobs said to have succeeded, and checks them: nothing is completed before.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context;
use millrace_client::Pubkey;
use millrace_jobs::{Content, MAX_BUNDLE_BYTES};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::leases::Agent;
use crate::daemon::{blocking, Daemon};
use crate::metrics::RESULTS;

/// Chunks of one job's results that are asked for, or all where there are fewer. Results of which a share x is missing pass
/// one oracle with (1 − x)⁸: half of them once in 256 times, a fifth in 6.
pub const CHUNKS_ASKED: usize = 8;

/// Results asked for at once: with their proofs, 136 KiB each.
const ASKED_AT_ONCE: usize = 32;

/// What is asked of whom.
pub(super) struct Results {
    daemon: Arc<Daemon>,
    permits: Arc<Semaphore>,
    /// The chunks of each lease. The same until they are shown: who fails to is not asked for others.
    drawn: HashMap<Pubkey, (Content, Vec<u64>)>,
    under_way: HashSet<Pubkey>,
    asked: JoinSet<(Pubkey, Option<Content>)>,
}

impl Results {
    pub(super) fn new(daemon: Arc<Daemon>) -> Self {
        let permits = Arc::new(Semaphore::new(ASKED_AT_ONCE));
        let (drawn, under_way, asked) = (HashMap::new(), HashSet::new(), JoinSet::new());
        Self { daemon, permits, drawn, under_way, asked }
    }

    /// Results that were shown since the last call.
    ///
    /// # Errors
    /// When a task panicked.
    pub(super) fn shown(&mut self) -> anyhow::Result<Vec<(Pubkey, Content)>> {
        let mut shown = Vec::new();
        while let Some(ended) = self.asked.try_join_next() {
            let (lease, results) = ended.context("a check of results panicked")?;
            self.under_way.remove(&lease);
            shown.extend(results.map(|results| (lease, results)));
        }
        Ok(shown)
    }

    /// Asks for all that are `unshown`, each of the agent that has it, unless they are being asked for.
    pub(super) fn ask(&mut self, unshown: Vec<(Pubkey, Content, Option<Agent>)>) {
        let open: HashSet<Pubkey> = unshown.iter().map(|(lease, ..)| *lease).collect();
        self.drawn.retain(|lease, _| open.contains(lease));
        for (lease, results, agent) in unshown {
            let drawn = self.drawn.entry(lease).or_insert_with(|| (results, draw(&results)));
            if drawn.0 != results {
                *drawn = (results, draw(&results));
            }
            let Some(agent) = agent.filter(|_| self.under_way.insert(lease)) else { continue };
            let (daemon, permits, indices) = (self.daemon.clone(), self.permits.clone(), drawn.1.clone());
            self.asked.spawn(async move {
                let Ok(_permit) = permits.acquire().await else { return (lease, None) };
                match chunks(&daemon, &lease, &agent, results, indices).await {
                    Ok(()) => {
                        tracing::info!(%lease, bytes = results.bytes, "results shown");
                        RESULTS.inc(&["shown"]);
                        (lease, Some(results))
                    }
                    Err(error) => {
                        tracing::warn!(%lease, bytes = results.bytes, "results not shown: {error:#}");
                        RESULTS.inc(&["failed"]);
                        (lease, None)
                    }
                }
            });
        }
    }
}

fn draw(results: &Content) -> Vec<u64> {
    let chunks = usize::try_from(results.chunks()).unwrap_or(usize::MAX);
    let drawn = rand::seq::index::sample(&mut rand::rng(), chunks, CHUNKS_ASKED.min(chunks));
    drawn.into_iter().map(|index| index as u64).collect()
}

/// Asks an agent for chunks of a lease's results and checks that they belong to them.
async fn chunks(
    daemon: &Daemon,
    lease: &Pubkey,
    agent: &Agent,
    results: Content,
    indices: Vec<u64>,
) -> anyhow::Result<()> {
    let Content { bytes, .. } = results;
    anyhow::ensure!(bytes > 0, "results with a name and no byte");
    anyhow::ensure!(bytes <= MAX_BUNDLE_BYTES, "{bytes} bytes of results: at most {MAX_BUNDLE_BYTES} can be fetched");
    let of = indices.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let url = format!("{}/v1/leases/{lease}/results/chunks?of={of}", agent.url.trim_end_matches('/'));
    let most_bytes = usize::try_from(results.proof_len(&indices))?;
    let proof = daemon.client.pinned(agent.pin).expecting(most_bytes).get_bytes(&url).await?;
    Ok(blocking(move || results.check(&indices, &proof)).await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chunks_drawn_are_distinct_and_others_each_time() {
        let results = Content { hash: [1; 32], bytes: 1 << 20 };
        let drawn: HashSet<Vec<u64>> = (0..50).map(|_| draw(&results)).collect();
        assert!(drawn.len() > 40, "{} of 50", drawn.len());
        for mut indices in drawn {
            indices.sort_unstable();
            indices.dedup();
            assert_eq!(indices.len(), CHUNKS_ASKED);
            assert!(indices.iter().all(|index| *index < results.chunks()));
        }
        let mut few = draw(&Content { bytes: 40_000, ..results });
        few.sort_unstable();
        assert_eq!(few, [0, 1, 2]);
    }
}
