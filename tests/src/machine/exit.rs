//! Leaving: from wherever a market has got to, one actor alone gets its money out in bounded time (I9).

use std::collections::BTreeMap;

use millrace::state::Lease;
use millrace_client::pda as client_pda;

use super::model::{Creditor, JudgedModel};
use super::moves::{
    customers, disputes, fraud, guaranteed, jobs, judged, leases, nodes, oracles, others, providers, upgrades, votes,
};
use super::{Actor, Market, Outcome, Plan};
use crate::{Keypair, Pubkey, Signer};

impl Market {
    /// The calls by which `actor` alone takes what is its own out, in the order it tries them.
    fn ways_out(&self, actor: Actor) -> Vec<Plan> {
        match actor {
            Actor::Buyer(nth) => self.buyers_ways_out(nth),
            Actor::Seller(nth) => self.sellers_ways_out(nth),
            Actor::Voter(nth) => self.voters_ways_out(nth),
            Actor::Oracle(nth) => self.oracles_ways_out(nth),
            Actor::Watcher(_) => vec![],
        }
    }

    fn voters_ways_out(&self, nth: usize) -> Vec<Plan> {
        let voter = self.voters[nth].clone();
        let mut plans = vec![];
        for (vote, (proposal, lock)) in &self.model.votes {
            if *lock == voter.lock {
                plans.push(votes::close_vote(self, vote, proposal, nth, &voter.key));
            }
        }
        let mine = self.model.proposals.iter().filter(|(_, proposal)| proposal.proposer == Actor::Voter(nth));
        for (key, proposal) in mine {
            plans.push(match proposal.keeps_buffer() {
                true => upgrades::return_buffer(self, key, &voter.key),
                false => votes::close_proposal(self, key, &voter.key),
            });
        }
        if self.books.locks.contains_key(&voter.lock) {
            plans.push(votes::unlock_votes(self, nth));
        }
        plans
    }

    fn oracles_ways_out(&self, nth: usize) -> Vec<Plan> {
        let Some(oracle) = self.model.oracles.get(&self.measurers[nth].oracle) else { return vec![] };
        let mut plans = vec![];
        if oracle.stake > 0 {
            plans.push(oracles::begin_oracle_unstake(self, nth, oracle.stake));
        }
        if oracle.unbonding > 0 {
            plans.push(oracles::withdraw_oracle(self, nth));
        }
        plans
    }

    /// What anyone concerned may do about ended leases of `party`, a customer or provider account.
    fn after_leases(&self, party: &Pubkey, key: &Keypair) -> Vec<Plan> {
        let mut plans = vec![];
        let concerns = |lease: &Lease| lease.customer == *party || lease.provider == *party;
        for (lease, state) in self.books.leases.iter().filter(|(_, lease)| concerns(lease)) {
            if let Some(dispute) = self.books.disputes.get(&client_pda::dispute(lease)) {
                plans.push(match dispute.ruling {
                    0 => disputes::lapse_dispute(self, lease, key),
                    _ => disputes::resolve_dispute(self, lease, key),
                });
            }
            let is_cancelled = self.model.jobs.get(&state.job).is_some_and(|job| job.is_cancelled);
            plans.push(match (state.has_ended(), is_cancelled) {
                (true, _) if state.is_failed_member() && state.bond_left > 0 => {
                    guaranteed::claim_compensation(self, lease, key)
                }
                (true, _) => leases::close_lease(self, lease, key),
                (false, true) => guaranteed::unwind_lease(self, lease, key),
                (false, false) => leases::exit_lease(self, lease, key),
            });
            if state.has_ended() {
                plans.push(leases::close_lease(self, lease, key));
            }
        }
        for (claim, state) in &self.model.claims {
            let creditor = match state.to {
                Creditor::Customer(creditor) | Creditor::Provider(creditor) => creditor,
            };
            if creditor == *party || state.provider == *party {
                plans.push(guaranteed::pay_claim(self, claim, key));
            }
        }
        plans
    }

    fn buyers_ways_out(&self, nth: usize) -> Vec<Plan> {
        let buyer = self.buyers[nth].clone();
        let Some(customer) = self.books.customers.get(&buyer.customer) else { return vec![] };
        let key = &buyer.authority;
        let mut plans = self.after_leases(&buyer.customer, key);
        if customer.fee_due > 0 {
            plans.push(customers::sweep_fees(self, nth, key));
        }
        for (job, state) in self.books.jobs.iter().filter(|(_, job)| job.customer == buyer.customer) {
            plans.push(if state.is_open() {
                jobs::cancel_job(self, job, key)
            } else {
                jobs::close_job(self, job, key)
            });
        }
        if customer.free > 0 {
            plans.push(customers::withdraw_customer(self, nth, customer.free));
        }
        plans.push(customers::close_customer(self, nth));
        plans
    }

