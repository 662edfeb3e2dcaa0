//! Serves leases: from the award to the job's run, and to the lease's end on chain.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use millrace::state::{Customer, Dispute, Job, Lease, LeaseRole, Provider};
use millrace_client::{fetch, fetch_agreed, ix, pda, Pubkey, Signer};
use millrace_daemon::blocking;
use millrace_jobs::{content_hash, pack_files, write_files, Bounds, Content, InputBundle};
use millrace_journal::crash::{self, When};
use millrace_wire::messages::JobPhase;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{next_view, note};
use crate::agent::Agent;
use crate::decide::lease::{dispute_step, ending, is_final, must_stop, step, DisputeStep, LeaseStep};
use crate::decide::standby::takes_over;
use crate::journal::LeaseRecord;
use crate::metrics::{self, sent, LEASES_WON, TAKEOVERS};
use crate::sandbox::{Outcome, Spec};
use crate::view::View;

/// Names of a lease's files.
pub(crate) const INPUTS: &str = "inputs.tar";
pub(crate) const LOG: &str = "log";
pub(crate) const RESULTS: &str = "results.tar";
const WORK: &str = "work";

/// What a job hands back that wrote no output.
const NO_RESULTS: Content = Content { hash: [0; 32], bytes: 0 };

/// A run under way: dropping the sender, or sending, stops it.
type Stops = HashMap<Pubkey, oneshot::Sender<()>>;

/// Serves leases until stopped; then every sandbox is stopped and its lease told as failed.
///
/// # Errors
/// When the journal cannot be used.
pub async fn run(agent: Arc<Agent>, mut asked: mpsc::Receiver<Pubkey>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut views = agent.view.subscribe();
    let mut runs = JoinSet::new();
    let mut stops = Stops::new();
    // Inputs that arrived just before the last process ended.
    for (lease, record) in agent.leases() {
        if record.phase == JobPhase::AwaitingInputs && agent.lease_dir(&lease).join(INPUTS).is_file() {
            begin(&agent, &lease, &mut runs, &mut stops)?;
        }
    }
    loop {
        tokio::select! {
            view = next_view(&mut views, &stop) => match view {
                Some(view) => {
                    look(&agent, &view, &mut stops).await?;
                }
                None => break,
            },
            Some(lease) = asked.recv() => begin(&agent, &lease, &mut runs, &mut stops)?,
            Some(ended) = runs.join_next(), if !runs.is_empty() => {
                let lease: Pubkey = ended.context("a run panicked")??;
                stops.remove(&lease);
            }
        }
    }
    let interrupted: Vec<Pubkey> = stops.into_keys().collect();
    while let Some(ended) = runs.join_next().await {
        ended.context("a run panicked")??;
    }
    for lease in interrupted {
        // Nobody asked for this stop: it is the node's doing.
        if let Some(record) = agent.lease(&lease).filter(|record| record.phase == JobPhase::Stopped) {
            let detail = "the agent was stopped while the job ran".to_owned();
            agent.set_lease(&lease, LeaseRecord { phase: JobPhase::NodeFailed, detail, ..record })?;
        }
    }
    Ok(())
}

/// Takes up new leases, stops jobs whose time is over, and ends leases on chain.
async fn look(agent: &Arc<Agent>, view: &View, stops: &mut Stops) -> anyhow::Result<()> {
    for (key, lease) in &view.leases {
        // A customer account opened anew counts its jobs anew: the same address, another lease.
        let is_another = |record: LeaseRecord| record.started_at != lease.started_at && !stops.contains_key(key);
        if agent.lease(key).is_some_and(is_another) {
            agent.forget_lease(key)?;
        }
        if agent.lease(key).is_none() && !lease.has_ended() {
            match new_record(agent, lease).await {
                Ok(record) => {
                    tracing::info!(lease = %key, job = %lease.job, per_sec = lease.per_sec, "won");
                    LEASES_WON.inc(&[]);
                    agent.set_lease(key, record)?;
                }
                Err(error) => tracing::warn!(lease = %key, "the lease cannot be read, trying again: {error:#}"),
            }
        }
    }
    for (key, record) in agent.leases() {
        let lease = view.leases.get(&key);
        // Asked once more by its address: an RPC that lags or answers in part must not end a job.
        if lease.is_none() && record.closed_at.is_none() && !is_closed(agent, &key).await {
            continue;
        }
        if must_stop(lease, view.now) && !is_final(record.phase) {
            match stops.remove(&key) {
                Some(stop) => drop(stop),
                None => {
                    // It never ran: nothing more comes.
                    let detail = match record.phase {
                        JobPhase::AwaitingInputs => Some("the lease ended before the inputs arrived"),
                        JobPhase::StandingBy => Some("nothing is left to stand by for"),
                        _ => None,
                    };
                    if let Some(detail) = detail {
                        let stopped = LeaseRecord { phase: JobPhase::Stopped, detail: detail.into(), ..record.clone() };
                        agent.set_lease(&key, stopped)?;
                    }
                }
            }
        }
        match lease {
            Some(lease) => act(agent, view, &key, lease, &record).await,
            None => retire(agent, view, &key, record)?,
        }
    }
    Ok(())
}

