//! The program as a build of this machine, inside the same runtime: what a coverage tool can see into.
//!
//! LiteSVM runs the `.so`, whose instructions no tool can map to lines. With the feature `native` a world runs the crate's
//! own entry point instead, as a builtin: accounts are laid out as for the `.so`, calls to other programs go through the
//! runtime and its checks, and what was changed is written back under the runtime's rules. Compute units are not
//! counted, and logs are the runtime's only; nothing is released or judged by this, it only measures which lines the
//! tests reach.

use std::cell::Cell;
use std::collections::BTreeMap;

use anchor_lang::solana_program::account_info::AccountInfo;
use anchor_lang::solana_program::entrypoint::{deserialize, ProgramResult, SUCCESS};
use anchor_lang::solana_program::instruction::error::InstructionError;
use anchor_lang::solana_program::program_error::ProgramError;
use litesvm::LiteSVM;
use solana_program_runtime::declare_process_instruction;
use solana_program_runtime::invoke_context::InvokeContext;
use solana_program_runtime::serialization::serialize_parameters;
use solana_program_runtime::solana_sbpf::program::BuiltinFunctionDefinition;
use solana_sysvar::program_stubs::{set_syscall_stubs, SyscallStubs};
use solana_sysvar::rent::Rent;

use crate::{Instruction, Pubkey};

thread_local! {
    /// The context of the innermost call of the program on this thread.
    static CONTEXT: Cell<*mut InvokeContext<'static, 'static>> = const { Cell::new(std::ptr::null_mut()) };
    /// Why a call to another program failed: on chain that ends the transaction, whatever the caller makes of it.
    static ABORTED: Cell<Option<InstructionError>> = const { Cell::new(None) };
}

/// Has `svm` run this build of the program in place of the `.so` it has loaded.
pub fn install(svm: &mut LiteSVM) {
    static STUBS: std::sync::Once = std::sync::Once::new();
    STUBS.call_once(|| drop(set_syscall_stubs(Box::new(Stubs))));
    svm.add_builtin(millrace::ID, Native::register);
}

declare_process_instruction!(Native, 1, |invoke_context| {
    let before = CONTEXT.replace(std::ptr::from_mut(invoke_context).cast());
    let result = process(invoke_context);
    CONTEXT.set(before);
    match ABORTED.take() {
        Some(error) => {
            // Every caller on the way up ends too.
            if !before.is_null() {
                ABORTED.set(Some(error.clone()));
            }
            Err(error)
        }
        None => result,
    }
});

/// The context under way.
fn context<'a>() -> &'a mut InvokeContext<'static, 'static> {
    let context = CONTEXT.get();
    assert!(!context.is_null(), "the program runs only within the runtime");
    // SAFETY: it is set for as long as the builtin runs, on this thread, and used by one stub at a time.
    unsafe { &mut *context }
}

fn process(invoke_context: &mut InvokeContext) -> Result<(), InstructionError> {
    let mut memory = {
        let instruction = invoke_context.transaction_context.get_current_instruction_context()?;
        serialize_parameters(&instruction, false, false, false)?.0
    };
    // SAFETY: the runtime laid it out for a program to read.
    let (program_id, accounts, data) = unsafe { deserialize(memory.as_slice_mut().as_mut_ptr()) };
    let call = std::panic::AssertUnwindSafe(|| millrace::entry(program_id, unfetter(&accounts), data));
    match std::panic::catch_unwind(call) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(InstructionError::from(u64::from(error))),
        Err(_) => return Err(InstructionError::ProgramFailedToComplete),
    }
    write_back(invoke_context, &accounts)
}

/// The entry point wants accounts that live as long as what they point to; both end with the call.
fn unfetter<'info>(accounts: &[AccountInfo<'info>]) -> &'info [AccountInfo<'info>] {
    // SAFETY: nothing of the program outlives its call.
    unsafe { std::slice::from_raw_parts(accounts.as_ptr(), accounts.len()) }
}

