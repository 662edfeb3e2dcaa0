//! Puts a stand-by in the place of a node that failed.

use anchor_lang::prelude::*;

use crate::constants::LEASE_SEED;
use crate::create;
use crate::errors::MillraceError;
use crate::events::{emit, next, FailedOver};
use crate::state::{space, Job, Lease, LeaseRole, Node, Opening, Provider};

/// Called by: anyone, within the dispute window of a Guaranteed lease already settled as failed by its node; the caller
/// pays the new lease's rent and gets it back at its end. Takes no leaf. Moves: nothing between purses; the position's
/// remaining seconds and reserve go to a new lease of the stand-by, at its full price, from the last kept checkpoint,
/// with the bond it has. Its time standing by ends now; its last seconds are still settled. Keeps: I3, I5.
#[event_cpi]
#[derive(Accounts)]
pub struct FailOver<'info> {
    /// Pays the new lease's rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The job of all three leases.
    #[account(mut)]
    pub job: AccountLoader<'info, Job>,
    /// The lease that failed.
    #[account(mut)]
    pub failed: AccountLoader<'info, Lease>,
    /// The lease that stands by.
    #[account(mut)]
    pub stand_by: AccountLoader<'info, Lease>,
    /// The stand-by's provider.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// The stand-by's node.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
    /// CHECK: opened here at the seeds `lease`, job, index.
    #[account(mut)]
    pub lease: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl FailOver<'_> {
    fn validate(&self, failed: &Lease, stand_by: &Lease, provider: &Provider, node: &Node, now: i64) -> Result<()> {
        require_keys_eq!(self.job.key(), failed.job, MillraceError::WrongAccount);
        require_keys_eq!(self.provider.key(), stand_by.provider, MillraceError::WrongAccount);
        require_keys_eq!(self.node.key(), stand_by.node, MillraceError::WrongAccount);
        let is_able = node.lease == self.stand_by.key()
            && node.is_able(now)
            && provider.require_active(now).is_ok()
            && stand_by.node != failed.node;
        require!(is_able, MillraceError::StandByNotAble);
        Ok(())
    }

    /// Opens the new lease.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        // One account in both places could not be borrowed twice.
        require_keys_neq!(accounts.failed.key(), accounts.stand_by.key(), MillraceError::NotStandBy);
        let event = {
            let mut failed = accounts.failed.load_mut()?;
            let mut stand_by = accounts.stand_by.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            let mut node = accounts.node.load_mut()?;
            let mut job = accounts.job.load_mut()?;
            let takeover = failed.fail_over(&mut stand_by, now)?;
            accounts.validate(&failed, &stand_by, &provider, &node, now)?;

            let (job_key, index) = (accounts.job.key(), job.leases_opened);
            let seeds = [LEASE_SEED, job_key.as_ref(), &[index]];
            let bump = create::create::<Lease>(&accounts.payer, &accounts.lease, seeds, space::<Lease>())?;
            let opening = Opening {
                bump,
                index,
                job_position: takeover.job_position,
                role: LeaseRole::Member,
                job: job_key,
                customer_vault: stand_by.customer_vault,
                provider: stand_by.provider,
                provider_vault: stand_by.provider_vault,
                node: stand_by.node,
                per_sec: takeover.per_sec,
                full_per_sec: takeover.per_sec,
                max_secs: takeover.max_secs,
                reserve_amount: takeover.reserve_amount,
                bond: takeover.bond,
                bond_left: takeover.bond_left,
                checkpoint_root: takeover.checkpoint_root,
                started_at: now,
                rent_payer: accounts.payer.key(),
            };
            let mut lease = create::load_new::<Lease>(&accounts.lease)?;
            lease.open(&job, &opening);
            job.count_lease();
            provider.lease_opened()?;
            node.lease = accounts.lease.key();
            lease.invariant()?;
            stand_by.invariant()?;
            job.invariant()?;
            provider.invariant()?;
            FailedOver {
                sequence: next(&mut failed.sequence),
                job: job_key,
                failed: accounts.failed.key(),
                stand_by: accounts.stand_by.key(),
                lease: accounts.lease.key(),
                node: stand_by.node,
                provider: stand_by.provider,
                index,
                job_position: takeover.job_position,
                per_sec: takeover.per_sec,
                max_secs: takeover.max_secs,
                reserve_amount: takeover.reserve_amount,
                bond: takeover.bond,
                bond_left: takeover.bond_left,
                stand_by_max_secs: stand_by.max_secs,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
