//! Provers that want to seem faster than they are, against the oracle's clock.
//!
//! Detected is a node that the program would suspend: one that reaches less than half of its claim. A card is never
//! faster than its speed, so none of these trials can be missed by chance.

use crate::card::Card;
use crate::conversation::{answer, commit_with, node, T4_GOPS};
use crate::{link, rng, run_on, Cheat, Kind, RUNTIME};
use millrace::state::{Node, NodeClass};
use millrace_core::leaves::Verdict;
use millrace_core::proof::{operations, Commit, COMMIT_LEN};
use millrace_gemm::{queries, Cpu};
use millrace_oracle::testing::{audit_task, commit_request, operator, Stage};
use millrace_wire::messages::Share;
use millrace_wire::server::unix_now;
use rand::{rngs::StdRng, Rng};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{spawn_blocking, JoinSet};

/// Size of the timed audits, and the speed of the card: together half a second.
const N: u32 = 256;
const ROUNDS: u32 = 64;
const CARD_GOPS: u64 = 4;

fn card() -> Card {
    Card::new(Duration::from_nanos(operations(N, ROUNDS) as u64 / CARD_GOPS), ROUNDS)
}

pub(crate) fn cheats() -> Vec<Cheat> {
    let cheat = |name, does, caught_by, missed, kind, trial| Cheat { name, does, caught_by, missed, kind, trial };
    const CLOCK: &str = "the oracle's clock, which runs from the node's first share";
    vec![
        cheat(
            "one GPU answering for two",
            "runs for one GPU, then for the other, and asks for the second share only then",
            CLOCK,
            0.0,
            Kind::Timed,
            Box::new(|seed| RUNTIME.block_on(one_for_two(rng(seed)))),
        ),
        cheat(
            "low tier claiming high",
            "claims a little more than twice its speed",
            CLOCK,
            0.0,
            Kind::Timed,
            Box::new(|seed| RUNTIME.block_on(low_tier(rng(seed)))),
        ),
        cheat(
            "lying clock",
            "signs its request for a share as of later and its commit as of earlier, up to a minute each",
            "the oracle's clock, and its limit of 30 s between two clocks",
            0.0,
            Kind::Timed,
            Box::new(|seed| RUNTIME.block_on(lying_clock(rng(seed)))),
        ),
        cheat(
            "CPU claiming GPU, n = 4,096",
            "claims the speed of a T4 and computes what a GPU is asked for on all cores",
            CLOCK,
            0.0,
            Kind::Large,
            Box::new(|seed| RUNTIME.block_on(processor_as_gpu(rng(seed)))),
        ),
        cheat(
            "proxy to another host",
            "has a card in another place, 20 ms away, compute for a node that has none",
            "nothing: the work is done, only elsewhere",
            1.0,
            Kind::Timed,
            Box::new(|seed| RUNTIME.block_on(proxied(rng(seed)))),
        ),
    ]
}

async fn stage(claim: Node) -> Stage {
    Stage::open(claim, |oracle| oracle).await
}

/// Whether the oracle passes a node that the program then suspends for its speed.
fn is_slow(stage: &Stage, claim: &Node) -> bool {
    stage.finding().is_some_and(|finding| finding.verdict == Verdict::Passed && claim.is_slow(finding.gops))
}

async fn one_for_two(mut rng: StdRng) -> bool {
    let claim = node(NodeClass::Cpu, 2, 2 * CARD_GOPS);
    let stage = stage(claim).await;
    let card = Arc::new(card());
    let (first, _) = commit_with(&stage, 0, card.clone(), N, ROUNDS).await;
    let (second, _) = commit_with(&stage, 1, card, N, ROUNDS).await;
    let next_beacon = rng.random();
    stage.latch_next(next_beacon).await;
    for run in [first, second] {
        answer(&stage, &run, &next_beacon).await.expect("every entry is right");
    }
    is_slow(&stage, &claim)
}

async fn low_tier(mut rng: StdRng) -> bool {
    let claim = node(NodeClass::Cpu, 1, 2 * CARD_GOPS + 1);
    let stage = stage(claim).await;
    let (run, _) = commit_with(&stage, 0, Arc::new(card()), N, ROUNDS).await;
    let next_beacon = rng.random();
    stage.latch_next(next_beacon).await;
    answer(&stage, &run, &next_beacon).await.expect("every entry is right");
    is_slow(&stage, &claim)
}

