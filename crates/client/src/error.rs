//! Why a transaction did not do what it should, in words.

use millrace::errors::MillraceError;
use solana_instruction::error::InstructionError;

use crate::chain::ChainError;
use crate::{Instruction, Pubkey, Signature, TransactionError, PROGRAM_ID};

/// Why a submission did not land.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// A program refused. Nothing was changed.
    #[error("{message} ({name}, code {code})")]
    Program {
        /// The program that refused, where the logs tell.
        program: Option<Pubkey>,
        /// Its error code: from 6,000 on, a [`MillraceError`] where `program` is Millrace.
        code: u32,
        /// The error's name, such as `NotEnoughFree`.
        name: String,
        /// What it means, and the account at fault where the logs tell.
        message: String,
    },
    /// The runtime refused: no lamports for the fee, a missing signature, too much computation.
    #[error("the cluster refused the transaction: {message}")]
    Refused {
        /// The refusal.
        error: TransactionError,
        /// What it means.
        message: String,
    },
    /// It is too big to send.
    #[error("the transaction has {len} bytes; at most {MAX_TRANSACTION_LEN} can be sent: split it")]
    TooLong {
        /// Its bytes.
        len: usize,
    },
    /// A key that must sign is missing.
    #[error("the transaction must also be signed by {0}, whose key was not given")]
    MissingSigner(Pubkey),
    /// Every signing expired before a block took it. Nothing was changed.
    #[error("no block took \"{label}\" in {signings} signings; the network is congested: try again later")]
    Expired {
        /// What was submitted.
        label: String,
        /// How often it was signed.
        signings: u32,
    },
    /// The chain stopped answering while the transaction was on its way. It may have landed: the outbox keeps it and
    /// finds out, when the same thing is submitted again or at [`crate::Outbox::reconcile`].
    #[error("{reason}; \"{label}\" ({signature}) may have landed: run it again, and what landed is not repeated")]
    Undecided {
        /// What was submitted.
        label: String,
        /// Its signature.
        signature: Signature,
        /// What the chain last said.
        reason: Box<ChainError>,
    },
    /// The chain could not be asked. Nothing was sent.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The journal could not be written. Nothing was sent.
    #[error("the outbox {path} cannot be used: {reason}")]
    Journal {
        /// The journal's file.
        path: String,
        /// What happened.
        reason: String,
    },
}

/// Most bytes of a transaction: an IPv6 packet without headers.
pub const MAX_TRANSACTION_LEN: usize = 1_232;

impl SubmitError {
    /// The program's error, when Millrace itself refused.
    pub fn millrace(&self) -> Option<MillraceError> {
        match self {
            Self::Program { program, code, .. } if program.is_none_or(|program| program == PROGRAM_ID) => {
                millrace_error(*code)
            }
            _ => None,
        }
    }

    /// Whether Millrace refused with `error`: where "already done" is success, ask for its refusal.
    pub fn is(&self, error: MillraceError) -> bool {
        self.millrace() == Some(error)
    }

    /// Says what `error` means. `instructions` are the transaction's, `logs` its log lines if known.
    pub fn explain(error: TransactionError, instructions: &[Instruction], logs: &[String]) -> Self {
        match error {
            TransactionError::InstructionError(index, InstructionError::Custom(code)) => {
                let called = instructions.get(usize::from(index)).map(|instruction| instruction.program_id);
                // An inner program's error comes out of the outer instruction: the first to fail is the one.
                let program = failing_program(logs).or(called.filter(|program| *program != PROGRAM_ID || code >= 100));
                let (name, meaning) = name_code(program, code);
                let account = account_at_fault(logs).map(|account| format!(" (account: {account})"));
                Self::Program { program, code, name, message: meaning + account.as_deref().unwrap_or_default() }
            }
            error => Self::Refused { message: meaning_of(&error, logs), error },
        }
    }
}

