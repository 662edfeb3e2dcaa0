//! The proof of GPU: provers and the verifier.
//!
//! A prover runs a [`Task`](millrace_core::proof::Task) with [`prove`] on some [`Backend`] and gets a [`ProvenRun`], whose
//! commit it signs. Once the next beacon is known it opens what the [`queries`] ask for in a [`Bundle`]. Anyone checks
//! the bundle with [`verify_bundle`] on one core, and turns what is wrong into proofs for the chain with
//! [`wrong_entries`] and [`false_link`]. What is computed and committed is defined in [`millrace_core::proof`].

mod backend;
pub mod bandwidth;
mod bench;
mod bundle;
#[cfg(feature = "cheats")]
pub mod cheats;
mod cpu;
pub mod cuda;
pub mod kernel;
pub mod memory;
mod operands;
mod run;
pub mod sha;
mod tree;
mod verify;

pub use backend::{backends, recompute_cells, Backend, Backends, Memory, ProveError, Round, RowsDone};
pub use bench::{bench, check_memory, measure, parts, Bench, Parts, Product};
pub use bundle::{bundle_len, Bundle, OpenedEntry, RoundClaim};
pub use cpu::Cpu;
pub use cuda::Cuda;
pub use kernel::{peak_gops, Kernel};
pub use run::{prove, Progress, ProveOptions, ProvenRun};
pub use tree::UpperTree;
pub use verify::{
    false_link, queries, verify_batch, verify_bundle, wrong_entries, wrong_entries_beside, Refusal, Verified,
    WrongEntry, MAX_WRONG_ENTRIES,
};
