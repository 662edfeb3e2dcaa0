//! What `idl/millrace.json` says of instructions and accounts, and how an error is called.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use anchor_lang::solana_program::instruction::error::InstructionError;
use millrace_tests::{Pubkey, Refusal};
use serde_json::Value;
use solana_transaction_error::TransactionError;

static IDL: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../idl/millrace.json")).expect("idl/millrace.json is JSON")
});

fn list(of: &'static Value, key: &str) -> &'static [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

fn name(of: &'static Value) -> &'static str {
    of["name"].as_str().expect("everything in an IDL has a name")
}

/// Names of all instructions.
pub fn instructions() -> BTreeSet<&'static str> {
    list(&IDL, "instructions").iter().map(name).collect()
}

/// Names of the first `count` accounts of an instruction; what follows those of the IDL is numbered.
///
/// # Panics
/// When the IDL does not know it, or it has fewer accounts than the IDL names.
pub fn accounts(instruction: &str, count: usize) -> Vec<String> {
    let found = list(&IDL, "instructions").iter().find(|found| name(found) == instruction);
    let found = found.unwrap_or_else(|| panic!("idl/millrace.json does not know {instruction}: run make idl"));
    let mut names: Vec<String> = list(found, "accounts").iter().map(|account| name(account).to_owned()).collect();
    assert!(
        names.len() <= count,
        "{instruction} was sent with {count} accounts, the IDL names {names:?}: run make idl"
    );
    names.extend((0..count - names.len()).map(|n| format!("remaining account {n}")));
    names
}

/// Kinds of the program's accounts and the eight bytes each begins with.
pub fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let byte = |byte: &Value| u8::try_from(byte.as_u64().expect("a discriminator is bytes")).expect("a byte");
    list(&IDL, "accounts")
        .iter()
        .map(|kind| (name(kind), list(kind, "discriminator").iter().map(byte).collect()))
        .collect()
}

/// What refused: the name Anchor logs, else the called program's number, else the runtime's word.
pub fn name_of_error(refusal: &Refusal) -> String {
    let logged = refusal.logs.iter().find_map(|line| line.split_once("Error Code: "));
    if let Some((_, rest)) = logged {
        return rest.split('.').next().unwrap_or(rest).to_owned();
    }
    match &refusal.error {
        TransactionError::InstructionError(_, InstructionError::Custom(code)) => {
            let failed = refusal.logs.iter().find(|line| line.contains("failed: custom program error"));
            let program = failed.and_then(|line| line.split(' ').nth(1)).unwrap_or("nobody");
            format!("{} {code}", program_name(program))
        }
        TransactionError::InstructionError(_, error) => format!("runtime {error:?}"),
        error => format!("runtime {error:?}"),
    }
}

fn program_name(address: &str) -> &str {
    let named = |id: Pubkey| id.to_string() == address;
    match address {
        _ if named(anchor_spl::token::ID) => "token program",
        _ if named(anchor_spl::token_2022::ID) => "token-2022 program",
        _ if named(solana_sdk_ids::system_program::ID) => "system program",
        _ if named(millrace::ID) => "millrace",
        other => other,
    }
}

/// Whether the program fell over rather than refuse.
pub fn is_crash(refusal: &Refusal) -> bool {
    let fell = matches!(
        &refusal.error,
        TransactionError::InstructionError(
            _,
            InstructionError::ProgramFailedToComplete
                | InstructionError::ComputationalBudgetExceeded
                | InstructionError::ProgramEnvironmentSetupFailure
        )
    );
    fell || refusal.logs.iter().any(|line| line.contains("panicked") || line.contains("Access violation"))
}

/// Whether it was the instruction at `place` that failed, or the transaction as a whole.
pub fn is_of_instruction(refusal: &Refusal, place: usize) -> bool {
    match &refusal.error {
        TransactionError::InstructionError(at, _) => usize::from(*at) == place,
        _ => true,
    }
}
