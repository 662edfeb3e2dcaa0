//! Opening an account at a derived address.
//!
//! Anchor's `init` costs about twice as much as this, and the hot path opens two accounts. Both refuse an address
//! that is already in use, and both get by with one that a stranger sent lamports to.

use std::cell::RefMut;

use anchor_lang::prelude::*;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use anchor_lang::solana_program::program::invoke_signed_unchecked;
use anchor_lang::solana_program::system_program;
use anchor_lang::{Discriminator, Owner, ZeroCopy};

use crate::errors::MillraceError;
use crate::token;

/// `SystemInstruction::CreateAccount`.
const CREATE_ACCOUNT: u32 = 0;
/// `SystemInstruction::Assign`.
const ASSIGN: u32 = 1;
/// `SystemInstruction::Transfer`.
const TRANSFER: u32 = 2;
/// `SystemInstruction::Allocate`.
const ALLOCATE: u32 = 8;
/// Most seeds of an account of this program, without the bump.
const MAX_SEEDS: usize = 3;

/// Opens `account`, of `space` bytes and of kind `T`, at the canonical address of `seeds`; `payer` pays the rent.
/// Returns the bump.
///
/// # Errors
/// [`MillraceError::WrongAccount`] when `account` is not at that address; the system program's when it is in use.
pub fn create<'info, T: Discriminator>(
    payer: &AccountInfo<'info>,
    account: &AccountInfo<'info>,
    seeds: [&[u8]; MAX_SEEDS],
    space: usize,
) -> Result<u8> {
    let bump = allocate(payer, account, seeds, space, &crate::ID)?;
    account.try_borrow_mut_data()?[..T::DISCRIMINATOR.len()].copy_from_slice(T::DISCRIMINATOR);
    Ok(bump)
}

/// Opens `account` as a token account of `mint` that `owner` controls, at the canonical address of `seeds`; `payer`
/// pays the rent.
///
/// # Errors
/// As [`create`], and the token program's.
#[inline(never)]
pub fn token_account<'info>(
    payer: &AccountInfo<'info>,
    account: &AccountInfo<'info>,
    seeds: [&[u8]; MAX_SEEDS],
    token_program: &AccountInfo<'info>,
    mint: &AccountInfo<'info>,
    owner: &Pubkey,
) -> Result<()> {
    require_keys_eq!(*token_program.key, *mint.owner, MillraceError::WrongTokenProgram);
    allocate(payer, account, seeds, token::ACCOUNT_LEN, token_program.key)?;
    token::initialize(token_program, account, mint, owner)
}

/// Opens `account`, of `space` bytes, for the program `owner`. Returns the bump.
#[inline(always)]
fn allocate<'info>(
    payer: &AccountInfo<'info>,
    account: &AccountInfo<'info>,
    seeds: [&[u8]; MAX_SEEDS],
    space: usize,
    owner: &Pubkey,
) -> Result<u8> {
    let (address, bump) = Pubkey::find_program_address(&seeds, &crate::ID);
    require_keys_eq!(address, *account.key, MillraceError::WrongAccount);
    let bump_seed = [bump];
    let signature: &[&[u8]] = &[seeds[0], seeds[1], seeds[2], &bump_seed];
    let rent_lamports = Rent::get()?.minimum_balance(space);
    if account.lamports() == 0 {
        let accounts = vec![AccountMeta::new(*payer.key, true), AccountMeta::new(*account.key, true)];
        let data =
            encode(CREATE_ACCOUNT, &[&rent_lamports.to_le_bytes(), &(space as u64).to_le_bytes(), owner.as_ref()]);
        invoke(accounts, data, &[payer.clone(), account.clone()], signature)?;
    } else {
        allocate_funded(payer, account, signature, space, owner, rent_lamports)?;
    }
    Ok(bump)
}

/// As [`allocate`], where a stranger has sent lamports to the address: `CreateAccount` would refuse it for ever.
#[cold]
fn allocate_funded<'info>(
    payer: &AccountInfo<'info>,
    account: &AccountInfo<'info>,
    signature: &[&[u8]],
    space: usize,
    owner: &Pubkey,
    rent_lamports: u64,
) -> Result<()> {
    let missing = rent_lamports.saturating_sub(account.lamports());
    if missing > 0 {
        let accounts = vec![AccountMeta::new(*payer.key, true), AccountMeta::new(*account.key, false)];
        invoke(accounts, encode(TRANSFER, &[&missing.to_le_bytes()]), &[payer.clone(), account.clone()], signature)?;
    }
    for data in [encode(ALLOCATE, &[&(space as u64).to_le_bytes()]), encode(ASSIGN, &[owner.as_ref()])] {
        invoke(vec![AccountMeta::new(*account.key, true)], data, std::slice::from_ref(account), signature)?;
    }
    Ok(())
}

/// The struct of an account [`create`] just opened.
///
/// # Errors
/// [`MillraceError::WrongAccount`] when the account is shorter than a `T`.
pub fn load_new<'a, T: ZeroCopy + Owner>(account: &'a AccountInfo) -> Result<RefMut<'a, T>> {
    let start = T::DISCRIMINATOR.len();
    let end = start.saturating_add(std::mem::size_of::<T>());
    let data = account.try_borrow_mut_data()?;
    require!(data.len() >= end, MillraceError::WrongAccount);
    Ok(RefMut::map(data, |data| bytemuck::from_bytes_mut(&mut data[start..end])))
}

/// The struct of an account passed without its type, to be changed.
///
/// # Errors
/// Those of Anchor's `AccountLoader`: another owner, another kind, not writable.
pub fn load_as<'a, T: ZeroCopy + Owner>(account: &'a AccountInfo) -> Result<RefMut<'a, T>> {
    require_keys_eq!(*account.owner, crate::ID, ErrorCode::AccountOwnedByWrongProgram);
    require!(account.is_writable, ErrorCode::AccountNotMutable);
    require!(account.try_borrow_data()?.starts_with(T::DISCRIMINATOR), ErrorCode::AccountDiscriminatorMismatch);
    load_new(account)
}

fn encode(tag: u32, fields: &[&[u8]]) -> Vec<u8> {
    let mut data = Vec::with_capacity(64);
    data.extend_from_slice(&tag.to_le_bytes());
    fields.iter().for_each(|field| data.extend_from_slice(field));
    data
}

fn invoke(accounts: Vec<AccountMeta>, data: Vec<u8>, infos: &[AccountInfo], signature: &[&[u8]]) -> Result<()> {
    let instruction = Instruction { program_id: system_program::ID, accounts, data };
    invoke_signed_unchecked(&instruction, infos, &[signature])?;
    Ok(())
}
