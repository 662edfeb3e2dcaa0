//! Customers and their jobs.

use millrace::instructions::PostJobArgs;
use millrace::state::{Params, Tier};

use super::{share_down, share_up, Creditor, Model, Why};
use crate::books::holds;
use crate::machine::{Actor, Flows, BURNT};
use crate::Pubkey;

/// A customer.
#[derive(Clone, Debug)]
pub struct CustomerModel {
    /// Who it is.
    pub actor: Actor,
    /// Its vault.
    pub vault: Pubkey,
    /// Withdrawable, base units.
    pub free: u64,
    /// Fees charged and not yet swept, base units.
    pub fee_due: u64,
}

/// A job.
#[derive(Clone, Debug)]
pub struct JobModel {
    /// Customer account that pays.
    pub customer: Pubkey,
    /// Longest it may run, seconds.
    pub max_secs: u64,
    /// Highest bid allowed, base units a second.
    pub max_per_sec: u64,
    /// Whether kept seconds are paid, bonds stand behind leases and stand-bys take over.
    pub is_guaranteed: bool,
    /// Stand-bys wanted.
    pub standbys: u8,
    /// Stand-bys without a lease.
    pub standbys_left: u8,
    /// Leases opened so far.
    pub leases_opened: u8,
    /// What it still holds itself, base units.
    pub reserve: u64,
    /// Positions without a lease.
    pub positions_left: u8,
    /// Instant bidding closes.
    pub bidding_ends_at: i64,
    /// Instant from which anyone may cancel it.
    pub award_by: i64,
    /// Whether it takes awards of positions.
    pub is_open: bool,
    /// Whether it was withdrawn.
    pub is_cancelled: bool,
    /// Parameters when it was posted.
    pub terms: Params,
}

impl JobModel {
    /// A share of the most a position can be paid, rounded up against the bidder.
    fn share_of_most(&self, bps: u16) -> u64 {
        share_up(self.max_per_sec * self.max_secs, bps)
    }

    /// Bond behind a bid, base units.
    pub fn bid_bond(&self) -> u64 {
        self.share_of_most(self.terms.bid_bond_bps)
    }

    /// Bond behind a lease, base units.
    pub fn lease_bond(&self) -> u64 {
        if self.is_guaranteed {
            self.share_of_most(self.terms.bond_bps)
        } else {
            0
        }
    }

    /// The most one position can cost, base units: each hand-over may round a fee up once more.
    pub fn position_cost(&self) -> u64 {
        self.cost_at(self.max_per_sec) + u64::from(self.standbys)
    }

    /// The most one stand-by can cost, base units.
    pub fn standby_cost(&self) -> u64 {
        self.cost_at(share_up(self.max_per_sec, self.terms.standby_bps).max(1))
    }

    /// The most a lease at `per_sec` can cost, base units.
    pub fn cost_at(&self, per_sec: u64) -> u64 {
        let gross = per_sec * self.max_secs;
        gross + share_up(gross, self.terms.fee_bps)
    }
}

impl Model {
    pub(super) fn customer(&mut self, key: &Pubkey) -> Result<&mut CustomerModel, String> {
        self.customers.get_mut(key).ok_or_else(|| format!("there is no customer {key}"))
    }

    pub(super) fn give_back(&mut self, key: &Pubkey, amount: u64) -> Result<(), String> {
        self.customer(key)?.free += amount;
        Ok(())
    }

    /// A customer opens.
    pub fn open_customer(&mut self, key: Pubkey, actor: Actor, vault: Pubkey) {
        self.customers.insert(key, CustomerModel { actor, vault, free: 0, fee_due: 0 });
    }

    /// Tokens come in from `source`.
    pub fn deposit(&mut self, key: &Pubkey, source: Pubkey, amount: u64) -> Result<Flows, String> {
        let customer = self.customer(key)?;
        customer.free += amount;
        Ok(vec![(source, -i128::from(amount)), (customer.vault, amount.into())])
    }

    /// Free money goes out to `destination`.
    pub fn withdraw_customer(&mut self, key: &Pubkey, destination: Pubkey, amount: u64) -> Result<Flows, String> {
        let customer = self.customer(key)?;
        holds!(amount <= customer.free, "{amount} base units were paid out of {} that are free", customer.free);
        customer.free -= amount;
        Ok(vec![(destination, amount.into()), (customer.vault, -i128::from(amount))])
    }

