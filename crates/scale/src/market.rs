//! A market of any size, and what each oracle saw of it. All of it follows from the seed.

use std::collections::HashMap;

use bytemuck::Zeroable;
use ed25519_dalek::SigningKey;
use millrace::state::Lease;
use millrace_agent::decide::audit::due;
use millrace_agreement::{LeafSet, OracleView, Tally};
use millrace_client::{pda, Keypair, Pubkey, Signer};
use millrace_core::hash::sha256;
use millrace_core::leaves::{LeaseLeaf, LeaseStatus};
use millrace_core::proof::{operations, Commit};
use millrace_oracle::books::{AuditBook, AuditEntry, LeaseBook};
use millrace_oracle::decide::audit::KEPT_EPOCHS;
use millrace_oracle::decide::lease::{Ending, LeaseTally, LeaseWatch};
use millrace_oracle::decide::{AuditRecord, AuditState};
use millrace_wire::messages::Figures;

/// The epoch that is reported.
pub const EPOCH: u64 = 1_000;
/// Its length, seconds: that of the parameters a network begins with.
pub const EPOCH_SECS: u64 = 600;
/// The instant it ends, unix seconds.
pub const AT: i64 = 1_800_000_000;
/// A verified node is audited once in so many epochs: what agents have by default.
pub const AUDITED_EVERY_EPOCHS: u64 = 64;
/// Size of an audit that a GPU of 10⁶ gops is given.
pub const N: u32 = 65_536;
/// Rounds of it.
pub const ROUNDS: u32 = 4;

/// One lease in so many has ended and not yet been settled; one in so many has not been noticed by an oracle.
const ENDED_ONE_IN: u64 = 100;
const MISSED_ONE_IN: u64 = 10_000;

/// A market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Market {
    /// Nodes, each of a provider of its own, and leases.
    pub nodes: u32,
    /// Seats, each of weight one.
    pub oracles: u8,
    /// Decides everything.
    pub seed: u64,
}

/// What one oracle holds in memory when the epoch ends.
pub struct Seen {
    /// Leases that have not ended on chain.
    pub on_chain: Vec<(Pubkey, Lease)>,
    /// Those under watch.
    pub leases: LeaseBook,
    /// Audits.
    pub audits: AuditBook,
    /// What is known of each seat.
    pub seats: HashMap<[u8; 32], OracleView>,
}

impl Market {
    fn hash(&self, what: &str, parts: [u64; 2]) -> [u8; 32] {
        sha256(&[&self.seed.to_le_bytes(), what.as_bytes(), &parts[0].to_le_bytes(), &parts[1].to_le_bytes()])
    }

    fn number(&self, what: &str, parts: [u64; 2]) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.hash(what, parts);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Key of a seat.
    pub fn seat_key(&self, oracle: u8) -> Keypair {
        Keypair::new_from_array(self.hash("seat", [oracle.into(), 0]))
    }

    /// The same as a key that seals.
    pub fn seal_key(&self, oracle: u8) -> SigningKey {
        SigningKey::from_bytes(&self.hash("seat", [oracle.into(), 0]))
    }

    /// Account of a lease.
    pub fn lease(&self, number: u32) -> [u8; 32] {
        self.hash("lease", [number.into(), 0])
    }

    /// Audits that begin in an epoch: those of the nodes whose providers the lot falls on, by the rule agents follow.
    pub fn audited(&self, epoch: u64) -> impl Iterator<Item = u32> + '_ {
        let beacon = self.hash("beacon", [epoch, 0]);
        (0..self.nodes)
            .filter(move |node| due(&beacon, &self.hash("provider", [(*node).into(), 0]), AUDITED_EVERY_EPOCHS))
    }

    /// What `oracle` saw of a lease; `None` where it has not noticed it.
    fn watch(&self, oracle: u8, number: u32) -> Option<LeaseWatch> {
        let own = self.number("seen", [number.into(), oracle.into()]);
        if own.is_multiple_of(MISSED_ONE_IN) {
            return None;
        }
        let facts = self.number("facts", [number.into(), 0]);
        let accepted_secs = facts % 86_400;
        let ending = Ending {
            status: LeaseStatus::Completed,
            exit_code: 0,
            result_root: self.hash("result", [number.into(), 0]),
            decided_at: AT - 300,
        };
        let tally = LeaseTally {
            // Polls of two oracles lie up to a second apart.
            live_millis: accepted_secs.saturating_add(EPOCH_SECS).saturating_mul(1_000).saturating_sub(own % 1_000),
            accepted_secs,
            ending: (facts / 86_400).is_multiple_of(ENDED_ONE_IN).then_some(ending),
            ..LeaseTally::default()
        };
        Some(LeaseWatch::begin(tally, 0, 0, AT))
    }

    fn audit(&self, oracle: u8, node: u32, epoch: u64) -> AuditEntry {
        let commit = Commit {
            deployment_id: [5; 32],
            node: self.hash("node", [node.into(), 0]),
            gpu_index: 0,
            epoch,
            beacon: self.hash("beacon", [epoch, 0]),
            nonce: self.hash("nonce", [node.into(), epoch]),
            n: N,
            rounds: ROUNDS,
            super_root: self.hash("root", [node.into(), epoch])[..24].try_into().unwrap_or_default(),
        };
        let nanos = operations(N, ROUNDS) / 1_000_000;
        // Clocks of two oracles differ by the way a commit takes.
        let elapsed_nanos = nanos as u64 + self.number("clock", [node.into(), oracle.into()]) % 50_000_000;
        let figures = Figures { vram_mib: 81_920, bandwidth_mbps: 1_000 };
        let state = if epoch < EPOCH { AuditState::Passed { figures } } else { AuditState::Pending };
        let record = AuditRecord { commit, elapsed_nanos, gpu_count: 1, claimed_gops: 1_000_000, state };
        // A bundle comes in the epoch after the commit's, whose report has the finding.
        AuditEntry::new(record, epoch.saturating_add(1) < EPOCH)
    }

    /// What `oracle` holds when the epoch ends.
    pub fn seen_by(&self, oracle: u8) -> Seen {
        let lease = Lease { started_at: AT - 1_000, ..Lease::zeroed() };
        let on_chain = (0..self.nodes).map(|number| (Pubkey::from(self.lease(number)), lease)).collect();
        let watched = (0..self.nodes).filter_map(|number| Some((self.lease(number), self.watch(oracle, number)?)));
        let leases = watched.collect();
        let mut audits = AuditBook::default();
        for epoch in EPOCH.saturating_sub(KEPT_EPOCHS)..=EPOCH {
            self.audited(epoch).for_each(|node| audits.add(self.audit(oracle, node, epoch)));
        }
        let seat = |seat: u8| {
            let view = OracleView { signed: EPOCH, tally: Tally { opened: EPOCH - 2, unknown: 0 } };
            (pda::oracle(&self.seat_key(seat).pubkey()).to_bytes(), view)
        };
        Seen { on_chain, leases, audits, seats: (0..self.oracles).map(seat).collect() }
    }

    /// What `oracle` says of these leases when it is asked about them alone.
    pub fn told_by(&self, oracle: u8, accounts: &[[u8; 32]]) -> LeafSet {
        let asked = (0..self.nodes).map(|number| (self.lease(number), number)).filter(|it| accounts.contains(&it.0));
        let leaf = |(lease, number): ([u8; 32], u32)| -> Option<LeaseLeaf> {
            Some(self.watch(oracle, number)?.leaf(lease, AT))
        };
        LeafSet::new(EPOCH, asked.filter_map(leaf).collect(), vec![])
    }
}
