//! What the rules say must be, worked out apart from the program: from what was sent and accepted, from the clock, and
//! from what the oracles signed. No amount in it is read from the program's accounts.
//!
//! Each accepted transaction tells the model what it was; the model answers whether the rules allow it now, and which
//! tokens had to move. After each, its books are compared with the accounts'.

mod cases;
mod claims;
mod customers;
mod disputes;
mod guaranteed;
mod judged;
mod leases;
mod oracles;
mod providers;
mod reports;
mod votes;

use std::collections::BTreeMap;

use millrace::state::Params;

pub use cases::CaseModel;
pub use claims::{ClaimModel, Creditor};
pub use customers::{CustomerModel, JobModel};
pub use disputes::DisputeModel;
pub use judged::{JudgedEpoch, JudgedModel};
pub use leases::LeaseModel;
pub use oracles::OracleModel;
pub use providers::{NodeModel, ProviderModel};
pub use reports::{AcceptedReport, ReportsModel};
pub use votes::{LockModel, ProposalModel};

use super::{Actor, Flows};
use crate::books::holds;
use crate::{Books, Pubkey, World};

/// Why tokens went from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Pay for seconds that a quorum of oracles saw.
    ProvenSeconds,
    /// A bond, to those a broken promise harmed.
    Bond,
    /// A prover's part of a slash.
    Bounty,
    /// The bond of a dispute that was dismissed.
    Dispute,
    /// An oracle's share of the fees, for observations it opened.
    Reward,
    /// The deposit of a proposal that too few voted on.
    Deposit,
    /// Out of the treasury, by a vote.
    Grant,
    /// Fees on payments.
    Fee,
    /// What a slash burns.
    Burn,
}

/// Tokens that went from one to another for good; nobody for the market's own pools and the fire.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// Who lost them.
    pub from: Option<Actor>,
    /// Who has them now.
    pub to: Option<Actor>,
    /// Base units.
    pub amount: u64,
    /// What for.
    pub why: Why,
}

/// What must be.
#[derive(Clone)]
pub struct Model {
    /// Parameters in force.
    pub params: Params,
    /// Open customers.
    pub customers: BTreeMap<Pubkey, CustomerModel>,
    /// Open jobs.
    pub jobs: BTreeMap<Pubkey, JobModel>,
    /// Open leases.
    pub leases: BTreeMap<Pubkey, LeaseModel>,
    /// Open providers.
    pub providers: BTreeMap<Pubkey, ProviderModel>,
    /// Open nodes.
    pub nodes: BTreeMap<Pubkey, NodeModel>,
    /// Open fraud cases.
    pub cases: BTreeMap<Pubkey, CaseModel>,
    /// Open judged cases.
    pub judged: BTreeMap<Pubkey, JudgedModel>,
    /// Open claims on bonds.
    pub claims: BTreeMap<Pubkey, ClaimModel>,
    /// Open disputes.
    pub disputes: BTreeMap<Pubkey, DisputeModel>,
    /// Oracles.
    pub oracles: BTreeMap<Pubkey, OracleModel>,
    /// Locks.
    pub locks: BTreeMap<Pubkey, LockModel>,
    /// Proposals.
    pub proposals: BTreeMap<Pubkey, ProposalModel>,
    /// Votes: the proposal and the voter's lock.
    pub votes: BTreeMap<Pubkey, (Pubkey, Pubkey)>,
    /// Parameters a vote has decided on.
    pub pending: Option<Params>,
    /// What the oracles signed.
    pub reports: ReportsModel,
    /// Who gained by whom.
    pub passed: Vec<Passed>,
    /// Tokens of strangers in vaults, base units.
    pub dust: BTreeMap<Pubkey, u64>,
    /// Burned so far, base units.
    pub burned: u64,
    /// Token account of the treasury.
    pub treasury: Pubkey,
    /// Token account of the oracle pool.
    pub oracle_pool: Pubkey,
}

impl Model {
    /// The model of a market without business.
    pub fn new(world: &World) -> Self {
        Self {
            params: world.config().params,
            customers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            leases: BTreeMap::new(),
            providers: BTreeMap::new(),
            nodes: BTreeMap::new(),
            cases: BTreeMap::new(),
            judged: BTreeMap::new(),
            claims: BTreeMap::new(),
            disputes: BTreeMap::new(),
            oracles: BTreeMap::new(),
            locks: BTreeMap::new(),
            proposals: BTreeMap::new(),
            votes: BTreeMap::new(),
            pending: None,
            reports: ReportsModel::default(),
            passed: vec![],
            dust: BTreeMap::new(),
            burned: 0,
            treasury: world.treasury,
            oracle_pool: world.oracle_pool,
        }
    }

