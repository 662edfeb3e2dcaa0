//! From a job to its award.

use millrace::instructions::{PlaceBidArgs, PostJobArgs};
use millrace::state::{Bid, Job};
use millrace::{accounts, instruction};

use super::{build, SYSTEM_PROGRAM};
use crate::{pda, AccountMeta, Instruction, Pubkey, PROGRAM_ID};

/// Offers work. `id` is the customer's `next_job_id`. Signed and paid by the customer's `authority`.
pub fn post_job(authority: &Pubkey, id: u64, args: PostJobArgs) -> Instruction {
    let customer = pda::customer(authority);
    build(
        accounts::PostJob {
            authority: *authority,
            config: pda::config(),
            customer,
            job: pda::job(&customer, id),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::PostJob { args },
    )
}

/// Offers `node` for `job`. Signed by the provider's `operator`.
pub fn place_bid(operator: &Pubkey, provider: &Pubkey, node: &Pubkey, job: &Pubkey, args: PlaceBidArgs) -> Instruction {
    build(
        accounts::PlaceBid {
            operator: *operator,
            config: pda::config(),
            provider: *provider,
            node: *node,
            job: *job,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::PlaceBid { args },
    )
}

/// Offers `nodes`, all of one site, for `job`. Signed by the provider's `operator`.
pub fn place_site_bid(
    operator: &Pubkey,
    provider: &Pubkey,
    nodes: &[Pubkey],
    job: &Pubkey,
    args: PlaceBidArgs,
) -> Instruction {
    let mut bid = build(
        accounts::PlaceSiteBid {
            operator: *operator,
            config: pda::config(),
            provider: *provider,
            job: *job,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::PlaceSiteBid { args },
    );
    bid.accounts.extend(nodes.iter().map(|node| AccountMeta::new(*node, false)));
    bid
}

/// Frees a node whose bid on `job` no longer counts. Signed by nobody.
pub fn release_bid(provider: &Pubkey, node: &Pubkey, job: &Pubkey) -> Instruction {
    build(
        accounts::ReleaseBid {
            provider: *provider,
            node: *node,
            job: *job,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ReleaseBid {},
    )
}

/// Gives the next place of the job at `job` to `bid`, the entry that [`Job::next_entry`] names. Signed by `payer`, who
/// pays the lease's rent.
pub fn award(payer: &Pubkey, job: &Pubkey, state: &Job, bid: &Bid) -> Instruction {
    build(
        accounts::Award {
            payer: *payer,
            job: *job,
            customer: state.customer,
            provider: bid.provider,
            node: bid.node,
            lease: pda::lease(job, state.leases_opened),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Award {},
    )
}

/// Passes over `bid`, whose turn it is in the job at `job`, which was not kept. `next_claim` is that of the bidder's
/// provider account. Signed by `payer`, who pays the rent of the claim, if one is opened.
pub fn drop_broken_bid(payer: &Pubkey, job: &Pubkey, state: &Job, bid: &Bid, next_claim: u32) -> Instruction {
    build(
        accounts::DropBrokenBid {
            payer: *payer,
            job: *job,
            customer: state.customer,
            provider: bid.provider,
            node: bid.node,
            claim: pda::claim(&bid.provider, next_claim),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::DropBrokenBid {},
    )
}

/// Withdraws a job. Signed by `caller`: the customer's authority, or anyone once it is late.
pub fn cancel_job(caller: &Pubkey, customer: &Pubkey, job: &Pubkey) -> Instruction {
    build(
        accounts::CancelJob {
            caller: *caller,
            customer: *customer,
            job: *job,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CancelJob {},
    )
}

/// Closes the job at `job`, which is over. Signed by nobody. Fees due come first: [`super::sweep_fees`].
pub fn close_job(job: &Pubkey, state: &Job) -> Instruction {
    build(
        accounts::CloseJob {
            customer: state.customer,
            job: *job,
            rent_payer: state.rent_payer,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CloseJob {},
    )
}
