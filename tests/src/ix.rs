//! Instructions as an honest client builds them. A test that wants a wrong account changes one afterwards.

mod jobs;

pub use jobs::*;
pub use millrace_client::ix::{
    apply_audit, apply_oracle_leaf, begin_oracle_unstake, claim_reward, close_oracle, drain, grow_beacons,
    lapse_dispute, latch_beacon, open_beacon, open_dispute, resolve_dispute, seal_genesis, set_ask, sign_report,
    stake_oracle, vote_dispute, withdraw_oracle,
};

use anchor_lang::{InstructionData, ToAccountMetas};
use millrace::instructions::{InitializeArgs, RegisterNodeArgs, RegisterProviderArgs, SeatOracleArgs, SetTermsArgs};
use millrace::state::{Node, Provider};
use millrace_client::ix as client;

use crate::{pda, Buyer, Instruction, Pubkey, Seller, Signer, World};

/// An instruction of the program.
pub fn build(accounts: impl ToAccountMetas, data: impl InstructionData) -> Instruction {
    Instruction { program_id: millrace::ID, accounts: accounts.to_account_metas(None), data: data.data() }
}

/// `instruction` with the account `from` replaced by `to`, wherever it stands.
///
/// # Panics
/// When `from` is not among its accounts.
pub fn swap(mut instruction: Instruction, from: &Pubkey, to: &Pubkey) -> Instruction {
    let mut replaced = false;
    for meta in instruction.accounts.iter_mut().filter(|meta| meta.pubkey == *from) {
        meta.pubkey = *to;
        replaced = true;
    }
    assert!(replaced, "the instruction does not name {from}");
    instruction
}

/// `instruction` in which `signer` does not sign.
///
/// # Panics
/// When it did not sign before.
pub fn unsigned(mut instruction: Instruction, signer: &Pubkey) -> Instruction {
    let meta = instruction.accounts.iter_mut().find(|meta| meta.pubkey == *signer && meta.is_signer);
    meta.expect("the account signs").is_signer = false;
    instruction
}

/// Opens the market.
pub fn initialize(world: &World, args: InitializeArgs) -> Instruction {
    client::initialize(&world.deployer.pubkey(), &world.mint, &world.standard.id(), args)
}

/// Seats an oracle.
pub fn seat_oracle(world: &World, args: SeatOracleArgs) -> Instruction {
    client::seat_oracle(&world.deployer.pubkey(), &world.market(), args)
}

/// Opens a provider account.
pub fn register_provider(world: &World, authority: &Pubkey, args: RegisterProviderArgs) -> Instruction {
    client::register_provider(authority, &world.market(), args)
}

/// Stakes `amount` base units out of the seller's tokens.
pub fn stake(world: &World, seller: &Seller, amount: u64) -> Instruction {
    client::stake(&seller.authority.pubkey(), &seller.provider, &seller.tokens, &world.market(), amount)
}

/// Begins to unstake `amount` base units.
pub fn begin_unstake(seller: &Seller, amount: u64) -> Instruction {
    client::begin_unstake(&seller.authority.pubkey(), &seller.provider, amount)
}

/// Withdraws earnings and matured stake to the seller's tokens.
pub fn withdraw(world: &World, seller: &Seller) -> Instruction {
    client::withdraw(&seller.authority.pubkey(), &seller.provider, &seller.tokens, &world.market())
}

/// Gives the seller another hot key.
pub fn set_operator(seller: &Seller, operator: &Pubkey) -> Instruction {
    client::set_operator(&seller.authority.pubkey(), &seller.provider, operator)
}

/// Changes the seller's terms.
pub fn set_terms(seller: &Seller, args: SetTermsArgs) -> Instruction {
    client::set_terms(&seller.authority.pubkey(), &seller.provider, args)
}

/// Closes the seller's account.
pub fn close_provider(world: &World, seller: &Seller) -> Instruction {
    let rent_payer = world.read::<Provider>(&seller.provider).rent_payer;
    client::close_provider(&seller.authority.pubkey(), &seller.provider, &rent_payer, &world.market())
}

/// Registers the node `index` of the provider of `authority`.
pub fn register_node(authority: &Pubkey, index: u32, args: RegisterNodeArgs) -> Instruction {
    client::register_node(authority, &pda::provider(authority), index, args)
}

/// Retires a node.
pub fn retire(seller: &Seller, node: &Pubkey) -> Instruction {
    client::retire(&seller.authority.pubkey(), &seller.provider, node)
}

/// Closes a retired node's account.
pub fn close_node(world: &World, node: &Pubkey) -> Instruction {
    let state = world.read::<Node>(node);
    client::close_node(&state.provider, node, &state.rent_payer)
}

/// Opens a customer account.
pub fn open_customer(world: &World, authority: &Pubkey) -> Instruction {
    client::open_customer(authority, &world.market())
}

/// Deposits `amount` base units out of the buyer's tokens.
pub fn deposit(world: &World, buyer: &Buyer, amount: u64) -> Instruction {
    client::deposit(&buyer.authority.pubkey(), &buyer.customer, &buyer.tokens, &world.market(), amount)
}
