//! The proof of memory over real HTTP: what is filled and walked in time counts, and nothing else does.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use ed25519_dalek::SigningKey;
use millrace::state::Node;
use millrace_core::leaves::Verdict;
use millrace_core::proof::memory::{MemoryCommit, MemoryTask, WalkCommit, MIN_WORDS};
use millrace_core::proof::statement::MemoryStatement;
use millrace_core::proof::{nonce, Commit};
use millrace_gemm::memory::{cheats, MemoryFill, MemoryWalk};
use millrace_gemm::{prove, queries, Cpu, ProveOptions, ProvenRun};
use millrace_wire::messages::{Figures, MemoryRequest, Share, Statement, Statements, WalkReceipt, WalkRequest};
use millrace_wire::{SignedClient, WireError};

/// 8 MiB, which prove 9.
const WORDS: u64 = 1 << 18;

/// An audit whose GEMM is committed.
struct Audit {
    stage: Stage,
    run: ProvenRun,
}

impl Audit {
    async fn new(node: Node) -> Self {
        let stage = Stage::open(node, |oracle| oracle).await;
        let share = stage.share(0).await.unwrap();
        let cpu = Arc::new(Cpu::new(1).unwrap());
        let task = audit_task(&share, 0, 256, 1);
        let run = prove(&task, cpu, ProveOptions::default(), &|_| ControlFlow::Continue(())).unwrap();
        stage.commit(run.commit(), &share).await.unwrap();
        Self { stage, run }
    }

    fn commit(&self) -> &Commit {
        self.run.commit()
    }

    fn task(&self, words: u64, walkers: u32) -> MemoryTask {
        let Commit { deployment_id, node, gpu_index, epoch, beacon, nonce, .. } = *self.commit();
        MemoryTask { deployment_id, node, gpu_index, epoch, beacon, nonce, words, walkers }
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        agent: &SignedClient,
        step: &str,
        body: &impl serde::Serialize,
    ) -> Result<T, WireError> {
        let url = format!("{}/v1/audits/{}/{step}", self.stage.url, hex::encode(self.commit().id()));
        agent.post(&url, body).await
    }

    async fn send_fill(&self, commit: &MemoryCommit) -> Result<Share, WireError> {
        let request = MemoryRequest { commit: commit.to_bytes().to_vec() };
        self.ask(&self.stage.agent, "memory", &request).await
    }

    async fn send_walks(&self, walks: &WalkCommit, share: &Share) -> Result<WalkReceipt, WireError> {
        let request = WalkRequest { walks: walks.to_bytes().to_vec(), shares: vec![share.clone()] };
        self.ask(&self.stage.agent, "walks", &request).await
    }

    async fn send_answer(&self, answer: Vec<u8>) -> Result<Statement, WireError> {
        let url = format!("{}/v1/audits/{}/memory/answer", self.stage.url, hex::encode(self.commit().id()));
        self.stage.agent.post_bytes(&url, answer).await
    }

    /// Fill and walks of this prover, taken by the oracle.
    async fn walked(
        &self,
        fill: &MemoryFill,
        walk: impl FnOnce(&MemoryFill, &[u8; 32]) -> MemoryWalk,
    ) -> (MemoryWalk, WalkReceipt) {
        let share = self.send_fill(fill.commit()).await.unwrap();
        let walk = walk(fill, &nonce(&[share.share]));
        let receipt = self.send_walks(walk.commit(), &share).await.unwrap();
        (walk, receipt)
    }

    /// Shows the oracle these statements.
    async fn state(&self, memory: Vec<Statement>) -> Figures {
        self.ask(&self.stage.agent, "statements", &Statements { memory, transfers: vec![] }).await.unwrap()
    }

    /// What the oracle found of verdict and memory once the GEMM is answered for.
    async fn found(&self) -> (Verdict, u32) {
        let answer = self.run.answer(&queries(self.commit(), &NEXT_BEACON)).to_bytes();
        self.stage.answer(self.commit(), answer).await.unwrap();
        let finding = self.stage.finding().unwrap();
        (finding.verdict, finding.vram_mib)
    }
}

fn stated_mib(statement: &Statement) -> u32 {
    MemoryStatement::from_bytes(&statement.statement).unwrap().vram_mib
}

