//! Disputes: the oracles rule, and what follows.

use std::collections::BTreeSet;

use millrace::state::Ruling;

use super::{ClaimModel, Creditor, Model, Why};
use crate::books::holds;
use crate::machine::Flows;
use crate::Pubkey;

/// A dispute.
#[derive(Clone, Debug)]
pub struct DisputeModel {
    /// The lease.
    pub lease: Pubkey,
    /// Its opener's bond, base units.
    pub bond: u64,
    /// Seats that voted.
    pub voted: BTreeSet<usize>,
    /// Weight for the customer.
    pub upheld: u64,
    /// Weight for the provider.
    pub dismissed: u64,
    /// How it was decided.
    pub ruling: Ruling,
    /// Instant votes end.
    pub vote_until: i64,
    /// Instant from which the ruling may be carried out.
    pub appeal_until: Option<i64>,
    /// Whether governance was asked.
    pub is_appealed: bool,
    /// Whether governance turned it.
    pub is_overturned: bool,
    /// Time to appeal, seconds.
    pub appeal_window_secs: i64,
}

impl Model {
    fn dispute(&self, key: &Pubkey) -> Result<DisputeModel, String> {
        self.disputes.get(key).cloned().ok_or_else(|| format!("there is no dispute {key}"))
    }

    /// The customer of an ended lease calls its result wrong.
    pub fn open_dispute(&mut self, key: Pubkey, lease_key: &Pubkey, now: i64) -> Result<Flows, String> {
        let mut lease = self.lease(lease_key)?;
        holds!(lease.closes_at().is_some_and(|at| now < at), "a lease was disputed that runs or can be closed");
        holds!(!lease.disputed.1, "a lease was disputed twice");
        lease.disputed = (true, true);
        let bond = self.params.dispute_bond_amount;
        let customer = self.customer(&lease.customer)?;
        holds!(bond <= customer.free, "a dispute was opened without a bond");
        customer.free -= bond;
        let dispute = DisputeModel {
            lease: *lease_key,
            bond,
            voted: BTreeSet::new(),
            upheld: 0,
            dismissed: 0,
            ruling: Ruling::None,
            vote_until: now + self.params.dispute_vote_secs,
            appeal_until: None,
            is_appealed: false,
            is_overturned: false,
            appeal_window_secs: self.params.appeal_window_secs,
        };
        self.leases.insert(*lease_key, lease);
        self.disputes.insert(key, dispute);
        Ok(vec![])
    }

    /// The seat of an oracle votes.
    pub fn vote_dispute(&mut self, key: &Pubkey, oracle: &Pubkey, uphold: bool, now: i64) -> Result<Flows, String> {
        let mut dispute = self.dispute(key)?;
        let weights = self.weights();
        let weight = weights.get(oracle).ok_or("an oracle without a seat voted on a dispute")?;
        let seat = self.oracles[oracle].seat;
        let is_open = dispute.ruling == Ruling::None && now < dispute.vote_until;
        holds!(is_open, "a seat voted on a dispute that is ruled or over");
        holds!(dispute.voted.insert(seat), "seat {seat} voted twice on a dispute");
        let (side, ruling) = match uphold {
            true => (&mut dispute.upheld, Ruling::Upheld),
            false => (&mut dispute.dismissed, Ruling::Dismissed),
        };
        *side += weight;
        if 10 * *side > 6 * weights.values().sum::<u64>() {
            dispute.ruling = ruling;
            dispute.appeal_until = Some(now + dispute.appeal_window_secs);
        }
        self.disputes.insert(*key, dispute);
        Ok(vec![])
    }

    /// Nobody ruled in time.
    pub fn lapse_dispute(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let mut dispute = self.dispute(key)?;
        let may = dispute.ruling == Ruling::None && now >= dispute.vote_until;
        holds!(may, "a dispute lapsed that is ruled or still takes votes");
        dispute.ruling = Ruling::Lapsed;
        dispute.appeal_until = Some(now + dispute.appeal_window_secs);
        self.disputes.insert(*key, dispute);
        Ok(vec![])
    }

    /// Governance turns a ruling.
    pub fn overturn_ruling(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let mut dispute = self.dispute(key)?;
        let may = dispute.appeal_until.is_some_and(|until| now < until) && !dispute.is_overturned;
        holds!(may, "a ruling was overturned that is not there, final, or was overturned before");
        dispute.ruling = if dispute.ruling == Ruling::Upheld { Ruling::Dismissed } else { Ruling::Upheld };
        dispute.is_overturned = true;
        self.disputes.insert(*key, dispute);
        Ok(vec![])
    }

    /// A ruling is carried out; `claim` is what a bond would be claimed by.
    pub fn resolve_dispute(&mut self, key: &Pubkey, claim: Pubkey, now: i64) -> Result<Flows, String> {
        let dispute = self.dispute(key)?;
        let appeal_until = dispute.appeal_until.ok_or("a dispute was carried out that is not ruled")?;
        holds!(now >= appeal_until, "a ruling was carried out at {now}, before {appeal_until}");
        self.disputes.remove(key);
        let mut lease = self.lease(&dispute.lease)?;
        lease.disputed.0 = false;
        let (customer, provider) = (lease.customer, lease.provider);
        let mut flows = vec![];
        let mut bond = 0;
        match dispute.ruling {
            Ruling::Dismissed => {
                let provider = self.provider(&provider)?;
                provider.earned += dispute.bond;
                let (to, vault) = (provider.actor, provider.vault);
                let customer = self.customer(&customer)?;
                let (from, customer_vault) = (customer.actor, customer.vault);
                flows = vec![(customer_vault, -i128::from(dispute.bond)), (vault, dispute.bond.into())];
                self.pass(from, Some(to), dispute.bond, Why::Dispute);
            }
            Ruling::Upheld => {
                self.give_back(&customer, dispute.bond + std::mem::take(&mut lease.held))?;
                bond = std::mem::take(&mut lease.bond_left);
            }
            _ => self.give_back(&customer, dispute.bond)?,
        }
        let matures_at = now + lease.terms.unbonding_secs;
        self.leases.insert(dispute.lease, lease);
        if bond > 0 {
            let to = Creditor::Customer(customer);
            self.open_claim(claim, ClaimModel { provider, to, amount: bond, matures_at })?;
        }
        Ok(flows)
    }
}