    fn sellers_ways_out(&self, nth: usize) -> Vec<Plan> {
        let seller = self.sellers[nth].clone();
        let Some(provider) = self.books.providers.get(&seller.provider) else { return vec![] };
        let key = &seller.authority;
        let mut plans = self.after_leases(&seller.provider, key);
        for (case, state) in self.model.cases.iter().filter(|(_, case)| case.provider == seller.provider) {
            plans.push(if state.is_done {
                fraud::close_case(self, case, key)
            } else {
                let others = fraud::other_nodes(self, &state.node, &state.provider);
                fraud::execute_slash(self, case, &others, key)
            });
        }
        for (case, state) in self.model.judged.iter().filter(|(_, case)| case.provider == seller.provider) {
            plans.push(if state.frozen == 0 {
                judged::close_slash_case(self, case, key)
            } else {
                judged::execute_slash_case(self, case, key)
            });
        }
        for (node, state) in self.books.nodes.iter().filter(|(_, node)| node.provider == seller.provider) {
            if state.bid_job != Pubkey::default() {
                plans.push(jobs::release_bid(self, node, &state.bid_job, key));
            } else if state.is_retired() {
                plans.push(nodes::close_node(self, node, key));
            } else {
                plans.push(nodes::retire(self, node));
            }
        }
        let is_room = usize::from(provider.unbonding_count) < provider.unbonding.len();
        if provider.free_stake() > 0 && is_room {
            plans.push(providers::begin_unstake(self, nth, provider.free_stake()));
        }
        plans.push(providers::withdraw(self, nth));
        plans.push(providers::close_provider(self, nth));
        plans
    }

    /// Whether nothing of `actor` is left in the program.
    pub fn is_out(&self, actor: Actor) -> bool {
        match actor {
            Actor::Buyer(nth) => !self.books.customers.contains_key(&self.buyers[nth].customer),
            Actor::Seller(nth) => !self.books.providers.contains_key(&self.sellers[nth].provider),
            Actor::Voter(nth) => {
                let has_deposit = self.model.proposals.values().any(|proposal| proposal.proposer == actor);
                !has_deposit && !self.books.locks.contains_key(&self.voters[nth].lock)
            }
            Actor::Oracle(nth) => {
                let oracle = self.model.oracles.get(&self.measurers[nth].oracle);
                oracle.is_none_or(|oracle| oracle.stake == 0 && oracle.unbonding == 0)
            }
            Actor::Watcher(_) => true,
        }
    }

    /// Longest that leaving may take: a job just posted, its lease, its dispute window; then unbonding, and the time
    /// in which frauds of a node just retired are judged; a jail besides.
    pub fn longest_exit_secs(&self) -> i64 {
        let params = &self.model.params;
        let work = params.award_window_secs + 600 + params.oracle_outage_secs + params.dispute_window_secs;
        let disputed = params.dispute_vote_secs + params.appeal_window_secs;
        let voted = params.voting_secs + params.timelock_secs + params.grace_secs;
        let judged = params.unbonding_secs.max(params.judged_within_secs()) + params.unbonding_secs;
        // A vote's own waits are far below those of stake; an upgrade's are as long.
        work + disputed + voted + params.case_window_secs + judged + params.jail_secs + params.max_lock_secs
    }

    /// `actor` takes out all that is its own, with everyone else silent.
    ///
    /// # Errors
    /// I9: what keeps it in; and whatever the model finds wrong on the way.
    pub fn leave(&mut self, actor: Actor) -> Result<(), String> {
        let began = self.world.now();
        let longest = self.longest_exit_secs();
        let mut refusals = BTreeMap::new();
        while self.world.now() <= began + longest {
            // Each call changes what the next may be, so the list is made anew after each that is accepted.
            refusals.clear();
            while self.first_accepted(actor, &mut refusals)? {
                refusals.clear();
            }
            if self.is_out(actor) {
                return Ok(());
            }
            let next = others::deadlines(self).into_iter().chain(self.next_execution(actor)).min();
            self.world.warp_to(next.unwrap_or(began + longest + 1));
        }
        Err(format!("I9: {actor:?} alone cannot get out within {longest} s; at last these are refused: {refusals:?}"))
    }

    /// What one epoch's cap leaves of a judged case waits for the next.
    fn next_execution(&self, actor: Actor) -> Option<i64> {
        let Actor::Seller(nth) = actor else { return None };
        let provider = self.sellers[nth].provider;
        let is_waiting =
            |case: &&JudgedModel| case.provider == provider && case.frozen > 0 && case.appeal_until <= self.world.now();
        self.model.judged.values().any(|case| is_waiting(&case)).then(|| others::next_epoch(self))
    }

    fn first_accepted(&mut self, actor: Actor, refusals: &mut BTreeMap<&'static str, String>) -> Result<bool, String> {
        for plan in self.ways_out(actor) {
            let keys: Vec<Pubkey> = plan.signers.iter().map(Signer::pubkey).collect();
            debug_assert!(keys.iter().all(|key| self.holder(key) == Some(actor)), "others are silent");
            let name = plan.name();
            if self.perform(plan).map_err(|broken| format!("{actor:?} leaves: {broken}"))? == Outcome::Accepted {
                return Ok(true);
            }
            refusals.insert(name, self.refusal.clone());
        }
        Ok(false)
    }
}
