//! An audit's conversation: shares, a run, a commit, and the answer to the next beacon's queries.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, Context};
use millrace::state::Node;
use millrace_client::{keys, Pubkey};
use millrace_core::proof::{nonce, Task};
use millrace_gemm::{prove, queries, ProveOptions, ProvenRun};
use millrace_wire::messages::{CommitReceipt, CommitRequest, Share, ShareRequest};
use millrace_wire::WireError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::next_view;
use crate::agent::Agent;
use crate::decide::audit::{audit_size, prover, should_audit, AuditFacts};
use crate::journal::SignedCommit;
use crate::supervisor::blocking;
use crate::view::{Seat, View};

/// Epochs after a commit's own in which its answer is taken.
const ANSWER_EPOCHS: u64 = 2;

/// Longest an audit is made to take at the claimed speed, milliseconds; with short epochs a quarter of one.
const TARGET_MILLIS: u64 = 3_000;

/// Time between two attempts to reach an oracle.
const RETRY_EVERY: Duration = Duration::from_millis(300);

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
        conversations.spawn(resume(agent.clone(), signed, stop.clone()));
    }
    // Epoch in which each node's last conversation began: the journal knows only of commits.
    let mut begun: HashMap<Pubkey, u64> = HashMap::new();
    while let Some(view) = next_view(&mut views, &stop).await {
        while let Some(ended) = conversations.try_join_next() {
            if let Err(error) = ended.context("an audit panicked")? {
                tracing::warn!("an audit came to nothing: {error:#}");
            }
        }
        let Some(beacon) = view.beacon(view.epoch) else { continue };
        for (key, node) in &view.nodes {
            let last = agent.journal.last_commit_epoch(key)?.max(begun.get(key).copied());
            if is_wanted(&agent, &view, node, &beacon, last) {
                begun.insert(*key, view.epoch);
                for gpu_index in 0..u32::from(node.gpu_count) {
                    let order = Order { node: *key, gpu_index, view: view.clone(), beacon };
                    conversations.spawn(converse(agent.clone(), order, stop.clone()));
                }
            }
        }
    }
    // The runs look at the token too; what is committed is answered by the next process.
    conversations.shutdown().await;
    Ok(())
}

fn is_wanted(agent: &Agent, view: &View, node: &Node, beacon: &[u8; 32], last_commit_epoch: Option<u64>) -> bool {
    let Some(epoch_began_at) = view.began_at(view.epoch) else { return false };
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
    })
}

/// One audit to be done.
struct Order {
    node: Pubkey,
    gpu_index: u32,
    view: Arc<View>,
    beacon: [u8; 32],
}