    pub(crate) fn pass(&mut self, from: impl Into<Option<Actor>>, to: Option<Actor>, amount: u64, why: Why) {
        if amount > 0 {
            self.passed.push(Passed { from: from.into(), to, amount, why });
        }
    }

    /// Closing a vault leaves what strangers sent there to the treasury.
    pub(crate) fn sweep_dust(&mut self, vault: &Pubkey) -> Flows {
        let dust = i128::from(self.dust.remove(vault).unwrap_or(0));
        vec![(*vault, -dust), (self.treasury, dust)]
    }

    /// Holds the accounts against the model.
    ///
    /// # Errors
    /// Where they differ.
    pub fn compare(&self, books: &Books) -> Result<(), String> {
        same_keys("customers", &self.customers, &books.customers)?;
        same_keys("jobs", &self.jobs, &books.jobs)?;
        same_keys("leases", &self.leases, &books.leases)?;
        same_keys("providers", &self.providers, &books.providers)?;
        same_keys("nodes", &self.nodes, &books.nodes)?;
        same_keys("cases", &self.cases, &books.cases)?;
        same_keys("judged cases", &self.judged, &books.slash_cases)?;
        same_keys("claims", &self.claims, &books.claims)?;
        same_keys("disputes", &self.disputes, &books.disputes)?;
        same_keys("locks", &self.locks, &books.locks)?;
        same_keys("proposals", &self.proposals, &books.proposals)?;
        same_keys("votes", &self.votes, &books.votes)?;
        same_keys("oracles", &self.oracles, &books.oracles)?;
        self.compare_leases(books)?;
        self.compare_votes(books)?;
        for (key, customer) in &self.customers {
            let account = &books.customers[key];
            let found = [account.free, account.fee_due];
            let wanted = [customer.free, customer.fee_due];
            holds!(found == wanted, "customer {key} has {found:?} free and due as fees, should have {wanted:?}");
        }
        for (key, provider) in &self.providers {
            let account = &books.providers[key];
            let entries = account.unbonding_entries().iter().map(|entry| (entry.amount, entry.matures_at));
            let entries: Vec<_> = entries.collect();
            let wanted = &provider.unbonding;
            holds!(entries == *wanted, "provider {key} unbonds {entries:?}, should {wanted:?}");
            let found = [account.stake, account.earned, account.locked, account.claims, account.frozen];
            let wanted = [provider.stake, provider.earned, self.locked(key), provider.claims, provider.frozen];
            let what = "staked, earned, locked, claimed, frozen";
            holds!(found == wanted, "provider {key}: {found:?} {what}; should be {wanted:?}");
            let found = [account.authority, account.pending_authority];
            let wanted = [provider.authority, provider.next_authority];
            holds!(found == wanted, "provider {key} is owned by and promised to {found:?}, should be {wanted:?}");
        }
        for (key, oracle) in &self.oracles {
            let account = &books.oracles[key];
            let found = [account.stake, account.unbonding_amount, account.seat.into(), account.is_removed.into()];
            let is_removed = u64::from(oracle.removed_in.is_some());
            let wanted = [oracle.stake, oracle.unbonding, oracle.seat as u64, is_removed];
            holds!(found == wanted, "oracle {key}: {found:?} staked, unbonding, seat, removed; should be {wanted:?}");
        }
        Ok(())
    }
}

fn same_keys<A, B>(what: &str, model: &BTreeMap<Pubkey, A>, books: &BTreeMap<Pubkey, B>) -> Result<(), String> {
    let is_same = model.keys().eq(books.keys());
    holds!(is_same, "{what}: {} accounts are open, {} should be", books.len(), model.len());
    Ok(())
}

/// The share `bps` of `amount`, rounded up.
pub(super) fn share_up(amount: u64, bps: u16) -> u64 {
    (u128::from(amount) * u128::from(bps)).div_ceil(10_000) as u64
}

/// The share `bps` of `amount`, rounded down.
pub(super) fn share_down(amount: u64, bps: u16) -> u64 {
    (u128::from(amount) * u128::from(bps) / 10_000) as u64
}
