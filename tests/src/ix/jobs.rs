//! Instructions of customers, jobs and leases.

use bytemuck::Zeroable;
use millrace::instructions::{PlaceBidArgs, PostJobArgs, SettleLeaseArgs};
use millrace::state::{Bid, Job, Lease, Provider};
use millrace_client::ix as client;

use crate::{Buyer, Instruction, Pubkey, Seller, Signer, World};

/// Takes `amount` base units of the buyer's free money into its tokens.
pub fn withdraw_customer(world: &World, buyer: &Buyer, amount: u64) -> Instruction {
    client::withdraw_customer(&buyer.authority.pubkey(), &buyer.tokens, &world.market(), amount)
}

/// Sweeps the fees the buyer owes.
pub fn sweep_fees(world: &World, buyer: &Buyer) -> Instruction {
    client::sweep_fees(&buyer.customer, &world.market())
}

/// Closes the buyer's account.
pub fn close_customer(world: &World, buyer: &Buyer) -> Instruction {
    let authority = buyer.authority.pubkey();
    client::close_customer(&authority, &authority, &world.market())
}

/// Posts the buyer's job `id`, which must be its next.
pub fn post_job(buyer: &Buyer, id: u64, args: PostJobArgs) -> Instruction {
    client::post_job(&buyer.authority.pubkey(), id, args)
}

/// Bids `per_sec` for `job` with one of the seller's nodes, which would not stand by.
pub fn place_bid(seller: &Seller, node: &Pubkey, job: &Pubkey, per_sec: u64) -> Instruction {
    place_bid_of(seller, node, job, PlaceBidArgs { per_sec, may_stand_by: false })
}

/// Bids for `job` with one of the seller's nodes.
pub fn place_bid_of(seller: &Seller, node: &Pubkey, job: &Pubkey, args: PlaceBidArgs) -> Instruction {
    client::place_bid(&seller.operator.pubkey(), &seller.provider, node, job, args)
}

/// Bids for `job` with nodes of one site of the seller's.
pub fn place_site_bid(seller: &Seller, nodes: &[Pubkey], job: &Pubkey, args: PlaceBidArgs) -> Instruction {
    client::place_site_bid(&seller.operator.pubkey(), &seller.provider, nodes, job, args)
}

/// Releases the bid of one of the seller's nodes.
pub fn release_bid(seller: &Seller, node: &Pubkey, job: &Pubkey) -> Instruction {
    client::release_bid(&seller.provider, node, job)
}

/// What an instruction takes from the bid of one of the seller's nodes.
fn bid_of(seller: &Seller, node: &Pubkey) -> Bid {
    Bid { provider: seller.provider, node: *node, ..Bid::zeroed() }
}

/// Awards the job's position 0 to one of the seller's nodes.
pub fn award(payer: &Pubkey, buyer: &Buyer, seller: &Seller, node: &Pubkey, job: &Pubkey) -> Instruction {
    award_nth(payer, buyer, seller, node, job, 0)
}

/// Awards the job's lease `index` to one of the seller's nodes.
pub fn award_nth(
    payer: &Pubkey,
    buyer: &Buyer,
    seller: &Seller,
    node: &Pubkey,
    job: &Pubkey,
    index: u8,
) -> Instruction {
    let state = Job { customer: buyer.customer, leases_opened: index, ..Job::zeroed() };
    client::award(payer, job, &state, &bid_of(seller, node))
}

/// Drops the bid of one of the seller's nodes.
pub fn drop_broken_bid(
    world: &World,
    payer: &Pubkey,
    buyer: &Buyer,
    seller: &Seller,
    node: &Pubkey,
    job: &Pubkey,
) -> Instruction {
    let state = Job { customer: buyer.customer, ..Job::zeroed() };
    let next_claim = world.read::<Provider>(&seller.provider).next_claim;
    client::drop_broken_bid(payer, job, &state, &bid_of(seller, node), next_claim)
}

/// Cancels a job of the buyer.
pub fn cancel_job(caller: &Pubkey, buyer: &Buyer, job: &Pubkey) -> Instruction {
    client::cancel_job(caller, &buyer.customer, job)
}

/// Closes a job of the buyer.
pub fn close_job(world: &World, job: &Pubkey) -> Instruction {
    client::close_job(job, &world.read::<Job>(job))
}

/// Settles `lease` by a leaf.
pub fn settle_lease(world: &World, lease: &Pubkey, args: SettleLeaseArgs) -> Instruction {
    client::settle_lease(lease, &world.read::<Lease>(lease), &world.market(), args)
}

/// Accepts the result of `lease`.
pub fn accept_result(world: &World, authority: &Pubkey, lease: &Pubkey) -> Instruction {
    client::accept_result(authority, lease, &world.read::<Lease>(lease), &world.market())
}

/// Closes `lease` after its dispute window.
pub fn close_lease(world: &World, caller: &Pubkey, lease: &Pubkey) -> Instruction {
    client::close_lease(caller, lease, &world.read::<Lease>(lease), &world.market())
}

/// Stops `lease`.
pub fn stop_lease(buyer: &Buyer, lease: &Pubkey) -> Instruction {
    let state = Lease { customer: buyer.customer, ..Lease::zeroed() };
    client::stop_lease(&buyer.authority.pubkey(), lease, &state)
}

/// Leaves `lease`.
pub fn exit_lease(world: &World, caller: &Pubkey, lease: &Pubkey) -> Instruction {
    client::exit_lease(caller, lease, &world.read::<Lease>(lease))
}
