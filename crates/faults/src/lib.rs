//! A proxy in front of a JSON RPC that does what networks and RPCs do on bad days: it drops, delays, refuses, hangs
//! and lies. For tests and chaos runs; what is behind it stays a real RPC.

mod lie;
mod proxy;
mod weather;

pub use proxy::FaultProxy;
pub use weather::{Lie, Weather};