fn fill(task: &MemoryTask) -> MemoryFill {
    MemoryFill::new(task, &|_| ControlFlow::Continue(())).unwrap()
}

fn honest(fill: &MemoryFill, nonce: &[u8; 32]) -> MemoryWalk {
    fill.walk(nonce, &|_| ControlFlow::Continue(())).unwrap()
}

fn status<T: std::fmt::Debug>(answer: Result<T, WireError>) -> u16 {
    answer.unwrap_err().status().unwrap()
}

#[tokio::test]
async fn memory_that_is_filled_and_walked_in_time_counts() {
    let audit = Audit::new(cpu_node()).await;
    let fill = fill(&audit.task(WORDS, 1_024));
    let (walk, receipt) = audit.walked(&fill, honest).await;
    // 1,024 walks at the least rate there is, and a quarter of a second.
    assert_eq!(receipt.deadline_nanos, 2_097_152_000 + 250_000_000);
    assert_eq!(status(audit.send_answer(fill.answer(&walk, &NEXT_BEACON)).await), 409, "too early");
    audit.stage.latch_next(NEXT_BEACON).await;
    let answered = audit.send_answer(fill.answer(&walk, &NEXT_BEACON)).await.unwrap();
    assert_eq!(stated_mib(&answered), 9);
    assert_eq!(audit.send_answer(vec![]).await.unwrap(), answered, "a verdict is final");
    let forged = MemoryStatement { vram_mib: 90, ..MemoryStatement::from_bytes(&answered.statement).unwrap() };
    let forged = Statement { statement: forged.to_bytes().to_vec(), ..answered.clone() };
    assert_eq!(audit.state(vec![forged]).await.vram_mib, 0);
    assert_eq!(audit.state(vec![answered]).await.vram_mib, 9);
    assert_eq!(audit.found().await, (Verdict::Passed, 9));
}

#[tokio::test]
async fn memory_that_is_not_proven_does_not_count_and_the_audit_passes_all_the_same() {
    let audit = Audit::new(cpu_node()).await;
    let fill = fill(&audit.task(WORDS, 1_024));
    let _ = audit.walked(&fill, honest).await;
    audit.stage.latch_next(NEXT_BEACON).await;
    assert_eq!(audit.found().await, (Verdict::Passed, 0));
    assert_eq!(status(audit.send_fill(fill.commit()).await), 409, "the audit is judged");
}

#[tokio::test]
async fn walks_that_come_late_prove_memory_that_does_not_count() {
    let audit = Audit::new(cpu_node()).await;
    let fill = fill(&audit.task(WORDS, 1_024));
    let slow = |fill: &MemoryFill, nonce: &[u8; 32]| {
        std::thread::sleep(Duration::from_millis(2_400));
        honest(fill, nonce)
    };
    let (walk, receipt) = audit.walked(&fill, slow).await;
    assert!(receipt.elapsed_nanos > receipt.deadline_nanos);
    audit.stage.latch_next(NEXT_BEACON).await;
    let stated = audit.send_answer(fill.answer(&walk, &NEXT_BEACON)).await.unwrap();
    assert_eq!(stated_mib(&stated), 0);
    assert_eq!(audit.state(vec![stated]).await.vram_mib, 0);
    assert_eq!(audit.found().await, (Verdict::Passed, 0));
}

#[tokio::test]
async fn the_deadline_follows_from_the_speed_that_is_claimed() {
    let node = Node { claimed_gops: 2_000_000, gpu_count: 2, ..cpu_node() };
    let audit = Audit::new(node).await;
    // A second at 500 GB/s, of one of two GPUs.
    let refused = audit.send_fill(fill(&audit.task(MIN_WORDS, 488_281_249)).commit()).await.unwrap_err();
    assert!(refused.to_string().contains("488281249 walkers are not what is asked for"), "{refused}");
    let full = fill(&audit.task(MIN_WORDS, 488_281_250));
    assert_eq!(status(audit.send_fill(full.commit()).await), 425, "the other GPU is not full");
}

