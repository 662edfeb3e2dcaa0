//! Applies what the oracles measured of someone else's node, for a fee if that is a downgrade.

use anchor_lang::prelude::*;

use super::apply_audit::{audit_applied, proven_leaf, ApplyAuditArgs};
use crate::constants::PROVIDER_SEED;
use crate::errors::MillraceError;
use crate::events::{emit, next, DowngradePaid};
use crate::instructions::slash::bounty::{can_receive, is_owned_by};
use crate::state::{Config, Node, Provider, Reports};
use crate::token;

/// Called by: anyone: rivals, customers, watchers, since a provider has no reason to apply its own downgrade. Moves:
/// the fee from the provider's vault to the receiver, when the audit is a downgrade and the receiver is not the
/// provider's and can receive; else nothing. The fee is of the node's stake, which free stake fills up at once as far
/// as there is any; a node left short of stake sells nothing. Keeps: I2, I3.
#[event_cpi]
#[derive(Accounts)]
pub struct ApplyDowngrade<'info> {
    /// The deployment: tells how long an audit is valid, and the fee. There is only one.
    pub config: AccountLoader<'info, Config>,
    /// The reports. There is only one such account.
    pub reports: AccountLoader<'info, Reports>,
    /// The node the leaf is of.
    #[account(mut, has_one = provider @ MillraceError::WrongAccount)]
    pub node: AccountLoader<'info, Node>,
    /// Its provider.
    #[account(mut)]
    pub provider: AccountLoader<'info, Provider>,
    /// CHECK: the provider's vault, by its stored key.
    #[account(mut, address = provider.load()?.vault @ MillraceError::WrongAccount)]
    pub provider_vault: UncheckedAccount<'info>,
    /// CHECK: token account of whoever applies it; whether it can receive is asked before anything is sent.
    #[account(mut)]
    pub receiver: UncheckedAccount<'info>,
    /// CHECK: the MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: UncheckedAccount<'info>,
    /// CHECK: token program of the mint.
    #[account(address = config.load()?.token_program @ MillraceError::WrongTokenProgram)]
    pub token_program: UncheckedAccount<'info>,
}

impl ApplyDowngrade<'_> {
    /// Whether the receiver is somebody else's and can be paid.
    fn is_payable(&self) -> Result<bool> {
        let provider = self.provider.load()?;
        let own = [provider.authority, provider.operator, self.provider.key()];
        Ok(can_receive(&self.receiver, self.mint.key, self.token_program.key) && !is_owned_by(&self.receiver, &own))
    }

    /// Applies the audit, and pays for a downgrade.
    pub fn handle(ctx: Context<Self>, args: ApplyAuditArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let key = accounts.node.key();
        let leaf = proven_leaf(&accounts.reports, &key, &args)?;
        let (audit_valid_secs, fee) = {
            let params = &accounts.config.load()?.params;
            (params.audit_valid_secs, params.downgrade_fee_amount)
        };
        let is_payable = accounts.is_payable()?;
        let (applied, paid, origin, bump) = {
            let (mut node, mut provider) = (accounts.node.load_mut()?, accounts.provider.load_mut()?);
            let is_downgrade = node.apply_audit(&leaf, audit_valid_secs)?;
            let fee_amount = if is_downgrade && is_payable { node.pay_downgrade(&mut provider, fee)? } else { 0 };
            let applied = audit_applied(key, &mut node, args.epoch, &leaf);
            let paid = DowngradePaid {
                sequence: next(&mut node.sequence),
                node: key,
                provider: node.provider,
                receiver: accounts.receiver.key(),
                fee_amount,
                state: node.state,
                node_locked_stake: node.locked_stake,
                provider_stake: provider.stake,
                provider_locked: provider.locked,
            };
            (applied, paid, provider.origin, [provider.bump])
        };
        if paid.fee_amount > 0 {
            token::transfer(
                &accounts.token_program,
                &accounts.provider_vault,
                &accounts.mint,
                &accounts.receiver,
                accounts.provider.as_ref(),
                &[&[PROVIDER_SEED, origin.as_ref(), &bump]],
                paid.fee_amount,
            )?;
            token::require_covers(&accounts.provider_vault, accounts.provider.load()?.owed())?;
        }
        emit(&accounts.event_authority, &applied)?;
        emit(&accounts.event_authority, &paid)
    }
}
