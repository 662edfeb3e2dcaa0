//! An audit's conversation: shares, a run, a commit, and the answer to the next beacon's queries.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context};
use millrace::state::Node;
use millrace_client::{keys, Pubkey};
use millrace_core::proof::bandwidth::TRANSFER_LEN;
use millrace_core::proof::{nonce, Commit, Task};
use millrace_daemon::blocking;
use millrace_gemm::{prove, queries, Backend, ProveOptions, ProvenRun};
use millrace_wire::messages::{CommitReceipt, CommitRequest, Figures, Share, ShareRequest, Statement, Statements};
use millrace_wire::{SignedClient, WireError};
use tokio::sync::Barrier;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::ask::{each_oracle, is_passing, is_verdict, patiently, quorum_of_shares, ASK_FOR};
use super::memory::{self, Walked};
use super::next_view;
use crate::agent::Agent;
use crate::decide::audit::{audit_size, cannot_have_committed, gops_of_one, prover, should_audit, AuditFacts};
use crate::journal::SignedCommit;
use crate::metrics::{ANSWER_SECONDS, AUDITS_BEGUN, AUDITS_ENDED, PROVE_SECONDS};
use crate::view::{Seat, View};

/// Epochs after a commit's own in which its answer is taken.
const ANSWER_EPOCHS: u64 = 2;

/// Longest an audit is made to take at the claimed speed, milliseconds; with short epochs a quarter of one.
const TARGET_MILLIS: u64 = 3_000;

/// Longest that the bundle waits for the answer about the memory; with short epochs half of one.
const MEMORY_WITHIN: Duration = Duration::from_secs(30);

/// What gathering answers may take beyond its deadline.
const A_MOMENT: Duration = Duration::from_millis(100);

/// Longest that an oracle may take to take statements: the bundle comes after them.
const STATE_WITHIN: Duration = Duration::from_secs(2);

/// Bytes of an ed25519 signature.
const SIGNATURE_LEN: usize = 64;

/// Runs audits until stopped.
///
/// # Errors
/// When the journal cannot be used.
pub async fn run(agent: Arc<Agent>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut views = agent.view.subscribe();
    let mut conversations = JoinSet::new();
    let Some(view) = next_view(&mut views, &stop).await else { return Ok(()) };
    for signed in agent.journal.unanswered(view.epoch.saturating_sub(ANSWER_EPOCHS))? {
        tracing::info!(epoch = signed.commit.epoch, "answering for a commit of the last process");
        AUDITS_BEGUN.inc(&[]);
        conversations.spawn(resume(agent.clone(), signed, stop.clone()));
    }
    let since_epoch = view.epoch;
    // Epoch in which each node's last conversation began: the journal knows only of commits.
    let mut begun: HashMap<Pubkey, u64> = HashMap::new();
    while let Some(view) = next_view(&mut views, &stop).await {
        while let Some(ended) = conversations.try_join_next() {
            let ended = ended.context("an audit panicked")?;
            AUDITS_ENDED.inc(&[if ended.is_ok() { "answered" } else { "failed" }]);
            if let Err(error) = ended {
                tracing::warn!("an audit came to nothing: {error:#}");
            }
        }
        let Some(beacon) = view.beacon(view.epoch) else { continue };
        for (key, node) in &view.nodes {
            if view.epoch == since_epoch && !cannot_have_committed(agent.journal.is_new(), node) {
                continue;
            }
            let last = agent.journal.last_commit_epoch(key)?.max(begun.get(key).copied());
            if is_wanted(&agent, &view, key, node, &beacon, last) {
                begun.insert(*key, view.epoch);
                let all_full = Arc::new(Barrier::new(node.gpu_count.into()));
                for gpu_index in 0..u32::from(node.gpu_count) {
                    let all_full = all_full.clone();
                    let order = Order { node: *key, gpu_index, view: view.clone(), beacon, all_full };
                    AUDITS_BEGUN.inc(&[]);
                    conversations.spawn(converse(agent.clone(), order, stop.clone()));
                }
            }
        }
    }
    // The runs look at the token too; what is committed is answered by the next process.
    conversations.shutdown().await;
    Ok(())
}

