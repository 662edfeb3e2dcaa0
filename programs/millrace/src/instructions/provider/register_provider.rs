//! Opens a provider account and its vault.

use anchor_lang::prelude::*;
use anchor_spl::token_interface::{Mint, TokenAccount, TokenInterface};
use millrace_core::reliability::RELIABILITY_FLOOR_BPS;

use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, ProviderRegistered};
use crate::state::{space, Config, Provider};

/// What a provider says of itself.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct RegisterProviderArgs {
    /// Hot key of the agent.
    pub operator: Pubkey,
    /// URL of the agent, UTF-8, padded with zeros.
    pub endpoint: [u8; ENDPOINT_LEN],
    /// Most the operator may have locked behind bids at once, base units.
    pub max_bonds_amount: u64,
    /// Least the operator may bid, base units a second.
    pub min_bid_per_sec: u64,
}

/// Called by: the authority, who pays the rent, unless new work is paused. Moves: nothing.
#[event_cpi]
#[derive(Accounts)]
pub struct RegisterProvider<'info> {
    /// Cold key of the provider; pays the rent.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The new account; its seeds prove one provider per authority.
    #[account(init, payer = authority, space = space::<Provider>(), seeds = [PROVIDER_SEED, authority.key().as_ref()], bump)]
    pub provider: AccountLoader<'info, Provider>,
    /// Its vault.
    #[account(init, payer = authority, seeds = [VAULT_SEED, provider.key().as_ref()], bump, token::mint = mint, token::authority = provider, token::token_program = token_program)]
    pub vault: Box<InterfaceAccount<'info, TokenAccount>>,
    /// The MILL mint.
    #[account(address = config.load()?.mint @ MillraceError::WrongMint)]
    pub mint: Box<InterfaceAccount<'info, Mint>>,
    /// Token program of the mint.
    pub token_program: Interface<'info, TokenInterface>,
    /// Creates the accounts.
    pub system_program: Program<'info, System>,
}

impl RegisterProvider<'_> {
    fn validate(&self, args: &RegisterProviderArgs, now: i64) -> Result<()> {
        require!(is_endpoint(&args.endpoint), MillraceError::BadEndpoint);
        self.config.load()?.require_not_paused(now)
    }

    /// Writes the account.
    pub fn handle(ctx: Context<Self>, args: RegisterProviderArgs) -> Result<()> {
        ctx.accounts.validate(&args, Clock::get()?.unix_timestamp)?;
        let accounts = &ctx.accounts;
        let sequence = {
            let mut provider = accounts.provider.load_init()?;
            provider.version = ACCOUNT_VERSION;
            provider.bump = ctx.bumps.provider;
            provider.origin = accounts.authority.key();
            provider.authority = accounts.authority.key();
            provider.operator = args.operator;
            provider.previous_operator = args.operator;
            provider.vault = accounts.vault.key();
            provider.reliability_bps = RELIABILITY_FLOOR_BPS;
            provider.max_bonds_amount = args.max_bonds_amount;
            provider.min_bid_per_sec = args.min_bid_per_sec;
            provider.endpoint = args.endpoint;
            provider.rent_payer = accounts.authority.key();
            provider.invariant()?;
            next(&mut provider.sequence)
        };
        emit(
            &accounts.event_authority,
            &ProviderRegistered {
                sequence,
                provider: accounts.provider.key(),
                authority: accounts.authority.key(),
                operator: args.operator,
            },
        )
    }
}

/// Whether the bytes are an `http://` or `https://` URL of printable ASCII, padded with zeros.
pub(crate) fn is_endpoint(bytes: &[u8; ENDPOINT_LEN]) -> bool {
    let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(ENDPOINT_LEN);
    let (url, padding) = bytes.split_at(len);
    let has_host =
        url.strip_prefix(b"http://").or_else(|| url.strip_prefix(b"https://")).is_some_and(|rest| !rest.is_empty());
    has_host && url.iter().all(u8::is_ascii_graphic) && padding.iter().all(|byte| *byte == 0)
}
