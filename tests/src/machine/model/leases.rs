//! Leases: what they pay, and when they end.

use millrace::state::Params;
use millrace_core::leaves::LeaseLeaf;

use super::{share_up, Model, Why};
use crate::books::holds;
use crate::machine::Flows;
use crate::Pubkey;

/// A lease.
#[derive(Clone, Debug)]
pub struct LeaseModel {
    /// Its job.
    pub job: Pubkey,
    /// Customer account that pays.
    pub customer: Pubkey,
    /// Provider account that earns.
    pub provider: Pubkey,
    /// The node at work.
    pub node: Pubkey,
    /// Price, base units a second.
    pub per_sec: u64,
    /// Most seconds it may be paid for.
    pub max_secs: u64,
    /// Instant of the award.
    pub started_at: i64,
    /// Instant a stop was asked for.
    pub stop_at: Option<i64>,
    /// `at` of the last leaf applied.
    pub last_leaf_at: Option<i64>,
    /// Seconds proven within its time and length: each is paid once.
    pub paid_secs: u64,
    /// What its customer reserved for it, base units.
    pub reserved: u64,
    /// Whether its holdback is still held.
    pub is_held: bool,
    /// Instant it ended.
    pub ended_at: Option<i64>,
    /// Parameters when its job was posted.
    pub terms: Params,
}

impl LeaseModel {
    /// Charged for the seconds proven, base units.
    pub fn gross(&self) -> u64 {
        self.per_sec * self.paid_secs
    }

    /// Fee on that, rounded up: crumbs are not free.
    pub fn fee(&self) -> u64 {
        share_up(self.gross(), self.terms.fee_bps)
    }

    /// What of it is held back, rounded up.
    pub fn holdback(&self) -> u64 {
        share_up(self.gross(), self.terms.holdback_bps)
    }

    /// What was paid at once.
    pub fn net(&self) -> u64 {
        self.gross() - self.holdback()
    }

    /// Instant of the newest thing known of it: only younger leaves count.
    pub fn known_at(&self) -> i64 {
        self.last_leaf_at.unwrap_or(self.started_at).max(self.started_at)
    }

    /// Instant from which either side may leave it, if the oracles stay silent.
    pub fn exits_at(&self) -> i64 {
        self.known_at() + self.terms.oracle_outage_secs
    }
}

impl Model {
    fn lease(&self, key: &Pubkey) -> Result<LeaseModel, String> {
        self.leases.get(key).cloned().ok_or_else(|| format!("there is no lease {key}"))
    }

    fn running(&self, key: &Pubkey) -> Result<LeaseModel, String> {
        let lease = self.lease(key)?;
        holds!(lease.ended_at.is_none(), "something was done to lease {key}, which has ended");
        Ok(lease)
    }

    /// The node's bid on a job becomes a lease.
    pub fn award(&mut self, job_key: &Pubkey, node_key: &Pubkey, key: Pubkey, now: i64) -> Result<Flows, String> {
        let node = self.nodes.get_mut(node_key).ok_or("there is no such node")?;
        let bid = node.bid.take().filter(|bid| bid.job == *job_key).ok_or("a node was awarded that did not bid")?;
        holds!(node.lease.is_none(), "a node was awarded that serves another lease");
        node.lease = Some(key);
        let provider = node.provider;
        let job = self.jobs.get_mut(job_key).ok_or("there is no such job")?;
        holds!(job.is_open, "a job was awarded that takes no awards");
        let is_due = (job.bidding_ends_at..job.award_by).contains(&now);
        holds!(is_due, "a job was awarded at {now}, not between {} and {}", job.bidding_ends_at, job.award_by);
        let (cost, reserved, customer) = (job.position_cost, job.cost_at(bid.per_sec), job.customer);
        job.reserve -= cost;
        job.positions_left -= 1;
        job.is_open = job.positions_left > 0;
        let lease = LeaseModel {
            job: *job_key,
            customer,
            provider,
            node: *node_key,
            per_sec: bid.per_sec,
            max_secs: job.max_secs,
            started_at: now,
            stop_at: None,
            last_leaf_at: None,
            paid_secs: 0,
            reserved,
            is_held: true,
            ended_at: None,
            terms: job.terms,
        };
        self.leases.insert(key, lease);
        self.give_back(&customer, cost - reserved)?;
        Ok(vec![])
    }

