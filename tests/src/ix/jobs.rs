//! Instructions of customers, jobs and leases.

use millrace::instructions::{PlaceBidArgs, PostJobArgs, SettleLeaseArgs};
use millrace::state::{Job, Lease, Provider};
use millrace::{accounts, instruction};

use super::{build, SYSTEM};
use crate::{pda, Buyer, Instruction, Pubkey, Seller, Signer, World};

/// Takes `amount` base units of the buyer's free money into its tokens.
pub fn withdraw_customer(world: &World, buyer: &Buyer, amount: u64) -> Instruction {
    build(
        accounts::WithdrawCustomer {
            authority: buyer.authority.pubkey(),
            customer: buyer.customer,
            vault: buyer.vault,
            destination: buyer.tokens,
            mint: world.mint,
            token_program: world.standard.id(),
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::WithdrawCustomer { amount },
    )
}

/// Sweeps the fees the buyer owes.
pub fn sweep_fees(world: &World, buyer: &Buyer) -> Instruction {
    build(
        accounts::SweepFees {
            config: pda::config(),
            customer: buyer.customer,
            vault: buyer.vault,
            oracle_pool: world.oracle_pool,
            treasury: world.treasury,
            mint: world.mint,
            token_program: world.standard.id(),
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::SweepFees {},
    )
}

/// Closes the buyer's account.
pub fn close_customer(world: &World, buyer: &Buyer) -> Instruction {
    build(
        accounts::CloseCustomer {
            authority: buyer.authority.pubkey(),
            config: pda::config(),
            customer: buyer.customer,
            vault: buyer.vault,
            treasury: world.treasury,
            rent_payer: buyer.authority.pubkey(),
            mint: world.mint,
            token_program: world.standard.id(),
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::CloseCustomer {},
    )
}

/// Posts the buyer's job `id`, which must be its next.
pub fn post_job(buyer: &Buyer, id: u64, args: PostJobArgs) -> Instruction {
    build(
        accounts::PostJob {
            authority: buyer.authority.pubkey(),
            config: pda::config(),
            customer: buyer.customer,
            job: pda::job(&buyer.customer, id),
            system_program: SYSTEM,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::PostJob { args },
    )
}

/// Bids `per_sec` for `job` with one of the seller's nodes, which would not stand by.
pub fn place_bid(seller: &Seller, node: &Pubkey, job: &Pubkey, per_sec: u64) -> Instruction {
    place_bid_of(seller, node, job, PlaceBidArgs { per_sec, may_stand_by: false })
}

/// Bids for `job` with one of the seller's nodes.
pub fn place_bid_of(seller: &Seller, node: &Pubkey, job: &Pubkey, args: PlaceBidArgs) -> Instruction {
    millrace_client::ix::place_bid(&seller.operator.pubkey(), &seller.provider, node, job, args)
}

/// Bids for `job` with nodes of one site of the seller's.
pub fn place_site_bid(seller: &Seller, nodes: &[Pubkey], job: &Pubkey, args: PlaceBidArgs) -> Instruction {
    millrace_client::ix::place_site_bid(&seller.operator.pubkey(), &seller.provider, nodes, job, args)
}

/// Releases the bid of one of the seller's nodes.
pub fn release_bid(seller: &Seller, node: &Pubkey, job: &Pubkey) -> Instruction {
    build(
        accounts::ReleaseBid {
            provider: seller.provider,
            node: *node,
            job: *job,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::ReleaseBid {},
    )
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
    build(
        accounts::Award {
            payer: *payer,
            job: *job,
            customer: buyer.customer,
            provider: seller.provider,
            node: *node,
            lease: pda::lease(job, index),
            system_program: SYSTEM,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::Award {},
    )
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
    build(
        accounts::DropBrokenBid {
            payer: *payer,
            job: *job,
            customer: buyer.customer,
            provider: seller.provider,
            node: *node,
            claim: pda::claim(&seller.provider, world.read::<Provider>(&seller.provider).next_claim),
            system_program: SYSTEM,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::DropBrokenBid {},
    )
}

/// Cancels a job of the buyer.
pub fn cancel_job(caller: &Pubkey, buyer: &Buyer, job: &Pubkey) -> Instruction {
    build(
        accounts::CancelJob {
            caller: *caller,
            customer: buyer.customer,
            job: *job,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::CancelJob {},
    )
}

/// Closes a job of the buyer.
pub fn close_job(world: &World, job: &Pubkey) -> Instruction {
    let state = world.read::<Job>(job);
    build(
        accounts::CloseJob {
            customer: state.customer,
            job: *job,
            rent_payer: state.rent_payer,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::CloseJob {},
    )
}

/// Settles `lease` by a leaf.
pub fn settle_lease(world: &World, lease: &Pubkey, args: SettleLeaseArgs) -> Instruction {
    let state = world.read::<Lease>(lease);
    build(
        accounts::SettleLease {
            lease: *lease,
            reports: pda::reports(),
            customer: state.customer,
            customer_vault: state.customer_vault,
            provider: state.provider,
            provider_vault: state.provider_vault,
            node: state.node,
            mint: world.mint,
            token_program: world.standard.id(),
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::SettleLease { args },
    )
}

fn close_lease_accounts(world: &World, caller: &Pubkey, lease: &Pubkey) -> accounts::CloseLease {
    let state = world.read::<Lease>(lease);
    accounts::CloseLease {
        caller: *caller,
        lease: *lease,
        job: state.job,
        customer: state.customer,
        customer_vault: state.customer_vault,
        provider: state.provider,
        provider_vault: state.provider_vault,
        rent_payer: state.rent_payer,
        mint: world.mint,
        token_program: world.standard.id(),
        event_authority: pda::event_authority(),
        program: millrace::ID,
    }
}

/// Accepts the result of `lease`.
pub fn accept_result(world: &World, authority: &Pubkey, lease: &Pubkey) -> Instruction {
    build(close_lease_accounts(world, authority, lease), instruction::AcceptResult {})
}

/// Closes `lease` after its dispute window.
pub fn close_lease(world: &World, caller: &Pubkey, lease: &Pubkey) -> Instruction {
    build(close_lease_accounts(world, caller, lease), instruction::CloseLease {})
}

/// Stops `lease`.
pub fn stop_lease(buyer: &Buyer, lease: &Pubkey) -> Instruction {
    build(
        accounts::StopLease {
            authority: buyer.authority.pubkey(),
            customer: buyer.customer,
            lease: *lease,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::StopLease {},
    )
}

/// Leaves `lease`.
pub fn exit_lease(world: &World, caller: &Pubkey, lease: &Pubkey) -> Instruction {
    let state = world.read::<Lease>(lease);
    build(
        accounts::ExitLease {
            caller: *caller,
            lease: *lease,
            customer: state.customer,
            provider: state.provider,
            node: state.node,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::ExitLease {},
    )
}
