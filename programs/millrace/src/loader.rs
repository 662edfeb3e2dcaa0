//! The upgradeable loader: what its accounts say, and the two calls of it that governance signs.
//!
//! Encoded by hand as its instructions are defined: an enum's number as `u32`, without fields.

use anchor_lang::prelude::*;
use anchor_lang::solana_program::bpf_loader_upgradeable;
use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
use anchor_lang::solana_program::program::invoke_signed;

use crate::errors::MillraceError;

/// Address of the rent sysvar.
pub const RENT_ID: Pubkey = pubkey!("SysvarRent111111111111111111111111111111111");
/// Address of the clock sysvar.
pub const CLOCK_ID: Pubkey = pubkey!("SysvarC1ock11111111111111111111111111111111");
/// `UpgradeableLoaderInstruction::Upgrade`.
const UPGRADE: u32 = 3;
/// `UpgradeableLoaderInstruction::SetAuthority`.
const SET_AUTHORITY: u32 = 4;
/// `UpgradeableLoaderState::Buffer`.
const BUFFER: [u8; 4] = [1, 0, 0, 0];
/// Where a buffer says who may write it: an option's byte, then the key.
const AUTHORITY: std::ops::Range<usize> = 5..BUFFER_HEADER_LEN;
/// Bytes of a buffer before the program's.
pub const BUFFER_HEADER_LEN: usize = 37;

/// Who may write a buffer, and how many bytes of program it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Who may write it.
    pub authority: Pubkey,
    /// Bytes of program.
    pub len: u64,
}

/// Reads a buffer.
///
/// # Errors
/// [`MillraceError::NotABuffer`]: another account, or one nobody may write.
pub fn read_buffer(account: &AccountInfo) -> Result<Buffer> {
    require_keys_eq!(*account.owner, bpf_loader_upgradeable::ID, MillraceError::NotABuffer);
    let data = account.try_borrow_data()?;
    let is_writable_buffer = data.starts_with(&BUFFER) && data.get(BUFFER.len()) == Some(&1);
    let authority = data.get(AUTHORITY).filter(|_| is_writable_buffer).and_then(|key| Pubkey::try_from(key).ok());
    let len = data.len().saturating_sub(BUFFER_HEADER_LEN) as u64;
    Ok(Buffer { authority: authority.ok_or(MillraceError::NotABuffer)?, len })
}

/// Gives the right over `account`, a buffer or a program's data, from `current` to `new`.
///
/// # Errors
/// The loader's.
pub fn set_authority<'info>(
    account: &AccountInfo<'info>,
    current: &AccountInfo<'info>,
    new: &AccountInfo<'info>,
    seeds: &[&[&[u8]]],
) -> Result<()> {
    let instruction = Instruction {
        program_id: bpf_loader_upgradeable::ID,
        accounts: vec![
            AccountMeta::new(*account.key, false),
            AccountMeta::new_readonly(*current.key, true),
            AccountMeta::new_readonly(*new.key, false),
        ],
        data: SET_AUTHORITY.to_le_bytes().to_vec(),
    };
    invoke_signed(&instruction, &[account.clone(), current.clone(), new.clone()], seeds)?;
    Ok(())
}

/// What an upgrade names, in the loader's order.
pub struct Upgrade<'a, 'info> {
    /// The program's data.
    pub program_data: &'a AccountInfo<'info>,
    /// The program.
    pub program: &'a AccountInfo<'info>,
    /// The buffer with the new bytes; emptied.
    pub buffer: &'a AccountInfo<'info>,
    /// Gets the buffer's lamports.
    pub spill: &'a AccountInfo<'info>,
    /// The rent sysvar.
    pub rent: &'a AccountInfo<'info>,
    /// The clock sysvar.
    pub clock: &'a AccountInfo<'info>,
    /// May upgrade, and owns the buffer.
    pub authority: &'a AccountInfo<'info>,
}

/// Replaces a program by the bytes of a buffer.
///
/// # Errors
/// The loader's.
pub fn upgrade(upgrade: &Upgrade, seeds: &[&[&[u8]]]) -> Result<()> {
    let Upgrade { program_data, program, buffer, spill, rent, clock, authority } = *upgrade;
    let instruction = Instruction {
        program_id: bpf_loader_upgradeable::ID,
        accounts: vec![
            AccountMeta::new(*program_data.key, false),
            AccountMeta::new(*program.key, false),
            AccountMeta::new(*buffer.key, false),
            AccountMeta::new(*spill.key, false),
            AccountMeta::new_readonly(*rent.key, false),
            AccountMeta::new_readonly(*clock.key, false),
            AccountMeta::new_readonly(*authority.key, true),
        ],
        data: UPGRADE.to_le_bytes().to_vec(),
    };
    let infos = [program_data, program, buffer, spill, rent, clock, authority].map(Clone::clone);
    invoke_signed(&instruction, &infos, seeds)?;
    Ok(())
}
