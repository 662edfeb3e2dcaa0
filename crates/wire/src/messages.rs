//! The bodies of requests and answers.
//!
//! | who asks whom | request | body → answer |
//! |---|---|---|
//! | agent → oracle | `POST /v1/audits/shares` | [`ShareRequest`] → [`Share`] |
//! | agent → oracle | `POST /v1/audits/commits` | [`CommitRequest`] → [`CommitReceipt`] |
//! | agent → oracle | `POST /v1/audits/{commit_id}/memory` | [`MemoryRequest`] → [`Share`] |
//! | agent → oracle | `POST /v1/audits/{commit_id}/walks` | [`WalkRequest`] → [`WalkReceipt`] |
//! | agent → oracle | `POST /v1/audits/{commit_id}/memory/answer` | answer bytes → [`Statement`] |
//! | agent → oracle | `POST /v1/audits/{commit_id}/statements` | [`Statements`] → [`Figures`] |
//! | agent → oracle | `POST /v1/audits/{commit_id}/bundle` | bundle bytes → [`CommitReceipt`] |
//! | agent → oracle | `GET /v1/nodes/{node}/transfers` | → `Vec<`[`Statement`]`>` |
//! | agent → oracle | `POST /v1/nodes/{node}/link` | → a [`crate::Link`] that speaks [`TRANSFER_PROTOCOL`] |
//! | oracle → oracle | `POST /v1/ballots/{epoch}` | [`BallotRequest`] → [`crate::Sealed`] [`Report`] |
//! | oracle → oracle | `GET /v1/proposals/{epoch}` | → [`Report`] |
//! | oracle → oracle | `GET /v1/observations/{epoch}/{oracle}` | → [`Opening`] |
//! | anyone → oracle | `GET /v1/reports/{epoch}` | → [`Report`] |
//! | anyone → oracle | `GET /v1/evidence` | → `Vec<`[`EvidenceSummary`]`>` |
//! | anyone → oracle | `GET /v1/evidence/{commit_id}` | → [`Evidence`] |
//! | oracle → agent | `GET /v1/leases/{lease}/status?nonce=HEX` | → [`crate::Sealed`] [`LeaseStatusAnswer`] |
//! | customer → agent | `PUT /v1/leases/{lease}/inputs` | tar bytes → [`LeaseStatusAnswer`], sealed |
//! | customer → agent | `GET /v1/leases/{lease}/logs?offset=N` | → log bytes from N |
//! | customer → agent | `GET /v1/leases/{lease}/results` | → tar bytes |
//! | oracle, customer → agent | `GET /v1/leases/{lease}/results/chunks?of=1,5` | → `millrace_jobs::prove_chunks` of the tar |

use base64::display::Base64Display;
use base64::prelude::{Engine as _, BASE64_STANDARD as STANDARD};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Domain of a sealed [`LeaseStatusAnswer`].
pub const LEASE_STATUS_DOMAIN: &str = "millrace lease status";

/// Domain of a sealed ballot: what an oracle saw of an epoch.
pub const BALLOT_DOMAIN: &str = "millrace ballot";

/// What is spoken over the link of a bandwidth measurement: `millrace_gemm::bandwidth`, the oracle as the measurer.
pub const TRANSFER_PROTOCOL: &str = "millrace-transfer";

/// Asks an oracle for its share of an audit's nonce. Starts that oracle's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareRequest {
    /// Node account.
    #[serde(with = "crate::encoding::base58")]
    pub node: [u8; 32],
    /// GPU of the node, from zero.
    pub gpu_index: u32,
    /// Epoch whose beacon seeds the audit.
    pub epoch: u64,
}

/// One oracle's share of a nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The oracle's seat key.
    #[serde(with = "crate::encoding::base58")]
    pub oracle: [u8; 32],
    /// Sixteen fresh random bytes.
    #[serde(with = "crate::encoding::hex")]
    pub share: [u8; 16],
}

/// A signed commitment to a computation, with the shares its nonce was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitRequest {
    /// `millrace_core::proof::Commit`, encoded.
    #[serde(with = "crate::encoding::hex")]
    pub commit: Vec<u8>,
    /// The operator's ed25519 signature over exactly those bytes: what a fraud case is opened with.
    #[serde(with = "crate::encoding::hex")]
    pub signature: Vec<u8>,
    /// The shares, in seat order.
    pub shares: Vec<Share>,
}

/// Asks an oracle for what it saw of an epoch that is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BallotRequest {
    /// Of these accounts only: leases, nodes or oracles. Of all where it is missing.
    pub accounts: Option<Vec<HexBytes>>,
}

/// An oracle took it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitReceipt {
    /// sha256 of the commit.
    #[serde(with = "crate::encoding::hex")]
    pub commit_id: [u8; 32],
    /// Speed by this oracle's clock, gops.
    pub gops: u64,
}

/// Says that a GPU's memory is full, and asks for the share that the walks start from. Starts that oracle's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryRequest {
    /// `millrace_core::proof::memory::MemoryCommit`, encoded.
    #[serde(with = "crate::encoding::hex")]
    pub commit: Vec<u8>,
}

/// Says where the walks ended. Stops the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalkRequest {
    /// `millrace_core::proof::memory::WalkCommit`, encoded.
    #[serde(with = "crate::encoding::hex")]
    pub walks: Vec<u8>,
    /// The second shares, in seat order.
    pub shares: Vec<Share>,
}

/// An oracle took the walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkReceipt {
    /// Time by this oracle's clock, nanoseconds.
    pub elapsed_nanos: u64,
    /// Time there was, nanoseconds. Memory whose walks took longer does not count.
    pub deadline_nanos: u64,
}

