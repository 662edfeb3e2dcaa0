//! Threats that are the same for every instruction: each is tried on all of them, at the first acceptance in the
//! scenarios, so that a new instruction is tried as well.

mod addresses;
mod admin;
mod closed;
mod receivers;
mod strangers;
