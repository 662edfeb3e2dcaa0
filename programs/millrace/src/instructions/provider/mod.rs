//! What a provider does with its stake and keys.

pub mod register_provider;

pub use register_provider::*;