/// What one oracle states of what it saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// `millrace_core::proof::statement::MemoryStatement` or `millrace_core::proof::bandwidth::Transfer`, encoded.
    #[serde(with = "crate::encoding::hex")]
    pub statement: Vec<u8>,
    /// The oracle's ed25519 signature over exactly those bytes.
    #[serde(with = "crate::encoding::hex")]
    pub signature: Vec<u8>,
}

/// What all oracles stated of an audited GPU and its node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statements {
    /// Of the GPU's memory.
    pub memory: Vec<Statement>,
    /// Of the node's link, both directions.
    pub transfers: Vec<Statement>,
}

/// What follows from the statements: what a quorum states at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Memory of the GPU, MiB.
    pub vram_mib: u32,
    /// Bandwidth of the node, Mbit/s.
    pub bandwidth_mbps: u32,
}

/// All leaves of an epoch, in the order of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The epoch.
    pub epoch: u64,
    /// `millrace_core::leaves::LeaseLeaf`, encoded, sorted by lease.
    pub lease_leaves: Leaves,
    /// `millrace_core::leaves::NodeLeaf`, encoded, sorted by node.
    pub node_leaves: Leaves,
    /// `millrace_core::leaves::OracleLeaf`, encoded, sorted by oracle. Reports kept from before there were any have none.
    #[serde(default)]
    pub oracle_leaves: Leaves,
}

impl Report {
    /// Longest leaf of any kind, bytes.
    pub const LONGEST_LEAF: usize = 133;

    /// Most bytes of JSON that a report of so many leaves takes, sealed or opened as well.
    pub const fn most_bytes(leaves: usize) -> usize {
        const AROUND_THEM: usize = 1 << 10;
        leaves.saturating_mul(Self::LONGEST_LEAF.div_ceil(3) * 4).saturating_add(AROUND_THEM)
    }
}

/// Encoded leaves of one kind, one behind the other, since all have one length. In JSON one string of base64, 1.3 characters a byte;
/// what was written before, a list with a string of hex for each leaf, is read as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaves(pub Vec<u8>);

impl Serialize for Leaves {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Base64Display::new(&self.0, &STANDARD))
    }
}

impl<'de> Deserialize<'de> for Leaves {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LeavesVisitor)
    }
}

struct LeavesVisitor;

impl<'de> Visitor<'de> for LeavesVisitor {
    type Value = Leaves;

    fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("leaves in base64, or a list of them in hex")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Leaves, E> {
        STANDARD.decode(text).map(Leaves).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Leaves, A::Error> {
        let mut leaves = Vec::new();
        while let Some(HexBytes(leaf)) = list.next_element()? {
            leaves.extend_from_slice(&leaf);
        }
        Ok(Leaves(leaves))
    }
}

/// What an oracle committed to for an epoch, opened once that is over. It proves itself by the hash on chain, so whoever
/// has it passes it on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Oracle account.
    #[serde(with = "crate::encoding::base58")]
    pub oracle: [u8; 32],
    /// What made the hash unguessable.
    #[serde(with = "crate::encoding::hex")]
    pub salt: [u8; 16],
    /// What it had seen of the epoch.
    pub seen: Report,
}

/// Bytes written as hex inside a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HexBytes(#[serde(with = "crate::encoding::hex")] pub Vec<u8>);

/// A line of an oracle's list of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceSummary {
    /// sha256 of the commit.
    #[serde(with = "crate::encoding::hex")]
    pub commit_id: [u8; 32],
    /// Node account.
    #[serde(with = "crate::encoding::base58")]
    pub node: [u8; 32],
    /// Epoch of the audit.
    pub epoch: u64,
    /// This oracle's verdict: `passed`, `refused`, `withheld` or `pending`, or `second` for another commit of a GPU that has
    /// one in that epoch. A watcher believes none of them.
    pub verdict: String,
}

/// What a watcher needs to check a computation, and to prove it wrong on chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The commit, encoded.
    #[serde(with = "crate::encoding::hex")]
    pub commit: Vec<u8>,
    /// The operator's signature over it.
    #[serde(with = "crate::encoding::hex")]
    pub signature: Vec<u8>,
    /// The bundle, encoded; empty if none came.
    #[serde(with = "crate::encoding::hex")]
    pub bundle: Vec<u8>,
}

/// How far a lease's job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobPhase {
    /// Waits for the customer's inputs.
    AwaitingInputs,
    /// Is up, and ready to take over from a node that fails.
    StandingBy,
    /// Runs.
    Running,
    /// Ended by itself with this exit code; zero is success.
    Exited,
    /// Killed for exceeding a limit of its own manifest: the customer's failure.
    LimitExceeded,
    /// The node failed it: the sandbox was lost or would not start.
    NodeFailed,
    /// The customer stopped it.
    Stopped,
}

/// An agent's answer about one lease, sealed by the operator key under [`LEASE_STATUS_DOMAIN`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseStatusAnswer {
    /// Lease account.
    #[serde(with = "crate::encoding::base58")]
    pub lease: [u8; 32],
    /// The asker's nonce, so that an old answer cannot be shown again.
    pub nonce: String,
    /// How far the job is.
    pub phase: JobPhase,
    /// Exit code, once it exited.
    pub exit_code: i32,
    /// Name of the results tar, `millrace_jobs::content_hash`; zeros until the job ended, and where there are none.
    #[serde(with = "crate::encoding::hex")]
    pub result_root: [u8; 32],
    /// Length of the results tar, bytes.
    pub result_bytes: u64,
    /// Content root of the last checkpoint; zeros if none.
    #[serde(with = "crate::encoding::hex")]
    pub checkpoint_root: [u8; 32],
    /// What went wrong, for a person; empty if nothing.
    pub detail: String,
}
