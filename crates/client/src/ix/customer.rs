//! What customers do with their escrow.

use millrace::{accounts, instruction};

use super::{build, Market, SYSTEM_PROGRAM};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Opens the customer account of `authority`, who signs and pays.
pub fn open_customer(authority: &Pubkey, market: &Market) -> Instruction {
    let customer = pda::customer(authority);
    build(
        accounts::OpenCustomer {
            authority: *authority,
            config: pda::config(),
            customer,
            vault: pda::vault(&customer),
            mint: market.mint,
            token_program: market.token_program,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::OpenCustomer {},
    )
}

/// Puts `amount` base units from the token account `source` into the escrow of the account `customer`. Signed by
/// `depositor`, the owner of `source`: anyone may.
pub fn deposit(depositor: &Pubkey, customer: &Pubkey, source: &Pubkey, market: &Market, amount: u64) -> Instruction {
    build(
        accounts::Deposit {
            depositor: *depositor,
            customer: *customer,
            vault: pda::vault(customer),
            source: *source,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Deposit { amount },
    )
}

/// Takes `amount` base units of free money out to the token account `destination`. Signed by `authority`.
pub fn withdraw_customer(authority: &Pubkey, destination: &Pubkey, market: &Market, amount: u64) -> Instruction {
    let customer = pda::customer(authority);
    build(
        accounts::WithdrawCustomer {
            authority: *authority,
            customer,
            vault: pda::vault(&customer),
            destination: *destination,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::WithdrawCustomer { amount },
    )
}

/// Closes an empty customer account; its rent goes to `rent_payer`, whom the account names. Signed by `authority`.
pub fn close_customer(authority: &Pubkey, rent_payer: &Pubkey, market: &Market) -> Instruction {
    let customer = pda::customer(authority);
    build(
        accounts::CloseCustomer {
            authority: *authority,
            config: pda::config(),
            customer,
            vault: pda::vault(&customer),
            treasury: market.treasury,
            rent_payer: *rent_payer,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CloseCustomer {},
    )
}

/// Burns and pays out the fees the account `customer` owes. Signed by nobody.
pub fn sweep_fees(customer: &Pubkey, market: &Market) -> Instruction {
    build(
        accounts::SweepFees {
            config: pda::config(),
            customer: *customer,
            vault: pda::vault(customer),
            oracle_pool: market.oracle_pool,
            treasury: market.treasury,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SweepFees {},
    )
}