#[tokio::test]
async fn a_false_fill_and_false_walks_are_found_and_garbage_is_no_answer() {
    // A tenth of the words is false; or half of the walks.
    let false_words = |task: &MemoryTask| {
        cheats::fill_with(task, |lane, step, word| if (lane + step) % 10 == 0 { [1; 32] } else { word }).unwrap()
    };
    let skipping = |fill: &MemoryFill, nonce: &[u8; 32]| fill.walk_skipping(nonce, |walker| walker % 2 == 0).unwrap();
    for is_fill_false in [true, false] {
        let audit = Audit::new(cpu_node()).await;
        let task = audit.task(MIN_WORDS, 1_024);
        let (fill, walk) = match is_fill_false {
            true => {
                let fill = false_words(&task);
                let (walk, _) = audit.walked(&fill, honest).await;
                (fill, walk)
            }
            false => {
                let fill = fill(&task);
                let (walk, _) = audit.walked(&fill, skipping).await;
                (fill, walk)
            }
        };
        audit.stage.latch_next(NEXT_BEACON).await;
        let answer = fill.answer(&walk, &NEXT_BEACON);
        for garbage in [vec![], answer[1..].to_vec(), fill.answer(&walk, &BEACON)] {
            assert_eq!(status(audit.send_answer(garbage).await), 422);
        }
        let refused = audit.send_answer(answer).await.unwrap_err();
        assert!(refused.to_string().contains("wrong are"), "{refused}");
        assert_eq!(stated_mib(&audit.send_answer(vec![]).await.unwrap()), 0, "a verdict is final");
        assert_eq!(audit.found().await, (Verdict::Passed, 0));
    }
}

#[tokio::test]
async fn what_is_not_of_this_audit_or_comes_twice_is_refused() {
    let audit = Audit::new(cpu_node()).await;
    let task = audit.task(MIN_WORDS, 1_024);
    let full = fill(&task);
    let other = MemoryCommit { task: MemoryTask { nonce: [1; 32], ..task }, ..*full.commit() };
    assert_eq!(status(audit.send_fill(&other).await), 422, "of another nonce");
    let share = Share { oracle: seat(0).to_bytes(), share: [3; 16] };
    let walk = honest(&full, &nonce(&[share.share]));
    assert_eq!(status(audit.send_walks(walk.commit(), &share).await), 409, "walks without a fill");
    let garbage = MemoryRequest { commit: vec![0; 3] };
    assert_eq!(status(audit.ask::<Share>(&audit.stage.agent, "memory", &garbage).await), 400);

    let share = audit.send_fill(full.commit()).await.unwrap();
    assert_eq!(audit.send_fill(full.commit()).await.unwrap(), share, "asked again, the clock runs on");
    let second = MemoryCommit { fill_root: [1; 24], ..*full.commit() };
    assert_eq!(status(audit.send_fill(&second).await), 409, "a second fill");
    let walk = honest(&full, &nonce(&[share.share]));
    let of_another = WalkCommit { memory_id: [1; 32], ..*walk.commit() };
    assert_eq!(status(audit.send_walks(&of_another, &share).await), 422);
    let forged = Share { share: [1; 16], ..share.clone() };
    let ahead = honest(&full, &nonce(&[forged.share]));
    assert_eq!(status(audit.send_walks(ahead.commit(), &forged).await), 422, "without this oracle's share");
    let stranger = client(&SigningKey::from_bytes(&[1; 32]));
    let request = MemoryRequest { commit: full.commit().to_bytes().to_vec() };
    assert_eq!(status(audit.ask::<Share>(&stranger, "memory", &request).await), 403);

    audit.send_walks(walk.commit(), &share).await.unwrap();
    assert_eq!(status(audit.send_walks(walk.commit(), &share).await), 409, "walked twice");
}

#[tokio::test]
async fn walks_after_the_next_beacon_are_too_late() {
    let audit = Audit::new(cpu_node()).await;
    let full = fill(&audit.task(MIN_WORDS, 1_024));
    let share = audit.send_fill(full.commit()).await.unwrap();
    let walk = honest(&full, &nonce(&[share.share]));
    audit.stage.chain.set_beacon(1, 1, [0; 32]).await;
    audit.stage.look().await;
    assert_eq!(status(audit.send_walks(walk.commit(), &share).await), 409);
}
