//! Changes what the operator may do and where the agent is found.

use anchor_lang::prelude::*;

use super::register_provider::is_endpoint;
use crate::constants::ENDPOINT_LEN;
use crate::errors::MillraceError;
use crate::events::{emit, next, TermsSet};
use crate::state::Provider;

/// The terms from now on. Bids that stand are not touched.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetTermsArgs {
    /// URL of the agent, UTF-8, padded with zeros.
    pub endpoint: [u8; ENDPOINT_LEN],
    /// sha256 of the agent's TLS public key; zeros where requests and answers are only signed.
    pub tls_spki_hash: [u8; 32],
    /// Most the operator may have locked behind bids at once, base units.
    pub max_bonds_amount: u64,
    /// Least the operator may bid, base units a second.
    pub min_bid_per_sec: u64,
}

/// Called by: the authority. Moves: nothing.
#[event_cpi]
#[derive(Accounts)]
pub struct SetTerms<'info> {
    /// Cold key of the provider.
    pub authority: Signer<'info>,
    /// The provider.
    #[account(mut, has_one = authority @ MillraceError::WrongAuthority)]
    pub provider: AccountLoader<'info, Provider>,
}

impl SetTerms<'_> {
    fn validate(&self, args: &SetTermsArgs) -> Result<()> {
        require!(is_endpoint(&args.endpoint), MillraceError::BadEndpoint);
        Ok(())
    }

    /// Writes the terms.
    pub fn handle(ctx: Context<Self>, args: SetTermsArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let accounts = &ctx.accounts;
        let sequence = {
            let mut provider = accounts.provider.load_mut()?;
            provider.endpoint = args.endpoint;
            provider.tls_spki_hash = args.tls_spki_hash;
            provider.max_bonds_amount = args.max_bonds_amount;
            provider.min_bid_per_sec = args.min_bid_per_sec;
            next(&mut provider.sequence)
        };
        emit(
            &accounts.event_authority,
            &TermsSet {
                sequence,
                provider: accounts.provider.key(),
                endpoint: args.endpoint,
                tls_spki_hash: args.tls_spki_hash,
                max_bonds_amount: args.max_bonds_amount,
                min_bid_per_sec: args.min_bid_per_sec,
            },
        )
    }
}
