//! One oracle that is a quorum by itself, and a prover's side of the conversation with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use millrace::state::Node;
use millrace_agreement::NodeFinding;
use millrace_core::leaves::Verdict;
use millrace_core::proof::{nonce, Commit, Task};
use millrace_wire::messages::{CommitReceipt, CommitRequest, Evidence, EvidenceSummary, Share, ShareRequest};
use millrace_wire::signature::{sign, RequestParts};
use millrace_wire::{SignedClient, WireError};
use tokio::task::JoinSet;

use super::chain::*;
use crate::view::View;
use crate::{api, tasks, Daemon, Settings};

/// The beacon of epoch 0, in which a stage's audits are.
pub const BEACON: [u8; 32] = [31; 32];
/// A beacon for epoch 1.
pub const NEXT_BEACON: [u8; 32] = [32; 32];

/// The work of an audit in epoch 0 whose nonce is made of this one share.
pub fn audit_task(share: &Share, gpu_index: u32, n: u32, rounds: u32) -> Task {
    Task {
        deployment_id: DEPLOYMENT_ID,
        node: provider_and_node().1.to_bytes(),
        gpu_index,
        epoch: 0,
        beacon: BEACON,
        nonce: nonce(&[share.share]),
        n,
        rounds,
    }
}

/// One oracle that is a quorum by itself, its beacon latched, and the client of the node's operator.
pub struct Stage {
    /// The chain it looks at.
    pub chain: Arc<ToyChain>,
    /// The oracle.
    pub daemon: Arc<Daemon>,
    /// `host:port` under which the agent reaches it.
    pub address: String,
    /// The same as a URL.
    pub url: String,
    /// Signs as the operator.
    pub agent: SignedClient,
    _server: JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// With a CPU node that claims nothing.
    pub async fn new() -> Self {
        Self::open(cpu_node(), |oracle| oracle).await
    }

    /// With this node. `link` is given the oracle's address and gives the one under which the agent reaches it.
    ///
    /// An epoch of an hour, so that nothing happens but what the test does.
    pub async fn open(node: Node, link: impl FnOnce(SocketAddr) -> SocketAddr) -> Self {
        let (listener, own_address) = listener();
        let address = link(own_address);
        let chain = ToyChain::new(3_600, &[(seat(0), address)]);
        register(&chain, "http://127.0.0.1:1", node);
        chain.set_beacon(0, 1, BEACON).await;
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { public_address: Some(address.to_string()), ..settings(dir.path(), own_address) };
        let daemon = Daemon::open(settings, chain.clone(), oracle_key(0)).unwrap();
        daemon.up_since_epoch.set(0).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let router = api::router(daemon.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let stage = Self {
            chain,
            daemon,
            address: address.to_string(),
            url: format!("http://{address}"),
            agent: client(&operator()),
            _server: server,
            _dir: dir,
        };
        stage.look().await;
        stage
    }

    /// Lets the oracle see the chain as it is now.
    pub async fn look(&self) {
        let view = View::read(self.chain.as_ref(), None).await.unwrap();
        self.daemon.view.send_replace(Some(Arc::new(view)));
    }

    /// Latches the beacon of epoch 1.
    pub async fn latch_next(&self, beacon: [u8; 32]) {
        self.chain.set_beacon(1, 1, beacon).await;
        self.look().await;
    }

    /// Lets the oracle judge what is overdue in `epoch`.
    pub async fn judge_in(&self, epoch: u64) {
        let mut view = (*self.daemon.latest().unwrap()).clone();
        view.epoch = epoch;
        tasks::audits::judge(&self.daemon, &view).await.unwrap();
    }

    /// A request for the share of one GPU.
    pub fn ask(&self, gpu_index: u32) -> ShareRequest {
        ShareRequest { node: provider_and_node().1.to_bytes(), gpu_index, epoch: 0 }
    }

    /// Asks for the share of one GPU.
    ///
    /// # Errors
    /// The oracle's refusal.
    pub async fn share(&self, gpu_index: u32) -> Result<Share, WireError> {
        self.agent.post(&format!("{}/v1/audits/shares", self.url), &self.ask(gpu_index)).await
    }

    /// Sends a commit.
    ///
    /// # Errors
    /// The oracle's refusal.
    pub async fn commit(&self, commit: &Commit, share: &Share) -> Result<CommitReceipt, WireError> {
        self.commit_signed(commit, share, &operator()).await
    }

    /// Sends a commit that `key` signed.
    ///
    /// # Errors
    /// The oracle's refusal.
    pub async fn commit_signed(
        &self,
        commit: &Commit,
        share: &Share,
        key: &SigningKey,
    ) -> Result<CommitReceipt, WireError> {
        self.agent.post(&format!("{}/v1/audits/commits", self.url), &commit_request(commit, share, key)).await
    }

    /// Sends a bundle.
    ///
    /// # Errors
    /// The oracle's refusal.
    pub async fn answer(&self, commit: &Commit, bundle: Vec<u8>) -> Result<CommitReceipt, WireError> {
        let url = format!("{}/v1/audits/{}/bundle", self.url, hex::encode(commit.id()));
        self.agent.post_bytes(&url, bundle).await
    }

    /// POSTs a body that the operator signed for `authority` at `created_at` with `nonce`: whatever a liar would say.
    pub async fn post_signed(
        &self,
        path: &str,
        body: Vec<u8>,
        authority: &str,
        created_at: i64,
        nonce: &str,
    ) -> (u16, Vec<u8>) {
        let parts = RequestParts { method: "POST", authority, path, query: "", body: &body };
        let headers = sign(&operator(), &parts, created_at, nonce.to_owned());
        let request = reqwest::Client::new()
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("content-digest", headers.content_digest)
            .header("signature-input", headers.signature_input)
            .header("signature", headers.signature);
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    }

    /// What the oracle found of the node.
    pub fn finding(&self) -> Option<NodeFinding> {
        let audit = (provider_and_node().1.to_bytes(), 0);
        let findings = self.daemon.audits().findings();
        findings.into_iter().find(|(key, ..)| *key == audit).map(|(_, finding, _)| finding)
    }

    /// The verdict among it.
    pub fn verdict(&self) -> Option<Verdict> {
        self.finding().map(|finding| finding.verdict)
    }

    /// What the oracle publishes of each commit.
    pub async fn evidence_list(&self) -> Vec<EvidenceSummary> {
        anyone().get(&format!("{}/v1/evidence", self.url)).await.unwrap()
    }

    /// What the oracle publishes of this commit.
    pub async fn evidence(&self, commit: &Commit) -> Evidence {
        anyone().get(&format!("{}/v1/evidence/{}", self.url, hex::encode(commit.id()))).await.unwrap()
    }
}

/// A commit as it is sent.
pub fn commit_request(commit: &Commit, share: &Share, key: &SigningKey) -> CommitRequest {
    let bytes = commit.to_bytes().to_vec();
    let signature = key.sign(&bytes).to_bytes().to_vec();
    CommitRequest { commit: bytes, signature, shares: vec![share.clone()] }
}

fn anyone() -> SignedClient {
    SignedClient::unsigned(Duration::from_secs(5)).unwrap()
}
