//! An audit's conversation with an oracle that is honest but made for the test: it gives a share, takes a commit, and
//! verifies the bundle with the real verifier. All of it over TLS.

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytemuck::Zeroable;
use common::{job_of, Market};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use millrace::constants::ENDPOINT_LEN;
use millrace::state::{Beacon, Beacons, Lease, Node, NodeClass, NodeState, Oracle, OracleSet, Seat};
use millrace_client::{endpoint, pda, Pubkey};
use millrace_core::proof::bandwidth::{Direction, TRANSFER_LEN};
use millrace_core::proof::memory::{MemoryCommit, WalkCommit};
use millrace_core::proof::statement::MEMORY_STATEMENT_LEN;
use millrace_core::proof::{nonce, Commit};
use millrace_daemon::Server;
use millrace_gemm::bandwidth::{finish, measure, Limits};
use millrace_gemm::memory::verify_memory;
use millrace_gemm::{verify_bundle, Bundle};
use millrace_wire::link::accept;
use millrace_wire::messages::{
    CommitReceipt, CommitRequest, Figures, MemoryRequest, Share, ShareRequest, Statement, Statements, WalkReceipt,
    WalkRequest, TRANSFER_PROTOCOL,
};
use millrace_wire::tls::server_config;
use millrace_wire::{verify, ApiError, Verified, VerifierState};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const SHARE: [u8; 16] = [77; 16];
const SECOND_SHARE: [u8; 16] = [78; 16];
const EPOCH: u64 = 250;

/// What an oracle was told.
#[derive(Default)]
struct Told {
    /// GPUs whose memories must be full before any share of the walks is given.
    gpus: usize,
    /// Whether it refuses the next statements.
    is_busy: bool,
    commits: Vec<CommitRequest>,
    bundles: Vec<Vec<u8>>,
    fills: Vec<MemoryCommit>,
    walks: Vec<WalkRequest>,
    answers: Vec<Vec<u8>>,
    transfers: Vec<Statement>,
    statements: Vec<Statements>,
}

#[derive(Clone)]
struct OracleState {
    key: [u8; 32],
    operator: [u8; 32],
    told: Arc<Mutex<Told>>,
}

async fn share(State(oracle): State<OracleState>, asker: Verified, body: Bytes) -> Json<Share> {
    let asked: ShareRequest = serde_json::from_slice(&body).unwrap();
    assert_eq!(asker.key, oracle.operator);
    assert!([EPOCH, EPOCH + 1].contains(&asked.epoch), "no audit begins in epoch {}", asked.epoch);
    Json(Share { oracle: oracle.key, share: SHARE })
}

async fn commit(State(oracle): State<OracleState>, body: Bytes) -> Json<CommitReceipt> {
    let request: CommitRequest = serde_json::from_slice(&body).unwrap();
    let commit_id = Commit::from_bytes(&request.commit).unwrap().id();
    oracle.told.lock().unwrap().commits.push(request);
    Json(CommitReceipt { commit_id, gops: 1 })
}

async fn bundle(State(oracle): State<OracleState>, body: Bytes) -> Json<CommitReceipt> {
    let mut told = oracle.told.lock().unwrap();
    assert!(told.statements.len() > told.bundles.len(), "a bundle without what else is to count");
    told.bundles.push(body.to_vec());
    Json(CommitReceipt { commit_id: [0; 32], gops: 1 })
}

async fn fill(State(oracle): State<OracleState>, body: Bytes) -> Result<Json<Share>, ApiError> {
    let request: MemoryRequest = serde_json::from_slice(&body).unwrap();
    let commit = MemoryCommit::from_bytes(&request.commit).unwrap();
    let mut told = oracle.told.lock().unwrap();
    if !told.fills.contains(&commit) {
        told.fills.push(commit);
    }
    match told.fills.len() < told.gpus {
        true => Err(ApiError::new(StatusCode::TOO_EARLY, "the other GPU is not full", "ask when it is")),
        false => Ok(Json(Share { oracle: oracle.key, share: SECOND_SHARE })),
    }
}

