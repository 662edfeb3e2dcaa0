//! Lets a case have its consequence.

use std::cell::RefMut;

use anchor_lang::prelude::*;
use anchor_lang::Discriminator;
use millrace_core::slash::{split_slash, SlashSplit};

use super::bounty::can_receive;
use super::deposit::pay_out;
use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, SlashExecuted};
use crate::state::{Config, FraudCase, Node, Outcome, Provider};
use crate::token;

/// Called by: anyone: at once when fraud is proven, else from `closes_at` on, and again while a part of the penalty
/// was out of reach. Moves: what is taken from the provider's vault, the bounty to the case's bounty account and the
/// rest by a burn; the deposit, to its opener when anything was proven, else to the provider's authority.
/// Keeps: I2, I3, I6, I7.
#[event_cpi]
#[derive(Accounts)]
pub struct ExecuteSlash<'info> {
    /// The deployment; counts the burn.
    #[account(mut, seeds = [CONFIG_SEED], bump = config.load()?.bump)]
    pub config: AccountLoader<'info, Config>,
    /// The case.
    #[account(mut)]
    pub case: AccountLoader<'info, FraudCase>,
    /// Provider of the node accused.
    #[account(mut, address = case.load()?.provider @ MillraceError::WrongAccount)]
    pub provider: AccountLoader<'info, Provider>,
    /// CHECK: the provider's vault, by its stored key.
    #[account(mut, address = provider.load()?.vault @ MillraceError::WrongAccount)]
    pub provider_vault: UncheckedAccount<'info>,
    /// CHECK: the node accused, by the case's key; its account may be closed by now.
    #[account(mut, address = case.load()?.node @ MillraceError::WrongAccount)]
    pub node: UncheckedAccount<'info>,
    /// CHECK: fixed in the case; whether it can receive is asked before anything is sent.
    #[account(mut, address = case.load()?.bounty_account @ MillraceError::WrongAccount)]
    pub bounty_account: UncheckedAccount<'info>,
    /// CHECK: receives the deposit; fixed by the case and the provider.
    #[account(mut, address = who_was_right(&case, &provider)? @ MillraceError::WrongAccount)]
    pub deposit_to: UncheckedAccount<'info>,
    /// CHECK: the MILL mint.
    #[account(mut, address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: UncheckedAccount<'info>,
    /// CHECK: token program of the mint.
    #[account(address = config.load()?.token_program @ MillraceError::WrongTokenProgram)]
    pub token_program: UncheckedAccount<'info>,
}

/// Who gets the deposit.
fn who_was_right(case: &AccountLoader<FraudCase>, provider: &AccountLoader<Provider>) -> Result<Pubkey> {
    let case = case.load()?;
    let is_proven = case.entry_count > 0 || case.link_proven == 1;
    Ok(if is_proven { case.opener } else { provider.load()?.authority })
}

impl<'info> ExecuteSlash<'info> {
    /// The node, unless its account is closed.
    fn node(&self) -> Result<Option<RefMut<'_, Node>>> {
        if *self.node.owner != crate::ID {
            return Ok(None);
        }
        let data = self.node.try_borrow_mut_data()?;
        let start = Node::DISCRIMINATOR.len();
        let end = start.saturating_add(std::mem::size_of::<Node>());
        let is_node = data.len() >= end && data.starts_with(Node::DISCRIMINATOR);
        require!(is_node, MillraceError::WrongAccount);
        Ok(Some(RefMut::map(data, |data| bytemuck::from_bytes_mut(&mut data[start..end]))))
    }

    /// Takes the stake in the books. Returns the outcome, what was taken and what the node still answers with.
    fn take(&self, now: i64) -> Result<(Outcome, u64, u64)> {
        let params = self.config.load()?.params;
        let mut node = self.node()?;
        let (outcome, taken) =
            self.case.load_mut()?.execute(&mut *self.provider.load_mut()?, node.as_deref_mut(), &params, now)?;
        Ok((outcome, taken, node.map_or(0, |node| node.locked_stake)))
    }

    /// Sends the bounty and burns the rest of what was taken.
    fn pay(&self, taken: u64) -> Result<SlashSplit> {
        let (mint, token_program, bounty_bps) = {
            let config = self.config.load()?;
            (config.mint, config.token_program, config.params.bounty_bps)
        };
        let is_payable = self.bounty_account.key() != self.provider_vault.key()
            && can_receive(&self.bounty_account, &mint, &token_program);
        let bounty_bps = if is_payable { bounty_bps } else { 0 };
        let split = split_slash(taken, bounty_bps).ok_or(MillraceError::MathOverflow)?;
        let (origin, bump) = {
            let provider = self.provider.load()?;
            (provider.origin, [provider.bump])
        };
        let seeds: &[&[&[u8]]] = &[&[PROVIDER_SEED, origin.as_ref(), &bump]];
        let (program, vault, mint, provider) =
            (&self.token_program, &self.provider_vault, &self.mint, self.provider.as_ref());
        if split.bounty_amount > 0 {
            token::transfer(program, vault, mint, &self.bounty_account, provider, seeds, split.bounty_amount)?;
        }
        if split.burn_amount > 0 {
            token::burn(program, vault, mint, provider, seeds, split.burn_amount)?;
            self.config.load_mut()?.record_burn(split.burn_amount)?;
        }
        Ok(split)
    }

    /// Takes, pays, burns, and gives the deposit to whoever was right.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let (outcome, taken_amount, node_locked_stake) = accounts.take(Clock::get()?.unix_timestamp)?;
        let split = accounts.pay(taken_amount)?;
        let owed_lamports = accounts.case.load()?.deposit_lamports;
        let deposit_lamports = pay_out(accounts.case.as_ref(), &accounts.deposit_to, owed_lamports)?;
        let event = {
            let (mut case, provider) = (accounts.case.load_mut()?, accounts.provider.load()?);
            case.deposit_lamports = owed_lamports.saturating_sub(deposit_lamports);
            token::require_covers(&accounts.provider_vault, provider.owed())?;
            SlashExecuted {
                sequence: next(&mut case.sequence),
                case: accounts.case.key(),
                node: accounts.node.key(),
                provider: accounts.provider.key(),
                outcome: outcome as u8,
                taken_amount,
                bounty_amount: split.bounty_amount,
                burn_amount: split.burn_amount,
                unpaid_amount: case.unpaid_amount,
                deposit_lamports,
                deposit_to: accounts.deposit_to.key(),
                node_locked_stake,
                provider_stake: provider.stake,
                provider_locked: provider.locked,
                provider_unbonding: provider.unbonding_amount(),
                provider_jailed_until: provider.jailed_until,
                burned_total: accounts.config.load()?.burned_total,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
