//! What Millrace's daemons and command line say to each other over HTTP, and how they sign it.
//!
//! Every request that changes anything or reveals anything private is signed with the Solana key its sender is
//! registered with on chain, after RFC 9421 (HTTP Message Signatures): method, authority, path, query, body digest,
//! time and a nonce. So a request replayed, sent to another host, or altered is refused. Answers that serve as
//! evidence are [`Sealed`].

pub mod client;
pub mod encoding;
pub mod error;
pub mod link;
pub mod messages;
pub mod metrics;
pub mod sealed;
pub mod server;
pub mod signature;

pub use client::{transfer_time, SignedClient, WireError};
pub use error::ApiError;
pub use link::Link;
pub use sealed::Sealed;
pub use server::{verify, Verified, VerifierState};

#[cfg(test)]
mod tests;
