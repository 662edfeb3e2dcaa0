//! Leaving: from wherever a market has got to, one actor alone gets its money out in bounded time (I9).

use super::moves::{customers, fraud, jobs, leases, nodes, others, providers};
use super::{Actor, Market, Outcome, Plan};
use crate::{Pubkey, Signer};

/// Rounds of calls and waits after which somebody who is not out never will be.
const ROUNDS: usize = 200;

impl Market {
    /// The calls by which `actor` alone takes what is its own out, in the order it tries them.
    fn ways_out(&self, actor: Actor) -> Vec<Plan> {
        match actor {
            Actor::Buyer(nth) => self.buyers_ways_out(nth),
            Actor::Seller(nth) => self.sellers_ways_out(nth),
            Actor::Watcher(_) | Actor::Oracle(_) => vec![],
        }
    }

    fn buyers_ways_out(&self, nth: usize) -> Vec<Plan> {
        let buyer = self.buyers[nth].clone();
        let Some(customer) = self.books.customers.get(&buyer.customer) else { return vec![] };
        let key = &buyer.authority;
        let mut plans = vec![];
        for (lease, state) in self.books.leases.iter().filter(|(_, lease)| lease.customer == buyer.customer) {
            plans.push(if state.has_ended() {
                leases::close_lease(self, lease, key)
            } else {
                leases::exit_lease(self, lease, key)
            });
        }
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
        let mut plans = vec![];
        for (lease, state) in self.books.leases.iter().filter(|(_, lease)| lease.provider == seller.provider) {
            plans.push(if state.has_ended() {
                leases::close_lease(self, lease, key)
            } else {
                leases::exit_lease(self, lease, key)
            });
        }
        for (case, state) in self.books.cases.iter().filter(|(_, case)| case.provider == seller.provider) {
            plans.push(if state.executed == 1 {
                fraud::close_case(self, case, key)
            } else {
                fraud::execute_slash(self, case, key)
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
            Actor::Watcher(_) | Actor::Oracle(_) => true,
        }
    }

    /// Longest that leaving may take: a job just posted, its lease, its dispute window; then unbonding, and the time
    /// in which frauds of a node just retired are judged; a jail besides.
    pub fn longest_exit_secs(&self) -> i64 {
        let params = &self.model.params;
        let work = params.award_window_secs + 600 + params.oracle_outage_secs + params.dispute_window_secs;
        let judged = params.unbonding_secs.max(params.judged_within_secs());
        work + params.case_window_secs + judged + params.jail_secs
    }

    /// `actor` takes out all that is its own, with everyone else silent.
    ///
    /// # Errors
    /// I9: what keeps it in; and whatever the model finds wrong on the way.
    pub fn leave(&mut self, actor: Actor) -> Result<(), String> {
        let began = self.world.now();
        for _ in 0..ROUNDS {
            let mut has_moved = false;
            // Each call changes what the next may be, so the list is made anew after each that is accepted.
            while let Some(()) = self.first_accepted(actor)? {
                has_moved = true;
            }
            if self.is_out(actor) {
                let took = self.world.now() - began;
                let longest = self.longest_exit_secs();
                return match took <= longest {
                    true => Ok(()),
                    false => Err(format!("I9: {actor:?} needed {took} s to get out, more than {longest}")),
                };
            }
            match others::deadlines(self).first() {
                Some(next) => self.world.warp_to(*next),
                None if has_moved => {}
                None => break,
            }
        }
        let left = self.ways_out(actor).iter().map(Plan::name).collect::<Vec<_>>().join(", ");
        Err(format!("I9: {actor:?} alone cannot get out; all of these are refused for ever: {left}"))
    }

    fn first_accepted(&mut self, actor: Actor) -> Result<Option<()>, String> {
        for plan in self.ways_out(actor) {
            let keys: Vec<Pubkey> = plan.signers.iter().map(Signer::pubkey).collect();
            debug_assert!(keys.iter().all(|key| self.holder(key) == Some(actor)), "others are silent");
            if self.perform(plan).map_err(|broken| format!("{actor:?} leaves: {broken}"))? == Outcome::Accepted {
                return Ok(Some(()));
            }
        }
        Ok(None)
    }
}
