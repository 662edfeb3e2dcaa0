//! Token movements: one way to send, one to burn, one to read a balance.
//!
//! The instructions of SPL Token and Token-2022 used here have the same layout, so one encoding serves both. A token
//! program is whatever owns the vault: a program that only plays one owns no vault of ours.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use anchor_lang::solana_program::program::invoke_signed_unchecked;
use millrace_core::money::MILL_DECIMALS;

use crate::errors::MillraceError;

/// `TokenInstruction::CloseAccount`.
const CLOSE_ACCOUNT: u8 = 9;
/// `TokenInstruction::TransferChecked`.
const TRANSFER_CHECKED: u8 = 12;
/// `TokenInstruction::BurnChecked`.
const BURN_CHECKED: u8 = 15;
/// `TokenInstruction::InitializeAccount3`.
const INITIALIZE_ACCOUNT: u8 = 18;
/// Bytes of a token account of either program. The mints that can carry a market ask for no extension of it.
pub const ACCOUNT_LEN: usize = 165;
/// Where a mint keeps its supply.
const SUPPLY_AT: std::ops::Range<usize> = 36..44;
/// Where a token account keeps its owner.
const OWNER_AT: std::ops::Range<usize> = 32..64;
/// Where a token account keeps its amount.
const AMOUNT_AT: std::ops::Range<usize> = 64..72;

fn data(tag: u8, amount: u64) -> Vec<u8> {
    let mut data = Vec::with_capacity(10);
    data.push(tag);
    data.extend_from_slice(&amount.to_le_bytes());
    data.push(MILL_DECIMALS);
    data
}

/// The token program is the one that owns `account`.
fn require_token_program(token_program: &AccountInfo, account: &AccountInfo) -> Result<()> {
    require_keys_eq!(*token_program.key, *account.owner, MillraceError::WrongTokenProgram);
    Ok(())
}

/// Sends `amount` base units by `transfer_checked`. A zero amount is sent too: callers decide.
///
/// # Errors
/// [`MillraceError::WrongTokenProgram`], [`MillraceError::WrongAccount`] when both ends are one account, and the token
/// program's.
pub fn transfer<'info>(
    token_program: &AccountInfo<'info>,
    from: &AccountInfo<'info>,
    mint: &AccountInfo<'info>,
    to: &AccountInfo<'info>,
    authority: &AccountInfo<'info>,
    seeds: &[&[&[u8]]],
    amount: u64,
) -> Result<()> {
    require_token_program(token_program, from)?;
    require_token_program(token_program, to)?;
    require_keys_neq!(*from.key, *to.key, MillraceError::WrongAccount);
    let instruction = Instruction {
        program_id: *token_program.key,
        accounts: vec![
            AccountMeta::new(*from.key, false),
            AccountMeta::new_readonly(*mint.key, false),
            AccountMeta::new(*to.key, false),
            AccountMeta::new_readonly(*authority.key, true),
        ],
        data: data(TRANSFER_CHECKED, amount),
    };
    invoke_signed_unchecked(&instruction, &[from.clone(), mint.clone(), to.clone(), authority.clone()], seeds)?;
    Ok(())
}

/// Burns `amount` base units by `burn_checked`.
///
/// # Errors
/// [`MillraceError::WrongTokenProgram`], and the token program's.
pub fn burn<'info>(
    token_program: &AccountInfo<'info>,
    from: &AccountInfo<'info>,
    mint: &AccountInfo<'info>,
    authority: &AccountInfo<'info>,
    seeds: &[&[&[u8]]],
    amount: u64,
) -> Result<()> {
    require_token_program(token_program, from)?;
    let instruction = Instruction {
        program_id: *token_program.key,
        accounts: vec![
            AccountMeta::new(*from.key, false),
            AccountMeta::new(*mint.key, false),
            AccountMeta::new_readonly(*authority.key, true),
        ],
        data: data(BURN_CHECKED, amount),
    };
    invoke_signed_unchecked(&instruction, &[from.clone(), mint.clone(), authority.clone()], seeds)?;
    Ok(())
}

/// Closes an empty token account; its rent goes to `to`.
///
/// # Errors
/// [`MillraceError::WrongTokenProgram`], and the token program's when it is not empty.
pub fn close<'info>(
    token_program: &AccountInfo<'info>,
    account: &AccountInfo<'info>,
    to: &AccountInfo<'info>,
    authority: &AccountInfo<'info>,
    seeds: &[&[&[u8]]],
) -> Result<()> {
    require_token_program(token_program, account)?;
    let instruction = Instruction {
        program_id: *token_program.key,
        accounts: vec![
            AccountMeta::new(*account.key, false),
            AccountMeta::new(*to.key, false),
            AccountMeta::new_readonly(*authority.key, true),
        ],
        data: vec![CLOSE_ACCOUNT],
    };
    invoke_signed_unchecked(&instruction, &[account.clone(), to.clone(), authority.clone()], seeds)?;
    Ok(())
}

/// Makes `account`, allocated and empty, a token account of `mint` that `owner` controls.
///
/// # Errors
/// The token program's.
pub fn initialize<'info>(
    token_program: &AccountInfo<'info>,
    account: &AccountInfo<'info>,
    mint: &AccountInfo<'info>,
    owner: &Pubkey,
) -> Result<()> {
    let mut data = Vec::with_capacity(33);
    data.push(INITIALIZE_ACCOUNT);
    data.extend_from_slice(owner.as_ref());
    let instruction = Instruction {
        program_id: *token_program.key,
        accounts: vec![AccountMeta::new(*account.key, false), AccountMeta::new_readonly(*mint.key, false)],
        data,
    };
    invoke_signed_unchecked(&instruction, &[account.clone(), mint.clone()], &[])?;
    Ok(())
}

/// Who controls a token account of either program.
///
/// # Errors
/// [`MillraceError::WrongAccount`] when the account is too short to be one.
pub fn owner(account: &AccountInfo) -> Result<Pubkey> {
    let data = account.try_borrow_data()?;
    let owner = data.get(OWNER_AT).and_then(|bytes| Pubkey::try_from(bytes).ok());
    owner.ok_or_else(|| error!(MillraceError::WrongAccount))
}

/// The balance of a token account of either program, base units.
///
/// # Errors
/// [`MillraceError::WrongAccount`] when the account is too short to be one.
pub fn balance(account: &AccountInfo) -> Result<u64> {
    let data = account.try_borrow_data()?;
    let amount = data.get(AMOUNT_AT).and_then(|bytes| bytes.try_into().ok());
    Ok(u64::from_le_bytes(amount.ok_or(MillraceError::WrongAccount)?))
}

/// What a mint of either program says there is, base units.
///
/// # Errors
/// [`MillraceError::WrongMint`] when the account is too short to be one.
pub fn supply(mint: &AccountInfo) -> Result<u64> {
    let data = mint.try_borrow_data()?;
    let supply = data.get(SUPPLY_AT).and_then(|bytes| bytes.try_into().ok());
    Ok(u64::from_le_bytes(supply.ok_or(MillraceError::WrongMint)?))
}

/// I1 and I2: the vault holds at least what its owner's books say. Never "exactly": strangers can send tokens in.
///
/// # Errors
/// [`MillraceError::InvariantBroken`].
pub fn require_covers(vault: &AccountInfo, owed: u64) -> Result<()> {
    require!(balance(vault)? >= owed, MillraceError::InvariantBroken);
    Ok(())
}
