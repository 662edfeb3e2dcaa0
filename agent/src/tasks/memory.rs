//! The proof of memory of an audit: a fill, the second shares, the walks against the clock, and the answer an epoch later.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use millrace_client::Pubkey;
use millrace_core::proof::memory::MemoryTask;
use millrace_core::proof::statement::MEMORY_STATEMENT_LEN;
use millrace_core::proof::{nonce, Commit};
use millrace_daemon::blocking;
use millrace_gemm::memory::{MemoryFill, MemoryProgress, MemoryWalk};
use millrace_gemm::Backend;
use millrace_wire::messages::{MemoryRequest, Share, Statement, WalkReceipt, WalkRequest};
use millrace_wire::WireError;
use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;

use super::ask::{each_oracle, patiently, quorum_of_shares};
use super::audits::{backend_of, has_length};
use crate::agent::Agent;
use crate::decide::audit::memory_task;
use crate::view::{Seat, View};

/// What oracles have that are slower with their share than a quorum: the clocks of the others run.
const GRACE: Duration = Duration::from_millis(100);

/// What an oracle answers that has not heard of all the node's GPUs (RFC 8470), and when it is asked again.
const TOO_EARLY: u16 = 425;
const ASK_AGAIN: Duration = Duration::from_millis(30);

/// Longest that the node's GPUs wait for each other.
const ALL_FULL_WITHIN: Duration = Duration::from_secs(20);

/// Walks that oracles were told of: what is needed to answer for them, but the memory itself. A job may want that before
/// the answer is due, so it is given back, and filled again to answer.
pub(super) struct Walked {
    task: MemoryTask,
    walk: Arc<MemoryWalk>,
    oracles: Vec<Seat>,
}

/// Fills and walks for the audit of `commit`, which the oracles at `seats` have taken, together with the node's other GPUs,
/// which wait at `all_full`. `None` when the node claims no memory.
pub(super) async fn prove(
    agent: Arc<Agent>,
    commit: Commit,
    view: Arc<View>,
    seats: Vec<Seat>,
    all_full: Arc<Barrier>,
    stop: CancellationToken,
) -> anyhow::Result<Option<Walked>> {
    let node = view.node(&Pubkey::from(commit.node)).context("the node is gone")?;
    let Some(task) = memory_task(node, &commit) else { return Ok(None) };
    let backend = backend_of(&agent, &commit.task())?;
    let fill = Arc::new(fill(backend, task, &stop).await?);
    let request = MemoryRequest { commit: fill.commit().to_bytes().to_vec() };
    let path = format!("/v1/audits/{}", hex::encode(commit.id()));
    // Shares are given when all of the node's GPUs are full: no oracle is asked before they are, and none waits for another.
    tokio::time::timeout(ALL_FULL_WITHIN, all_full.wait()).await.context("the node's other GPUs are not full")?;
    let shares = quorum_of_shares(&agent, &view, &seats, GRACE, |http, url| {
        let (url, request) = (format!("{url}{path}/memory"), request.clone());
        async move {
            loop {
                match http.post::<_, Share>(&url, &request).await {
                    // Another of the GPUs has not told this oracle yet.
                    Err(error) if error.status() == Some(TOO_EARLY) => tokio::time::sleep(ASK_AGAIN).await,
                    answer => return answer,
                }
            }
        }
    });
    let shares = shares.await?;
    let second = nonce(&shares.iter().map(|share| share.share).collect::<Vec<_>>());
    let walk = blocking({
        let (fill, go_on) = (fill.clone(), go_on(&stop));
        move || fill.walk(&second, &go_on)
    });
    let walk = Arc::new(walk.await??);
    // From here on nothing needs the memory.
    drop(fill);
    let gave = |seat: &Seat| shares.iter().any(|share| share.oracle == seat.authority.to_bytes());
    let oracles: Vec<Seat> = seats.into_iter().filter(gave).collect();
    let request = WalkRequest { walks: walk.commit().to_bytes().to_vec(), shares };
    // The answer does not wait for the slowest of them.
    tokio::spawn(send_walks(agent, oracles.clone(), path, request));
    Ok(Some(Walked { task, walk, oracles }))
}

async fn send_walks(agent: Arc<Agent>, oracles: Vec<Seat>, path: String, request: WalkRequest) {
    let answers = each_oracle(&agent, &oracles, |http, url| {
        let (url, request) = (format!("{url}{path}/walks"), request.clone());
        async move { http.post::<_, WalkReceipt>(&url, &request).await }
    });
    for (oracle, answer) in answers.await {
        match answer {
            Ok(WalkReceipt { elapsed_nanos, deadline_nanos }) => {
                let (took_millis, due_millis) = (elapsed_nanos / 1_000_000, deadline_nanos / 1_000_000);
                tracing::info!(%oracle, took_millis, due_millis, "walks taken");
            }
            Err(error) => tracing::warn!(%oracle, "an oracle did not take the walks: {error}"),
        }
    }
}

impl Walked {
    /// Fills the memory once more, answers to every oracle that gave a share, and gathers what they state until `deadline`.
    pub(super) async fn answer(
        self,
        agent: &Arc<Agent>,
        commit: &Commit,
        next_beacon: [u8; 32],
        deadline: Instant,
        stop: &CancellationToken,
    ) -> anyhow::Result<Vec<Statement>> {
        let fill = fill(backend_of(agent, &commit.task())?, self.task, stop).await?;
        let walk = self.walk;
        let bytes = blocking(move || fill.try_answer(&walk, &next_beacon)).await??;
        let answers = each_oracle(agent, &self.oracles, |http, url| {
            let url = format!("{url}/v1/audits/{}/memory/answer", hex::encode(commit.id()));
            let (http, bytes) = (http.within(deadline.saturating_duration_since(Instant::now())), bytes.clone());
            async move {
                let answer = patiently(|| http.post_bytes::<Statement>(&url, bytes.clone()));
                tokio::time::timeout_at(deadline.into(), answer).await.unwrap_or_else(|_| {
                    let reason = String::from("it did not answer in time");
                    Err(WireError::Unreachable { url: url.clone(), reason })
                })
            }
        });
        let stated = answers.await.into_iter().filter_map(|(oracle, answer)| {
            answer.inspect_err(|error| tracing::warn!(%oracle, "no word about the memory: {error}")).ok()
        });
        Ok(stated.filter(|statement| has_length(statement, MEMORY_STATEMENT_LEN)).collect())
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