/// Whether the chain says that there is no such lease any more.
async fn is_closed(agent: &Agent, lease: &Pubkey) -> bool {
    matches!(fetch_agreed::<Lease>(agent.chain.as_ref(), lease).await, Ok(None))
}

async fn new_record(agent: &Agent, lease: &Lease) -> anyhow::Result<LeaseRecord> {
    let stands_by = lease.role == LeaseRole::StandBy as u8;
    let chain = agent.chain.as_ref();
    let job: Job = fetch(chain, &lease.job).await?.context("its job is not there")?;
    let customer: Customer = fetch(chain, &lease.customer).await?.context("its customer is not there")?;
    Ok(LeaseRecord {
        customer: customer.authority.to_bytes(),
        manifest_hash: job.manifest_hash,
        max_secs: lease.max_secs,
        started_at: lease.started_at,
        phase: if stands_by { JobPhase::StandingBy } else { JobPhase::AwaitingInputs },
        exit_code: 0,
        result_root: [0; 32],
        result_bytes: 0,
        detail: String::new(),
        closed_at: None,
    })
}

/// What the agent does about a lease on chain, in the background of its work.
async fn act(agent: &Arc<Agent>, view: &View, key: &Pubkey, lease: &Lease, record: &LeaseRecord) {
    let caller = agent.key.pubkey();
    if let Some(failed) = takes_over(lease, &view.others, view.now) {
        return take_over(agent, &failed, (key, lease)).await;
    }
    match step(lease, record.phase, view.now) {
        LeaseStep::Wait => {}
        LeaseStep::Close => {
            let Ok(Some(provider)) = fetch_agreed::<Provider>(agent.chain.as_ref(), &lease.provider).await else {
                return;
            };
            let close = millrace_client::lease::close(&caller, key, lease, &provider, &view.market());
            note("close lease", agent.submit(&format!("close {key}"), &close).await);
        }
        LeaseStep::Dispute => end_dispute(agent, view, key, lease).await,
        LeaseStep::Exit => {
            let exit = ix::exit_lease(&caller, key, lease);
            note("exit lease", agent.submit(&format!("exit {key}"), &[exit]).await);
        }
    }
}

/// Puts the own lease `own`, which stands by, in the place of the one that failed. The work itself comes with a lease of
/// its own, which the next look finds.
async fn take_over(agent: &Agent, failed: &Pubkey, own: (&Pubkey, &Lease)) {
    let Ok(Some(job)) = fetch_agreed::<Job>(agent.chain.as_ref(), &own.1.job).await else { return };
    let fail_over = ix::fail_over(&agent.key.pubkey(), &job, failed, own);
    let outcome = agent.submit(&format!("fail over {failed}"), &[fail_over]).await;
    TAKEOVERS.inc(&[sent(&outcome)]);
    note("fail over", outcome);
}

/// Takes a dispute as far as it is: the customer need not be there, whoever wins.
async fn end_dispute(agent: &Arc<Agent>, view: &View, key: &Pubkey, lease: &Lease) {
    let chain = agent.chain.as_ref();
    let dispute: Option<Dispute> = fetch(chain, &pda::dispute(key)).await.ok().flatten();
    let provider: Option<Provider> = fetch(chain, &lease.provider).await.ok().flatten();
    let (Some(dispute), Some(provider)) = (dispute, provider) else { return };
    let instruction = match dispute_step(&dispute, view.now) {
        DisputeStep::Wait => return,
        DisputeStep::Lapse => ix::lapse_dispute(key),
        DisputeStep::Resolve => ix::resolve_dispute(&agent.key.pubkey(), &dispute, lease, &provider, &view.market()),
    };
    note("end dispute", agent.submit(&format!("end the dispute of {key}"), &[instruction]).await);
}

/// Notes that a lease's account is closed, and forgets it some time after.
fn retire(agent: &Agent, view: &View, key: &Pubkey, record: LeaseRecord) -> anyhow::Result<()> {
    let Some(closed_at) = record.closed_at else {
        return agent.set_lease(key, LeaseRecord { closed_at: Some(view.now), ..record });
    };
    let kept_secs = i64::try_from(agent.settings.jobs.keep_results_secs).unwrap_or(i64::MAX);
    if view.now >= closed_at.saturating_add(kept_secs) && is_final(record.phase) {
        tracing::info!(lease = %key, "forgotten");
        agent.forget_lease(key)?;
    }
    Ok(())
}

