//! Millrace from Rust: addresses, instructions, reading the chain, and sending so that a crash loses nothing.
//!
//! Instruction builders ([`ix`]) and addresses ([`pda`]) are pure: they need no network. Whatever talks to the
//! chain goes through the [`Chain`] trait: [`RpcChain`] in programs, [`FakeChain`] in tests of decisions. Whatever
//! changes the chain goes through the [`Outbox`], which writes a transaction down before it sends it.

pub mod amount;
pub mod chain;
pub mod config;
pub mod endpoint;
pub mod error;
pub mod events;
pub mod fetch;
pub mod ix;
pub mod keys;
pub mod lease;
pub mod leaves;
pub mod metrics;
pub mod outbox;
pub mod pda;
pub mod token;
pub mod twin;

pub use chain::{BadRpcUrls, Chain, ChainError, FakeChain, Fate, RpcChain, Simulation, Status, StatusLevel};
pub use error::SubmitError;
pub use events::MillraceEvent;
pub use fetch::{fetch, fetch_agreed, fetch_all, fetch_job};
pub use outbox::Outbox;

/// The program: its accounts, arguments, errors and state.
pub use millrace;
pub use millrace::errors::MillraceError;
pub use millrace::ID as PROGRAM_ID;

pub use anchor_lang::prelude::Pubkey;
pub use solana_account::Account;
pub use solana_hash::Hash;
pub use solana_instruction::{AccountMeta, Instruction};
pub use solana_keypair::Keypair;
pub use solana_signature::Signature;
pub use solana_signer::Signer;
pub use solana_transaction::Transaction;
pub use solana_transaction_error::TransactionError;
