//! Fraud: accuse a commit, prove it wrong, and let the stake burn. Nobody judges.

pub mod close_case;
pub mod execute_slash;
pub mod open_case;
pub mod prove_entry;
pub mod prove_link;

mod bounty;
mod deposit;
mod signature;

pub use close_case::*;
pub use execute_slash::*;
pub use open_case::*;
pub use prove_entry::*;
pub use prove_link::*;
