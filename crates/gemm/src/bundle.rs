use crate::Refusal;
use millrace_core::{
    merkle::{TreeNode, TREE_NODE_LEN},
    proof::{tree_depth, Commit, Leaf, Query, LEAF_LEN, QUERIES},
};

const TAG: &[u8; 8] = b"MRbundle";
const ROUND_LEN: usize = 32 + TREE_NODE_LEN;
const ENTRY_HEAD_LEN: usize = 1 + 2 + 2 + LEAF_LEN;

/// Seed and root of a round, as its prover states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundClaim {
    /// The round's seed.
    pub seed: [u8; 32],
    /// The round's root.
    pub root: TreeNode,
}

/// One entry, opened up to its round's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedEntry {
    /// Which entry it is.
    pub query: Query,
    /// The leaf that holds it.
    pub leaf: Leaf,
    /// From the leaf up to the round's root, bottom first.
    pub path: Vec<TreeNode>,
}

/// A prover's answer to the queries.
///
/// On the wire: `MRbundle`, for each round seed and root, for each query round u8, row u16, col u16, leaf, path;
/// integers little-endian. The commit gives the length to the byte: at most [`bundle_len`]`(65,536, 64)`, 376 KB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// All rounds of the run, in order.
    pub rounds: Vec<RoundClaim>,
    /// One for each query, in order.
    pub entries: Vec<OpenedEntry>,
}

/// Bytes of a bundle for a commit of this size. Whoever receives one need not read further.
pub const fn bundle_len(n: u32, rounds: u32) -> usize {
    TAG.len() + ROUND_LEN * rounds as usize + QUERIES * entry_len(n)
}

const fn entry_len(n: u32) -> usize {
    ENTRY_HEAD_LEN + TREE_NODE_LEN * tree_depth(n) as usize
}

impl Bundle {
    /// The encoding. A round above 255, or a row or column above 65,535, is not encoded as it is: no commit has it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = TAG.to_vec();
        for RoundClaim { seed, root } in &self.rounds {
            bytes.extend_from_slice(seed);
            bytes.extend_from_slice(root);
        }
        for OpenedEntry { query, leaf, path } in &self.entries {
            bytes.push(query.round as u8);
            bytes.extend_from_slice(&(query.row as u16).to_le_bytes());
            bytes.extend_from_slice(&(query.col as u16).to_le_bytes());
            bytes.extend_from_slice(leaf);
            bytes.extend_from_slice(path.as_flattened());
        }
        bytes
    }

    /// Reads the encoding of a bundle for `commit`, whose size must be an allowed one.
    ///
    /// # Errors
    /// [`Refusal::Length`], before anything is allocated, unless it has exactly [`bundle_len`] bytes; [`Refusal::Tag`].
    pub fn from_bytes(commit: &Commit, bytes: &[u8]) -> Result<Self, Refusal> {
        let expected = bundle_len(commit.n, commit.rounds);
        if bytes.len() != expected {
            return Err(Refusal::Length { expected, got: bytes.len() });
        }
        let (tag, rest) = bytes.split_at(TAG.len());
        if tag != TAG {
            return Err(Refusal::Tag);
        }
        let (rounds, entries) = rest.split_at(ROUND_LEN * commit.rounds as usize);
        Ok(Self {
            rounds: rounds.as_chunks().0.iter().map(RoundClaim::read).collect(),
            entries: entries.chunks_exact(entry_len(commit.n)).map(OpenedEntry::read).collect(),
        })
    }
}

impl RoundClaim {
    fn read(bytes: &[u8; ROUND_LEN]) -> Self {
        let mut claim = Self { seed: [0; 32], root: [0; TREE_NODE_LEN] };
        claim.seed.copy_from_slice(&bytes[..32]);
        claim.root.copy_from_slice(&bytes[32..]);
        claim
    }
}

impl OpenedEntry {
    /// `bytes` are at least [`ENTRY_HEAD_LEN`].
    fn read(bytes: &[u8]) -> Self {
        let u16_at = |at: usize| u32::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let mut leaf = [0; LEAF_LEN];
        leaf.copy_from_slice(&bytes[ENTRY_HEAD_LEN - LEAF_LEN..ENTRY_HEAD_LEN]);
        Self {
            query: Query { round: u32::from(bytes[0]), row: u16_at(1), col: u16_at(3) },
            leaf,
            path: bytes[ENTRY_HEAD_LEN..].as_chunks().0.to_vec(),
        }
    }
}
