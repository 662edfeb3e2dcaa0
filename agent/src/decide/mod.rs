//! Decisions, as pure functions of what was observed.

pub mod audit;
pub mod bid;
pub mod lease;
pub mod standby;
