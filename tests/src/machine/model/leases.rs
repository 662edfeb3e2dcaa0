//! Leases: what they pay, and when they end.

use millrace::state::Params;
use millrace_core::leaves::{LeaseLeaf, LeaseStatus};

use super::{share_down, share_up, Model, Why};
use crate::books::holds;
use crate::machine::Flows;
use crate::{Books, Pubkey};

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
    /// Number within its job.
    pub index: u8,
    /// Whether it works at a position of a guaranteed job.
    pub is_member: bool,
    /// Whether it stands by.
    pub is_stand_by: bool,
    /// Price, base units a second.
    pub per_sec: u64,
    /// Price it would work for, base units a second.
    pub full_per_sec: u64,
    /// Most seconds it may be paid for.
    pub max_secs: u64,
    /// Instant of the award.
    pub started_at: i64,
    /// Instant a stop was asked for.
    pub stop_at: Option<i64>,
    /// `at` of the last leaf applied.
    pub last_leaf_at: Option<i64>,
    /// Seconds live, kept and lost, as of that leaf.
    pub seen_secs: [u64; 3],
    /// Lost seconds claimed from another's bond.
    pub lost_claimed_secs: u64,
    /// Seconds proven within its time and length: each is paid once.
    pub paid_secs: u64,
    /// Seconds it bears a fee for, if more.
    pub fee_secs: u64,
    /// What its customer's reserve still keeps for it, base units.
    pub reserve: u64,
    /// Held back from its provider, base units.
    pub held: u64,
    /// Bond it began with, base units.
    pub bond: u64,
    /// What of it is left, base units.
    pub bond_left: u64,
    /// Members that claimed what they lost from that bond, by index.
    pub claimed_by: Vec<u8>,
    /// Whether a stand-by took over.
    pub is_replaced: bool,
    /// Whether its node failed.
    pub has_failed: bool,
    /// Whether a dispute about it is open; and whether one ever was.
    pub disputed: (bool, bool),
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

    /// Fee, rounded up: crumbs are not free.
    pub fn fee(&self) -> u64 {
        share_up(self.per_sec * self.fee_secs.max(self.paid_secs), self.terms.fee_bps)
    }

    /// What of the gross is held back, rounded up.
    pub fn holdback(&self) -> u64 {
        share_up(self.gross(), self.terms.holdback_bps)
    }

    /// Instant of the newest thing known of it: only younger leaves count.
    pub fn known_at(&self) -> i64 {
        self.last_leaf_at.unwrap_or(self.started_at).max(self.started_at)
    }

    /// Instant from which either side may leave it, if the oracles stay silent.
    pub fn exits_at(&self) -> i64 {
        self.known_at().min(self.started_at + self.max_secs as i64) + self.terms.oracle_outage_secs
    }

    /// Instant from which anyone may close it.
    pub fn closes_at(&self) -> Option<i64> {
        self.ended_at.map(|at| at + self.terms.dispute_window_secs)
    }

    /// Seconds from its award to `at`.
    pub fn elapsed(&self, at: i64) -> u64 {
        u64::try_from(at - self.started_at).unwrap_or(0)
    }

    /// Most seconds that may be paid for as seen at `at`, those paid from others' bonds left out.
    pub fn payable(&self, at: i64) -> u64 {
        self.elapsed(at).min(self.max_secs).saturating_sub(self.lost_claimed_secs)
    }

    /// Whether its bond answers for its failure.
    pub fn is_failed_member(&self) -> bool {
        self.has_failed && self.is_member
    }
}

impl Model {
    pub(super) fn lease(&self, key: &Pubkey) -> Result<LeaseModel, String> {
        self.leases.get(key).cloned().ok_or_else(|| format!("there is no lease {key}"))
    }

    pub(super) fn running(&self, key: &Pubkey) -> Result<LeaseModel, String> {
        let lease = self.lease(key)?;
        holds!(lease.ended_at.is_none(), "something was done to lease {key}, which has ended");
        Ok(lease)
    }