    /// A customer closes: nothing may be its own any more.
    pub fn close_customer(&mut self, key: &Pubkey) -> Result<Flows, String> {
        let customer = self.customer(key)?.clone();
        let left = customer.free + customer.fee_due;
        let jobs = self.jobs.values().filter(|job| job.customer == *key).count();
        let claims = self.claims.values().filter(|claim| claim.to == Creditor::Customer(*key)).count();
        let is_empty = left == 0 && jobs == 0 && claims == 0;
        holds!(is_empty, "a customer was closed with {left} base units of its own, {jobs} jobs, {claims} claims");
        self.customers.remove(key);
        Ok(self.sweep_dust(&customer.vault))
    }

    /// Fees are swept: the fire owns the remainder of the split.
    pub fn sweep_fees(&mut self, key: &Pubkey) -> Result<Flows, String> {
        let (oracle_bps, treasury_bps) = (self.params.oracle_share_bps, self.params.treasury_share_bps);
        let customer = self.customer(key)?;
        let fee = std::mem::take(&mut customer.fee_due);
        let (vault, actor) = (customer.vault, customer.actor);
        holds!(fee > 0, "fees were swept that nobody owed");
        let (oracles, treasury) = (share_down(fee, oracle_bps), share_down(fee, treasury_bps));
        self.pass(actor, None, fee, Why::Fee);
        Ok(vec![
            (vault, -i128::from(fee)),
            (self.oracle_pool, oracles.into()),
            (self.treasury, treasury.into()),
            (BURNT, (fee - oracles - treasury).into()),
        ])
    }

    /// A job is posted.
    pub fn post_job(&mut self, key: Pubkey, customer: Pubkey, args: &PostJobArgs, now: i64) -> Result<Flows, String> {
        let wanted = &args.requirements;
        let mut job = JobModel {
            customer,
            max_secs: args.max_secs,
            max_per_sec: args.max_per_sec,
            is_guaranteed: args.tier == Tier::Guaranteed as u8,
            standbys: wanted.standby_count,
            standbys_left: wanted.standby_count,
            leases_opened: 0,
            reserve: 0,
            positions_left: wanted.node_count,
            bidding_ends_at: now + args.bidding_secs,
            award_by: now + args.bidding_secs + self.params.award_window_secs,
            is_open: true,
            is_cancelled: false,
            terms: self.params,
        };
        job.reserve = job.position_cost() * u64::from(wanted.node_count);
        job.reserve += job.standby_cost() * u64::from(wanted.standby_count);
        let payer = self.customer(&customer)?;
        holds!(job.reserve <= payer.free, "a job of {} was posted with {} free", job.reserve, payer.free);
        payer.free -= job.reserve;
        self.jobs.insert(key, job);
        Ok(vec![])
    }

    /// A job is withdrawn: all it held comes back.
    pub fn cancel_job(&mut self, key: &Pubkey, is_by_owner: bool, now: i64) -> Result<Flows, String> {
        let job = self.jobs.get_mut(key).ok_or("there is no such job")?;
        holds!(job.is_open, "a job was cancelled that takes no awards");
        holds!(is_by_owner || now >= job.award_by, "a stranger cancelled a job before its award was due");
        (job.is_open, job.is_cancelled) = (false, true);
        let (customer, reserve) = (job.customer, std::mem::take(&mut job.reserve));
        self.give_back(&customer, reserve)?;
        Ok(vec![])
    }

    /// A job closes: nothing may depend on it.
    pub fn close_job(&mut self, key: &Pubkey) -> Result<Flows, String> {
        let job = self.jobs.get(key).ok_or("there is no such job")?.clone();
        let leases = self.leases.values().filter(|lease| lease.job == *key).count();
        holds!(!job.is_open && leases == 0, "a job was closed that is open or has {leases} leases");
        let fee_due = self.customer(&job.customer)?.fee_due;
        holds!(fee_due == 0, "a job was closed while {fee_due} base units of fees are due");
        self.jobs.remove(key);
        self.give_back(&job.customer, job.reserve)?;
        Ok(vec![])
    }
}
