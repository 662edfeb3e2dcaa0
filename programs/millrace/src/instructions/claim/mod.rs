//! Claims on bonds, once they are old enough.

pub mod pay_claim;

pub use pay_claim::*;
