//! `millrace watch` against the program on a local network.

mod oracles;
mod stage;

use std::ops::ControlFlow;
use std::sync::Arc;

use millrace::instructions::ApplyAuditArgs;
use millrace::state::{FraudCase, Node, NodeState, Oracle, Provider, SlashCase};
use millrace_client::{fetch, fetch_all, ix, pda, token, Pubkey, Signer};
use millrace_core::leaves::{NodeLeaf, Verdict};
use millrace_core::proof::{Commit, Task};
use millrace_gemm::cheats::Lazy;
use millrace_gemm::{prove, queries, Cpu, ProveOptions, ProvenRun};
use millrace_wire::messages::Evidence;

use oracles::{serve, sign, Urls};
use stage::{wait_for, Running, Stage};

const MILL: u64 = 1_000_000;

const NAMES: [&str; 9] =
    ["founder", "oracle-1", "oracle-2", "oracle-3", "cheat", "silent", "operator", "watcher", "later-watcher"];

fn leaf(node: &Pubkey, audit_epoch: u64, super_root: [u8; 24], verdict: Verdict, at: i64) -> NodeLeaf {
    let gops = if verdict == Verdict::Passed { 10 } else { 0 };
    NodeLeaf { node: node.to_bytes(), audit_epoch, super_root, verdict, gops, vram_mib: 0, bandwidth_mbps: 0, at }
}

/// What a node computes that leaves half of its rows out.
fn lazy_run(task: &Task) -> ProvenRun {
    let backend = Arc::new(Lazy::rows(Cpu::new(1).unwrap(), 50));
    prove(task, backend, ProveOptions::default(), &|_| ControlFlow::Continue(())).unwrap()
}

fn evidence(stage: &Stage, run: &ProvenRun, next_beacon: &[u8; 32]) -> Evidence {
    let commit = run.commit().to_bytes().to_vec();
    let signature = stage.key("operator").sign_message(&commit).as_ref().to_vec();
    let bundle = run.answer(&queries(run.commit(), next_beacon)).to_bytes();
    Evidence { commit, signature, bundle }
}

async fn stake_of(stage: &Stage, oracle: &str) -> u64 {
    let oracle: Oracle = fetch(&stage.chain, &pda::oracle(&stage.address(oracle))).await.unwrap().unwrap();
    oracle.stake
}

async fn node(stage: &Stage, key: &Pubkey) -> Node {
    fetch(&stage.chain, key).await.unwrap().unwrap()
}

/// MILL of `who`, base units.
async fn tokens(stage: &Stage, who: &str) -> u64 {
    let config = stage.config().await;
    let wallet = token::wallet(&stage.address(who), &config.mint, &config.token_program);
    token::balance(&stage.chain, &wallet).await.unwrap().unwrap_or(0)
}

