use super::{matrix, seed::super_leaf, Commit, ProofError, Query, Verdict};
use crate::merkle::{depth, leaf_node, root_from_path, TreeNode, TREE_NODE_LEN};

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// Entries of C in a leaf: neighbours in one row.
pub const CELLS_PER_LEAF: usize = 16;
/// Bytes of an entry in a leaf: modulo 2²⁴, little-endian.
pub const CELL_LEN: usize = 3;
/// Bytes of a leaf; with the prefix they are one SHA-256 compression.
pub const LEAF_LEN: usize = CELLS_PER_LEAF * CELL_LEN;

/// The content of a leaf.
pub type Leaf = [u8; LEAF_LEN];

/// The leaf that holds `cells`, each modulo 2²⁴.
pub fn pack_leaf(cells: &[i32; CELLS_PER_LEAF]) -> Leaf {
    let mut leaf = [0; LEAF_LEN];
    for (bytes, cell) in leaf.chunks_exact_mut(CELL_LEN).zip(cells) {
        bytes.copy_from_slice(&cell.to_le_bytes()[..CELL_LEN]);
    }
    leaf
}

/// The entry of column `col` in a leaf that holds it, modulo 2²⁴.
pub fn cell(leaf: &Leaf, col: u32) -> u32 {
    let at = col as usize % CELLS_PER_LEAF * CELL_LEN;
    u32::from_le_bytes([leaf[at], leaf[at + 1], leaf[at + 2], 0])
}

/// Position in the round's tree of the leaf that holds entry (`row`, `col`).
pub const fn leaf_index(n: u32, row: u32, col: u32) -> u64 {
    (row as u64 * n as u64 + col as u64) / CELLS_PER_LEAF as u64
}

/// Levels of a round's tree: log₂(n²/16).
pub const fn tree_depth(n: u32) -> u32 {
    depth(n as u64 * n as u64 / CELLS_PER_LEAF as u64)
}

/// Bytes of an encoded [`EntryProof`] for a commit of this size; at most 901.
pub const fn entry_proof_len(n: u32, rounds: u32) -> usize {
    HEAD_LEN + TREE_NODE_LEN * (tree_depth(n) + depth(rounds as u64)) as usize
}

const HEAD_LEN: usize = 1 + 2 + 2 + 32 + LEAF_LEN;

/// One entry of C as the prover committed it, with all that leads from there to the super-root.
///
/// Its encoding: round u8, row u16, col u16, seed, leaf, path, super-path; the commit gives the lengths of the paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryProof<'a> {
    /// Round, from 0.
    pub round: u32,
    /// Row, from 0.
    pub row: u32,
    /// Column, from 0.
    pub col: u32,
    /// The leaf that holds the entry.
    pub leaf: &'a Leaf,
    /// From the leaf up to the round's root, bottom first.
    pub path: &'a [TreeNode],
    /// The round's seed.
    pub seed: &'a [u8; 32],
    /// From the round up to the super-root, bottom first.
    pub super_path: &'a [TreeNode],
}

impl<'a> EntryProof<'a> {
    /// Which entry this is.
    pub const fn query(&self) -> Query {
        Query { round: self.round, row: self.row, col: self.col }
    }

    /// The verdict, where [`matrix::entry`] is `computed`.
    pub fn verdict(&self, computed: i32) -> Verdict {
        match cell(self.leaf, self.col) == computed as u32 & 0x00ff_ffff {
            true => Verdict::Correct,
            false => Verdict::Wrong,
        }
    }

    /// Reads the encoding without copying it.
    ///
    /// # Errors
    /// [`ProofError::Length`] unless it has exactly [`entry_proof_len`] bytes.
    pub fn from_bytes(commit: &Commit, bytes: &'a [u8]) -> Result<Self, ProofError> {
        let length = ProofError::Length { expected: entry_proof_len(commit.n, commit.rounds), got: bytes.len() };
        if bytes.len() != entry_proof_len(commit.n, commit.rounds) {
            return Err(length);
        }
        let (round, rest) = bytes.split_first().ok_or(length)?;
        let (row, rest) = rest.split_first_chunk().ok_or(length)?;
        let (col, rest) = rest.split_first_chunk().ok_or(length)?;
        let (seed, rest) = rest.split_first_chunk().ok_or(length)?;
        let (leaf, rest) = rest.split_first_chunk().ok_or(length)?;
        let (nodes, _) = rest.as_chunks();
        let (path, super_path) = nodes.split_at_checked(tree_depth(commit.n) as usize).ok_or(length)?;
        Ok(Self {
            round: u32::from(*round),
            row: u32::from(u16::from_le_bytes(*row)),
            col: u32::from(u16::from_le_bytes(*col)),
            leaf,
            path,
            seed,
            super_path,
        })
    }

    /// The encoding: what `prove_entry` carries.
    ///
    /// A round above 255, or a row or column above 65,535, is not encoded as it is: no commit has such an entry.
    #[cfg(feature = "alloc")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_LEN + TREE_NODE_LEN * (self.path.len() + self.super_path.len()));
        bytes.push(self.round as u8);
        bytes.extend_from_slice(&(self.row as u16).to_le_bytes());
        bytes.extend_from_slice(&(self.col as u16).to_le_bytes());
        bytes.extend_from_slice(self.seed);
        bytes.extend_from_slice(self.leaf);
        bytes.extend_from_slice(self.path.as_flattened());
        bytes.extend_from_slice(self.super_path.as_flattened());
        bytes
    }
}

/// Recomputes one committed entry from its seed.
///
/// That the seed is the right one for the round is the business of [`super::check_link`].
///
/// # Errors
/// When the proof names no entry of this commit, or is not under its super-root: then nothing follows about the prover.
pub fn check_entry(commit: &Commit, proof: &EntryProof) -> Result<Verdict, ProofError> {
    check_opened(commit, proof)?;
    Ok(proof.verdict(matrix::entry(proof.seed, commit.n, proof.row, proof.col)))
}

/// All of [`check_entry`] but the entry's value: it is the commit's, whatever it is.
///
/// # Errors
/// As [`check_entry`].
pub fn check_opened(commit: &Commit, proof: &EntryProof) -> Result<(), ProofError> {
    let Commit { n, rounds, .. } = *commit;
    if proof.round >= rounds {
        return Err(ProofError::Round { round: proof.round, last: rounds.saturating_sub(1) });
    }
    if proof.row >= n || proof.col >= n {
        return Err(ProofError::Index { row: proof.row, col: proof.col, n });
    }
    check_path_len(proof.path, tree_depth(n))?;
    check_path_len(proof.super_path, depth(u64::from(rounds)))?;
    let root = root_from_path(leaf_node(&[proof.leaf]), leaf_index(n, proof.row, proof.col), proof.path);
    let super_root = root_from_path(super_leaf(proof.seed, &root), u64::from(proof.round), proof.super_path);
    if super_root != commit.super_root {
        return Err(ProofError::NotCommitted);
    }
    Ok(())
}

pub(super) fn check_path_len(path: &[TreeNode], levels: u32) -> Result<(), ProofError> {
    match path.len() == levels as usize {
        true => Ok(()),
        false => Err(ProofError::PathLength { expected: levels as usize, got: path.len() }),
    }
}
