//! Instructions as an honest client builds them. A test that wants a wrong account changes one afterwards.

mod jobs;

pub use jobs::*;
pub use millrace_client::ix::{
    apply_oracle_leaf, begin_oracle_unstake, claim_reward, close_oracle, lapse_dispute, open_dispute, resolve_dispute,
    stake_oracle, vote_dispute, withdraw_oracle,
};

use anchor_lang::{InstructionData, ToAccountMetas};
use millrace::instructions::*;
use millrace::state::{Node, Provider};
use millrace::{accounts, instruction};

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

const SYSTEM: Pubkey = solana_sdk_ids::system_program::ID;

/// Opens the market.
pub fn initialize(world: &World, args: InitializeArgs) -> Instruction {
    millrace_client::ix::initialize(&world.deployer.pubkey(), &world.mint, &world.standard.id(), args)
}

/// Grows the beacon account one step.
pub fn grow_beacons(payer: &Pubkey) -> Instruction {
    build(
        accounts::GrowBeacons {
            payer: *payer,
            beacons: pda::beacons(),
            system_program: SYSTEM,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::GrowBeacons {},
    )
}

/// Seats an oracle.
pub fn seat_oracle(world: &World, args: SeatOracleArgs) -> Instruction {
    millrace_client::ix::seat_oracle(&world.deployer.pubkey(), &world.market(), args)
}

/// Seals genesis.
pub fn seal_genesis(deployer: &Pubkey) -> Instruction {
    millrace_client::ix::seal_genesis(deployer)
}

/// Opens a provider account.
pub fn register_provider(world: &World, authority: &Pubkey, args: RegisterProviderArgs) -> Instruction {
    let provider = pda::provider(authority);
    build(
        accounts::RegisterProvider {
            authority: *authority,
            config: pda::config(),
            provider,
            vault: pda::vault(&provider),
            mint: world.mint,
            token_program: world.standard.id(),
            system_program: SYSTEM,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::RegisterProvider { args },
    )
}

/// Stakes `amount` base units out of the seller's tokens.
pub fn stake(world: &World, seller: &Seller, amount: u64) -> Instruction {
    build(
        accounts::Stake {
            authority: seller.authority.pubkey(),
            config: pda::config(),
            provider: seller.provider,
            vault: seller.vault,
            source: seller.tokens,
            mint: world.mint,
            token_program: world.standard.id(),
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::Stake { amount },
    )
}

/// Begins to unstake `amount` base units.
pub fn begin_unstake(seller: &Seller, amount: u64) -> Instruction {
    build(
        accounts::BeginUnstake {
            authority: seller.authority.pubkey(),
            config: pda::config(),
            provider: seller.provider,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::BeginUnstake { amount },
    )
}

/// Withdraws earnings and matured stake to the seller's tokens.
pub fn withdraw(world: &World, seller: &Seller) -> Instruction {
    build(
        accounts::Withdraw {
            authority: seller.authority.pubkey(),
            config: pda::config(),
            provider: seller.provider,
            vault: seller.vault,
            destination: seller.tokens,
            mint: world.mint,
            token_program: world.standard.id(),
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::Withdraw {},
    )
}

/// Gives the seller another hot key.
pub fn set_operator(seller: &Seller, operator: &Pubkey) -> Instruction {
    build(
        accounts::SetOperator {
            authority: seller.authority.pubkey(),
            config: pda::config(),
            provider: seller.provider,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::SetOperator { operator: *operator },
    )
}

/// Changes the seller's terms.
pub fn set_terms(seller: &Seller, args: SetTermsArgs) -> Instruction {
    build(
        accounts::SetTerms {
            authority: seller.authority.pubkey(),
            provider: seller.provider,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::SetTerms { args },
    )
}

/// Closes the seller's account.
pub fn close_provider(world: &World, seller: &Seller) -> Instruction {
    build(
        accounts::CloseProvider {
            authority: seller.authority.pubkey(),
            config: pda::config(),
            provider: seller.provider,
            vault: seller.vault,
            treasury: world.treasury,
            rent_payer: world.read::<Provider>(&seller.provider).rent_payer,
            mint: world.mint,
            token_program: world.standard.id(),
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::CloseProvider {},
    )
}

/// Registers the node `index` of the provider of `authority`.
pub fn register_node(authority: &Pubkey, index: u32, args: RegisterNodeArgs) -> Instruction {
    let provider = pda::provider(authority);
    build(
        accounts::RegisterNode {
            authority: *authority,
            config: pda::config(),
            provider,
            node: pda::node(&provider, index),
            system_program: SYSTEM,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::RegisterNode { args },
    )
}

/// Changes a node's ask; `signer` is the hot or the cold key.
pub fn set_ask(signer: &Pubkey, provider: &Pubkey, node: &Pubkey, ask_per_sec: u64) -> Instruction {
    build(
        accounts::SetAsk {
            operator: *signer,
            provider: *provider,
            node: *node,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::SetAsk { ask_per_sec },
    )
}

/// Drains a node or ends that; `signer` is the hot or the cold key.
pub fn drain(signer: &Pubkey, provider: &Pubkey, node: &Pubkey, draining: bool) -> Instruction {
    build(
        accounts::Drain {
            operator: *signer,
            provider: *provider,
            node: *node,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::Drain { draining },
    )
}

/// Retires a node.
pub fn retire(seller: &Seller, node: &Pubkey) -> Instruction {
    build(
        accounts::Retire {
            authority: seller.authority.pubkey(),
            provider: seller.provider,
            node: *node,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::Retire {},
    )
}

/// Closes a retired node's account.
pub fn close_node(world: &World, node: &Pubkey) -> Instruction {
    let state = world.read::<Node>(node);
    build(
        accounts::CloseNode {
            config: pda::config(),
            provider: state.provider,
            node: *node,
            rent_payer: state.rent_payer,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::CloseNode {},
    )
}

/// Opens the beacon of `epoch`.
pub fn open_beacon(epoch: u64) -> Instruction {
    build(
        accounts::OpenBeacon {
            config: pda::config(),
            beacons: pda::beacons(),
            slot_hashes: SLOT_HASHES_ID,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::OpenBeacon { epoch },
    )
}

/// Latches the beacon of `epoch`.
pub fn latch_beacon(epoch: u64) -> Instruction {
    build(
        accounts::LatchBeacon {
            beacons: pda::beacons(),
            slot_hashes: SLOT_HASHES_ID,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::LatchBeacon { epoch },
    )
}

/// Signs a report as the seat of `authority`.
pub fn sign_report(authority: &Pubkey, args: SignReportArgs) -> Instruction {
    build(
        accounts::SignReport {
            authority: *authority,
            config: pda::config(),
            oracles: pda::oracles(),
            oracle: pda::oracle(authority),
            reports: pda::reports(),
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::SignReport { args },
    )
}

/// Applies an audit to `node`.
pub fn apply_audit(node: &Pubkey, args: ApplyAuditArgs) -> Instruction {
    build(
        accounts::ApplyAudit {
            config: pda::config(),
            reports: pda::reports(),
            node: *node,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::ApplyAudit { args },
    )
}

/// Opens a customer account.
pub fn open_customer(world: &World, authority: &Pubkey) -> Instruction {
    let customer = pda::customer(authority);
    build(
        accounts::OpenCustomer {
            authority: *authority,
            config: pda::config(),
            customer,
            vault: pda::vault(&customer),
            mint: world.mint,
            token_program: world.standard.id(),
            system_program: SYSTEM,
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::OpenCustomer {},
    )
}

/// Deposits `amount` base units out of the buyer's tokens.
pub fn deposit(world: &World, buyer: &Buyer, amount: u64) -> Instruction {
    build(
        accounts::Deposit {
            depositor: buyer.authority.pubkey(),
            customer: buyer.customer,
            vault: buyer.vault,
            source: buyer.tokens,
            mint: world.mint,
            token_program: world.standard.id(),
            event_authority: pda::event_authority(),
            program: millrace::ID,
        },
        instruction::Deposit { amount },
    )
}
