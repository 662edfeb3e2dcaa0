//! Providers: what stake may do, when it leaves, and which key may say so.

mod authority;
mod books;
mod close;
mod keys;
mod money;
mod nodes;
mod register;

use millrace::instructions::SetTermsArgs;
use millrace_tests::genesis::endpoint;
use millrace_tests::parties::provider_args;
use millrace_tests::tokens::good_mint;
use millrace_tests::{ix, Instruction, Pubkey, Seller, Signer, TokenStandard, World, MILL};

/// The system program's refusal to create an account twice.
pub(crate) const ALREADY_IN_USE: u32 = 0;
/// The token program's refusal to overdraw.
pub(crate) const INSUFFICIENT_FUNDS: u32 = 1;

pub(crate) const STAKE: u64 = 1_000 * MILL;

pub(crate) fn market() -> (World, Seller) {
    let mut world = World::new();
    let seller = world.provider("seller", STAKE);
    (world, seller)
}

pub(crate) fn unbonding_secs(world: &World) -> i64 {
    world.config().params.unbonding_secs
}

/// A token account of another mint, owned by `owner`.
pub(crate) fn foreign_tokens(world: &mut World, owner: &Pubkey) -> Pubkey {
    let mint = world.put_mint("other mint", good_mint(), TokenStandard::Token, &[]);
    world.put_token_account("foreign", owner, &mint, TokenStandard::Token, 5_000 * MILL)
}

pub(crate) fn registration(world: &World, seller: &Seller) -> Instruction {
    ix::register_provider(world, &seller.authority.pubkey(), provider_args(&seller.operator.pubkey()))
}

pub(crate) fn terms() -> SetTermsArgs {
    SetTermsArgs {
        endpoint: endpoint("https://agent.example:443"),
        tls_spki_hash: [5; 32],
        max_bonds_amount: 9 * MILL,
        min_bid_per_sec: 77,
    }
}
