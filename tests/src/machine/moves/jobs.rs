//! Moves around jobs and bids.

use millrace::instructions::{PlaceBidArgs, PostJobArgs};
use millrace::state::{Bid, Requirements, Tier, Topology};

use super::customers::buyer;
use super::providers::seller_of;
use crate::machine::{Dice, Market, Plan};
use crate::{ix, job_args, pda, Keypair, Pubkey, Signer, MILL};

/// Jobs one buyer has open at most, so that the dice find the right one for the next call often enough.
const JOBS: u32 = 2;

/// The buyer of a customer account.
pub fn buyer_of(market: &Market, customer: &Pubkey) -> usize {
    market.buyers.iter().position(|buyer| buyer.customer == *customer).expect("every customer is a buyer's")
}

/// Buyer `nth` posts its next job.
pub fn post_job(market: &Market, nth: usize, args: PostJobArgs) -> Plan {
    let buyer = market.buyers[nth].clone();
    let id = market.books.customers.get(&buyer.customer).map_or(0, |customer| customer.next_job_id);
    let job = pda::job(&buyer.customer, id);
    let post = ix::post_job(&buyer, id, args.clone());
    let plan = Plan::new(post, &buyer.authority).only(&[buyer.authority.pubkey()]);
    plan.then(move |model, seen| model.post_job(job, buyer.customer, &args, seen.now))
}

/// A seller offers `node` for `job`.
pub fn place_bid(market: &Market, node: &Pubkey, job: &Pubkey, args: PlaceBidArgs) -> Plan {
    let (node, job) = (*node, *job);
    let seller = market.sellers[seller_of(market, &market.books.nodes[&node].provider)].clone();
    let allowed = [seller.authority.pubkey(), seller.operator.pubkey()];
    let per_sec = args.per_sec;
    let bid = ix::place_bid_of(&seller, &node, &job, args);
    // For another job it is another bid.
    let plan = Plan::new(bid, &seller.operator).only(&allowed).about(&[node, job]);
    plan.then(move |model, seen| model.place_bid(&job, &node, per_sec, seen.now))
}

/// A seller offers `nodes` of one site for `job`, all or none.
pub fn place_site_bid(market: &Market, nodes: &[Pubkey], job: &Pubkey, args: PlaceBidArgs) -> Plan {
    let (nodes, job, per_sec) = (nodes.to_vec(), *job, args.per_sec);
    let seller = market.sellers[seller_of(market, &market.books.nodes[&nodes[0]].provider)].clone();
    let allowed = [seller.authority.pubkey(), seller.operator.pubkey()];
    let bid = ix::place_site_bid(&seller, &nodes, &job, args);
    let chosen: Vec<Pubkey> = nodes.iter().copied().chain([job]).collect();
    let plan = Plan::new(bid, &seller.operator).only(&allowed).about(&chosen);
    plan.then(move |model, seen| {
        nodes.iter().try_for_each(|node| model.place_bid(&job, node, per_sec, seen.now).map(drop))?;
        Ok(vec![])
    })
}

/// Anyone releases the bid of `node`.
pub fn release_bid(market: &Market, node: &Pubkey, job: &Pubkey, caller: &Keypair) -> Plan {
    let node = *node;
    let seller = market.sellers[seller_of(market, &market.books.nodes[&node].provider)].clone();
    let plan = Plan::new(ix::release_bid(&seller, &node, job), caller).about(&[node]);
    plan.then(move |model, _| model.release_bid(&node))
}

/// Anyone gives the next position of `job` to `node`.
pub fn award(market: &Market, job: &Pubkey, node: &Pubkey, provider: &Pubkey, payer: &Keypair) -> Plan {
    let (job, node) = (*job, *node);
    let state = &market.books.jobs[&job];
    let buyer = market.buyers[buyer_of(market, &state.customer)].clone();
    let seller = market.sellers[seller_of(market, provider)].clone();
    let lease = pda::lease(&job, state.leases_opened);
    let award = ix::award_nth(&payer.pubkey(), &buyer, &seller, &node, &job, state.leases_opened);
    let plan = Plan::new(award, payer).about(&[job]).once();
    plan.then(move |model, seen| model.award(&job, &node, lease, seen.now))
}

/// Anyone passes over the next bid of `job`.
pub fn drop_broken_bid(market: &Market, job: &Pubkey, bid: &Bid, caller: &Keypair) -> Plan {
    let (job, node) = (*job, bid.node);
    let buyer = market.buyers[buyer_of(market, &market.books.jobs[&job].customer)].clone();
    let seller = market.sellers[seller_of(market, &bid.provider)].clone();
    let claim = pda::claim(&bid.provider, market.books.providers[&bid.provider].next_claim);
    let drop = ix::drop_broken_bid(&market.world, &caller.pubkey(), &buyer, &seller, &node, &job);
    let plan = Plan::new(drop, caller).about(&[job]).once();
    plan.then(move |model, seen| model.drop_broken_bid(&job, &node, &claim, seen))
}

/// `caller` withdraws `job`.
pub fn cancel_job(market: &Market, job: &Pubkey, caller: &Keypair) -> Plan {
    let job = *job;
    let buyer = market.buyers[buyer_of(market, &market.books.jobs[&job].customer)].clone();
    let is_owner = caller.pubkey() == buyer.authority.pubkey();
    let plan = Plan::new(ix::cancel_job(&caller.pubkey(), &buyer, &job), caller).about(&[job]).once();
    plan.then(move |model, seen| model.cancel_job(&job, is_owner, seen.now))
}

/// Anyone closes `job`.
pub fn close_job(market: &Market, job: &Pubkey, caller: &Keypair) -> Plan {
    let job = *job;
    let plan = Plan::new(ix::close_job(&market.world, &job), caller).about(&[job]).once();
    plan.then(move |model, _| model.close_job(&job))
}

