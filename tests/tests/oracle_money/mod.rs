//! What oracles answer with and what they are paid with: stake, seats that change hands, rewards.

mod accounts;
mod books;
mod rewards;
mod seats;
mod stake;

use millrace::errors::MillraceError;

/// The program's error of an outcome that must be one.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: anchor_lang::Result<T>) -> MillraceError {
    let error = outcome.expect_err("it is refused");
    let anchor_lang::error::Error::AnchorError(error) = error else { panic!("{error}") };
    millrace_client::error::millrace_error(error.error_code_number).expect("the error is the program's")
}
