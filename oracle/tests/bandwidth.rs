//! The measurement of a link over real HTTP and a real connection.

mod common;

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use common::*;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use millrace::state::{Node, NodeState};
use millrace_core::proof::bandwidth::{Direction, Transfer};
use millrace_gemm::bandwidth::serve;
use millrace_gemm::{prove, queries, Cpu, ProveOptions};
use millrace_wire::messages::{Figures, Statement, Statements, TRANSFER_PROTOCOL};
use millrace_wire::{Link, Pin, SignedClient, WireError};

/// With a node whose link may be measured.
async fn verified() -> Stage {
    Stage::open(Node { state: NodeState::Verified as u8, ..cpu_node() }, |oracle| oracle).await
}

fn node_url(stage: &Stage) -> String {
    format!("{}/v1/nodes/{}", stage.url, provider_and_node().1)
}

async fn connect(stage: &Stage, agent: &SignedClient) -> Result<Link, WireError> {
    agent.connect(&format!("{}/link", node_url(stage)), TRANSFER_PROTOCOL).await
}

async fn transfers(stage: &Stage) -> Vec<Statement> {
    stage.agent.get(&format!("{}/transfers", node_url(stage))).await.unwrap()
}

/// Does the other end of the link, on a thread that may block.
async fn at_the_other_end<T: Send + 'static>(mut link: Link, act: impl FnOnce(&mut Link) -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(move || act(&mut link)).await.unwrap()
}

async fn measured(stage: &Stage) -> Vec<Statement> {
    let link = connect(stage, &stage.agent).await.unwrap();
    at_the_other_end(link, |link| serve(link, 1 << 30)).await.unwrap();
    transfers(stage).await
}

fn read(signed: &Statement) -> Transfer {
    Transfer::from_bytes(&signed.statement).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_measured_in_both_directions_stated_and_counted() {
    let stage = verified().await;
    assert_eq!(transfers(&stage).await, []);
    let stated = measured(&stage).await;
    let [from, to] = &stated[..] else { panic!("{stated:?}") };
    assert_eq!((read(from).direction, read(to).direction), (Direction::FromPeer, Direction::ToPeer));
    for signed in [from, to] {
        let transfer = read(signed);
        assert_eq!((transfer.peer, transfer.epoch), (provider_and_node().1.to_bytes(), 0));
        assert!(transfer.mbps() > 0, "{transfer:?}");
        let signature = Signature::from_slice(&signed.signature).unwrap();
        VerifyingKey::from_bytes(&seat(0).to_bytes()).unwrap().verify_strict(&signed.statement, &signature).unwrap();
    }
    let refused = connect(&stage, &stage.agent).await.err().unwrap();
    assert_eq!(refused.status(), Some(409), "measured not long ago");

    let share = stage.share(0).await.unwrap();
    let go_on = |_| ControlFlow::Continue(());
    let task = audit_task(&share, 0, 256, 1);
    let run = prove(&task, Arc::new(Cpu::new(1).unwrap()), ProveOptions::default(), &go_on).unwrap();
    stage.commit(run.commit(), &share).await.unwrap();
    let url = format!("{}/v1/audits/{}/statements", stage.url, hex::encode(run.commit().id()));
    let show = async |transfers| {
        let statements = Statements { memory: vec![], transfers };
        stage.agent.post::<_, Figures>(&url, &statements).await.unwrap().bandwidth_mbps
    };
    assert_eq!(show(vec![]).await, 0);
    let bandwidth_mbps = show(stated.clone()).await;
    assert_eq!(bandwidth_mbps, read(from).mbps().min(read(to).mbps()));
    stage.latch_next(NEXT_BEACON).await;
    let answer = run.answer(&queries(run.commit(), &NEXT_BEACON)).to_bytes();
    stage.answer(run.commit(), answer).await.unwrap();
    assert_eq!(stage.finding().unwrap().bandwidth_mbps, bandwidth_mbps);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_measured_over_tls() {
    let mut stage = verified().await;
    stage.url = format!("https://{}", stage.address);
    stage.agent = stage.agent.pinned(Pin::Key(seat(0).to_bytes()));
    let stated = measured(&stage).await;
    assert!(stated.len() == 2 && stated.iter().all(|signed| read(signed).mbps() > 0), "{stated:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_other_bytes_or_hangs_up_is_not_measured_and_not_asked_again_at_once() {
    let stage = verified().await;
    let link = connect(&stage, &stage.agent).await.unwrap();
    at_the_other_end(link, |link| {
        let mut request = [0; 48];
        link.read_exact(&mut request).unwrap();
        // The oracle hangs up when it has seen enough.
        let _ = (0..64).try_for_each(|_| link.write_all(&[7; 1 << 16]));
    })
    .await;
    assert_eq!(transfers(&stage).await, []);
    assert_eq!(connect(&stage, &stage.agent).await.err().unwrap().status(), Some(429));
    stage.daemon.audits().links.clear();
    drop(connect(&stage, &stage.agent).await.unwrap());
    stage.daemon.audits().links.clear();
    assert_eq!(transfers(&stage).await, []);
    assert_eq!(measured(&stage).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_gets_a_link_and_only_so_many_are_measured_at_once() {
    let stage = verified().await;
    let stranger = client(&SigningKey::from_bytes(&[1; 32]));
    assert_eq!(connect(&stage, &stranger).await.err().unwrap().status(), Some(403));
    let new = Stage::new().await;
    assert_eq!(connect(&new, &new.agent).await.err().unwrap().status(), Some(409), "not yet verified");
    let mut links = vec![];
    for _ in 0..4 {
        links.push(connect(&stage, &stage.agent).await.unwrap());
        stage.daemon.audits().links.clear();
    }
    assert_eq!(connect(&stage, &stage.agent).await.err().unwrap().status(), Some(503), "four at once");
    drop(links);
}
