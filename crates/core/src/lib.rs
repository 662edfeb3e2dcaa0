//! The rules of Millrace as pure functions.
//!
//! The program, the oracle, the agent and the command line call the same code, so that no two of them can
//! disagree about a price, a score, a leaf or a proof. Nothing here allocates (but for feature `alloc`),
//! reads a clock, or knows Anchor.
//!
//! Units: amounts are `u64` base units of MILL (six decimals), rates are base units per second, shares are
//! basis points (1/10,000), instants and spans are `i64` Unix seconds, speed is `gops` (10⁹ int8 operations
//! per second, a multiply-add counted as two).
#![cfg_attr(not(test), no_std)]
#[cfg(feature = "alloc")]
extern crate alloc;

pub mod epoch;
pub mod hash;
pub mod lease;
pub mod leaves;
pub mod merkle;
pub mod money;
pub mod proof;
pub mod reliability;
pub mod reward;
pub mod score;
pub mod slash;
pub mod stake;
pub mod vote;