/// Gives the runtime what the program left in `accounts`.
fn write_back(invoke_context: &InvokeContext, accounts: &[AccountInfo]) -> Result<(), InstructionError> {
    let by_key: BTreeMap<&Pubkey, &AccountInfo> = accounts.iter().map(|account| (account.key, account)).collect();
    let instruction = invoke_context.transaction_context.get_current_instruction_context()?;
    for index in 0..instruction.get_number_of_instruction_accounts() {
        if instruction.is_instruction_account_duplicate(index)?.is_some() {
            continue;
        }
        let mut borrowed = instruction.try_borrow_instruction_account(index)?;
        let Some(account) = by_key.get(borrowed.get_key()).copied() else { continue };
        if borrowed.get_lamports() != account.lamports() {
            borrowed.set_lamports(account.lamports())?;
        }
        let data = account.try_borrow_data().map_err(|_| InstructionError::AccountBorrowFailed)?;
        if borrowed.get_data() != &**data {
            borrowed.set_data_from_slice(&data)?;
        }
        // Last, so that the program may still change what it gives away.
        if borrowed.get_owner() != account.owner {
            borrowed.set_owner(account.owner.as_ref())?;
        }
    }
    Ok(())
}

/// Gives the program what another program left in the accounts it was lent.
fn read_back(
    invoke_context: &InvokeContext,
    accounts: &[AccountInfo],
    lent: &Instruction,
) -> Result<(), InstructionError> {
    let instruction = invoke_context.transaction_context.get_current_instruction_context()?;
    let writable = lent.accounts.iter().filter(|meta| meta.is_writable).map(|meta| meta.pubkey);
    for key in writable {
        let count = instruction.get_number_of_instruction_accounts();
        let index = (0..count).find(|index| instruction.get_key_of_instruction_account(*index).ok() == Some(&key));
        let borrowed = instruction.try_borrow_instruction_account(index.ok_or(InstructionError::MissingAccount)?)?;
        let account = accounts.iter().find(|account| *account.key == key).ok_or(InstructionError::MissingAccount)?;
        let failed = |_| InstructionError::AccountBorrowFailed;
        **account.try_borrow_mut_lamports().map_err(failed)? = borrowed.get_lamports();
        if account.owner != borrowed.get_owner() {
            account.assign(borrowed.get_owner());
        }
        if account.data_len() != borrowed.get_data().len() {
            account.resize(borrowed.get_data().len()).map_err(|_| InstructionError::InvalidRealloc)?;
        }
        account.try_borrow_mut_data().map_err(failed)?.copy_from_slice(borrowed.get_data());
    }
    Ok(())
}

/// What the program asks of the runtime.
struct Stubs;

impl SyscallStubs for Stubs {
    fn sol_log(&self, _message: &str) {}

    fn sol_invoke_signed(
        &self,
        instruction: &Instruction,
        accounts: &[AccountInfo],
        signers_seeds: &[&[&[u8]]],
    ) -> ProgramResult {
        let context = context();
        let outcome = write_back(context, accounts)
            .and_then(|()| context.native_invoke_signed(instruction.clone(), signers_seeds))
            .and_then(|()| read_back(context, accounts, instruction));
        outcome.map_err(|error| {
            let code = ProgramError::try_from(error.clone()).unwrap_or(ProgramError::InvalidArgument);
            ABORTED.set(Some(error));
            code
        })
    }

    fn sol_get_clock_sysvar(&self, address: *mut u8) -> u64 {
        let clock = context().environment_config.sysvar_cache().get_clock().expect("LiteSVM has a clock");
        // SAFETY: the caller hands out the place of a clock.
        unsafe { address.cast::<solana_clock::Clock>().write((*clock).clone()) };
        SUCCESS
    }

    fn sol_get_rent_sysvar(&self, address: *mut u8) -> u64 {
        let ours = Rent::default();
        let rent = context().environment_config.sysvar_cache().get_rent().expect("LiteSVM has a rent");
        assert_eq!(ours.minimum_balance(1_000), rent.minimum_balance(1_000), "LiteSVM's rent is not the default");
        // SAFETY: the caller hands out the place of a rent.
        unsafe { address.cast::<Rent>().write(ours) };
        SUCCESS
    }
}
