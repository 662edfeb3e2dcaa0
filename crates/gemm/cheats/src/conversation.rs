//! Provers that cheat in the conversation with an oracle. Each trial has an oracle of its own, over HTTP.

use crate::{cpu, not_found, rng, run, run_on, Cheat, Kind, Trial, RUNTIME};
use millrace::state::{Node, NodeClass};
use millrace_core::leaves::Verdict;
use millrace_core::proof::Commit;
use millrace_gemm::cheats::Tamper;
use millrace_gemm::{queries, Backend, ProvenRun};
use millrace_oracle::testing::{audit_task, cpu_node, Stage, BEACON};
use millrace_wire::messages::{CommitReceipt, Share};
use millrace_wire::WireError;
use rand::{rngs::StdRng, Rng};
use std::future::Future;
use std::sync::Arc;

/// int8 speed of a T4, the slowest data-centre card with int8 tensor cores, gops.
pub(crate) const T4_GOPS: u64 = 130_000;

pub(crate) fn cheats() -> Vec<Cheat> {
    let cheat =
        |name, does, caught_by, trial| Cheat { name, does, caught_by, missed: 0.0, kind: Kind::Conversation, trial };
    vec![
        cheat(
            "precompute",
            "runs before the beacon, for a beacon and a nonce of its own, and commits at once when asked",
            "the first seed",
            conversation(|rng| started_early(true, rng)),
        ),
        cheat(
            "head start on the beacon",
            "runs as soon as the beacon is known, for a nonce of its own, and commits at once when asked",
            "the first seed: the nonce has a share that the oracle made when its clock started",
            conversation(|rng| started_early(false, rng)),
        ),
        cheat(
            "nonce without the shares",
            "asks for no share, names a made-up one, or hashes another than it names",
            "the oracle, which looks for the share it gave",
            conversation(without_share),
        ),
        cheat(
            "commit after the next beacon",
            "commits when the slot of the next beacon, which chooses the queries, is about to be known",
            "the oracle, which asks the chain for its slot",
            conversation(too_late),
        ),
        cheat(
            "another cluster's commit replayed",
            "sends what it signed for another deployment or another epoch",
            "the oracle, which knows its deployment and its beacons",
            conversation(foreign),
        ),
        cheat(
            "two commits for one epoch",
            "commits once more, to choose afterwards which one to answer for",
            "the oracle, which keeps both: two signatures are a fraud proof",
            conversation(twice),
        ),
        cheat("silence after commit", "commits and never answers", "the verdict Withheld", conversation(silent)),
        cheat(
            "garbage after commit",
            "answers with bytes that prove nothing, to be spared the verdict",
            "the verdict Withheld: garbage is no answer",
            conversation(garbage),
        ),
        Cheat {
            missed: not_found(1.0 / 256.0),
            ..cheat(
                "commit without bundle",
                "leaves one row of 256 at zero and answers only when no query falls on it",
                "the verdict Withheld",
                conversation(selective),
            )
        },
        cheat(
            "oversized bundle",
            "adds up to a megabyte to its answer",
            "the oracle, which reads no more than the largest bundle and none of another length",
            conversation(oversized),
        ),
        cheat(
            "CPU claiming GPU, small n",
            "computes, for a node of class GPU, an n below 4,096 that a processor can do",
            "the oracle, which takes no such n",
            conversation(small_n),
        ),
    ]
}

fn conversation<F: Future<Output = bool>>(act: impl Fn(StdRng) -> F + Send + Sync + 'static) -> Trial {
    Box::new(move |seed| RUNTIME.block_on(act(rng(seed))))
}

const GIVEN: &str = "an oracle gives its share";
const TAKEN: &str = "an oracle takes the commit";

/// A node that claims this speed.
pub(crate) fn node(class: NodeClass, gpu_count: u16, claimed_gops: u64) -> Node {
    Node { class: class as u8, gpu_count, claimed_gops, ..cpu_node() }
}

/// Share, run and commit of one GPU.
pub(crate) async fn commit_with(
    stage: &Stage,
    gpu_index: u32,
    backend: Arc<dyn Backend>,
    n: u32,
    rounds: u32,
) -> (ProvenRun, Share) {
    let share = stage.share(gpu_index).await.expect(GIVEN);
    let task = audit_task(&share, gpu_index, n, rounds);
    let run = tokio::task::spawn_blocking(move || run_on(&task, backend)).await.expect("a run does not panic");
    stage.commit(run.commit(), &share).await.expect(TAKEN);
    (run, share)
}

/// The answer to the next beacon's queries.
pub(crate) async fn answer(stage: &Stage, run: &ProvenRun, next_beacon: &[u8; 32]) -> Result<CommitReceipt, WireError> {
    stage.answer(run.commit(), run.answer(&queries(run.commit(), next_beacon)).to_bytes()).await
}

async fn honest(stage: &Stage) -> (ProvenRun, Share) {
    commit_with(stage, 0, Arc::new(cpu()), 256, 2).await
}

async fn is_withheld(stage: &Stage) -> bool {
    stage.judge_in(3).await;
    stage.verdict() == Some(Verdict::Withheld)
}

/// Whether the oracle refused a commit with this status and took nothing.
fn is_not_taken(stage: &Stage, answer: Result<CommitReceipt, WireError>, status: u16) -> bool {
    answer.is_err_and(|error| error.status() == Some(status)) && stage.daemon.audits().records().is_empty()
}

