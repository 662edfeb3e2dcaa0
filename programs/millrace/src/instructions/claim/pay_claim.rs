//! Pays a claim on a provider's bond.

use anchor_lang::prelude::*;

use crate::constants::PROVIDER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, ClaimPaid};
use crate::state::claim::receive_by_provider;
use crate::state::{load_mut, Beneficiary, Claim, Customer, Provider};
use crate::token;

/// Called by: anyone, once the claim has matured: every fraud its bond could answer for is judged by then. Moves: the
/// amount, or what slashes left for it, from the provider's vault to the beneficiary's, a customer's free money or a
/// provider's earnings; the rent to who paid it. Keeps: I1, I2, I4, I9.
#[event_cpi]
#[derive(Accounts)]
pub struct PayClaim<'info> {
    /// The claim. All links below are compared with what it stores.
    #[account(mut)]
    pub claim: AccountLoader<'info, Claim>,
    /// The provider who pays.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// CHECK: compared with the address the provider stores.
    #[account(mut)]
    pub provider_vault: UncheckedAccount<'info>,
    /// CHECK: compared with the address the claim stores, and read as the kind of account that it says.
    #[account(mut)]
    pub beneficiary: UncheckedAccount<'info>,
    /// CHECK: compared with the address the beneficiary stores.
    #[account(mut)]
    pub beneficiary_vault: UncheckedAccount<'info>,
    /// CHECK: compared with the address the claim stores.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// CHECK: the token program compares it with the vaults' mint, which is MILL.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own the vaults.
    pub token_program: UncheckedAccount<'info>,
}

/// What the beneficiary's books say after the payment.
struct Paid {
    /// Its vault.
    vault: Pubkey,
    /// Withdrawable, base units.
    balance: u64,
    /// What its vault must hold at least, base units.
    owed: u64,
}

impl PayClaim<'_> {
    fn validate(&self, claim: &Claim, provider: &Provider) -> Result<()> {
        require_keys_eq!(self.provider.key(), claim.provider, MillraceError::WrongAccount);
        require_keys_eq!(self.provider_vault.key(), provider.vault, MillraceError::WrongAccount);
        require_keys_eq!(self.beneficiary.key(), claim.beneficiary, MillraceError::WrongAccount);
        require_keys_eq!(self.rent_payer.key(), claim.rent_payer, MillraceError::WrongAccount);
        Ok(())
    }

    fn credit(&self, beneficiary_kind: u8, amount: u64) -> Result<Paid> {
        if beneficiary_kind == Beneficiary::Customer as u8 {
            let mut customer = load_mut::<Customer>(&self.beneficiary)?;
            customer.receive_claim(amount)?;
            customer.invariant()?;
            Ok(Paid { vault: customer.vault, balance: customer.free, owed: customer.owed() })
        } else {
            let mut provider = load_mut::<Provider>(&self.beneficiary)?;
            receive_by_provider(&mut provider, amount)?;
            provider.invariant()?;
            Ok(Paid { vault: provider.vault, balance: provider.earned, owed: provider.owed() })
        }
    }

    /// Books the payment, sends it and closes the claim.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let (event, owed, origin, bump) = {
            let mut claim = accounts.claim.load_mut()?;
            let mut provider = accounts.provider.load_mut()?;
            accounts.validate(&claim, &provider)?;
            let amount = claim.pay(&mut provider, now)?;
            let paid = accounts.credit(claim.beneficiary_kind, amount)?;
            require_keys_eq!(accounts.beneficiary_vault.key(), paid.vault, MillraceError::WrongAccount);
            provider.invariant()?;
            let event = ClaimPaid {
                sequence: next(&mut claim.sequence),
                claim: accounts.claim.key(),
                provider: claim.provider,
                beneficiary_kind: claim.beneficiary_kind,
                beneficiary: claim.beneficiary,
                amount,
                unpaid_amount: claim.amount.saturating_sub(amount),
                provider_claims: provider.claims,
                beneficiary_balance: paid.balance,
            };
            (event, (provider.owed(), paid.owed), provider.origin, provider.bump)
        };
        if event.amount > 0 {
            token::transfer(
                &accounts.token_program,
                &accounts.provider_vault,
                &accounts.mint,
                &accounts.beneficiary_vault,
                accounts.provider.as_ref(),
                &[&[PROVIDER_SEED, origin.as_ref(), &[bump]]],
                event.amount,
            )?;
        }
        token::require_covers(&accounts.provider_vault, owed.0)?;
        token::require_covers(&accounts.beneficiary_vault, owed.1)?;
        emit(&accounts.event_authority, &event)?;
        accounts.claim.close(accounts.rent_payer.to_account_info())
    }
}