async fn walks(State(oracle): State<OracleState>, body: Bytes) -> Json<WalkReceipt> {
    oracle.told.lock().unwrap().walks.push(serde_json::from_slice(&body).unwrap());
    Json(WalkReceipt { elapsed_nanos: 1, deadline_nanos: 2 })
}

async fn answer(State(oracle): State<OracleState>, body: Bytes) -> Json<Statement> {
    let mut told = oracle.told.lock().unwrap();
    assert!(told.bundles.len() < told.gpus.max(1), "the verdict is passed with the bundle");
    told.answers.push(body.to_vec());
    Json(Statement { statement: vec![3; MEMORY_STATEMENT_LEN], signature: vec![4; 64] })
}

async fn transfers(State(oracle): State<OracleState>) -> Json<Vec<Statement>> {
    Json(oracle.told.lock().unwrap().transfers.clone())
}

async fn link(State(oracle): State<OracleState>, mut request: Request) -> Result<Response, ApiError> {
    accept(&mut request, TRANSFER_PROTOCOL, move |mut link| {
        let limits = Limits { max_bytes: 1 << 20, ..Limits::default() };
        for direction in [Direction::FromPeer, Direction::ToPeer] {
            measure(&mut link, direction, &limits, || [7; 32]).unwrap();
        }
        let transfer = Statement { statement: vec![1; TRANSFER_LEN], signature: vec![2; 64] };
        let huge = Statement { statement: vec![1; 1 << 20], ..transfer.clone() };
        oracle.told.lock().unwrap().transfers = vec![transfer, huge];
        finish(&mut link).unwrap();
    })
}

async fn statements(State(oracle): State<OracleState>, body: Bytes) -> Result<Json<Figures>, ApiError> {
    let mut told = oracle.told.lock().unwrap();
    if std::mem::take(&mut told.is_busy) {
        return Err(ApiError::unavailable("busy", "try again"));
    }
    assert!(told.bundles.len() < told.gpus.max(1), "the verdict is passed with the bundle");
    told.statements.push(serde_json::from_slice(&body).unwrap());
    Ok(Json(Figures::default()))
}

/// A market with one oracle of `weight` out of `total`, a node not yet measured, and the beacon of the epoch.
struct Audited {
    market: Market,
    told: Arc<Mutex<Told>>,
    node: Pubkey,
}

