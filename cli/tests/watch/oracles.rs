//! What the oracles of the test answer: one that is honest, and others that give made-up reports.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use millrace::instructions::SignReportArgs;
use millrace_client::ix;
use millrace_core::leaves::{NodeLeaf, Verdict, NODE_LEAF_LEN};
use millrace_core::merkle::Tree;
use millrace_core::proof::Commit;
use millrace_wire::messages::{Evidence, EvidenceSummary, Leaves, Report};

use crate::stage::Stage;

/// What there is to answer.
#[derive(Default)]
pub struct Known {
    evidence: Vec<(EvidenceSummary, Evidence)>,
    reports: Vec<Report>,
}

pub type Shared = Arc<Mutex<Known>>;

/// Where an oracle answers honestly, and where one makes its reports up.
pub struct Urls {
    pub honest: String,
    pub liar: String,
}

pub async fn serve() -> (Shared, Urls) {
    let known = Shared::default();
    let app = Router::new()
        .route("/{who}/v1/evidence", get(list))
        .route("/{who}/v1/evidence/{commit}", get(evidence))
        .route("/{who}/v1/reports/{epoch}", get(report))
        .with_state(known.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (known, Urls { honest: format!("{base}/honest"), liar: format!("{base}/liar") })
}

async fn list(State(known): State<Shared>, Path(who): Path<String>) -> Json<Vec<EvidenceSummary>> {
    let known = known.lock().unwrap();
    let shown = known.evidence.iter().filter(|_| who == "honest");
    Json(shown.map(|(summary, _)| summary.clone()).collect())
}

async fn evidence(
    State(known): State<Shared>,
    Path((_, commit)): Path<(String, String)>,
) -> Result<Json<Evidence>, StatusCode> {
    let known = known.lock().unwrap();
    let found = known.evidence.iter().find(|(summary, _)| hex::encode(summary.commit_id) == commit);
    found.map(|(_, evidence)| Json(evidence.clone())).ok_or(StatusCode::NOT_FOUND)
}

async fn report(
    State(known): State<Shared>,
    Path((who, epoch)): Path<(String, u64)>,
) -> Result<Json<Report>, StatusCode> {
    let known = known.lock().unwrap();
    let mut report = known.reports.iter().find(|it| it.epoch == epoch).cloned().ok_or(StatusCode::NOT_FOUND)?;
    if who == "liar" {
        for leaf in report.node_leaves.0.chunks_exact_mut(NODE_LEAF_LEN) {
            let made_up = NodeLeaf { verdict: Verdict::Refused, ..NodeLeaf::from_bytes(leaf).unwrap() };
            leaf.copy_from_slice(&made_up.to_bytes());
        }
    }
    Ok(Json(report))
}

impl Known {
    /// Shows what an agent sent of its audit.
    pub fn show(&mut self, commit: &Commit, evidence: Evidence) {
        let (commit_id, node, epoch) = (commit.id(), commit.node, commit.epoch);
        let summary = EvidenceSummary { commit_id, node, epoch, verdict: "passed".into() };
        self.evidence.push((summary, evidence));
    }
}

/// Has `signers` sign that `leaves` are what was found by `epoch`, and the oracles keep the report.
pub async fn sign(stage: &Stage, known: &Shared, signers: &[&str], epoch: u64, leaves: &[NodeLeaf]) {
    let tree = Tree::new(leaves.iter().map(NodeLeaf::tree_node).collect());
    for signer in signers {
        let args =
            SignReportArgs { epoch, root: tree.root(), leaves: leaves.len() as u32, next_observation_hash: [1; 32] };
        let sign = ix::sign_report(&stage.address(signer), args);
        stage.submit(&format!("sign report {epoch} as {signer}"), sign, signer).await;
    }
    let node_leaves = Leaves(leaves.iter().flat_map(NodeLeaf::to_bytes).collect());
    let report = Report { epoch, lease_leaves: Leaves::default(), node_leaves, oracle_leaves: Leaves::default() };
    known.lock().unwrap().reports.push(report);
}