impl Order {
    fn task(&self, agent: &Agent, nonce: [u8; 32]) -> anyhow::Result<Task> {
        let node = self.view.node(&self.node).context("the node is gone")?;
        let epoch_millis = u64::try_from(self.view.epoch_secs()).unwrap_or(1).saturating_mul(1_000);
        let claimed_gops = node.claimed_gops / u64::from(node.gpu_count.max(1));
        let (n, rounds) = audit_size(claimed_gops, node.class, TARGET_MILLIS.min(epoch_millis / 4));
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
    answer_for(&agent, signed, run, &stop).await
}

/// An audit whose commit the last process wrote down: the run is a function of the task, so it is done again.
async fn resume(agent: Arc<Agent>, signed: SignedCommit, stop: CancellationToken) -> anyhow::Result<()> {
    let run = prove_off_thread(&agent, signed.commit.task(), &stop).await?;
    answer_for(&agent, signed, run, &stop).await
}

/// Asks every oracle at once for its share; together they must be a quorum. In seat order.
async fn ask_shares(agent: &Arc<Agent>, order: &Order) -> anyhow::Result<Vec<Share>> {
    let request = ShareRequest { node: order.node.to_bytes(), gpu_index: order.gpu_index, epoch: order.view.epoch };
    // An oracle may see the beacon a moment after this agent did.
    let give_up_at = Instant::now() + Duration::from_millis(1_500);
    let asked = order.view.seats.iter().map(|seat| {
        let (agent, seat, request) = (agent.clone(), seat.clone(), request.clone());
        tokio::spawn(async move { ask_share(&agent, &seat, &request, give_up_at).await })
    });
    let asked: Vec<_> = asked.collect();
    let (mut shares, mut weight) = (Vec::new(), 0u64);
    for (seat, asked) in order.view.seats.iter().zip(asked) {
        match asked.await? {
            Ok(share) if share.oracle == seat.authority.to_bytes() => {
                weight = weight.saturating_add(seat.weight);
                shares.push(share);
            }
            Ok(_) => tracing::warn!(oracle = %seat.authority, "an oracle gave a share in another's name"),
            Err(error) => tracing::warn!(oracle = %seat.authority, "no share: {error:#}"),
        }
    }
    match order.view.is_quorum(weight) {
        true => Ok(shares),
        false => bail!("only {} of {} oracles gave a share, which is no quorum", shares.len(), order.view.seats.len()),
    }
}

async fn ask_share(agent: &Agent, seat: &Seat, request: &ShareRequest, give_up_at: Instant) -> anyhow::Result<Share> {
    let url = format!("{}/v1/audits/shares", seat.url.as_deref().context("it registered no address")?);
    loop {
        let answer = agent.http.post::<_, Share>(&url, request);
        match tokio::time::timeout_at(give_up_at.into(), answer).await.context("it took too long")? {
            Ok(share) => return Ok(share),
            Err(error) if !is_early(&error) || Instant::now() + RETRY_EVERY > give_up_at => return Err(error.into()),
            Err(_) => tokio::time::sleep(RETRY_EVERY).await,
        }
    }
}

/// Whether an oracle just has not seen yet what this agent saw.
fn is_early(error: &WireError) -> bool {
    matches!(error.status(), Some(409 | 503))
}

async fn prove_off_thread(agent: &Arc<Agent>, task: Task, stop: &CancellationToken) -> anyhow::Result<ProvenRun> {
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
    let (backend, stop) = (backend.clone(), stop.clone());
    let go_on = move |_| if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    Ok(blocking(move || prove(&task, backend, ProveOptions::default(), &go_on)).await??)
}

/// Writes the commit down, signs it, sends it to all oracles, waits for the next beacon and answers its queries.
async fn answer_for(
    agent: &Arc<Agent>,
    signed: SignedCommit,
    run: ProvenRun,
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
    let sent = each_oracle(agent, &view.seats, |agent, url| {
        let request = request.clone();
        async move { agent.http.post(&format!("{url}/v1/audits/commits"), &request).await }
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
    let last_epoch = commit.epoch.saturating_add(ANSWER_EPOCHS);
    let mut bundle: Option<Vec<u8>> = None;
    let run = Arc::new(run);
    while let Some(view) = next_view(&mut views, stop).await {
        if view.epoch > last_epoch {
            bail!("{} oracles did not take the answer to epoch {} in time", waiting.len(), commit.epoch);
        }
        let Some(beacon) = view.beacon(commit.epoch.saturating_add(1)) else { continue };
        let bytes = match bundle.take() {
            Some(bytes) => bytes,
            None => {
                let run = run.clone();
                blocking(move || run.answer(&queries(&commit, &beacon)).to_bytes()).await?
            }
        };
        let seats: Vec<Seat> = view.seats.iter().filter(|seat| waiting.contains(&seat.authority)).cloned().collect();
        let outcomes = each_oracle(agent, &seats, |agent, url| {
            let (url, bytes) = (format!("{url}/v1/audits/{}/bundle", hex::encode(commit.id())), bytes.clone());
            async move { agent.http.post_bytes(&url, bytes).await }
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
            tracing::info!(node = %Pubkey::from(commit.node), epoch = commit.epoch, "answered");
            return Ok(());
        }
        bundle = Some(bytes);
    }
    Ok(())
}

/// Whether an oracle refused an answer for good: sending it again changes nothing.
fn is_verdict(error: &WireError) -> bool {
    matches!(error.status(), Some(400 | 401 | 403 | 404 | 413 | 422))
}

/// Asks the same of every oracle at once.
async fn each_oracle<F>(
    agent: &Arc<Agent>,
    seats: &[Seat],
    ask: impl Fn(Arc<Agent>, String) -> F,
) -> Vec<(Pubkey, Result<CommitReceipt, WireError>)>
where
    F: Future<Output = Result<CommitReceipt, WireError>> + Send + 'static,
{
    let mut asked = JoinSet::new();
    for seat in seats {
        let Some(url) = seat.url.clone() else { continue };
        let (oracle, answer) = (seat.authority, ask(agent.clone(), url));
        asked.spawn(async move { (oracle, answer.await) });
    }
    asked.join_all().await
}
