//! An audit's conversation over real HTTP: an honest prover passes, every cheat is refused and leaves its evidence.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use common::*;
use ed25519_dalek::SigningKey;
use millrace_core::leaves::Verdict;
use millrace_core::proof::{nonce, Commit, Task};
use millrace_gemm::cheats::{prove_with_seeds, Lazy};
use millrace_gemm::{prove, queries, verify_bundle, wrong_entries, Backend, Bundle, Cpu, ProveOptions, ProvenRun};
use millrace_oracle::{Daemon, Settings};
use millrace_wire::messages::{CommitReceipt, Share, ShareRequest};
use millrace_wire::server::unix_now;
use millrace_wire::{SignedClient, WireError};

fn task(share: &Share) -> Task {
    audit_task(share, 0, 256, 4)
}

/// The HTTP status of a refusal.
fn status<T: std::fmt::Debug>(answer: Result<T, WireError>) -> u16 {
    answer.unwrap_err().status().unwrap()
}

fn run(task: &Task, backend: Arc<dyn Backend>) -> ProvenRun {
    prove(task, backend, ProveOptions::default(), &|_| ControlFlow::Continue(())).unwrap()
}

fn cpu() -> Cpu {
    Cpu::new(1).unwrap()
}

fn answer_of(run: &ProvenRun) -> Vec<u8> {
    run.answer(&queries(run.commit(), &NEXT_BEACON)).to_bytes()
}

#[tokio::test]
async fn an_honest_prover_passes_at_the_speed_of_the_oracles_clock() {
    let stage = Stage::new().await;
    let share = stage.share(0).await.unwrap();
    assert_eq!(stage.share(0).await.unwrap(), share, "asked again, the clock runs on");
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let proven = run(&task(&share), Arc::new(cpu()));
    let receipt = stage.commit(proven.commit(), &share).await.unwrap();
    // 2 × 256³ × 4 operations in at least 0.2 s.
    assert_eq!(receipt.gops, 0, "the wait counts");
    assert_eq!(stage.evidence_list().await[0].verdict, "pending");

    assert_eq!(status(stage.answer(proven.commit(), answer_of(&proven)).await), 409, "too early");
    stage.latch_next(NEXT_BEACON).await;
    assert_eq!(stage.answer(proven.commit(), answer_of(&proven)).await.unwrap().commit_id, proven.commit().id());
    assert_eq!(stage.verdict(), Some(Verdict::Passed));
    assert_eq!(stage.evidence_list().await[0].verdict, "passed");
}

#[tokio::test]
async fn a_prover_that_skips_rows_is_refused_and_anyone_can_prove_it() {
    let stage = Stage::new().await;
    let share = stage.share(0).await.unwrap();
    let proven = run(&task(&share), Arc::new(Lazy::rows(cpu(), 10)));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next(NEXT_BEACON).await;
    let refusal = stage.answer(proven.commit(), answer_of(&proven)).await.unwrap_err();
    assert_eq!(refusal.status(), Some(422));
    assert!(refusal.to_string().contains("entries are wrong"), "{refusal}");
    assert_eq!(stage.verdict(), Some(Verdict::Refused));

    let evidence = stage.evidence(proven.commit()).await;
    let commit = Commit::from_bytes(&evidence.commit).unwrap();
    let bundle = Bundle::from_bytes(&commit, &evidence.bundle).unwrap();
    assert!(verify_bundle(&commit, &NEXT_BEACON, &bundle).is_err());
    assert_eq!(wrong_entries(&commit, &bundle).len(), 3, "enough for a fraud case");
    let signature = ed25519_dalek::Signature::from_slice(&evidence.signature).unwrap();
    assert!(operator().verifying_key().verify_strict(&evidence.commit, &signature).is_ok());

    assert_eq!(status(stage.answer(proven.commit(), answer_of(&proven)).await), 409, "a verdict is final");
}

#[tokio::test]
async fn a_false_seed_is_refused() {
    let stage = Stage::new().await;
    let share = stage.share(0).await.unwrap();
    let link = |round, seed| if round == 2 { [1; 32] } else { seed };
    let proven = prove_with_seeds(&task(&share), Arc::new(cpu()), link).unwrap();
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next(NEXT_BEACON).await;
    let refusal = stage.answer(proven.commit(), answer_of(&proven)).await.unwrap_err();
    assert!(refusal.to_string().contains("seed of round 2"), "{refusal}");
    assert_eq!(stage.verdict(), Some(Verdict::Refused));
}

