//! What stands behind a guaranteed lease, who takes over, and ends both sides agree on.

use super::{share_down, ClaimModel, Creditor, LeaseModel, Model};
use crate::books::holds;
use crate::machine::Flows;
use crate::Pubkey;

impl Model {
    /// What of a failed lease's bond is its customer's, base units.
    pub fn compensation(&self, lease: &LeaseModel) -> u64 {
        share_down(lease.bond, lease.terms.compensation_bps).min(lease.bond_left)
    }

    fn failed(&self, key: &Pubkey) -> Result<LeaseModel, String> {
        let lease = self.lease(key)?;
        holds!(lease.is_failed_member() && lease.ended_at.is_some(), "a bond was called on that no failure was of");
        Ok(lease)
    }

    /// A stand-by takes over what a failed lease left to do.
    pub fn fail_over(&mut self, failed: &Pubkey, stand_by: &Pubkey, key: Pubkey, now: i64) -> Result<Flows, String> {
        let mut from = self.failed(failed)?;
        let mut to = self.running(stand_by)?;
        let closes_at = from.closes_at().ok_or("it has not ended")?;
        let may = !from.is_replaced && now < closes_at && from.stop_at.is_none() && from.max_secs > from.paid_secs;
        holds!(may, "a stand-by took over a position that is taken, stopped, done or closed");
        let stands_by = to.is_stand_by && to.job == from.job && to.stop_at.is_none() && to.node != from.node;
        holds!(stands_by, "a lease took over that does not stand by for this job");
        let job = self.jobs.get_mut(&from.job).ok_or("its job is gone")?;
        let index = job.leases_opened;
        job.leases_opened += 1;
        let lease = LeaseModel {
            index,
            is_member: true,
            is_stand_by: false,
            per_sec: to.full_per_sec,
            max_secs: from.max_secs - from.paid_secs,
            started_at: now,
            stop_at: None,
            last_leaf_at: None,
            seen_secs: [0; 3],
            lost_claimed_secs: 0,
            paid_secs: 0,
            fee_secs: 0,
            reserve: std::mem::take(&mut from.reserve),
            held: 0,
            bond_left: std::mem::take(&mut to.bond_left),
            claimed_by: vec![],
            ..to.clone()
        };
        from.is_replaced = true;
        to.stop_at = Some(now);
        to.max_secs = to.max_secs.min(to.elapsed(now));
        self.nodes.get_mut(&to.node).ok_or("its node is gone")?.lease = Some(key);
        self.leases.insert(*failed, from);
        self.leases.insert(*stand_by, to);
        self.leases.insert(key, lease);
        Ok(vec![])
    }

    /// A member claims what it lost by another's failure.
    pub fn claim_unkept(&mut self, failed: &Pubkey, member: &Pubkey, claim: Pubkey, now: i64) -> Result<Flows, String> {
        let mut from = self.failed(failed)?;
        let mut to = self.lease(member)?;
        holds!(from.closes_at().is_some_and(|at| now < at), "lost seconds were claimed after the dispute window");
        let may = to.job == from.job && to.is_member && to.provider != from.provider;
        holds!(may, "lost seconds were claimed by one who is no other member of the job");
        holds!(!from.claimed_by.contains(&to.index), "lost seconds were claimed twice from one bond");
        let left = to.payable(to.last_leaf_at.unwrap_or(0)).saturating_sub(to.paid_secs);
        let secs = to.seen_secs[2].saturating_sub(to.lost_claimed_secs).min(left);
        let amount = (secs * to.per_sec).min(from.bond_left);
        holds!(amount > 0, "a claim on nothing was opened");
        from.claimed_by.push(to.index);
        from.bond_left -= amount;
        to.lost_claimed_secs += secs;
        let matures_at = now + from.terms.unbonding_secs;
        let (provider, creditor) = (from.provider, Creditor::Provider(to.provider));
        self.leases.insert(*failed, from);
        self.leases.insert(*member, to);
        self.open_claim(claim, ClaimModel { provider, to: creditor, amount, matures_at })?;
        Ok(vec![])
    }

    /// The customer's compensation is claimed; what is left of the bond is free stake again.
    pub fn claim_compensation(&mut self, failed: &Pubkey, claim: Pubkey, now: i64) -> Result<Flows, String> {
        let mut from = self.failed(failed)?;
        holds!(from.closes_at().is_some_and(|at| now >= at), "compensation was claimed before the window closed");
        holds!(!from.disputed.0, "compensation was claimed during a dispute");
        let amount = self.compensation(&from);
        holds!(amount > 0, "a claim on nothing was opened");
        from.bond_left = 0;
        let matures_at = now + from.terms.unbonding_secs;
        let (provider, to) = (from.provider, Creditor::Customer(from.customer));
        self.leases.insert(*failed, from);
        self.open_claim(claim, ClaimModel { provider, to, amount, matures_at })?;
        Ok(vec![])
    }

    /// Both sides end a lease on `secs` seconds: the bond goes back, and the fee is that of all seconds a leaf proves
    /// and all since it or, without one, all since the award.
    pub fn settle_mutual(&mut self, key: &Pubkey, secs: u64, now: i64) -> Result<Flows, String> {
        let lease = self.running(key)?;
        let payable = lease.payable(now);
        let may = (lease.paid_secs..=payable).contains(&secs) && !lease.disputed.0;
        holds!(may, "a lease was ended on {secs} s, not between {} and {payable}", lease.paid_secs);
        let elapsed = lease.elapsed(now).min(lease.max_secs);
        let since = lease.elapsed(now) - lease.elapsed(lease.last_leaf_at.unwrap_or(lease.started_at));
        let fee_secs = secs.max(lease.seen_secs[0] + since).min(elapsed);
        // Paid first, so that the fee of the agreed seconds is not charged twice.
        let flows = self.pay(key, secs)?;
        let lease = self.leases.get_mut(key).ok_or("there is no such lease")?;
        let fee = lease.fee();
        lease.fee_secs = lease.fee_secs.max(fee_secs);
        let more = lease.fee() - fee;
        holds!(more <= lease.reserve, "I5: a fee of {more} was charged of a reserve of {}", lease.reserve);
        lease.reserve -= more;
        lease.bond_left = 0;
        let customer = lease.customer;
        self.customer(&customer)?.fee_due += more;
        self.end_lease(key, now)?;
        Ok(flows)
    }

    /// A lease ends whose job was cancelled.
    pub fn unwind_lease(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let lease = self.running(key)?;
        let is_cancelled = self.jobs.get(&lease.job).is_some_and(|job| job.is_cancelled);
        holds!(is_cancelled, "a lease was unwound whose job stands");
        self.end_lease(key, now)?;
        Ok(vec![])
    }
}
