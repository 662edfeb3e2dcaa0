//! An audit's conversation over real HTTP: an honest prover passes, every cheat is refused and leaves its evidence.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use common::*;
use ed25519_dalek::{Signer as _, SigningKey};
use millrace_core::leaves::Verdict;
use millrace_core::proof::{nonce, Commit, Task};
use millrace_gemm::cheats::{prove_with_seeds, Lazy};
use millrace_gemm::{prove, queries, verify_bundle, wrong_entries, Backend, Bundle, Cpu, ProveOptions, ProvenRun};
use millrace_oracle::view::View;
use millrace_oracle::{api, Daemon};
use millrace_wire::messages::{CommitReceipt, CommitRequest, Evidence, EvidenceSummary, Share, ShareRequest};
use millrace_wire::signature::{sign, RequestParts};
use millrace_wire::SignedClient;

/// One oracle that is a quorum by itself, its beacon latched, and a prover's client.
struct Stage {
    chain: Arc<ToyChain>,
    daemon: Arc<Daemon>,
    address: String,
    url: String,
    agent: SignedClient,
    _dir: tempfile::TempDir,
}

const BEACON: [u8; 32] = [31; 32];
const NEXT_BEACON: [u8; 32] = [32; 32];

impl Stage {
    /// An epoch of an hour, so that nothing happens but what the test does.
    async fn new() -> Self {
        let (listener, address) = listener();
        let chain = ToyChain::new(3_600, &[(seat(0), address)]);
        register(&chain, "http://127.0.0.1:1");
        chain.set_beacon(0, 1, BEACON).await;
        let dir = tempfile::tempdir().unwrap();
        let daemon = Daemon::open(settings(dir.path(), address), chain.clone(), oracle_key(0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let router = api::router(daemon.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let stage = Self {
            chain,
            daemon,
            address: address.to_string(),
            url: format!("http://{address}"),
            agent: client(&operator()),
            _dir: dir,
        };
        stage.look().await;
        stage
    }

    async fn look(&self) {
        let view = View::read(self.chain.as_ref(), None).await.unwrap();
        self.daemon.view.send_replace(Some(Arc::new(view)));
    }

    async fn latch_next(&self) {
        self.chain.set_beacon(1, 1, NEXT_BEACON).await;
        self.look().await;
    }

    fn ask(&self) -> ShareRequest {
        ShareRequest { node: provider_and_node().1.to_bytes(), gpu_index: 0, epoch: 0 }
    }

    async fn share(&self) -> Share {
        self.agent.post(&format!("{}/v1/audits/shares", self.url), &self.ask()).await.unwrap()
    }

    fn task(&self, share: &Share) -> Task {
        Task {
            deployment_id: [5; 32],
            node: provider_and_node().1.to_bytes(),
            gpu_index: 0,
            epoch: 0,
            beacon: BEACON,
            nonce: nonce(&[share.share]),
            n: 256,
            rounds: 4,
        }
    }

    async fn commit(&self, commit: &Commit, share: &Share) -> Result<CommitReceipt, u16> {
        self.commit_signed(commit, share, &operator()).await
    }

    async fn commit_signed(&self, commit: &Commit, share: &Share, key: &SigningKey) -> Result<CommitReceipt, u16> {
        let bytes = commit.to_bytes().to_vec();
        let signature = key.sign(&bytes).to_bytes().to_vec();
        let request = CommitRequest { commit: bytes, signature, shares: vec![share.clone()] };
        let answer = self.agent.post(&format!("{}/v1/audits/commits", self.url), &request).await;
        answer.map_err(|error| error.status().unwrap_or(0))
    }

    async fn answer(&self, commit: &Commit, bundle: Vec<u8>) -> Result<CommitReceipt, (u16, String)> {
        let url = format!("{}/v1/audits/{}/bundle", self.url, hex::encode(commit.id()));
        let answer = self.agent.post_bytes(&url, bundle).await;
        answer.map_err(|error| (error.status().unwrap_or(0), error.to_string()))
    }

    async fn listed_verdict(&self) -> String {
        let anyone = SignedClient::unsigned(std::time::Duration::from_secs(5)).unwrap();
        let list: Vec<EvidenceSummary> = anyone.get(&format!("{}/v1/evidence", self.url)).await.unwrap();
        list[0].verdict.clone()
    }

    async fn evidence(&self, commit: &Commit) -> Evidence {
        let anyone = SignedClient::unsigned(std::time::Duration::from_secs(5)).unwrap();
        anyone.get(&format!("{}/v1/evidence/{}", self.url, hex::encode(commit.id()))).await.unwrap()
    }

    fn finding(&self) -> Option<Verdict> {
        let findings = self.daemon.audits().findings();
        findings.get(&(provider_and_node().1.to_bytes(), 0)).map(|(finding, _)| finding.verdict)
    }
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
    let share = stage.share().await;
    assert_eq!(stage.share().await, share, "asked again, the clock runs on");
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let proven = run(&stage.task(&share), Arc::new(cpu()));
    let receipt = stage.commit(proven.commit(), &share).await.unwrap();
    // 2 × 256³ × 4 operations in at least 0.2 s.
    assert_eq!(receipt.gops, 0, "the wait counts");
    assert_eq!(stage.listed_verdict().await, "pending");

    let early = stage.answer(proven.commit(), answer_of(&proven)).await.unwrap_err();
    assert_eq!(early.0, 409, "{early:?}");
    stage.latch_next().await;
    assert_eq!(stage.answer(proven.commit(), answer_of(&proven)).await.unwrap().commit_id, proven.commit().id());
    assert_eq!(stage.finding(), Some(Verdict::Passed));
    assert_eq!(stage.listed_verdict().await, "passed");
}

#[tokio::test]
async fn a_prover_that_skips_rows_is_refused_and_anyone_can_prove_it() {
    let stage = Stage::new().await;
    let share = stage.share().await;
    let proven = run(&stage.task(&share), Arc::new(Lazy::rows(cpu(), 10)));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next().await;
    let refusal = stage.answer(proven.commit(), answer_of(&proven)).await.unwrap_err();
    assert_eq!(refusal.0, 422);
    assert!(refusal.1.contains("entries are wrong"), "{refusal:?}");
    assert_eq!(stage.finding(), Some(Verdict::Refused));

    let evidence = stage.evidence(proven.commit()).await;
    let commit = Commit::from_bytes(&evidence.commit).unwrap();
    let bundle = Bundle::from_bytes(&commit, &evidence.bundle).unwrap();
    assert!(verify_bundle(&commit, &NEXT_BEACON, &bundle).is_err());
    assert_eq!(wrong_entries(&commit, &bundle).len(), 3, "enough for a fraud case");
    let signature = ed25519_dalek::Signature::from_slice(&evidence.signature).unwrap();
    assert!(operator().verifying_key().verify_strict(&evidence.commit, &signature).is_ok());

    let again = stage.answer(proven.commit(), answer_of(&proven)).await.unwrap_err();
    assert_eq!(again.0, 409, "a verdict is final");
}

#[tokio::test]
async fn a_false_seed_is_refused() {
    let stage = Stage::new().await;
    let share = stage.share().await;
    let link = |round, seed| if round == 2 { [1; 32] } else { seed };
    let proven = prove_with_seeds(&stage.task(&share), Arc::new(cpu()), link).unwrap();
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next().await;
    let refusal = stage.answer(proven.commit(), answer_of(&proven)).await.unwrap_err();
    assert!(refusal.1.contains("seed of round 2"), "{refusal:?}");
    assert_eq!(stage.finding(), Some(Verdict::Refused));
}

#[tokio::test]
async fn garbage_is_no_answer_and_silence_is_withheld() {
    let stage = Stage::new().await;
    let share = stage.share().await;
    let proven = run(&stage.task(&share), Arc::new(cpu()));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next().await;
    let honest = answer_of(&proven);
    let cut = honest[..honest.len() - 1].to_vec();
    let other_queries = run(&stage.task(&share), Arc::new(cpu())).answer(&queries(proven.commit(), &BEACON)).to_bytes();
    let mut bad_path = honest.clone();
    let last = bad_path.len() - 1;
    bad_path[last] ^= 1;
    for garbage in [vec![], cut, other_queries, bad_path] {
        assert_eq!(stage.answer(proven.commit(), garbage).await.unwrap_err().0, 422);
        assert_eq!(stage.finding(), None);
    }
    // Three epochs later nobody answered.
    stage.daemon.up_since_epoch.set(0).unwrap();
    let mut view = (*stage.daemon.latest().unwrap()).clone();
    view.epoch = 2;
    millrace_oracle::tasks::audits::judge(&stage.daemon, &view).await.unwrap();
    assert_eq!(stage.finding(), None, "until the end of the second epoch there is time");
    view.epoch = 3;
    millrace_oracle::tasks::audits::judge(&stage.daemon, &view).await.unwrap();
    assert_eq!(stage.finding(), Some(Verdict::Withheld));
    assert_eq!(stage.answer(proven.commit(), honest).await.unwrap_err().0, 409);
    assert_eq!(stage.listed_verdict().await, "withheld");
}

#[tokio::test]
async fn a_verdict_survives_a_restart() {
    let stage = Stage::new().await;
    let share = stage.share().await;
    let proven = run(&stage.task(&share), Arc::new(Lazy::tail(cpu(), 1)));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next().await;
    stage.answer(proven.commit(), answer_of(&proven)).await.unwrap_err();
    let settings = stage.daemon.settings.clone();
    let next = Daemon::open(settings, stage.chain.clone(), oracle_key(0)).unwrap();
    let findings = next.audits().findings();
    assert_eq!(findings.values().next().map(|(finding, _)| finding.verdict), Some(Verdict::Refused));
}

#[tokio::test]
async fn a_commit_that_is_not_this_audits_is_not_measured() {
    let stage = Stage::new().await;
    let share = stage.share().await;
    let honest = *run(&stage.task(&share), Arc::new(cpu())).commit();
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
        assert_eq!(stage.commit(&commit, share).await.unwrap_err(), expected, "{what}");
    }
    let other = SigningKey::from_bytes(&[1; 32]);
    assert_eq!(stage.commit_signed(&honest, &share, &other).await.unwrap_err(), 401, "not the operator's signature");

    stage.chain.set_beacon(1, 10, [0; 32]).await;
    stage.look().await;
    while stage.chain.slot_now() < 10 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(stage.commit(&honest, &share).await.unwrap_err(), 409, "the next beacon's slot has passed");
    assert!(stage.daemon.audits().records.is_empty());
}

#[tokio::test]
async fn a_commit_without_a_share_is_refused() {
    let stage = Stage::new().await;
    let invented = Share { oracle: seat(0).to_bytes(), share: [3; 16] };
    let proven = run(&stage.task(&invented), Arc::new(cpu()));
    assert_eq!(stage.commit(proven.commit(), &invented).await.unwrap_err(), 409);
}

#[tokio::test]
async fn a_second_commit_is_refused_and_kept_as_evidence() {
    let stage = Stage::new().await;
    let share = stage.share().await;
    let first = *run(&stage.task(&share), Arc::new(cpu())).commit();
    stage.commit(&first, &share).await.unwrap();
    assert!(stage.commit(&first, &share).await.is_ok(), "the same again is a lost answer");
    let second = Commit { super_root: [1; 24], ..first };
    assert_eq!(stage.commit(&second, &share).await.unwrap_err(), 409);
    assert_eq!(stage.evidence(&second).await.commit, second.to_bytes());
    assert_eq!(stage.listed_verdict().await, "second");
}

#[tokio::test]
async fn strangers_get_no_share_and_answer_for_nobody() {
    let stage = Stage::new().await;
    let stranger = client(&SigningKey::from_bytes(&[1; 32]));
    let url = format!("{}/v1/audits/shares", stage.url);
    let refused = stranger.post::<_, Share>(&url, &stage.ask()).await.unwrap_err();
    assert_eq!(refused.status(), Some(403));
    assert!(refused.to_string().contains("sign with the operator key"), "{refused}");
    let unsigned = SignedClient::unsigned(std::time::Duration::from_secs(5)).unwrap();
    assert_eq!(unsigned.post::<_, Share>(&url, &stage.ask()).await.unwrap_err().status(), Some(401));
    let later = ShareRequest { epoch: 1, ..stage.ask() };
    assert_eq!(stage.agent.post::<_, Share>(&url, &later).await.unwrap_err().status(), Some(409));
    let no_gpu = ShareRequest { gpu_index: 1, ..stage.ask() };
    assert_eq!(stage.agent.post::<_, Share>(&url, &no_gpu).await.unwrap_err().status(), Some(422));

    let share = stage.share().await;
    let proven = run(&stage.task(&share), Arc::new(cpu()));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next().await;
    let url = format!("{}/v1/audits/{}/bundle", stage.url, hex::encode(proven.commit().id()));
    let refused = stranger.post_bytes::<CommitReceipt>(&url, answer_of(&proven)).await.unwrap_err();
    assert_eq!(refused.status(), Some(403));
    let refused = stranger.get::<serde_json::Value>(&format!("{}/v1/proposals/0", stage.url)).await.unwrap_err();
    assert_eq!(refused.status(), Some(403), "proposals are for oracles");
}

#[tokio::test]
async fn a_replayed_misdirected_or_oversized_request_is_refused() {
    let stage = Stage::new().await;
    let body = serde_json::to_vec(&stage.ask()).unwrap();
    let send = |authority: String, nonce: &'static str, body: Vec<u8>| {
        let url = format!("{}/v1/audits/shares", stage.url);
        async move {
            let parts = RequestParts {
                method: "POST",
                authority: &authority,
                path: "/v1/audits/shares",
                query: "",
                body: &body,
            };
            let headers = sign(&operator(), &parts, millrace_wire::server::unix_now(), nonce.to_owned());
            let request = reqwest::Client::new()
                .post(url)
                .header("content-type", "application/json")
                .header("content-digest", headers.content_digest)
                .header("signature-input", headers.signature_input)
                .header("signature", headers.signature);
            request.body(body).send().await.unwrap().status().as_u16()
        }
    };
    assert_eq!(send(stage.address.clone(), "aaaaaaaaaaaaaaaa", body.clone()).await, 200);
    assert_eq!(send(stage.address.clone(), "aaaaaaaaaaaaaaaa", body.clone()).await, 401, "replayed");
    assert_eq!(send("127.0.0.1:1".to_owned(), "bbbbbbbbbbbbbbbb", body.clone()).await, 401, "for another host");
    assert_eq!(send(stage.address.clone(), "cccccccccccccccc", vec![b' '; 1 << 20]).await, 413);

    let share = stage.share().await;
    let proven = run(&stage.task(&share), Arc::new(cpu()));
    stage.commit(proven.commit(), &share).await.unwrap();
    stage.latch_next().await;
    assert_eq!(stage.answer(proven.commit(), vec![0; 1 << 20]).await.unwrap_err().0, 413);
}

#[tokio::test]
async fn a_key_that_floods_is_slowed_down() {
    let stage = Stage::new().await;
    let url = format!("{}/v1/audits/shares", stage.url);
    let mut refused = None;
    for _ in 0..200 {
        if let Err(error) = stage.agent.post::<_, Share>(&url, &stage.ask()).await {
            refused = error.status();
            break;
        }
    }
    assert_eq!(refused, Some(429));
}
