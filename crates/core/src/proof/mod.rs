//! Proof of GPU: what is computed, what is committed, and how anybody checks one number of it.
//!
//! R rounds of `C = A·B`, n × n, int8 operands, exact int32 sums, so that every machine gets the same bits.
//!
//! - [`Task`] names the work: its fields give [`seed_0`], which nobody knows before the beacon and the oracles' shares.
//! - [`matrix`] makes the operands from a round's seed and recomputes any single entry of the product.
//! - 16 consecutive entries of a row of C, modulo 2²⁴, are a leaf of the round's tree (leaf `(row·n + col)/16`); its
//!   root makes the next round's seed by [`next_seed`]; the `(seed, root)` of all rounds are the leaves of the tree
//!   whose root is [`Commit::super_root`].
//! - [`query`] names the entries that the prover must open once the next beacon is known.
//! - [`check_entry`] and [`check_link`] judge one opened entry, one opened link, on chain and off chain alike.
//!
//! All integers are little-endian.

pub mod bandwidth;
mod commit;
pub mod deadline;
mod entry;
mod error;
mod link;
pub mod matrix;
pub mod memory;
mod seed;
pub mod statement;

pub use commit::{check_size, Commit, Task, COMMIT_LEN, MAX_N, MAX_ROUNDS, MIN_N};
pub use entry::{
    cell, check_entry, check_opened, entry_proof_len, leaf_index, pack_leaf, tree_depth, EntryProof, Leaf,
    CELLS_PER_LEAF, CELL_LEN, LEAF_LEN,
};
pub use error::ProofError;
pub use link::{check_link, LinkProof, Opening};
pub use seed::{next_seed, nonce, query, seed_0, super_leaf, Query, QUERIES};

/// What a check that could be carried out found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The prover committed what the rules give.
    Correct,
    /// The prover committed something else.
    Wrong,
}

/// The verdict on one entry.
pub type EntryVerdict = Verdict;

/// int8 operations in a run, a multiply-add counted as two: `2·n³·rounds`.
pub const fn operations(n: u32, rounds: u32) -> u128 {
    2 * (n as u128) * (n as u128) * (n as u128) * rounds as u128
}

/// Speed of a run in gops (10⁹ operations per second), rounded down: operations per nanosecond.
/// A run of no measurable length has no speed: 0.
pub const fn gops(n: u32, rounds: u32, elapsed_nanos: u64) -> u64 {
    match elapsed_nanos {
        0 => 0,
        // At most 2⁵⁵ operations: no overflow.
        nanos => (operations(n, rounds) / nanos as u128) as u64,
    }
}
