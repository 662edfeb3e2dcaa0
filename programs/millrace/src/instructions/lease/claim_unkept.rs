//! Claims what one member of a cluster lost because another failed.

use anchor_lang::prelude::*;

use crate::claims::{self, ClaimTo};
use crate::errors::MillraceError;
use crate::events::{emit, next, UnkeptClaimed};
use crate::state::claim::expect_by_provider;
use crate::state::{Beneficiary, Lease, Provider};

/// Called by: anyone, within the dispute window of a failed Guaranteed lease, once for each other member; the caller
/// pays the claim's rent and gets it back. Moves: nothing yet; the member's lost seconds at its price, at most what is left
/// of the failed lease's bond, become its provider's claim on that bond. Keeps: I3, I5.
#[event_cpi]
#[derive(Accounts)]
pub struct ClaimUnkept<'info> {
    /// Pays the claim's rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The lease that failed.
    #[account(mut)]
    pub failed: AccountLoader<'info, Lease>,
    /// Its provider, whose bond answers.
    #[account(mut)]
    pub failed_provider: AccountLoader<'info, Provider>,
    /// The lease that lost seconds.
    #[account(mut)]
    pub member: AccountLoader<'info, Lease>,
    /// Its provider, who is paid.
    #[account(mut)]
    pub member_provider: AccountLoader<'info, Provider>,
    /// CHECK: opened here at the seeds `claim`, failed provider, number.
    #[account(mut)]
    pub claim: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl ClaimUnkept<'_> {
    fn validate(&self, failed: &Lease, member: &Lease) -> Result<()> {
        require_keys_eq!(self.failed_provider.key(), failed.provider, MillraceError::WrongAccount);
        require_keys_eq!(self.member_provider.key(), member.provider, MillraceError::WrongAccount);
        Ok(())
    }

    /// Turns a part of the bond into a claim.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        // One account in both places could not be borrowed twice.
        require_keys_neq!(accounts.failed.key(), accounts.member.key(), MillraceError::WrongAccount);
        let providers = (accounts.failed_provider.key(), accounts.member_provider.key());
        require_keys_neq!(providers.0, providers.1, MillraceError::WrongAccount);
        let event = {
            let mut failed = accounts.failed.load_mut()?;
            let mut member = accounts.member.load_mut()?;
            accounts.validate(&failed, &member)?;
            let mut provider = accounts.failed_provider.load_mut()?;
            let mut paid = accounts.member_provider.load_mut()?;
            let (secs, amount) = failed.pay_unkept(&mut member, &mut provider, now)?;
            let matures_at = now.saturating_add(failed.terms.unbonding_secs);
            let to = ClaimTo { kind: Beneficiary::Provider, key: providers.1, source: accounts.failed.key() };
            claims::open(&accounts.payer, &accounts.claim, (&providers.0, &mut provider), &to, amount, matures_at)?;
            expect_by_provider(&mut paid)?;
            failed.invariant()?;
            member.invariant()?;
            provider.invariant()?;
            UnkeptClaimed {
                sequence: next(&mut failed.sequence),
                failed: accounts.failed.key(),
                member: accounts.member.key(),
                secs,
                claim: accounts.claim.key(),
                amount,
                matures_at,
                bond_left: failed.bond_left,
                provider: providers.0,
                provider_stake: provider.stake,
                provider_lease_bonds: provider.lease_bonds,
                provider_locked: provider.locked,
                provider_claims: provider.claims,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