/// Begins the run of a lease whose inputs are there, unless it runs or ran.
fn begin(
    agent: &Arc<Agent>,
    lease: &Pubkey,
    runs: &mut JoinSet<anyhow::Result<Pubkey>>,
    stops: &mut Stops,
) -> anyhow::Result<()> {
    let Some(record) = agent.lease(lease).filter(|record| record.phase == JobPhase::AwaitingInputs) else {
        return Ok(());
    };
    if stops.contains_key(lease) {
        return Ok(());
    }
    agent.set_lease(lease, LeaseRecord { phase: JobPhase::Running, ..record.clone() })?;
    let (stop, stopped) = oneshot::channel();
    stops.insert(*lease, stop);
    runs.spawn(serve(agent.clone(), *lease, record, stopped));
    Ok(())
}

/// One job from its inputs to its results.
async fn serve(
    agent: Arc<Agent>,
    lease: Pubkey,
    record: LeaseRecord,
    stopped: oneshot::Receiver<()>,
) -> anyhow::Result<Pubkey> {
    let (outcome, outputs) = match start(&agent, &lease, &record).await {
        Ok((mut running, outputs)) => {
            tracing::info!(%lease, "the job runs");
            let outcome = tokio::select! {
                outcome = running.wait() => outcome,
                // Whether it was sent or dropped.
                _ = stopped => {
                    running.stop();
                    running.wait().await
                }
            };
            (outcome, outputs)
        }
        Err(error) => (Outcome::SandboxLost { reason: format!("{error:#}") }, Vec::new()),
    };
    metrics::ran(&outcome);
    let dir = agent.lease_dir(&lease);
    let (mut phase, mut exit_code, mut detail) = ending(&outcome);
    let packed = blocking(move || pack(&dir, &outputs)).await?;
    let results = match packed {
        Ok((results, missing)) => {
            if !missing.is_empty() && detail.is_empty() {
                detail = format!("the job did not write {}", missing.join(", "));
            }
            results
        }
        Err(error) => {
            // Outputs beyond the bounds are the customer's doing, a disk that cannot be written is not.
            if error.chain().any(|cause| cause.is::<std::io::Error>()) {
                (phase, exit_code) = (JobPhase::NodeFailed, 0);
            }
            detail = format!("{detail} the results could not be packed: {error:#}").trim().to_owned();
            NO_RESULTS
        }
    };
    tracing::info!(%lease, ?phase, exit_code, detail, "the job ended");
    let Content { hash: result_root, bytes: result_bytes } = results;
    agent.set_lease(&lease, LeaseRecord { phase, exit_code, result_root, result_bytes, detail, ..record })?;
    Ok(lease)
}

async fn start(
    agent: &Arc<Agent>,
    lease: &Pubkey,
    record: &LeaseRecord,
) -> anyhow::Result<(crate::sandbox::Running, Vec<String>)> {
    let (dir, hash) = (agent.lease_dir(lease), record.manifest_hash);
    let bundle = {
        let dir = dir.clone();
        blocking(move || -> anyhow::Result<InputBundle> {
            let bundle = InputBundle::unpack(std::fs::read(dir.join(INPUTS))?, &hash, Bounds::default())?;
            let work = dir.join(WORK);
            if work.exists() {
                std::fs::remove_dir_all(&work)?;
            }
            std::fs::create_dir(&work)?;
            write_files(&work, &bundle.files)?;
            Ok(bundle)
        })
        .await??
    };
    let manifest = bundle.manifest;
    crash::point(When::Before, "run");
    let running = agent.sandbox.start(Spec {
        id: lease.to_string(),
        command: manifest.job.command,
        environment: agent.environment(&manifest.job.environment)?,
        work_dir: dir.join(WORK),
        log_path: dir.join(LOG),
        limits: manifest.limits,
        deadline: Duration::from_secs(manifest.limits.max_secs.min(record.max_secs)),
    })?;
    crash::point(When::After, "run");
    Ok((running, manifest.job.outputs))
}

/// Packs what the job wrote of its outputs, and removes the folder it worked in.
fn pack(dir: &Path, outputs: &[String]) -> anyhow::Result<(Content, Vec<String>)> {
    let work = dir.join(WORK);
    let packed = pack_files(&work, outputs, Bounds::default());
    if work.exists() {
        std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    let (bytes, missing) = packed?;
    if bytes.is_empty() || missing.len() == outputs.len() {
        return Ok((NO_RESULTS, missing));
    }
    durable_write(&dir.join(RESULTS), &bytes)?;
    Ok((Content { hash: content_hash(&bytes), bytes: bytes.len() as u64 }, missing))
}

/// Writes a file so that after a crash it is there whole or not at all.
pub(crate) fn durable_write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let part = path.with_extension("part");
    let step = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    crash::point(When::Before, step);
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&part)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, path)?;
        path.parent().map_or(Ok(()), |dir| std::fs::File::open(dir)?.sync_all())
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    crash::point(When::After, step);
    Ok(())
}
