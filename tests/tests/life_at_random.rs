//! Markets in which everyone does anything at any time: the books hold after every call, and from wherever a market
//! has got to, each actor's money leaves with every other actor silent (I9).

use std::collections::BTreeMap;

use millrace::instructions::{PlaceBidArgs, PostJobArgs};
use millrace::state::{Claim, Customer, Job, Lease, LeaseRole, Node, Provider, Requirements};
use millrace_core::hash::sha256;
use millrace_core::leaves::LeaseStatus;
use millrace_tests::books_from_events::Bookkeeper;
use millrace_tests::observe::watch;
use millrace_tests::*;

/// Markets tried.
const WALKS: u64 = 30;
/// Calls tried in each.
const STEPS: u64 = 500;

/// Numbers that are the same in every run.
struct Dice {
    walk: u64,
    thrown: u64,
}

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.thrown += 1;
        let digest = sha256(&[b"dice", &self.walk.to_le_bytes(), &self.thrown.to_le_bytes()]);
        u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes")) % bound
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let bound = from.len().max(1) as u64;
        from.get(self.below(bound) as usize)
    }
}

/// The move that is no call: time passes.
const WAIT: &str = "wait";
/// What an actor may try, with how likely it is.
const MOVES: [(&str, u64); 18] = [
    ("post_job", 4),
    ("place_bid", 24),
    ("award", 24),
    ("drop_broken_bid", 16),
    ("release_bid", 2),
    ("cancel_job", 1),
    ("close_job", 4),
    ("settle_lease", 5),
    ("accept_result", 1),
    ("close_lease", 8),
    ("stop_lease", 3),
    ("exit_lease", 8),
    ("fail_over", 8),
    ("claim_compensation", 4),
    ("sweep_fees", 2),
    ("withdraw_customer", 1),
    ("drain", 1),
    (WAIT, 8),
];

struct Market {
    world: World,
    buyers: Vec<Buyer>,
    sellers: Vec<(Seller, Pubkey)>,
    dice: Dice,
}

impl Market {
    fn new(walk: u64) -> Self {
        let mut world = World::new();
        let buyers = ["first buyer", "second buyer"].map(|name| world.customer(name, 100 * MILL)).into();
        let sellers = ["first seller", "second seller", "third seller"]
            .map(|name| {
                let seller = world.provider(name, 300 * MILL);
                let node = world.verified_node(&seller, NodeSpec::default());
                (seller, node)
            })
            .into();
        Self { world, buyers, sellers, dice: Dice { walk, thrown: 0 } }
    }

    fn buyer_of(&self, customer: &Pubkey) -> &Buyer {
        self.buyers.iter().find(|buyer| buyer.customer == *customer).expect("every customer is a buyer's")
    }

    fn seller_of(&self, provider: &Pubkey) -> &(Seller, Pubkey) {
        self.sellers.iter().find(|(seller, _)| seller.provider == *provider).expect("every provider is a seller's")
    }

    fn job(&mut self) -> Option<(Pubkey, Box<Job>)> {
        let jobs: Vec<Pubkey> = self.world.all::<Job>().iter().map(|(key, _)| *key).collect();
        self.dice.pick(&jobs).map(|key| (*key, self.world.read::<Job>(key)))
    }

    fn lease(&mut self, has_ended: bool) -> Option<(Pubkey, Box<Lease>)> {
        let leases = self.world.all::<Lease>().into_iter().filter(|(_, lease)| lease.has_ended() == has_ended);
        let keys: Vec<Pubkey> = leases.map(|(key, _)| key).collect();
        self.dice.pick(&keys).map(|key| (*key, self.world.read::<Lease>(key)))
    }

    /// The next bid of `job`, if one is left.
    fn next_bid(&self, key: &Pubkey, job: &Job) -> Option<(&Buyer, &Seller, Pubkey)> {
        let bids = self.world.bids(key);
        let bid = bids[job.next_entry(&bids)?];
        Some((self.buyer_of(&job.customer), &self.seller_of(&bid.provider).0, bid.node))
    }

