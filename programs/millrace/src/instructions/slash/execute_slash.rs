//! Lets a case have its consequence.

use std::cell::RefMut;

use anchor_lang::prelude::*;
use anchor_lang::Discriminator;
use millrace_core::slash::SlashSplit;

use super::deposit::pay_out;
use super::nodes::{Held, OtherNodes};
use super::payout::Payout;
use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, SlashExecuted};
use crate::state::{Config, FraudCase, Node, Outcome, Provider, Reach};
use crate::token;

/// Called by: anyone: at once when fraud is proven, else from `closes_at` on, and again while a part of the penalty
/// was out of reach. Behind these accounts come other nodes of the provider, in the order of their numbers: what they
/// lock is taken as far as nothing else covers the penalty. Moves: what is taken from the provider's vault, the bounty
/// to the case's bounty account and the rest by a burn; the deposit, to its opener when anything was proven, else to
/// the provider's authority. Keeps: I2, I3, I6, I7.
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
    Ok(if case.is_proven() { case.opener } else { provider.load()?.authority })
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

    /// Takes the stake in the books. Returns the outcome, what was taken, and what each of `others` held before.
    fn take(&self, others: &OtherNodes, now: i64) -> Result<(Outcome, u64, Vec<Held>)> {
        let (params, window_ends_at) = {
            let config = self.config.load()?;
            (config.params, config.fraud_window_ends_at(self.case.load()?.commit()?.epoch, now))
        };
        let nodes = others.load_mut()?;
        let before = OtherNodes::held(&nodes);
        let mut provider = self.provider.load_mut()?;
        let mut reach = Reach { provider: &mut provider, node: self.node()?, others: nodes };
        let (outcome, taken) = self.case.load_mut()?.execute(&mut reach, &params, window_ends_at, now)?;
        Ok((outcome, taken, before))
    }

    /// Sends the bounty and burns the rest of what was taken.
    fn pay(&self, taken: u64) -> Result<SlashSplit> {
        let (origin, bump) = {
            let provider = self.provider.load()?;
            (provider.origin, [provider.bump])
        };
        let payout = Payout {
            vault: &self.provider_vault,
            owner: self.provider.as_ref(),
            bounty_account: &self.bounty_account,
            mint: &self.mint,
            token_program: &self.token_program,
        };
        payout.send(&self.config, taken, &[&[PROVIDER_SEED, origin.as_ref(), &bump]])
    }

    /// Takes, pays, burns, and gives the deposit to whoever was right.
    pub fn handle(ctx: Context<Self>) -> Result<()> {
        let accounts = &ctx.accounts;
        let others = OtherNodes::new(ctx.remaining_accounts, accounts.provider.as_ref().key, accounts.node.key)?;
        let (outcome, taken_amount, before) = accounts.take(&others, Clock::get()?.unix_timestamp)?;
        let split = accounts.pay(taken_amount)?;
        let owed_lamports = accounts.case.load()?.deposit_lamports;
        let deposit_lamports = pay_out(accounts.case.as_ref(), &accounts.deposit_to, owed_lamports)?;
        let event = {
            let (mut case, provider, node) = (accounts.case.load_mut()?, accounts.provider.load()?, accounts.node()?);
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
                closes_at: case.closes_at,
                deposit_lamports,
                deposit_to: accounts.deposit_to.key(),
                node_locked_stake: node.as_ref().map_or(0, |node| node.locked_stake),
                node_bid_bond: node.as_ref().map_or(0, |node| node.bid_bond),
                provider_stake: provider.stake,
                provider_locked: provider.locked,
                provider_bonds: provider.bonds,
                provider_unbonding: provider.unbonding_amount(),
                provider_claims: provider.claims,
                provider_jailed_until: provider.jailed_until,
                burned_total: accounts.config.load()?.burned_total,
            }
        };
        emit(&accounts.event_authority, &event)?;
        others.changes(&before)?.iter().try_for_each(|event| emit(&accounts.event_authority, event))
    }
}