fn is_wanted(
    agent: &Agent,
    view: &View,
    key: &Pubkey,
    node: &Node,
    beacon: &[u8; 32],
    last_commit_epoch: Option<u64>,
) -> bool {
    let Some(epoch_began_at) = view.began_at(view.epoch) else { return false };
    let transfers = agent.transfers(key);
    let has_measured = |seat: &&Seat| transfers.get(&seat.authority).is_some_and(|stated| !stated.is_empty());
    let measured = view.seats.iter().filter(has_measured).map(|seat| seat.weight).sum();
    should_audit(&AuditFacts {
        node,
        provider: &agent.provider.to_bytes(),
        epoch: view.epoch,
        beacon,
        last_commit_epoch,
        now: view.now,
        epoch_began_at,
        epoch_secs: view.epoch_secs(),
        every_epochs: agent.settings.audits.every_epochs,
        is_link_measured: view.is_quorum(measured),
    })
}

/// One audit to be done.
struct Order {
    node: Pubkey,
    gpu_index: u32,
    view: Arc<View>,
    beacon: [u8; 32],
    /// Where the node's GPUs wait until all of their memories are full.
    all_full: Arc<Barrier>,
}

impl Order {
    fn task(&self, agent: &Agent, nonce: [u8; 32]) -> anyhow::Result<Task> {
        let node = self.view.node(&self.node).context("the node is gone")?;
        let epoch_millis = u64::try_from(self.view.epoch_secs()).unwrap_or(1).saturating_mul(1_000);
        let (n, rounds) = audit_size(gops_of_one(node), node.class, TARGET_MILLIS.min(epoch_millis / 4));
        Ok(Task {
            deployment_id: self.view.config.deployment_id,
            node: self.node.to_bytes(),
            gpu_index: self.gpu_index,
            epoch: self.view.epoch,
            beacon: self.beacon,
            nonce,
            n: agent.settings.audits.n.unwrap_or(n),
            rounds: agent.settings.audits.rounds.unwrap_or(rounds),
        })
    }
}

/// A whole audit.
async fn converse(agent: Arc<Agent>, order: Order, stop: CancellationToken) -> anyhow::Result<()> {
    let shares = ask_shares(&agent, &order).await?;
    let in_order: Vec<[u8; 16]> = shares.iter().map(|share| share.share).collect();
    let task = order.task(&agent, nonce(&in_order))?;
    let begun = Instant::now();
    let run = prove_off_thread(&agent, task, &stop).await?;
    tracing::info!(node = %order.node, epoch = task.epoch, n = task.n, rounds = task.rounds, took = ?begun.elapsed(), "computed");
    let signed = SignedCommit { commit: *run.commit(), shares };
    answer_for(&agent, signed, run, Some(order.all_full), &stop).await
}

/// An audit whose commit the last process wrote down: the run is a function of the task, so it is done again. Its memory
/// is not proven: the clock of that has run on.
async fn resume(agent: Arc<Agent>, signed: SignedCommit, stop: CancellationToken) -> anyhow::Result<()> {
    let run = prove_off_thread(&agent, signed.commit.task(), &stop).await?;
    answer_for(&agent, signed, run, None, &stop).await
}

/// Asks every oracle at once for its share of the nonce.
async fn ask_shares(agent: &Arc<Agent>, order: &Order) -> anyhow::Result<Vec<Share>> {
    let request = ShareRequest { node: order.node.to_bytes(), gpu_index: order.gpu_index, epoch: order.view.epoch };
    let ask = |http: SignedClient, url: String| {
        let (url, request) = (format!("{url}/v1/audits/shares"), request.clone());
        async move { patiently(|| http.post::<_, Share>(&url, &request)).await }
    };
    quorum_of_shares(agent, &order.view, &order.view.seats, ASK_FOR, ask).await
}

/// What computes for the GPU of a task.
pub(super) fn backend_of(agent: &Agent, task: &Task) -> anyhow::Result<Arc<dyn Backend>> {
    let class = {
        let view = agent.view.borrow();
        let node = view.as_ref().and_then(|view| view.node(&Pubkey::from(task.node)));
        node.context("the node is gone")?.class
    };
    let backend = prover(&agent.backends, class, task.gpu_index).with_context(|| {
        let (gpu_index, cards) = (task.gpu_index, agent.backends.len() - 1);
        format!(
            "the node is registered with a GPU {gpu_index}, but only {cards} of this host can prove; see nvidia-smi"
        )
    })?;
    Ok(backend.clone())
}