    /// One call of this kind with whatever the dice say; `None` when there is nothing to call it on.
    fn call(&mut self, name: &str) -> Option<(Instruction, Keypair)> {
        let buyer = self.dice.below(self.buyers.len() as u64) as usize;
        let seller = self.dice.below(self.sellers.len() as u64) as usize;
        let by = |key: &Keypair| key.insecure_clone();
        Some(match name {
            "post_job" => {
                // Few jobs, so that the dice find the right one for the next call often enough.
                if self.world.read::<Customer>(&self.buyers[buyer].customer).open_jobs > 1 {
                    return None;
                }
                let (max_per_sec, max_secs) = (1 + self.dice.below(2_000), 1 + self.dice.below(3_600));
                let bidding_secs = 60 + self.dice.below(200) as i64;
                let (tier, standby_count) = [(0, 0), (1, 0), (1, 1), (1, 1)][self.dice.below(4) as usize];
                let requirements = Requirements { standby_count, ..job_args().requirements };
                let args = PostJobArgs { tier, requirements, max_per_sec, max_secs, bidding_secs, ..job_args() };
                let buyer = &self.buyers[buyer];
                let id = self.world.read::<Customer>(&buyer.customer).next_job_id;
                (ix::post_job(buyer, id, args), by(&buyer.authority))
            }
            "place_bid" => {
                let (key, job) = self.job()?;
                let per_sec = 1 + self.dice.below(job.max_per_sec);
                let may_stand_by = self.dice.below(4) > 0;
                let (seller, node) = &self.sellers[seller];
                let args = PlaceBidArgs { per_sec, may_stand_by };
                (ix::place_bid_of(seller, node, &key, args), by(&seller.operator))
            }
            "award" => {
                let (key, job) = self.job()?;
                let (buyer, seller, node) = self.next_bid(&key, &job)?;
                let payer = seller.operator.pubkey();
                (ix::award_nth(&payer, buyer, seller, &node, &key, job.leases_opened), by(&seller.operator))
            }
            "drop_broken_bid" => {
                let (key, job) = self.job()?;
                let (buyer, seller, node) = self.next_bid(&key, &job)?;
                (
                    ix::drop_broken_bid(&self.world, &buyer.authority.pubkey(), buyer, seller, &node, &key),
                    by(&buyer.authority),
                )
            }
            "release_bid" => {
                let (seller, node) = &self.sellers[seller];
                let job = self.world.read::<Node>(node).bid_job;
                (ix::release_bid(seller, node, &job), by(&self.buyers[buyer].authority))
            }
            "cancel_job" => {
                let (key, job) = self.job()?;
                // A buyer rarely sends bidders away.
                if job.bid_count > 0 && self.dice.below(5) > 0 {
                    return None;
                }
                let owner = self.buyer_of(&job.customer);
                let caller = &self.buyers[buyer].authority;
                (ix::cancel_job(&caller.pubkey(), owner, &key), by(caller))
            }
            "close_job" => {
                let (key, _) = self.job()?;
                (ix::close_job(&self.world, &key), by(&self.buyers[buyer].authority))
            }
            "settle_lease" => {
                let (key, lease) = self.lease(false)?;
                let is_guaranteed = lease.is_guaranteed_member();
                let live_secs = self.dice.below(5_000) + if is_guaranteed { lease.live_secs } else { 0 };
                let ends =
                    [LeaseStatus::Completed, LeaseStatus::JobFailed, LeaseStatus::NodeFailed, LeaseStatus::Stopped];
                let is_over = self.dice.below(3) == 0;
                let status = if is_over { *self.dice.pick(&ends)? } else { LeaseStatus::Running };
                // Members someone stands by for all fail, or nobody would ever take over.
                let has_stand_by = is_guaranteed && self.world.read::<Job>(&lease.job).standbys_opened > 0;
                let status = if has_stand_by { LeaseStatus::NodeFailed } else { status };
                let kept_secs = self.dice.below(live_secs.saturating_sub(lease.checkpointed_secs) + 1);
                let checkpointed_secs = lease.checkpointed_secs + kept_secs;
                let figures = Figures { live_secs, checkpointed_secs, lost_secs: 0 };
                let leaf = self.world.figures_leaf(&key, figures, status);
                (self.world.settlement_by(&leaf), by(&self.sellers[seller].0.operator))
            }
            "accept_result" => {
                let (key, lease) = self.lease(true)?;
                let owner = &self.buyer_of(&lease.customer).authority;
                (ix::accept_result(&self.world, &owner.pubkey(), &key), by(owner))
            }
            "close_lease" => {
                let (key, _) = self.lease(true)?;
                let caller = &self.sellers[seller].0.operator;
                (ix::close_lease(&self.world, &caller.pubkey(), &key), by(caller))
            }
            "stop_lease" => {
                let (key, lease) = self.lease(false)?;
                let owner = self.buyer_of(&lease.customer);
                (ix::stop_lease(owner, &key), by(&owner.authority))
            }
            "exit_lease" => {
                let (key, lease) = self.lease(false)?;
                let (owner, _) = self.seller_of(&lease.provider);
                (ix::exit_lease(&self.world, &owner.operator.pubkey(), &key), by(&owner.operator))
            }
            "fail_over" => {
                let leases = self.world.all::<Lease>();
                let stands_by = |lease: &Lease| lease.role == LeaseRole::StandBy as u8 && !lease.has_ended();
                let pairs = leases.iter().filter(|(_, lease)| stands_by(lease)).flat_map(|(stand_by, lease)| {
                    let failed = leases.iter().filter(|(_, other)| other.is_failed_member() && other.job == lease.job);
                    failed.map(|(failed, _)| (*failed, *stand_by))
                });
                let (failed, stand_by) = *self.dice.pick(&pairs.collect::<Vec<_>>())?;
                let payer = &self.buyers[buyer].authority;
                (self.world.fail_over(&payer.pubkey(), &failed, &stand_by), by(payer))
            }
            "claim_compensation" => {
                let (key, _) = self.lease(true)?;
                let payer = &self.buyers[buyer].authority;
                (self.world.claim_compensation(&payer.pubkey(), &key), by(payer))
            }
            "sweep_fees" => (ix::sweep_fees(&self.world, &self.buyers[buyer]), by(&self.sellers[seller].0.operator)),
            "withdraw_customer" => {
                let amount = self.dice.below(20 * MILL);
                let buyer = &self.buyers[buyer];
                (ix::withdraw_customer(&self.world, buyer, amount), by(&buyer.authority))
            }
            "drain" => {
                let draining = self.dice.below(2) == 1;
                let (seller, node) = &self.sellers[seller];
                let operator = &seller.operator;
                (ix::drain(&operator.pubkey(), &seller.provider, node, draining), by(operator))
            }
            WAIT => {
                // Mostly a moment, now and then longer than the oracles may be silent.
                let longest = if self.dice.below(8) == 0 { 2_000 } else { 60 };
                let secs = self.dice.below(longest) as i64;
                self.world.warp_secs(secs);
                return None;
            }
            unknown => unreachable!("{unknown} is no move"),
        })
    }