    /// The node's bid on a job becomes a lease: at a position while one is left, then as a stand-by.
    pub fn award(&mut self, job_key: &Pubkey, node_key: &Pubkey, key: Pubkey, now: i64) -> Result<Flows, String> {
        let node = self.nodes.get_mut(node_key).ok_or("there is no such node")?;
        let bid = node.bid.take().filter(|bid| bid.job == *job_key).ok_or("a node was awarded that did not bid")?;
        holds!(node.lease.is_none(), "a node was awarded that serves another lease");
        node.lease = Some(key);
        let provider = node.provider;
        let job = self.jobs.get_mut(job_key).ok_or("there is no such job")?;
        let is_stand_by = !job.is_open;
        let has_place = job.is_open || (!job.is_cancelled && job.standbys_left > 0);
        holds!(has_place, "a job was awarded that has no place left");
        let is_due = (job.bidding_ends_at..job.award_by).contains(&now);
        holds!(is_due, "a job was awarded at {now}, not between {} and {}", job.bidding_ends_at, job.award_by);
        let (cost, per_sec) = if is_stand_by {
            job.standbys_left -= 1;
            (job.standby_cost(), share_down(bid.per_sec, job.terms.standby_bps).max(1))
        } else {
            job.positions_left -= 1;
            (job.position_cost(), bid.per_sec)
        };
        let may_change_hands = !is_stand_by && job.standbys > 0;
        let reserve = if may_change_hands { cost } else { job.cost_at(per_sec) };
        job.reserve -= cost;
        job.is_open = job.positions_left > 0 && !job.is_cancelled;
        let (customer, bond, index) = (job.customer, job.lease_bond(), job.leases_opened);
        job.leases_opened += 1;
        let lease = LeaseModel {
            job: *job_key,
            customer,
            provider,
            node: *node_key,
            index,
            is_member: job.is_guaranteed && !is_stand_by,
            is_stand_by,
            per_sec,
            full_per_sec: bid.per_sec,
            max_secs: job.max_secs,
            started_at: now,
            stop_at: None,
            last_leaf_at: None,
            seen_secs: [0; 3],
            lost_claimed_secs: 0,
            paid_secs: 0,
            fee_secs: 0,
            reserve,
            held: 0,
            bond,
            bond_left: bond,
            claimed_by: vec![],
            is_replaced: false,
            has_failed: false,
            disputed: (false, false),
            ended_at: None,
            terms: job.terms,
        };
        self.lock(&provider, bond)?;
        self.leases.insert(key, lease);
        self.give_back(&customer, cost - reserve)?;
        Ok(vec![])
    }

    /// A leaf of an accepted report is applied.
    pub fn settle_lease(&mut self, key: &Pubkey, leaf: &LeaseLeaf, epoch: u64, now: i64) -> Result<Flows, String> {
        let accepted_at = self.reports.accepted_with(epoch, &leaf.tree_node()).ok_or("a leaf that no quorum signed")?;
        let mut lease = self.running(key)?;
        holds!(leaf.lease == key.to_bytes(), "a leaf of another lease was applied");
        holds!(leaf.at > lease.known_at(), "I5: a stale leaf of {} was applied after {}", leaf.at, lease.known_at());
        holds!(leaf.at <= accepted_at, "a leaf dated after its report was applied");
        let seen = [leaf.live_secs, leaf.checkpointed_secs, leaf.lost_secs];
        let mut owed = leaf.live_secs;
        if lease.is_member {
            let rises = seen.iter().zip(lease.seen_secs).all(|(now, before)| *now >= before);
            let adds_up = leaf.checkpointed_secs + leaf.lost_secs <= leaf.live_secs;
            holds!(rises && adds_up, "a leaf was applied that contradicts itself or the one before");
            let job_ended = !matches!(leaf.status, LeaseStatus::Running | LeaseStatus::NodeFailed);
            owed = if job_ended { leaf.live_secs - leaf.lost_secs } else { leaf.checkpointed_secs };
            lease.seen_secs = seen;
        } else {
            lease.seen_secs[0] = lease.seen_secs[0].max(leaf.live_secs);
        }
        lease.last_leaf_at = Some(leaf.at);
        lease.has_failed = leaf.status == LeaseStatus::NodeFailed;
        let secs = owed.min(lease.payable(accepted_at));
        self.leases.insert(*key, lease);
        let flows = self.pay(key, secs)?;
        if leaf.status.is_final() {
            self.end_lease(key, now)?;
        }
        Ok(flows)
    }

