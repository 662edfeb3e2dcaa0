//! The provider's daemon.

pub mod sandbox;