    /// Everything in token accounts, base units.
    fn held(&self) -> u64 {
        let buyers = self.buyers.iter().flat_map(|buyer| [buyer.tokens, buyer.vault]);
        let sellers = self.sellers.iter().flat_map(|(seller, _)| [seller.tokens, seller.vault]);
        let all = buyers.chain(sellers).chain([self.world.oracle_pool, self.world.treasury]);
        all.map(|account| self.world.tokens(&account)).sum()
    }

    /// Closes an ended lease after its dispute window, its compensation first.
    fn close_lease(&mut self, key: &Pubkey, signer: &Keypair) {
        let lease = self.world.read::<Lease>(key);
        if lease.compensation_due(&self.world.read::<Provider>(&lease.provider)) > 0 {
            self.world.must(&[self.world.claim_compensation(&signer.pubkey(), key)], &[signer]);
        }
        self.world.must(&[ix::close_lease(&self.world, &signer.pubkey(), key)], &[signer]);
    }

    /// Has every claim paid that `is_of` this actor, once it has matured: long after all else.
    fn pay_claims(&mut self, signer: &Keypair, is_of: impl Fn(&Claim) -> bool) {
        for (key, claim) in self.world.all::<Claim>() {
            if is_of(&claim) {
                self.world.warp_to(claim.matures_at);
                self.world.must(&[self.world.pay_claim(&key)], &[signer]);
            }
        }
    }

    /// A buyer alone gets out everything the books call its own. Returns what it must have in its tokens then.
    fn buyer_leaves(&mut self, nth: usize) {
        let signer = self.buyers[nth].authority.insecure_clone();
        let (caller, customer) = (signer.pubkey(), self.buyers[nth].customer);
        let params = self.world.config().params;
        let mine = |world: &World| -> Vec<(Pubkey, Box<Lease>)> {
            world.all::<Lease>().into_iter().filter(|(_, lease)| lease.customer == customer).collect()
        };
        self.world.warp_secs(params.oracle_outage_secs);
        for (key, lease) in mine(&self.world) {
            if !lease.has_ended() {
                self.world.must(&[ix::exit_lease(&self.world, &caller, &key)], &[&signer]);
            }
        }
        self.world.warp_secs(params.dispute_window_secs);
        for (key, _) in mine(&self.world) {
            self.close_lease(&key, &signer);
        }
        self.pay_claims(&signer, |claim| claim.beneficiary == customer);
        let buyer = &self.buyers[nth];
        if self.world.read::<Customer>(&buyer.customer).fee_due > 0 {
            self.world.must(&[ix::sweep_fees(&self.world, buyer)], &[&signer]);
        }
        for (key, job) in self.world.all::<Job>() {
            if job.customer == buyer.customer {
                if job.is_open() {
                    self.world.must(&[ix::cancel_job(&caller, buyer, &key)], &[&signer]);
                }
                self.world.must(&[ix::close_job(&self.world, &key)], &[&signer]);
            }
        }
        let customer = self.world.read::<Customer>(&buyer.customer);
        assert_eq!(customer.owed(), customer.free, "all that is left is free");
        if customer.free > 0 {
            self.world.must(&[ix::withdraw_customer(&self.world, buyer, customer.free)], &[&signer]);
        }
        self.world.must(&[ix::close_customer(&self.world, buyer)], &[&signer]);
        self.world.assert_books();
    }