    /// A leaf of an accepted report is applied.
    pub fn settle_lease(&mut self, key: &Pubkey, leaf: &LeaseLeaf, epoch: u64, now: i64) -> Result<Flows, String> {
        let accepted_at = self.reports.accepted_with(epoch, &leaf.tree_node()).ok_or("a leaf that no quorum signed")?;
        let mut lease = self.running(key)?;
        holds!(leaf.lease == key.to_bytes(), "a leaf of another lease was applied");
        holds!(leaf.at > lease.known_at(), "I5: a stale leaf of {} was applied after {}", leaf.at, lease.known_at());
        holds!(leaf.at <= accepted_at, "a leaf dated after its report was applied");
        let elapsed = u64::try_from(accepted_at - lease.started_at).unwrap_or(0);
        let (net, fee) = (lease.net(), lease.fee());
        lease.paid_secs = lease.paid_secs.max(leaf.live_secs.min(elapsed).min(lease.max_secs));
        lease.last_leaf_at = Some(leaf.at);
        let (net, fee) = (lease.net() - net, lease.fee() - fee);
        let is_final = leaf.status.is_final();
        let (customer, provider) = (lease.customer, lease.provider);
        self.leases.insert(*key, lease);
        if is_final {
            self.end_lease(key, now)?;
        }
        let customer = self.customers.get_mut(&customer).ok_or("its customer is gone")?;
        customer.fee_due += fee;
        let provider = self.providers.get_mut(&provider).ok_or("its provider is gone")?;
        provider.earned += net;
        let flows = vec![(customer.vault, -i128::from(net)), (provider.vault, net.into())];
        let (from, to) = (customer.actor, provider.actor);
        self.pass(from, Some(to), net, Why::ProvenSeconds);
        Ok(flows)
    }

    /// What it did not need is its customer's, its node is free.
    fn end_lease(&mut self, key: &Pubkey, now: i64) -> Result<(), String> {
        let lease = self.leases.get_mut(key).ok_or("there is no such lease")?;
        lease.ended_at = Some(now);
        let (customer, node) = (lease.customer, lease.node);
        let rest = lease.reserved - lease.gross() - lease.fee();
        if let Some(node) = self.nodes.get_mut(&node) {
            node.lease = None;
        }
        self.give_back(&customer, rest)
    }

    /// The customer asks for the end.
    pub fn stop_lease(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let mut lease = self.running(key)?;
        holds!(lease.stop_at.is_none(), "a lease was stopped twice");
        lease.stop_at = Some(now);
        let last = now + lease.terms.stop_notice_secs - lease.started_at;
        lease.max_secs = lease.max_secs.min(u64::try_from(last).unwrap_or(0));
        self.leases.insert(*key, lease);
        Ok(vec![])
    }

    /// A side leaves what the oracles are silent about.
    pub fn exit_lease(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let lease = self.running(key)?;
        holds!(now >= lease.exits_at(), "a lease was left at {now}, before {}", lease.exits_at());
        self.end_lease(key, now)?;
        Ok(vec![])
    }

    /// What was held back is paid out, and the lease closes.
    pub fn pay_out(&mut self, key: &Pubkey, is_accepted: bool, now: i64) -> Result<Flows, String> {
        let lease = self.lease(key)?;
        let ended_at = lease.ended_at.ok_or("a running lease was closed")?;
        let closes_at = ended_at + lease.terms.dispute_window_secs;
        holds!(is_accepted || now >= closes_at, "a lease was closed at {now}, before {closes_at}");
        self.leases.remove(key);
        let amount = lease.holdback();
        let customer = self.customers.get(&lease.customer).ok_or("its customer is gone")?;
        let (from, customer_vault) = (customer.actor, customer.vault);
        let provider = self.providers.get_mut(&lease.provider).ok_or("its provider is gone")?;
        provider.earned += amount;
        let flows = vec![(customer_vault, -i128::from(amount)), (provider.vault, amount.into())];
        let to = provider.actor;
        self.pass(from, Some(to), amount, Why::ProvenSeconds);
        Ok(flows)
    }
}
