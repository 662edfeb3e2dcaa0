//! Pays a lease for the seconds the oracles saw it live.

use anchor_lang::prelude::*;
use millrace_core::leaves::{lease_tree_node, LeaseLeaf, LEASE_LEAF_LEN};

use crate::constants::CUSTOMER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, LeaseSettled};
use crate::state::{Customer, Lease, Node, Provider, Reports};
use crate::token;

/// A leaf of an accepted report.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SettleLeaseArgs {
    /// Epoch of the report.
    pub epoch: u64,
    /// Place of the leaf, from zero.
    pub index: u32,
    /// The leaf: a [`LeaseLeaf`] in its canonical encoding.
    pub leaf: [u8; LEASE_LEAF_LEN],
    /// The sibling tree nodes from the bottom up, 24 bytes each.
    pub path: Vec<u8>,
}

/// Called by: anyone with a leaf and its path. Moves: the pay for newly proven seconds, net of the holdback, from the
/// customer's to the provider's vault, as earnings withdrawable at once; the fee on it becomes due. A final leaf
/// ends the lease: the rest of its reserve is the customer's, unless a stand-by may take over, and the node is free.
/// Applied twice it is refused. Keeps: I1, I2, I4, I5.
#[event_cpi]
#[derive(Accounts)]
pub struct SettleLease<'info> {
    /// The lease. All links below are compared with what it stores.
    #[account(mut)]
    pub lease: AccountLoader<'info, Lease>,
    /// The accepted reports; the program opens only one account of this kind.
    pub reports: AccountLoader<'info, Reports>,
    /// The customer who pays.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// CHECK: compared with the address the lease stores.
    #[account(mut)]
    pub customer_vault: UncheckedAccount<'info>,
    /// The provider who earns.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// CHECK: compared with the address the lease stores.
    #[account(mut)]
    pub provider_vault: UncheckedAccount<'info>,
    /// The node at work.
    #[account(mut)]
    pub node: AccountLoader<'info, Node>,
    /// CHECK: the token program compares it with the vaults' mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vaults.
    pub token_program: UncheckedAccount<'info>,
}

impl SettleLease<'_> {
    fn validate(&self, lease: &Lease, leaf: &LeaseLeaf) -> Result<()> {
        require_keys_eq!(*self.customer.as_ref().key, lease.customer, MillraceError::WrongAccount);
        require_keys_eq!(*self.customer_vault.key, lease.customer_vault, MillraceError::WrongAccount);
        require_keys_eq!(*self.provider.as_ref().key, lease.provider, MillraceError::WrongAccount);
        require_keys_eq!(*self.provider_vault.key, lease.provider_vault, MillraceError::WrongAccount);
        require_keys_eq!(*self.node.as_ref().key, lease.node, MillraceError::WrongAccount);
        require!(leaf.lease == self.lease.as_ref().key.to_bytes(), MillraceError::LeafOfAnother);
        Ok(())
    }

    /// Proves the leaf, books it, then sends the pay.
    pub fn handle(ctx: Context<Self>, args: SettleLeaseArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let leaf = LeaseLeaf::from_bytes(&args.leaf).map_err(|_| MillraceError::NotALeaf)?;
        let (event, owed, authority, bump) = {
            let mut lease = accounts.lease.load_mut()?;
            accounts.validate(&lease, &leaf)?;
            let accepted_at = accounts
                .reports
                .load()?
                .prove(args.epoch, args.index, lease_tree_node(&args.leaf), &args.path)?
                .accepted_at;
            let mut customer = accounts.customer.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            let mut node = accounts.node.load_mut()?;
            let payment = lease.settle(&leaf, accepted_at, now, (&mut customer, &mut provider, &mut node))?;
            lease.invariant()?;
            customer.invariant()?;
            provider.invariant()?;
            let event = LeaseSettled {
                sequence: next(&mut lease.sequence),
                lease: accounts.lease.key(),
                job: lease.job,
                state: lease.state,
                exit_code: lease.exit_code,
                live_secs: lease.live_secs,
                checkpointed_secs: lease.checkpointed_secs,
                lost_secs: lease.lost_secs,
                paid_secs: lease.paid_secs,
                net_amount: payment.net_amount,
                holdback_amount: payment.holdback_amount,
                fee_amount: payment.fee_amount,
                reserve_amount: lease.reserve_amount,
                customer_free: customer.free,
                customer_reserved: customer.reserved,
                customer_fee_due: customer.fee_due,
                provider_earned: provider.earned,
            };
            (event, (customer.owed(), provider.owed()), customer.authority, customer.bump)
        };
        if event.net_amount > 0 {
            token::transfer(
                &accounts.token_program,
                &accounts.customer_vault,
                &accounts.mint,
                &accounts.provider_vault,
                accounts.customer.as_ref(),
                &[&[CUSTOMER_SEED, authority.as_ref(), &[bump]]],
                event.net_amount,
            )?;
        }
        token::require_covers(&accounts.customer_vault, owed.0)?;
        token::require_covers(&accounts.provider_vault, owed.1)?;
        emit(&accounts.event_authority, &event)
    }
}