#[tokio::test]
async fn garbage_is_no_answer_and_silence_is_withheld() {
    let stage = Stage::new().await;
    let share = stage.share(0).await.unwrap();
    let proven = run(&task(&share), Arc::new(cpu()));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next(NEXT_BEACON).await;
    let honest = answer_of(&proven);
    let cut = honest[..honest.len() - 1].to_vec();
    let other_queries = run(&task(&share), Arc::new(cpu())).answer(&queries(proven.commit(), &BEACON)).to_bytes();
    let mut bad_path = honest.clone();
    let last = bad_path.len() - 1;
    bad_path[last] ^= 1;
    for garbage in [vec![], cut, other_queries, bad_path] {
        assert_eq!(status(stage.answer(proven.commit(), garbage).await), 422);
        assert_eq!(stage.verdict(), None);
    }
    // Three epochs later nobody answered.
    stage.judge_in(2).await;
    assert_eq!(stage.verdict(), None, "until the end of the second epoch there is time");
    stage.judge_in(3).await;
    assert_eq!(stage.verdict(), Some(Verdict::Withheld));
    assert_eq!(status(stage.answer(proven.commit(), honest).await), 409);
    assert_eq!(stage.evidence_list().await[0].verdict, "withheld");
}

#[tokio::test]
async fn a_verdict_survives_a_restart() {
    let stage = Stage::new().await;
    let share = stage.share(0).await.unwrap();
    let proven = run(&task(&share), Arc::new(Lazy::tail(cpu(), 1)));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next(NEXT_BEACON).await;
    stage.answer(proven.commit(), answer_of(&proven)).await.unwrap_err();
    // What lies on the disk at this moment is what a killed process leaves.
    let left = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(&stage.daemon.settings.data_dir).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
    }
    let settings = Settings { data_dir: left.path().to_owned(), ..stage.daemon.settings.clone() };
    let next = Daemon::open(settings, stage.chain.clone(), oracle_key(0)).unwrap();
    let findings = next.audits().findings();
    assert_eq!(findings.first().map(|(_, finding, _)| finding.verdict), Some(Verdict::Refused));
}

#[tokio::test]
async fn a_commit_that_is_not_this_audits_is_not_measured() {
    let stage = Stage::new().await;
    let share = stage.share(0).await.unwrap();
    let honest = *run(&task(&share), Arc::new(cpu())).commit();
    let forged = Share { share: [1; 16], ..share.clone() };
    for (what, commit, share, expected) in [
        ("another deployment's", Commit { deployment_id: [6; 32], ..honest }, &share, 422),
        ("another beacon", Commit { beacon: [1; 32], ..honest }, &share, 422),
        ("another epoch", Commit { epoch: 7, ..honest }, &share, 422),
        ("a nonce not of the shares", Commit { nonce: [1; 32], ..honest }, &share, 422),
        ("a made-up share", Commit { nonce: nonce(&[[1; 16]]), ..honest }, &forged, 422),
        ("a GPU without a share", Commit { gpu_index: 1, ..honest }, &share, 422),
        ("an unknown node", Commit { node: [1; 32], ..honest }, &share, 404),
    ] {
        assert_eq!(status(stage.commit(&commit, share).await), expected, "{what}");
    }
    let other = SigningKey::from_bytes(&[1; 32]);
    assert_eq!(status(stage.commit_signed(&honest, &share, &other).await), 401, "not the operator's signature");

    stage.chain.set_beacon(1, 10, [0; 32]).await;
    stage.look().await;
    while stage.chain.slot_now() < 10 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(status(stage.commit(&honest, &share).await), 409, "the next beacon's slot has passed");
    assert!(stage.daemon.audits().records().is_empty());
}

#[tokio::test]
async fn a_commit_without_a_share_is_refused() {
    let stage = Stage::new().await;
    let invented = Share { oracle: seat(0).to_bytes(), share: [3; 16] };
    let proven = run(&task(&invented), Arc::new(cpu()));
    assert_eq!(status(stage.commit(proven.commit(), &invented).await), 409);
}