/// The [`MillraceError`] of a code.
pub fn millrace_error(code: u32) -> Option<MillraceError> {
    let index = code.checked_sub(anchor_lang::error::ERROR_CODE_OFFSET)?;
    bytemuck::checked::try_cast(index).ok()
}

fn name_code(program: Option<Pubkey>, code: u32) -> (String, String) {
    let is = |id: Pubkey| program == Some(id);
    let ours = program.is_none_or(|program| program == PROGRAM_ID);
    if let Some(error) = millrace_error(code).filter(|_| ours) {
        return (error.name(), error.to_string());
    }
    if let Some(error) = anchor_error(code).filter(|_| ours) {
        return (error.name(), error.to_string());
    }
    if is(spl_token_interface::ID) {
        if let Ok(error) = spl_token_interface::error::TokenError::try_from(code) {
            return (format!("{error:?}"), format!("SPL Token: {error}"));
        }
    }
    if is(solana_sdk_ids::system_program::ID) {
        if let Ok(error) = solana_system_interface::error::SystemError::try_from(code) {
            return (format!("{error:?}"), format!("the system program: {error}"));
        }
    }
    let who = program.map_or_else(|| "a program it calls".to_string(), |program| format!("the program {program}"));
    ("Custom".to_string(), format!("{who} refused"))
}

/// Anchor's own errors that the program can answer with.
fn anchor_error(code: u32) -> Option<anchor_lang::error::ErrorCode> {
    use anchor_lang::error::ErrorCode::*;
    let known = [
        InstructionMissing,
        InstructionFallbackNotFound,
        InstructionDidNotDeserialize,
        InstructionDidNotSerialize,
        EventInstructionStub,
        ConstraintMut,
        ConstraintHasOne,
        ConstraintSigner,
        ConstraintRaw,
        ConstraintOwner,
        ConstraintRentExempt,
        ConstraintSeeds,
        ConstraintExecutable,
        ConstraintState,
        ConstraintAssociated,
        ConstraintAssociatedInit,
        ConstraintClose,
        ConstraintAddress,
        ConstraintZero,
        ConstraintTokenMint,
        ConstraintTokenOwner,
        ConstraintMintDecimals,
        ConstraintSpace,
        ConstraintAccountIsNone,
        ConstraintTokenTokenProgram,
        ConstraintMintTokenProgram,
        ConstraintDuplicateMutableAccount,
        RequireViolated,
        RequireEqViolated,
        RequireKeysEqViolated,
        RequireNeqViolated,
        RequireKeysNeqViolated,
        RequireGtViolated,
        RequireGteViolated,
        AccountDiscriminatorAlreadySet,
        AccountDiscriminatorNotFound,
        AccountDiscriminatorMismatch,
        AccountDidNotDeserialize,
        AccountDidNotSerialize,
        AccountNotEnoughKeys,
        AccountNotMutable,
        AccountOwnedByWrongProgram,
        InvalidProgramId,
        InvalidProgramExecutable,
        AccountNotSigner,
        AccountNotSystemOwned,
        AccountNotInitialized,
        AccountNotProgramData,
        AccountNotAssociatedTokenAccount,
        AccountSysvarMismatch,
        AccountReallocExceedsLimit,
        AccountDuplicateReallocs,
        DeclaredProgramIdMismatch,
        TryingToInitPayerAsProgramAccount,
        InvalidNumericConversion,
    ];
    known.into_iter().find(|error| u32::from(*error) == code)
}

/// The first program whose failure the logs report: `Program <address> failed: …`.
fn failing_program(logs: &[String]) -> Option<Pubkey> {
    logs.iter().find_map(|line| line.strip_prefix("Program ")?.split_once(" failed")?.0.parse().ok())
}

/// The account Anchor names: `AnchorError caused by account: vault. …`.
fn account_at_fault(logs: &[String]) -> Option<&str> {
    logs.iter().find_map(|line| line.split_once("caused by account: ")?.1.split_once(". ")).map(|(account, _)| account)
}