async fn prove_off_thread(agent: &Arc<Agent>, task: Task, stop: &CancellationToken) -> anyhow::Result<ProvenRun> {
    let (backend, stop) = (backend_of(agent, &task)?, stop.clone());
    let go_on = move |_| if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let began = Instant::now();
    let run = blocking(move || prove(&task, backend, ProveOptions::default(), &go_on)).await??;
    PROVE_SECONDS.observe(began.elapsed(), &[]);
    Ok(run)
}

/// Writes the commit down, signs it, sends it to all oracles, waits for the next beacon and answers its queries.
async fn answer_for(
    agent: &Arc<Agent>,
    signed: SignedCommit,
    run: ProvenRun,
    all_full: Option<Arc<Barrier>>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let commit = signed.commit;
    let written = {
        let (agent, signed) = (agent.clone(), signed.clone());
        blocking(move || agent.journal.commit_once(&signed)).await??
    };
    if !written {
        bail!("another commit of epoch {} was written down before; a second would be fraud", commit.epoch);
    }
    let request = CommitRequest {
        commit: commit.to_bytes().to_vec(),
        signature: keys::sign(&agent.key, &commit.to_bytes()).to_vec(),
        shares: signed.shares.clone(),
    };
    let mut views = agent.view.subscribe();
    let Some(view) = agent.fresh() else { bail!("the chain is silent, so the commit cannot be sent") };
    let sent = each_oracle(agent, &view.seats, |http, url| {
        let request = request.clone();
        async move { http.post::<_, CommitReceipt>(&format!("{url}/v1/audits/commits"), &request).await }
    });
    let took = |(oracle, outcome): (Pubkey, Result<CommitReceipt, WireError>)| match outcome {
        Ok(receipt) => {
            tracing::info!(%oracle, epoch = commit.epoch, gops = receipt.gops, "commit taken");
            Some(oracle)
        }
        Err(error) => {
            tracing::warn!(%oracle, "an oracle did not take the commit: {error}");
            None
        }
    };
    let mut waiting: HashSet<Pubkey> = sent.await.into_iter().filter_map(took).collect();
    if waiting.is_empty() {
        bail!("no oracle took the commit of epoch {}", commit.epoch);
    }
    let taken: Vec<Seat> = view.seats.iter().filter(|seat| waiting.contains(&seat.authority)).cloned().collect();
    let stop_memory = stop.child_token();
    let _stopped = stop_memory.clone().drop_guard();
    let prove_memory = |all_full| {
        let (agent, stop) = (agent.clone(), stop_memory.clone());
        async move {
            tokio::select! {
                () = stop.cancelled() => bail!("it was stopped"),
                proven = memory::prove(agent, commit, view, taken, all_full, stop.clone()) => proven,
            }
        }
    };
    let mut memory = all_full.map(|all_full| tokio::spawn(prove_memory(all_full)));
    let last_epoch = commit.epoch.saturating_add(ANSWER_EPOCHS);
    let mut answer: Option<(Statements, Vec<u8>)> = None;
    let mut asked: Option<Instant> = None;
    let run = Arc::new(run);
    while let Some(view) = next_view(&mut views, stop).await {
        if view.epoch > last_epoch {
            bail!("{} oracles did not take the answer to epoch {} in time", waiting.len(), commit.epoch);
        }
        if is_leased(&view, &commit) {
            // The memory is the customer's now.
            stop_memory.cancel();
        }
        let Some(beacon) = view.beacon(commit.epoch.saturating_add(1)) else { continue };
        let asked = *asked.get_or_insert_with(Instant::now);
        let (statements, bytes) = match answer.take() {
            Some(answer) => answer,
            None => {
                let run = run.clone();
                let bytes = blocking(move || run.answer(&queries(&commit, &beacon)).to_bytes()).await?;
                // An oracle that has the bundle passes its verdict, so what else is to count comes first.
                let memory = state_memory(agent, &commit, &view, beacon, memory.take(), &stop_memory).await;
                (Statements { memory, transfers: stated_transfers(agent, &commit, &view) }, bytes)
            }
        };
        let seats: Vec<Seat> = view.seats.iter().filter(|seat| waiting.contains(&seat.authority)).cloned().collect();
        let is_last = view.epoch == last_epoch;
        let outcomes = each_oracle(agent, &seats, |http, url| {
            let url = format!("{url}/v1/audits/{}", hex::encode(commit.id()));
            let (statements, bytes) = (statements.clone(), bytes.clone());
            async move {
                match http.within(STATE_WITHIN).post::<_, Figures>(&format!("{url}/statements"), &statements).await {
                    Ok(figures) => tracing::debug!(?figures, "statements taken"),
                    // With the bundle alone it would find other figures than the rest.
                    Err(error) if !is_last && is_passing(&error) => return Err(error),
                    Err(error) => tracing::debug!("statements not taken: {error}"),
                }
                http.post_bytes::<CommitReceipt>(&format!("{url}/bundle"), bytes).await
            }
        });
        for (oracle, outcome) in outcomes.await {
            match outcome {
                Ok(_) => waiting.remove(&oracle),
                Err(error) if is_verdict(&error) => {
                    tracing::warn!(%oracle, "an oracle refused the answer: {error}");
                    waiting.remove(&oracle)
                }
                Err(error) => {
                    tracing::debug!(%oracle, "not answered yet: {error}");
                    false
                }
            };
        }
        if waiting.is_empty() {
            agent.journal.set_answered(&commit)?;
            ANSWER_SECONDS.observe(asked.elapsed(), &[]);
            tracing::info!(node = %Pubkey::from(commit.node), epoch = commit.epoch, "answered");
            return Ok(());
        }
        answer = Some((statements, bytes));
    }
    Ok(())
}