    /// A seller alone gets out its stake and earnings.
    fn seller_leaves(&mut self, nth: usize) {
        let (seller, node) = &self.sellers[nth];
        let (provider, node) = (seller.provider, *node);
        let params = self.world.config().params;
        let (cold, hot) = (seller.authority.insecure_clone(), seller.operator.insecure_clone());
        self.world.warp_secs(params.oracle_outage_secs.max(params.award_window_secs + 3_600));
        // A node that took over may still have its time standing by to end.
        let mine = |world: &World| -> Vec<(Pubkey, Box<Lease>)> {
            world.all::<Lease>().into_iter().filter(|(_, lease)| lease.provider == provider).collect()
        };
        for (key, lease) in mine(&self.world) {
            if !lease.has_ended() {
                self.world.must(&[ix::exit_lease(&self.world, &hot.pubkey(), &key)], &[&hot]);
            }
        }
        let seller = &self.sellers[nth].0;
        let job = self.world.read::<Node>(&node).bid_job;
        if job != Pubkey::default() {
            self.world.must(&[ix::release_bid(seller, &node, &job)], &[&hot]);
        }
        self.world.must(&[ix::retire(seller, &node)], &[&cold]);
        self.world.warp_secs(params.dispute_window_secs);
        for (key, _) in mine(&self.world) {
            self.close_lease(&key, &hot);
        }
        self.pay_claims(&hot, |claim| claim.provider == provider);
        let seller = &self.sellers[nth].0;
        let provider = self.world.read::<Provider>(&seller.provider);
        self.world.must(&[ix::begin_unstake(seller, provider.stake)], &[&cold]);
        self.world.warp_secs(params.unbonding_secs);
        let before = self.world.tokens(&seller.tokens);
        self.world.must(&[ix::withdraw(&self.world, seller)], &[&cold]);
        assert_eq!(self.world.tokens(&seller.tokens), before + provider.stake + provider.earned);
        self.world.warp_secs(params.judged_within_secs());
        self.world.must(&[ix::close_node(&self.world, &node)], &[&hot]);
        self.world.must(&[ix::close_provider(&self.world, seller)], &[&cold]);
        self.world.assert_books();
    }
}

#[test]
fn whatever_anyone_does_the_books_hold_and_everyone_can_leave() {
    let books = watch(Bookkeeper::default(), live);
    assert!(books.booked > 1_000, "only {} transactions were booked", books.booked);
}

/// All walks, with someone looking on who keeps the books from events alone.
fn live() {
    let calls = MOVES.iter().map(|(name, _)| *name).filter(|name| *name != WAIT);
    let mut accepted: BTreeMap<&str, u32> = calls.map(|name| (name, 0)).collect();
    let weights: u64 = MOVES.iter().map(|(_, weight)| weight).sum();
    for walk in 0..WALKS {
        let mut market = Market::new(walk);
        let (held, burned) = (market.held(), market.world.config().burned_total);
        let balanced = |market: &Market, at: &str| {
            let burned_now = market.world.config().burned_total - burned;
            assert_eq!(market.held() + burned_now, held, "walk {walk}, {at}: money appeared or vanished");
            market.world.assert_books();
        };
        for step in 0..STEPS {
            let mut throw = market.dice.below(weights);
            let (name, _) = MOVES
                .iter()
                .find(|(_, weight)| {
                    let is_this = throw < *weight;
                    throw = throw.saturating_sub(*weight);
                    is_this
                })
                .expect("the weights add up");
            let Some((instruction, signer)) = market.call(name) else { continue };
            // Most calls come at a wrong time. A refused transaction changes nothing, so only an accepted one is checked.
            if market.world.send(&[instruction], &[&signer]).is_ok() {
                *accepted.entry(name).or_default() += 1;
                balanced(&market, &format!("step {step}, {name}"));
            }
        }
        // In half the markets the sellers go first, in the other half the buyers.
        let sellers_first = walk % 2 == 0;
        for leaving_sellers in [sellers_first, !sellers_first] {
            if leaving_sellers {
                (0..market.sellers.len()).for_each(|nth| market.seller_leaves(nth));
            } else {
                (0..market.buyers.len()).for_each(|nth| market.buyer_leaves(nth));
            }
        }
        balanced(&market, "at the end");
        let left = market.world.svm.get_program_accounts(&millrace::ID).len();
        // The config, the oracle set, three oracles, the reports and the beacons.
        assert_eq!(left, 7, "walk {walk}: accounts are left behind");
    }
    assert!(accepted.values().all(|times| *times > 0), "the walks do not reach every call: {accepted:?}");
}
