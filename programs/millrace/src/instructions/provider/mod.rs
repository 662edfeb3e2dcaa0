//! What a provider does with its stake and keys.

pub mod accept_authority;
pub mod begin_unstake;
pub mod close_provider;
pub mod propose_authority;
pub mod register_provider;
pub mod set_operator;
pub mod set_terms;
pub mod stake;
pub mod withdraw;

pub use accept_authority::*;
pub use begin_unstake::*;
pub use close_provider::*;
pub use propose_authority::*;
pub use register_provider::*;
pub use set_operator::*;
pub use set_terms::*;
pub use stake::*;
pub use withdraw::*;