/// A job, most often one that takes what comes next.
pub fn any_job(market: &Market, dice: &mut Dice, fit: impl Fn(&millrace::state::Job) -> bool) -> Option<Pubkey> {
    let is_careless = dice.once_in(12);
    let jobs = market.books.jobs.iter().filter(|(_, job)| is_careless || fit(job));
    dice.pick(&jobs.map(|(key, _)| *key).collect::<Vec<_>>())
}

pub(super) fn any_post(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = buyer(market, dice, true)?;
    if market.books.customers[&market.buyers[nth].customer].open_jobs >= JOBS {
        return None;
    }
    let standard = job_args();
    let node_count = dice.pick(&[1, 1, 2, 2, 3])?;
    let is_guaranteed = dice.once_in(2);
    let topology = match dice.below(8) {
        0 => Topology::SameSite,
        1 | 2 => Topology::SameRegion,
        _ => Topology::Any,
    };
    let may_stand_by = is_guaranteed && topology != Topology::SameSite;
    let standby_count = if may_stand_by && !dice.once_in(4) { 1 } else { 0 };
    let args = PostJobArgs {
        max_per_sec: 1 + dice.below(2_000),
        max_secs: 1 + dice.below(3_600),
        bidding_secs: 20 + dice.below(120) as i64,
        objective: dice.below(3) as u8,
        tier: if is_guaranteed { Tier::Guaranteed } else { Tier::Spot } as u8,
        requirements: Requirements { node_count, standby_count, topology: topology as u8, ..standard.requirements },
        ..standard
    };
    Some(post_job(market, nth, args))
}

pub(super) fn any_bid(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let is_anywhere = |job: &millrace::state::Job| job.requirements.topology != Topology::SameSite as u8;
    let job = any_job(market, dice, |job| job.is_open() && now < job.bidding_ends_at && is_anywhere(job))?;
    let is_careless = dice.once_in(12);
    let fits = |node: &millrace::state::Node| {
        node.is_free() && node.is_able(now) && market.books.providers[&node.provider].free_stake() > 2 * MILL
    };
    let nodes = market.books.nodes.iter().filter(|(_, node)| is_careless || fits(node));
    let node = dice.pick(&nodes.map(|(key, _)| *key).collect::<Vec<_>>())?;
    let per_sec = 1 + dice.below(market.books.jobs[&job].max_per_sec);
    Some(place_bid(market, &node, &job, PlaceBidArgs { per_sec, may_stand_by: !dice.once_in(4) }))
}

pub(super) fn any_site_bid(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let is_site = |job: &millrace::state::Job| job.requirements.topology == Topology::SameSite as u8;
    let job = any_job(market, dice, |job| job.is_open() && now < job.bidding_ends_at && is_site(job))?;
    let state = &market.books.jobs[&job];
    let provider = dice.pick(&market.books.providers.keys().copied().collect::<Vec<_>>())?;
    let able = |node: &millrace::state::Node| node.provider == provider && node.is_free() && node.is_able(now);
    let mut nodes: Vec<_> = market.books.nodes.iter().filter(|(_, node)| able(node)).map(|(key, _)| *key).collect();
    nodes.truncate(usize::from(state.requirements.node_count));
    if dice.once_in(10) && !nodes.is_empty() {
        nodes.push(nodes[0]);
    }
    let per_sec = 1 + dice.below(state.max_per_sec);
    let args = PlaceBidArgs { per_sec, may_stand_by: false };
    let is_twice = nodes.len() > 1 && nodes[0] == nodes[nodes.len() - 1];
    (!nodes.is_empty()).then(|| place_site_bid(market, &nodes, &job, args).fails_if(is_twice, "a node is named twice"))
}

pub(super) fn any_release(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nodes = market.books.nodes.iter().filter(|(_, node)| node.bid_job != Pubkey::default());
    let (node, job) = dice.pick(&nodes.map(|(key, node)| (*key, node.bid_job)).collect::<Vec<_>>())?;
    let caller = market.anyone(dice);
    Some(release_bid(market, &node, &job, &caller))
}

/// The next bid of a job that may be in its time of award.
fn next_bid(market: &Market, dice: &mut Dice) -> Option<(Pubkey, Bid)> {
    let now = market.world.now();
    let is_due = |job: &millrace::state::Job| {
        let is_left = job.award_cursor < job.bid_count;
        job.has_places() && (job.bidding_ends_at..job.award_by).contains(&now) && is_left
    };
    let job = any_job(market, dice, is_due)?;
    let bids = market.world.bids(&job);
    let entry = market.books.jobs[&job].next_entry(&bids)?;
    Some((job, *bids.get(entry)?))
}

pub(super) fn any_award(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let (job, bid) = next_bid(market, dice)?;
    let caller = market.anyone(dice);
    Some(award(market, &job, &bid.node, &bid.provider, &caller))
}

pub(super) fn any_drop(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let (job, bid) = next_bid(market, dice)?;
    let caller = market.anyone(dice);
    Some(drop_broken_bid(market, &job, &bid, &caller))
}

pub(super) fn any_cancel(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let job = any_job(market, dice, |job| job.is_open() && now >= job.award_by)?;
    let owner = market.buyers[buyer_of(market, &market.books.jobs[&job].customer)].clone();
    let caller = if dice.once_in(2) { owner.authority.insecure_clone() } else { market.anyone(dice) };
    Some(cancel_job(market, &job, &caller))
}

pub(super) fn any_close(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let job = any_job(market, dice, |job| !job.is_open() && job.leases_open == 0)?;
    let caller = market.anyone(dice);
    Some(close_job(market, &job, &caller))
}