async fn lying_clock(mut rng: StdRng) -> bool {
    let claim = node(NodeClass::Cpu, 1, 2 * CARD_GOPS + 1);
    let stage = stage(claim).await;
    let [later, earlier] = [rng.random_range(0..60), rng.random_range(0..60)];
    let body = serde_json::to_vec(&stage.ask(0)).expect("a request is JSON");
    let asked =
        stage.post_signed("/v1/audits/shares", body, &stage.address, unix_now() + later, "AtTheVeryBeginning").await;
    let (200, share) = asked else { return asked.0 == 401 && later >= 30 };
    let share: Share = serde_json::from_slice(&share).expect("the oracle gives a share");
    let task = audit_task(&share, 0, N, ROUNDS);
    let run = spawn_blocking(move || run_on(&task, Arc::new(card()))).await.expect("a run does not panic");
    let request = commit_request(run.commit(), &share, &operator());
    let body = serde_json::to_vec(&request).expect("a request is JSON");
    let sent = stage
        .post_signed("/v1/audits/commits", body, &stage.address, unix_now() - earlier, "WhenItIsAllReallyDone")
        .await;
    if sent.0 != 200 {
        return sent.0 == 401 && earlier >= 30;
    }
    let next_beacon = rng.random();
    stage.latch_next(next_beacon).await;
    answer(&stage, &run, &next_beacon).await.expect("every entry is right");
    is_slow(&stage, &claim)
}

async fn processor_as_gpu(mut rng: StdRng) -> bool {
    let claim = node(NodeClass::Gpu, 1, T4_GOPS);
    let stage = stage(claim).await;
    let all_cores = Arc::new(Cpu::new(0).expect("threads can be started"));
    let (run, _) = commit_with(&stage, 0, all_cores, 4_096, 1).await;
    let next_beacon = rng.random();
    stage.latch_next(next_beacon).await;
    answer(&stage, &run, &next_beacon).await.expect("every entry is right");
    is_slow(&stage, &claim)
}

/// Detected would be any verdict but that it passes.
async fn proxied(mut rng: StdRng) -> bool {
    let stage = stage(node(NodeClass::Cpu, 1, CARD_GOPS)).await;
    let next_beacon = rng.random();
    let path = link::Path { delay_ms: 10, ..link::Path::default() };
    audit_elsewhere(&stage, path, card(), (N, ROUNDS), next_beacon).await;
    stage.verdict() != Some(Verdict::Passed)
}

/// An audit of a node without a card: it forwards the task to a host that has one, over `path`, and the commit and the
/// answer that come back to the oracle.
pub(crate) async fn audit_elsewhere(
    stage: &Stage,
    path: link::Path,
    card: Card,
    (n, rounds): (u32, u32),
    next_beacon: [u8; 32],
) {
    let (host, _serving) = other_host(card).await;
    let link = link::Link::open(host, path);
    // Connected beforehand: a cheat would be.
    let mut connection = TcpStream::connect(link.address).await.expect("the link is open");
    connection.set_nodelay(true).expect("a socket can be made so");
    exchange(&mut connection, &[0; COMMIT_LEN], 1).await;

    let share = stage.share(0).await.expect("an oracle gives its share");
    let task = audit_task(&share, 0, n, rounds);
    let super_root = exchange(&mut connection, &task.commit([0; 24]).to_bytes(), 24).await;
    let commit = task.commit(super_root.try_into().expect("24 bytes were read"));
    stage.commit(&commit, &share).await.expect("an oracle takes the commit");
    stage.latch_next(next_beacon).await;
    let bundle = exchange(&mut connection, &next_beacon, millrace_gemm::bundle_len(n, rounds)).await;
    stage.answer(&commit, bundle).await.expect("every entry is right");
}

async fn exchange(connection: &mut TcpStream, request: &[u8], answer_len: usize) -> Vec<u8> {
    let mut answer = vec![0; answer_len];
    connection.write_all(request).await.expect("the other host reads");
    connection.read_exact(&mut answer).await.expect("the other host answers");
    answer
}

/// A host with a card: reads a greeting, a task and a beacon, and answers with a byte, a super-root and a bundle.
async fn other_host(card: Card) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (mut asking, _) = listener.accept().await.expect("the node connects");
        asking.set_nodelay(true).expect("a socket can be made so");
        let mut bytes = [0; COMMIT_LEN];
        let mut next_beacon = [0; 32];
        asking.read_exact(&mut bytes).await.expect("the node greets");
        asking.write_all(&[0]).await.expect("the node waits");
        asking.read_exact(&mut bytes).await.expect("the node asks");
        let task = Commit::from_bytes(&bytes).expect("the node sends a task").task();
        let run = spawn_blocking(move || run_on(&task, Arc::new(card))).await;
        let run = run.expect("a run does not panic");
        asking.write_all(&run.commit().super_root).await.expect("the node waits");
        asking.read_exact(&mut next_beacon).await.expect("the node asks");
        let bundle = run.answer(&queries(run.commit(), &next_beacon));
        asking.write_all(&bundle.to_bytes()).await.expect("the node waits");
    });
    (address, serving)
}
