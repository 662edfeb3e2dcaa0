//! The proof of memory: who fills, walks and answers, and who checks.
//!
//! A prover fills its memory for a [`MemoryTask`](millrace_core::proof::memory::MemoryTask) with
//! [`Backend::fill`](crate::Backend::fill), a card its own, and signs the commit. When the oracles have handed out their
//! second shares it walks with [`MemoryFill::walk`] and signs the
//! [`WalkCommit`](millrace_core::proof::memory::WalkCommit); that is what is timed. Once the next beacon is known it
//! answers with [`MemoryFill::answer`], which anyone checks with [`verify_memory`] on one core. What is computed and
//! committed is defined in [`millrace_core::proof::memory`].

mod bundle;
#[cfg(feature = "cheats")]
pub mod cheats;
mod fill;
mod hasher;
mod progress;
mod tree;
mod verify;
mod words;

pub use bundle::memory_bundle_len;
pub use fill::{MemoryFill, MemoryWalk};
pub use progress::{MemoryProgress, MemoryWatch};
pub use verify::{verify_memory, MemoryRefusal};
pub(crate) use {
    hasher::WordHasher,
    progress::Counter,
    tree::{KeptTree, TreeOfBands},
    words::Words,
};