impl Audited {
    async fn new(dir: &Path, silent_weight: u64) -> Self {
        let mut market = Market::new(dir, &job_of("true"));
        market.settings.audits.n = Some(256);
        market.settings.audits.rounds = Some(2);
        market.chain.remove_account(&market.lease);
        let provider = pda::provider(&market.settings.authority.parse().unwrap());
        let node = pda::node(&provider, 0);
        let state = Node { provider, gpu_count: 1, class: NodeClass::Cpu as u8, claimed_gops: 1, ..Node::zeroed() };
        market.chain.set(node, &state);

        let told = Arc::new(Mutex::new(Told::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seat_key = SigningKey::from_bytes(&[50; 32]);
        let key = seat_key.verifying_key().to_bytes();
        let operator = common::operator_of(&market);
        let routes = Router::new()
            .route("/v1/audits/shares", post(share))
            .route("/v1/audits/commits", post(commit))
            .route("/v1/audits/{commit_id}/bundle", post(bundle))
            .route("/v1/audits/{commit_id}/memory", post(fill))
            .route("/v1/audits/{commit_id}/walks", post(walks))
            .route("/v1/audits/{commit_id}/memory/answer", post(answer))
            .route("/v1/audits/{commit_id}/statements", post(statements))
            .route("/v1/nodes/{node}/transfers", get(transfers))
            .route("/v1/nodes/{node}/link", post(link))
            .with_state(OracleState { key, operator, told: told.clone() })
            .layer(axum::middleware::from_fn_with_state(VerifierState::new(address.clone(), 4 << 20), verify));
        let server = Server::new(routes, server_config(&seat_key).unwrap());
        tokio::spawn(server.run(listener, CancellationToken::new()));

        let mut set = OracleSet { count: 2, ..OracleSet::zeroed() };
        set.seats[0] = Seat { authority: key.into(), weight: 1 };
        set.seats[1] = Seat { authority: [51; 32].into(), weight: silent_weight };
        market.chain.set(pda::oracles(), &set);
        let endpoint: [u8; ENDPOINT_LEN] = endpoint::to_bytes(&format!("https://{address}")).unwrap();
        market.chain.set(pda::oracle(&key.into()), &Oracle { endpoint, ..Oracle::zeroed() });
        let audited = Self { market, told, node };
        audited.latch(EPOCH);
        audited
    }

    /// Latches the beacons up to `epoch`, at its beginning.
    fn latch(&self, epoch: u64) {
        let mut beacons = Beacons::zeroed();
        for epoch in EPOCH..=epoch {
            let hash = beacon_of(epoch);
            beacons.ring[epoch as usize % beacons.ring.len()] = Beacon { epoch, slot: epoch, hash };
        }
        self.market.chain.set(pda::beacons(), &beacons);
        // Epochs of 4 s from second 1 on.
        self.market.chain.set_unix_timestamp(1 + epoch as i64 * 4);
    }

    async fn until(&self, wanted: impl Fn(&Told) -> bool) {
        let give_up_at = Instant::now() + Duration::from_secs(20);
        while !wanted(&self.told.lock().unwrap()) {
            assert!(Instant::now() < give_up_at, "waited in vain");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs an agent until `work` is done.
    async fn while_agent_runs(&self, work: impl std::future::Future<Output = ()>) {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = self.market.serve(|_| {}, async move { drop(stopped.await) });
        let work = async {
            work.await;
            drop(stop);
        };
        let (served, ()) = tokio::join!(serving, work);
        served.unwrap();
    }
}

fn beacon_of(epoch: u64) -> [u8; 32] {
    millrace_core::hash::sha256(&[&epoch.to_le_bytes()])
}

fn check_commit(audited: &Audited, request: &CommitRequest) -> Commit {
    let commit = Commit::from_bytes(&request.commit).unwrap();
    assert_eq!((commit.node, commit.epoch, commit.beacon), (audited.node.to_bytes(), EPOCH, beacon_of(EPOCH)));
    assert_eq!((commit.n, commit.rounds), (256, 2));
    assert_eq!(commit.nonce, nonce(&[SHARE]));
    let signature = Signature::from_slice(&request.signature).unwrap();
    let operator = VerifyingKey::from_bytes(&common::operator_of(&audited.market)).unwrap();
    operator.verify_strict(&request.commit, &signature).unwrap();
    commit
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_is_a_signed_commit_and_a_bundle_that_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let audited = Audited::new(dir.path(), 0).await;
    audited
        .while_agent_runs(async {
            audited.until(|told| !told.commits.is_empty()).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert!(audited.told.lock().unwrap().bundles.is_empty(), "answered before the queries were known");
            audited.latch(EPOCH + 1);
            audited.until(|told| !told.bundles.is_empty()).await;
        })
        .await;
    let told = audited.told.lock().unwrap();
    assert_eq!(told.commits.len(), 1, "one commit an epoch");
    let commit = check_commit(&audited, &told.commits[0]);
    let bundle = Bundle::from_bytes(&commit, &told.bundles[0]).unwrap();
    verify_bundle(&commit, &beacon_of(EPOCH + 1), &bundle).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_that_is_claimed_is_filled_walked_and_answered_for_before_the_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let audited = Audited::new(dir.path(), 0).await;
    let claiming =
        Node { gpu_count: 1, class: NodeClass::Cpu as u8, claimed_gops: 1, claimed_vram_mib: 1, ..Node::zeroed() };
    audited.market.chain.set(audited.node, &claiming);
    audited
        .while_agent_runs(async {
            audited.until(|told| !told.walks.is_empty()).await;
            audited.latch(EPOCH + 1);
            audited.until(|told| !told.bundles.is_empty()).await;
        })
        .await;
    let told = audited.told.lock().unwrap();
    let commit = check_commit(&audited, &told.commits[0]);
    let fill = told.fills[0];
    assert_eq!((fill.task.nonce, fill.task.words), (commit.nonce, 28_672), "seven eighths of a MiB");
    let walks = WalkCommit::from_bytes(&told.walks[0].walks).unwrap();
    assert_eq!(walks.nonce, nonce(&[SECOND_SHARE]));
    verify_memory(&fill, &walks, &beacon_of(EPOCH + 1), &told.answers[0]).unwrap();
    let memory = vec![Statement { statement: vec![3; MEMORY_STATEMENT_LEN], signature: vec![4; 64] }];
    assert_eq!(told.statements[0], Statements { memory, transfers: vec![] }, "what the oracle stated of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oracle_too_busy_for_statements_gets_the_bundle_after_them() {
    let dir = tempfile::tempdir().unwrap();
    let audited = Audited::new(dir.path(), 0).await;
    audited.told.lock().unwrap().is_busy = true;
    audited
        .while_agent_runs(async {
            audited.until(|told| !told.commits.is_empty()).await;
            audited.latch(EPOCH + 1);
            audited.until(|told| !told.bundles.is_empty()).await;
        })
        .await;
    let told = audited.told.lock().unwrap();
    assert!(!told.is_busy && told.statements.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_a_customer_leased_meanwhile_is_not_answered_for() {
    let dir = tempfile::tempdir().unwrap();
    let audited = Audited::new(dir.path(), 0).await;
    let claiming = Node { gpu_count: 1, class: NodeClass::Cpu as u8, claimed_vram_mib: 1, ..Node::zeroed() };
    audited.market.chain.set(audited.node, &claiming);
    audited
        .while_agent_runs(async {
            audited.until(|told| !told.walks.is_empty()).await;
            audited.market.chain.set(audited.node, &Node { lease: [1; 32].into(), ..claiming });
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            audited.latch(EPOCH + 1);
            audited.until(|told| !told.bundles.is_empty()).await;
        })
        .await;
    assert!(audited.told.lock().unwrap().answers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gpus_of_a_node_fill_before_any_of_them_walks() {
    let dir = tempfile::tempdir().unwrap();
    let audited = Audited::new(dir.path(), 0).await;
    audited.told.lock().unwrap().gpus = 2;
    let two =
        Node { gpu_count: 2, class: NodeClass::Cpu as u8, claimed_gops: 2, claimed_vram_mib: 1, ..Node::zeroed() };
    audited.market.chain.set(audited.node, &two);
    audited
        .while_agent_runs(async {
            audited.until(|told| told.walks.len() == 2).await;
            audited.latch(EPOCH + 1);
            audited.until(|told| told.bundles.len() == 2).await;
        })
        .await;
    let told = audited.told.lock().unwrap();
    let mut gpus: Vec<u32> = told.fills.iter().map(|fill| fill.task.gpu_index).collect();
    gpus.sort_unstable();
    assert_eq!(gpus, [0, 1]);
    assert!(told.statements.iter().all(|statements| statements.memory.len() == 1), "each of its own memory");
    for answer in &told.answers {
        let is_of = |fill: &&MemoryCommit| {
            let walked = told.walks.iter().map(|walks| WalkCommit::from_bytes(&walks.walks).unwrap());
            let mut walks = walked.filter(|walks| walks.memory_id == fill.id());
            walks.any(|walks| verify_memory(fill, &walks, &beacon_of(EPOCH + 1), answer).is_ok())
        };
        assert_eq!(told.fills.iter().filter(is_of).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_of_a_verified_node_is_measured_and_shown_at_its_next_audit() {
    let dir = tempfile::tempdir().unwrap();
    let mut audited = Audited::new(dir.path(), 0).await;
    audited.market.settings.audits.every_epochs = 1;
    let verified =
        Node { gpu_count: 1, class: NodeClass::Cpu as u8, state: NodeState::Verified as u8, ..Node::zeroed() };
    audited.market.chain.set(audited.node, &Node { verified_until: i64::MAX, ..verified });
    audited
        .while_agent_runs(async {
            audited.until(|told| !told.transfers.is_empty()).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert!(audited.told.lock().unwrap().commits.is_empty(), "it may have committed before it was started");
            audited.latch(EPOCH + 1);
            audited.until(|told| !told.commits.is_empty()).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            audited.latch(EPOCH + 2);
            audited.until(|told| !told.bundles.is_empty()).await;
        })
        .await;
    let told = audited.told.lock().unwrap();
    assert_eq!(told.statements[0].transfers, told.transfers[..1], "what is no statement is not shown");
    assert!(told.statements[0].memory.is_empty());
    assert!(told.fills.is_empty(), "no memory is claimed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_answered_for_by_the_next_agent() {
    let dir = tempfile::tempdir().unwrap();
    let audited = Audited::new(dir.path(), 0).await;
    audited.while_agent_runs(audited.until(|told| !told.commits.is_empty())).await;
    audited.latch(EPOCH + 1);
    // So that the new epoch brings no audit of its own.
    audited.market.chain.set(audited.node, &Node { lease: [1; 32].into(), ..Node::zeroed() });
    audited.while_agent_runs(audited.until(|told| !told.bundles.is_empty())).await;
    let told = audited.told.lock().unwrap();
    assert!(told.commits.iter().all(|request| *request == told.commits[0]), "another commit of the same epoch");
    let commit = check_commit(&audited, &told.commits[0]);
    let bundle = Bundle::from_bytes(&commit, &told.bundles[0]).unwrap();
    verify_bundle(&commit, &beacon_of(EPOCH + 1), &bundle).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_journal_was_put_back_from_a_backup_commits_to_nothing_before_the_next_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let audited = Audited::new(dir.path(), 0).await;
    audited.while_agent_runs(audited.until(|told| !told.commits.is_empty())).await;
    // The backup is from before the commit.
    let path = audited.market.settings.data_dir.join("agent.db");
    for file in ["agent.db", "agent.db-wal", "agent.db-shm"] {
        let _ = std::fs::remove_file(path.with_file_name(file));
    }
    drop(millrace_agent::journal::Journal::open(&path).unwrap());
    let before = audited.told.lock().unwrap().commits.len();
    audited
        .while_agent_runs(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(audited.told.lock().unwrap().commits.len(), before, "a second commit of the epoch");
            audited.latch(EPOCH + 1);
            audited.until(|told| told.commits.len() > before).await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_of_shares_nothing_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let audited = Audited::new(dir.path(), 1).await;
    audited.while_agent_runs(tokio::time::sleep(Duration::from_secs(2))).await;
    assert!(audited.told.lock().unwrap().commits.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_at_work_for_a_customer_is_not_audited() {
    let dir = tempfile::tempdir().unwrap();
    let audited = Audited::new(dir.path(), 0).await;
    let market = &audited.market;
    market.chain.set(market.lease, &Lease { node: audited.node, ..Lease::zeroed() });
    let leased = Node { lease: market.lease, gpu_count: 1, ..Node::zeroed() };
    market.chain.set(audited.node, &leased);
    audited.while_agent_runs(tokio::time::sleep(Duration::from_secs(1))).await;
    assert!(audited.told.lock().unwrap().commits.is_empty());
}