fn meaning_of(error: &TransactionError, logs: &[String]) -> String {
    match error {
        TransactionError::AccountNotFound | TransactionError::InsufficientFundsForFee => {
            "the paying account has no SOL for the transaction fee; send it some".to_string()
        }
        TransactionError::InsufficientFundsForRent { .. } => {
            "an account would be left with less SOL than its rent; send the paying account some".to_string()
        }
        TransactionError::InstructionError(index, inner) => {
            let last = logs.iter().rev().find_map(|line| line.strip_prefix("Program log: "));
            let last = last.map(|line| format!("; its last words: {line}")).unwrap_or_default();
            format!("instruction {index} failed: {inner}{last}")
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(code: u32) -> TransactionError {
        TransactionError::InstructionError(1, InstructionError::Custom(code))
    }

    fn to_millrace() -> Vec<Instruction> {
        vec![Instruction { program_id: PROGRAM_ID, accounts: vec![], data: vec![] }; 2]
    }

    #[test]
    fn every_code_of_the_program_has_its_name() {
        let source = include_str!("../../../programs/millrace/src/errors.rs");
        let names: Vec<_> = source
            .lines()
            .filter_map(|line| line.trim().strip_suffix(','))
            .filter(|name| name.chars().all(char::is_alphanumeric))
            .collect();
        assert!(names.len() > 60, "{names:?}");
        for (index, name) in names.iter().enumerate() {
            let error = millrace_error(6_000 + index as u32).unwrap();
            assert_eq!((error.name().as_str(), u32::from(error)), (*name, 6_000 + index as u32));
        }
        assert!(millrace_error(6_000 + names.len() as u32).is_none() && millrace_error(5_999).is_none());
    }

    #[test]
    fn a_refusal_of_the_program_is_named_with_its_account() {
        let logs =
            ["Program log: AnchorError caused by account: mint. Error Code: WrongMint. Error Number: 6013."
                .to_string()];
        let error = SubmitError::explain(custom(MillraceError::WrongMint.into()), &to_millrace(), &logs);
        assert!(error.is(MillraceError::WrongMint) && !error.is(MillraceError::ZeroAmount));
        assert_eq!(
            error.to_string(),
            format!(
                "The mint is not this market's MILL mint (account: mint) (WrongMint, code {})",
                u32::from(MillraceError::WrongMint)
            )
        );
    }

    #[test]
    fn anchors_own_refusals_are_named() {
        let error = SubmitError::explain(custom(2006), &to_millrace(), &[]);
        assert!(matches!(&error, SubmitError::Program { name, .. } if name == "ConstraintSeeds"), "{error}");
    }

    #[test]
    fn a_called_programs_refusal_is_not_taken_for_ours() {
        let logs = [
            format!("Program {PROGRAM_ID} invoke [1]"),
            format!("Program {} invoke [2]", spl_token_interface::ID),
            format!("Program {} failed: custom program error: 0x1", spl_token_interface::ID),
            format!("Program {PROGRAM_ID} failed: custom program error: 0x1"),
        ];
        let error = SubmitError::explain(custom(1), &to_millrace(), &logs);
        assert!(error.to_string().contains("SPL Token: Insufficient funds"), "{error}");
        // Without logs no one can tell whose code 1 it is, so no one is blamed.
        let error = SubmitError::explain(custom(1), &to_millrace(), &[]);
        assert!(matches!(error, SubmitError::Program { program: None, .. }) && error.millrace().is_none());
        let foreign = vec![Instruction { program_id: spl_token_interface::ID, accounts: vec![], data: vec![] }; 2];
        assert!(SubmitError::explain(custom(6_000), &foreign, &[]).millrace().is_none());
    }

    #[test]
    fn an_empty_wallet_is_told_to_get_lamports() {
        let error = SubmitError::explain(TransactionError::AccountNotFound, &[], &[]);
        assert!(error.to_string().contains("no SOL"), "{error}");
    }
}