    /// Pays a lease up to `secs` seconds, and books the fee it bears.
    pub(super) fn pay(&mut self, key: &Pubkey, secs: u64) -> Result<Flows, String> {
        let lease = self.leases.get_mut(key).ok_or("there is no such lease")?;
        let (gross, fee, holdback) = (lease.gross(), lease.fee(), lease.holdback());
        lease.paid_secs = lease.paid_secs.max(secs);
        let (gross, fee, holdback) = (lease.gross() - gross, lease.fee() - fee, lease.holdback() - holdback);
        let charged = gross + fee;
        holds!(charged <= lease.reserve, "I5: {charged} base units were charged of a reserve of {}", lease.reserve);
        lease.reserve -= charged;
        lease.held += holdback;
        let (customer, provider) = (lease.customer, lease.provider);
        let net = gross - holdback;
        let customer = self.customers.get_mut(&customer).ok_or("its customer is gone")?;
        customer.fee_due += fee;
        let provider = self.providers.get_mut(&provider).ok_or("its provider is gone")?;
        provider.earned += net;
        let flows = vec![(customer.vault, -i128::from(net)), (provider.vault, net.into())];
        let (from, to) = (customer.actor, provider.actor);
        self.pass(from, Some(to), net, Why::ProvenSeconds);
        Ok(flows)
    }

    /// What it did not need is its customer's, unless a stand-by may need it; its node is free.
    pub(super) fn end_lease(&mut self, key: &Pubkey, now: i64) -> Result<(), String> {
        let lease = self.leases.get_mut(key).ok_or("there is no such lease")?;
        lease.ended_at = Some(now);
        let (customer, node) = (lease.customer, lease.node);
        let rest = if lease.is_failed_member() { 0 } else { std::mem::take(&mut lease.reserve) };
        if let Some(node) = self.nodes.get_mut(&node).filter(|node| node.lease == Some(*key)) {
            node.lease = None;
        }
        self.give_back(&customer, rest)
    }

    /// The customer asks for the end.
    pub fn stop_lease(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let mut lease = self.running(key)?;
        holds!(lease.stop_at.is_none(), "a lease was stopped twice");
        lease.stop_at = Some(now);
        lease.max_secs = lease.max_secs.min(lease.elapsed(now + lease.terms.stop_notice_secs));
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

    /// What was held back is paid out, what is left of reserve and bond goes back, and the lease closes.
    pub fn pay_out(&mut self, key: &Pubkey, is_accepted: bool, now: i64) -> Result<Flows, String> {
        let lease = self.lease(key)?;
        let closes_at = lease.closes_at().ok_or("a running lease was closed")?;
        holds!(is_accepted || now >= closes_at, "a lease was closed at {now}, before {closes_at}");
        holds!(!(is_accepted && lease.is_failed_member()), "a failed lease was accepted");
        holds!(!lease.disputed.0, "a lease was closed that is in dispute");
        let owed = if lease.is_failed_member() { self.compensation(&lease) } else { 0 };
        holds!(owed == 0, "a failed lease was closed while {owed} base units of compensation are due");
        self.leases.remove(key);
        self.give_back(&lease.customer, lease.reserve)?;
        let amount = lease.held;
        let customer = self.customers.get(&lease.customer).ok_or("its customer is gone")?;
        let (from, customer_vault) = (customer.actor, customer.vault);
        let provider = self.providers.get_mut(&lease.provider).ok_or("its provider is gone")?;
        provider.earned += amount;
        let flows = vec![(customer_vault, -i128::from(amount)), (provider.vault, amount.into())];
        let to = provider.actor;
        self.pass(from, Some(to), amount, Why::ProvenSeconds);
        Ok(flows)
    }

    pub(super) fn compare_leases(&self, books: &Books) -> Result<(), String> {
        for (key, lease) in &self.leases {
            let account = &books.leases[key];
            let found = [account.paid_secs, account.gross_amount, account.fee_amount, account.holdback_amount];
            let wanted = [lease.paid_secs, lease.gross(), lease.fee(), lease.held];
            holds!(found == wanted, "I5: lease {key}: {found:?} seconds, gross, fee, held back; should be {wanted:?}");
            let found = [account.reserve_amount, account.bond_left, account.max_secs, account.lost_claimed_secs];
            let wanted = [lease.reserve, lease.bond_left, lease.max_secs, lease.lost_claimed_secs];
            holds!(found == wanted, "lease {key}: {found:?} reserved, bond, length, claimed; should be {wanted:?}");
            let (found, wanted) = (account.has_ended(), lease.ended_at.is_some());
            holds!(found == wanted, "lease {key} has ended: {found}, should: {wanted}");
        }
        Ok(())
    }
}
