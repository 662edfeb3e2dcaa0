//! Slashing: accuse a commit, prove it wrong, and let the stake burn, with nobody judging; or charge a node with what
//! the oracles found, open to appeal.

pub mod close_case;
pub mod close_slash_case;
pub mod execute_slash;
pub mod execute_slash_case;
pub mod open_case;
pub mod open_slash_case;
pub mod prove_double_commit;
pub mod prove_entry;
pub mod prove_link;
pub mod slash_oracle;

pub(crate) mod bounty;
mod deposit;
mod nodes;
mod payout;
mod signature;

pub use close_case::*;
pub use close_slash_case::*;
pub use execute_slash::*;
pub use execute_slash_case::*;
pub use open_case::*;
pub use open_slash_case::*;
pub use prove_double_commit::*;
pub use prove_entry::*;
pub use prove_link::*;
pub use slash_oracle::*;