/// What the oracles state of the memory, once it is answered for; nothing when that is not to be had in time.
async fn state_memory(
    agent: &Arc<Agent>,
    commit: &Commit,
    view: &View,
    beacon: [u8; 32],
    memory: Option<JoinHandle<anyhow::Result<Option<Walked>>>>,
    stop_memory: &CancellationToken,
) -> Vec<Statement> {
    let Some(memory) = memory else { return Vec::new() };
    let epoch_secs = u64::try_from(view.epoch_secs()).unwrap_or(1);
    let deadline = Instant::now() + MEMORY_WITHIN.min(Duration::from_secs(epoch_secs) / 2);
    let answered = async {
        match memory.await.context("a proof of memory panicked")?? {
            Some(walked) => walked.answer(agent, commit, beacon, deadline, stop_memory).await,
            None => Ok(Vec::new()),
        }
    };
    let leased = async {
        let mut views = agent.view.subscribe();
        while next_view(&mut views, stop_memory).await.is_some_and(|view| !is_leased(&view, commit)) {}
    };
    let outcome = tokio::select! {
        // What was gathered at the deadline is there a moment later.
        answered = tokio::time::timeout_at((deadline + A_MOMENT).into(), answered) => {
            answered.unwrap_or_else(|_| Err(anyhow!("it did not end in time")))
        }
        () = leased => Err(anyhow!("a customer has the machine now")),
    };
    stop_memory.cancel();
    outcome.unwrap_or_else(|error| {
        let node = Pubkey::from(commit.node);
        tracing::warn!(%node, epoch = commit.epoch, gpu = commit.gpu_index, "the memory is not proven: {error:#}");
        Vec::new()
    })
}

fn is_leased(view: &View, commit: &Commit) -> bool {
    view.node(&Pubkey::from(commit.node)).is_none_or(|node| node.lease != Default::default())
}

/// What the oracles of today state of the node's link: each both directions.
fn stated_transfers(agent: &Agent, commit: &Commit, view: &View) -> Vec<Statement> {
    let mut transfers = agent.transfers(&Pubkey::from(commit.node));
    let of_seats = view.seats.iter().filter_map(|seat| transfers.remove(&seat.authority));
    let fitting = of_seats.flat_map(|stated| stated.into_iter().take(2));
    fitting.filter(|statement| has_length(statement, TRANSFER_LEN)).collect()
}

/// Whether a statement is as long as one of its kind is: an oracle's own affair otherwise, but all of them must fit into one
/// request.
pub(super) fn has_length(statement: &Statement, len: usize) -> bool {
    statement.statement.len() == len && statement.signature.len() == SIGNATURE_LEN
}