async fn started_early(before_the_beacon: bool, mut rng: StdRng) -> bool {
    let stage = Stage::new().await;
    let made_up = Share { oracle: [0; 32], share: rng.random() };
    let mut guess = audit_task(&made_up, 0, 256, 4);
    if before_the_beacon {
        guess.beacon = rng.random();
    }
    let run = run(&guess, cpu());
    let share = stage.share(0).await.expect(GIVEN);
    let commit = audit_task(&share, 0, 256, 4).commit(run.commit().super_root);
    stage.commit(&commit, &share).await.expect(TAKEN);
    let next_beacon = rng.random();
    stage.latch_next(next_beacon).await;
    let refused = stage.answer(&commit, run.answer(&queries(&commit, &next_beacon)).to_bytes()).await;
    refused.is_err() && stage.verdict() == Some(Verdict::Refused)
}

async fn without_share(mut rng: StdRng) -> bool {
    let stage = Stage::new().await;
    let oracle = stage.daemon.me.to_bytes();
    let made_up = Share { oracle, share: rng.random() };
    let run = run(&audit_task(&made_up, 0, 256, 1), cpu());
    match rng.random_range(0..3) {
        0 => is_not_taken(&stage, stage.commit(run.commit(), &made_up).await, 409),
        1 => {
            stage.share(0).await.expect(GIVEN);
            is_not_taken(&stage, stage.commit(run.commit(), &made_up).await, 422)
        }
        _ => {
            let given = stage.share(0).await.expect(GIVEN);
            is_not_taken(&stage, stage.commit(run.commit(), &given).await, 422)
        }
    }
}

async fn too_late(mut rng: StdRng) -> bool {
    let stage = Stage::new().await;
    let share = stage.share(0).await.expect(GIVEN);
    let run = run(&audit_task(&share, 0, 256, 1), cpu());
    // Opened, and not latched yet.
    stage.chain.set_beacon(1, stage.chain.slot_now() + rng.random_range(0..=2), [0; 32]).await;
    is_not_taken(&stage, stage.commit(run.commit(), &share).await, 409)
}

async fn foreign(mut rng: StdRng) -> bool {
    let stage = Stage::new().await;
    let share = stage.share(0).await.expect(GIVEN);
    let mut task = audit_task(&share, 0, 256, 1);
    match rng.random_range(0..3) {
        0 => task.deployment_id = rng.random(),
        1 => task.beacon = rng.random(),
        _ => task.epoch = rng.random_range(1..u64::MAX),
    }
    is_not_taken(&stage, stage.commit(run(&task, cpu()).commit(), &share).await, 422)
}

async fn twice(mut rng: StdRng) -> bool {
    let stage = Stage::new().await;
    let (first, share) = honest(&stage).await;
    let second = match rng.random() {
        true => Commit { super_root: rng.random(), ..*first.commit() },
        false => *run(&audit_task(&share, 0, 512, 1), cpu()).commit(),
    };
    let refused = stage.commit(&second, &share).await.is_err_and(|error| error.status() == Some(409));
    let kept = stage.evidence_list().await;
    refused && kept.len() == 2 && stage.evidence(&second).await.commit == second.to_bytes()
}

async fn silent(mut rng: StdRng) -> bool {
    let stage = Stage::new().await;
    honest(&stage).await;
    stage.latch_next(rng.random()).await;
    is_withheld(&stage).await
}

async fn garbage(mut rng: StdRng) -> bool {
    let stage = Stage::new().await;
    let (run, _) = honest(&stage).await;
    let next_beacon = rng.random();
    stage.latch_next(next_beacon).await;
    let mut bytes = run.answer(&queries(run.commit(), &next_beacon)).to_bytes();
    match rng.random_range(0..4) {
        0 => bytes.clear(),
        1 => bytes.truncate(rng.random_range(0..bytes.len())),
        2 => bytes = run.answer(&queries(run.commit(), &BEACON)).to_bytes(),
        _ => {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= rng.random_range(1..=255u8);
        }
    }
    stage.answer(run.commit(), bytes).await.is_err() && stage.verdict().is_none() && is_withheld(&stage).await
}

async fn selective(mut rng: StdRng) -> bool {
    const LAZY_ROW: u32 = 99;
    let stage = Stage::new().await;
    let lazy = Tamper::new(cpu(), |_, row, _, value| if row == LAZY_ROW { 0 } else { value });
    let (run, _) = commit_with(&stage, 0, Arc::new(lazy), 256, 2).await;
    let next_beacon = rng.random();
    stage.latch_next(next_beacon).await;
    if queries(run.commit(), &next_beacon).iter().all(|query| query.row != LAZY_ROW) {
        answer(&stage, &run, &next_beacon).await.expect("every entry asked for is right");
    }
    is_withheld(&stage).await
}

async fn oversized(mut rng: StdRng) -> bool {
    let stage = Stage::new().await;
    let (run, _) = honest(&stage).await;
    let next_beacon = rng.random();
    stage.latch_next(next_beacon).await;
    let mut bytes = run.answer(&queries(run.commit(), &next_beacon)).to_bytes();
    bytes.resize(bytes.len() + rng.random_range(1..1 << 20), 0);
    let refused = stage.answer(run.commit(), bytes).await.is_err() && stage.verdict().is_none();
    refused && answer(&stage, &run, &next_beacon).await.is_ok()
}

async fn small_n(mut rng: StdRng) -> bool {
    let stage = Stage::open(node(NodeClass::Gpu, 1, T4_GOPS), |oracle| oracle).await;
    let share = stage.share(0).await.expect(GIVEN);
    let task = audit_task(&share, 0, 256 << rng.random_range(0..3), 1);
    is_not_taken(&stage, stage.commit(run(&task, cpu()).commit(), &share).await, 422)
}