#[tokio::test]
async fn a_second_commit_is_refused_and_kept_as_evidence() {
    let stage = Stage::new().await;
    let share = stage.share(0).await.unwrap();
    let first = *run(&task(&share), Arc::new(cpu())).commit();
    stage.commit(&first, &share).await.unwrap();
    assert!(stage.commit(&first, &share).await.is_ok(), "the same again is a lost answer");
    let second = Commit { super_root: [1; 24], ..first };
    assert_eq!(status(stage.commit(&second, &share).await), 409);
    assert_eq!(stage.evidence(&second).await.commit, second.to_bytes());
    assert_eq!(stage.evidence_list().await[0].verdict, "second");
}

#[tokio::test]
async fn strangers_get_no_share_and_answer_for_nobody() {
    let stage = Stage::new().await;
    let stranger = client(&SigningKey::from_bytes(&[1; 32]));
    let url = format!("{}/v1/audits/shares", stage.url);
    let refused = stranger.post::<_, Share>(&url, &stage.ask(0)).await.unwrap_err();
    assert_eq!(refused.status(), Some(403));
    assert!(refused.to_string().contains("sign with the operator key"), "{refused}");
    let unsigned = SignedClient::unsigned(std::time::Duration::from_secs(5)).unwrap();
    assert_eq!(unsigned.post::<_, Share>(&url, &stage.ask(0)).await.unwrap_err().status(), Some(401));
    let later = ShareRequest { epoch: 1, ..stage.ask(0) };
    assert_eq!(stage.agent.post::<_, Share>(&url, &later).await.unwrap_err().status(), Some(409));
    let no_gpu = ShareRequest { gpu_index: 1, ..stage.ask(0) };
    assert_eq!(stage.agent.post::<_, Share>(&url, &no_gpu).await.unwrap_err().status(), Some(422));

    let share = stage.share(0).await.unwrap();
    let proven = run(&task(&share), Arc::new(cpu()));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next(NEXT_BEACON).await;
    let url = format!("{}/v1/audits/{}/bundle", stage.url, hex::encode(proven.commit().id()));
    let refused = stranger.post_bytes::<CommitReceipt>(&url, answer_of(&proven)).await.unwrap_err();
    assert_eq!(refused.status(), Some(403));
    let refused = stranger.get::<serde_json::Value>(&format!("{}/v1/proposals/0", stage.url)).await.unwrap_err();
    assert_eq!(refused.status(), Some(403), "proposals are for oracles");
}

#[tokio::test]
async fn a_replayed_misdirected_or_oversized_request_is_refused() {
    let stage = Stage::new().await;
    let (stage, now) = (&stage, unix_now());
    let ask = serde_json::to_vec(&stage.ask(0)).unwrap();
    let send = |authority: String, nonce: &'static str, body: Vec<u8>| async move {
        stage.post_signed("/v1/audits/shares", body, &authority, now, nonce).await.0
    };
    assert_eq!(send(stage.address.clone(), "aaaaaaaaaaaaaaaa", ask.clone()).await, 200);
    assert_eq!(send(stage.address.clone(), "aaaaaaaaaaaaaaaa", ask.clone()).await, 401, "replayed");
    assert_eq!(send("127.0.0.1:1".to_owned(), "bbbbbbbbbbbbbbbb", ask.clone()).await, 401, "for another host");
    assert_eq!(send(stage.address.clone(), "cccccccccccccccc", vec![b' '; 1 << 20]).await, 413);

    let share = stage.share(0).await.unwrap();
    let proven = run(&task(&share), Arc::new(cpu()));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next(NEXT_BEACON).await;
    assert_eq!(status(stage.answer(proven.commit(), vec![0; 1 << 20]).await), 413);
}

#[tokio::test]
async fn a_key_that_floods_is_slowed_down() {
    let stage = Stage::new().await;
    let url = format!("{}/v1/audits/shares", stage.url);
    let mut refused = None;
    for _ in 0..200 {
        if let Err(error) = stage.agent.post::<_, Share>(&url, &stage.ask(0)).await {
            refused = error.status();
            break;
        }
    }
    assert_eq!(refused, Some(429));
}