/// Two of three oracles sign that a node which skipped half of its work has passed. The cheat is proven before their
/// report is accepted; a watcher that starts after that finds both, and two oracles pay for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oracles_that_passed_a_cheat_without_looking_lose_their_stake_to_a_watcher_that_comes_later() {
    let (known, Urls { honest, liar }) = serve().await;
    let stage = Stage::start(&NAMES);
    stage.found(&[("oracle-1", liar.clone()), ("oracle-2", liar), ("oracle-3", honest)]);
    for oracle in ["oracle-1", "oracle-2", "oracle-3"] {
        let address = stage.address(oracle).to_string();
        stage.millrace("founder", &["oracle", "stake", "100", "--oracle", &address]);
    }
    let cheat = stage.provider("cheat", "operator", "500");

    let (epoch, beacon) = stage.epoch_after(stage.epoch().await).await;
    let deployment_id = stage.config().await.deployment_id;
    let (node_key, nonce) = (cheat.to_bytes(), [4; 32]);
    let run = lazy_run(&Task { deployment_id, node: node_key, gpu_index: 0, epoch, beacon, nonce, n: 256, rounds: 2 });
    let commit: Commit = *run.commit();
    let (next_epoch, next_beacon) = stage.epoch_after(epoch).await;
    assert_eq!(next_epoch, epoch + 1, "the beacon after the audit's asks the queries");
    known.lock().unwrap().show(&commit, evidence(&stage, &run, &next_beacon));
    let slashed = stage.millrace("watcher", &["watch", "--until-slashed", "--for-secs", "60"]);
    assert_eq!((&slashed["entries_proven"], slashed["node"].as_str()), (&3.into(), Some(&*cheat.to_string())));
    let case: FraudCase = fetch(&stage.chain, &pda::fraud_case(&commit.id())).await.unwrap().unwrap();
    assert!(case.is_done() && node(&stage, &cheat).await.is_retired());

    let passed = leaf(&cheat, epoch, commit.super_root, Verdict::Passed, stage.now().await - 1);
    sign(&stage, &known, &["oracle-1", "oracle-2"], stage.epoch().await, &[passed]).await;
    let bounty_before = tokens(&stage, "watcher").await;
    let _later = Running::start(stage.command("later-watcher", &["watch"]));
    wait_for("both oracles slashed", 60, || async {
        let stakes = (stake_of(&stage, "oracle-1").await, stake_of(&stage, "oracle-2").await);
        (stakes == (0, 0)).then_some(())
    })
    .await;
    assert_eq!(stake_of(&stage, "oracle-3").await, 100 * MILL, "it signed nothing");
    let bounty = tokens(&stage, "watcher").await - bounty_before;
    assert_eq!(bounty, 2 * 100 * MILL / 20, "the bounty is of who opened the case");
}

/// The oracles find that a node withheld its answer; its agent keeps still. The watcher applies it for the fee, charges the
/// node, executes that when the appeal is over and closes its case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withheld_answer_that_nobody_applies_is_applied_charged_and_executed() {
    let (known, Urls { honest, liar }) = serve().await;
    let stage = Stage::start(&NAMES);
    stage.found(&[("oracle-1", liar.clone()), ("oracle-2", liar), ("oracle-3", honest)]);
    let silent = stage.provider("silent", "operator", "500");
    let signers = ["oracle-1", "oracle-3"];

    let (epoch, _) = stage.epoch_after(stage.epoch().await).await;
    let passed = leaf(&silent, epoch - 1, [1; 24], Verdict::Passed, stage.now().await - 1);
    sign(&stage, &known, &signers, epoch, &[passed]).await;
    let args = ApplyAuditArgs { epoch, index: 0, leaf: passed.to_bytes(), path: vec![] };
    stage.submit("apply audit", ix::apply_audit(&silent, args), "founder").await;
    assert_eq!(node(&stage, &silent).await.state, NodeState::Verified as u8);

    let (epoch, _) = stage.epoch_after(epoch).await;
    let withheld = leaf(&silent, epoch - 1, [2; 24], Verdict::Withheld, stage.now().await - 1);
    sign(&stage, &known, &signers, epoch, &[withheld]).await;
    let _watcher = Running::start(stage.command("watcher", &["watch", "--only-bounties"]));
    let provider_key = pda::provider(&stage.address("silent"));
    let case_key = pda::slash_case(&provider_key, 0);
    let case: SlashCase = wait_for("the charge", 60, || async { fetch(&stage.chain, &case_key).await.unwrap() }).await;
    let locked = node(&stage, &silent).await;
    assert_eq!(locked.state, NodeState::Suspended as u8);
    assert_eq!(case.prover, stage.address("watcher"));
    let fee = stage.config().await.params.downgrade_fee_amount;
    assert_eq!(tokens(&stage, "watcher").await, fee, "the fee of the downgrade");

    wait_for("the execution", 90, || async {
        let provider: Provider = fetch(&stage.chain, &provider_key).await.unwrap().unwrap();
        (provider.frozen == 0).then_some(())
    })
    .await;
    let bounty = tokens(&stage, "watcher").await - fee;
    assert_eq!(bounty, case.frozen_amount / 20);
    wait_for("the case closed", 30, || async {
        let cases = fetch_all::<SlashCase>(&stage.chain, &[]).await.unwrap();
        cases.is_empty().then_some(())
    })
    .await;
}
