//! The proof of memory of an audit: a fill, the second shares, the walks against the clock, and the answer an epoch later.

use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::{ensure, Context};
use millrace_client::Pubkey;
use millrace_core::proof::memory::MemoryTask;
use millrace_core::proof::{nonce, Commit};
use millrace_gemm::memory::{MemoryFill, MemoryProgress, MemoryWalk};
use millrace_gemm::Backend;
use millrace_wire::messages::{MemoryReceipt, MemoryRequest, Share, WalkReceipt, WalkRequest};
use tokio_util::sync::CancellationToken;

use super::audits::{backend_of, each_oracle};
use crate::agent::Agent;
use crate::decide::audit::memory_task;
use crate::supervisor::blocking;
use crate::view::{Seat, View};

/// Walks that oracles have taken: what is needed to answer for them, but the memory itself. A job may want that before the
/// answer is due, so it is given back, and filled again to answer.
pub(super) struct Walked {
    task: MemoryTask,
    walk: Arc<MemoryWalk>,
    oracles: Vec<Pubkey>,
}

/// Fills and walks for the audit of `commit`, which the oracles at `seats` have taken. `None` when the node claims no memory.
pub(super) async fn prove(
    agent: Arc<Agent>,
    commit: Commit,
    view: Arc<View>,
    seats: Vec<Seat>,
    stop: CancellationToken,
) -> anyhow::Result<Option<Walked>> {
    let node = view.node(&Pubkey::from(commit.node)).context("the node is gone")?;
    let Some(task) = memory_task(node, &commit) else { return Ok(None) };
    let backend = backend_of(&agent, &commit.task())?;
    let fill = Arc::new(fill(backend, task, &stop).await?);
    let request = MemoryRequest { commit: fill.commit().to_bytes().to_vec() };
    let path = format!("/v1/audits/{}", hex::encode(commit.id()));
    let answers = each_oracle(&agent, &seats, |agent, url| {
        let (url, request, stop) = (format!("{url}{path}/memory"), request.clone(), stop.clone());
        async move {
            loop {
                match agent.http.post::<_, Share>(&url, &request).await {
                    // The node's other GPUs are not full yet.
                    Err(error) if error.status() == Some(503) && !stop.is_cancelled() => {}
                    answer => return answer,
                }
            }
        }
    });
    let mut given = answers.await;
    given.retain(|(oracle, answer)| match answer {
        Ok(share) => share.oracle == oracle.to_bytes(),
        Err(error) => {
            tracing::warn!(%oracle, "no share for the walks: {error}");
            false
        }
    });
    let place = |oracle: &Pubkey| view.seats.iter().position(|seat| seat.authority == *oracle);
    given.sort_by_key(|(oracle, _)| place(oracle));
    let oracles: Vec<Pubkey> = given.iter().map(|(oracle, _)| *oracle).collect();
    let seats: Vec<Seat> = view.seats.iter().filter(|seat| oracles.contains(&seat.authority)).cloned().collect();
    let weight = seats.iter().fold(0u64, |sum, seat| sum.saturating_add(seat.weight));
    ensure!(view.is_quorum(weight), "only {} oracles gave a share for the walks, which is no quorum", oracles.len());
    let shares: Vec<Share> = given.into_iter().filter_map(|(_, answer)| answer.ok()).collect();
    let second = nonce(&shares.iter().map(|share| share.share).collect::<Vec<_>>());
    let walk = blocking({
        let (fill, go_on) = (fill.clone(), go_on(&stop));
        move || fill.walk(&second, &go_on)
    });
    let walk = Arc::new(walk.await??);
    // From here on nothing needs the memory.
    drop(fill);
    let request = WalkRequest { walks: walk.commit().to_bytes().to_vec(), shares };
    let answers = each_oracle(&agent, &seats, |agent, url| {
        let (url, request) = (format!("{url}{path}/walks"), request.clone());
        async move { agent.http.post::<_, WalkReceipt>(&url, &request).await }
    });
    let mut oracles = vec![];
    for (oracle, answer) in answers.await {
        match answer {
            Ok(WalkReceipt { elapsed_nanos, deadline_nanos }) => {
                let millis = |nanos| nanos / 1_000_000;
                let (took_millis, due_millis) = (millis(elapsed_nanos), millis(deadline_nanos));
                tracing::info!(%oracle, epoch = commit.epoch, took_millis, due_millis, "walks taken");
                oracles.push(oracle);
            }
            Err(error) => tracing::warn!(%oracle, "an oracle did not take the walks: {error}"),
        }
    }
    Ok(Some(Walked { task, walk, oracles }))
}

impl Walked {
    /// Fills the memory once more, and answers to every oracle that took the walks.
    pub(super) async fn answer(
        self,
        agent: &Arc<Agent>,
        commit: &Commit,
        view: &View,
        next_beacon: [u8; 32],
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let fill = fill(backend_of(agent, &commit.task())?, self.task, stop).await?;
        let walk = self.walk;
        let bytes = blocking(move || fill.try_answer(&walk, &next_beacon)).await??;
        let seats: Vec<Seat> =
            view.seats.iter().filter(|seat| self.oracles.contains(&seat.authority)).cloned().collect();
        let answers = each_oracle(agent, &seats, |agent, url| {
            let url = format!("{url}/v1/audits/{}/memory/answer", hex::encode(commit.id()));
            let bytes = bytes.clone();
            async move { agent.http.post_bytes::<MemoryReceipt>(&url, bytes).await }
        });
        for (oracle, answer) in answers.await {
            match answer {
                Ok(MemoryReceipt { vram_mib }) => {
                    tracing::info!(%oracle, epoch = commit.epoch, vram_mib, "memory proven")
                }
                Err(error) => tracing::warn!(%oracle, "an oracle did not take the answer about the memory: {error}"),
            }
        }
        Ok(())
    }
}

async fn fill(backend: Arc<dyn Backend>, task: MemoryTask, stop: &CancellationToken) -> anyhow::Result<MemoryFill> {
    let go_on = go_on(stop);
    Ok(blocking(move || backend.fill(&task, &go_on)).await??)
}

fn go_on(stop: &CancellationToken) -> impl Fn(MemoryProgress) -> ControlFlow<()> + Send + Sync + 'static {
    let stop = stop.clone();
    move |_| if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
