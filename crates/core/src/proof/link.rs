use super::{
    entry::check_path_len,
    seed::{next_seed, seed_0, super_leaf},
    Commit, ProofError, Verdict,
};
use crate::merkle::{depth, root_from_path, TreeNode, TREE_NODE_LEN};

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// One round's seed and root as committed, with the path to the super-root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening<'a> {
    /// The round's seed.
    pub seed: &'a [u8; 32],
    /// The round's root.
    pub root: &'a TreeNode,
    /// From the round up to the super-root, bottom first.
    pub super_path: &'a [TreeNode],
}

/// The seeds of a run as committed, where one of them should follow from what is before it.
///
/// Its encoding: kind u8 (0 for `First`, 1 for `Next`), for `Next` round u8, then each opening as seed, root,
/// super-path; the commit gives the length of the paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkProof<'a> {
    /// Round 0, whose seed should be the commit's.
    First(Opening<'a>),
    /// Two neighbouring rounds.
    Next {
        /// The first of the two.
        round: u32,
        /// That round.
        from: Opening<'a>,
        /// The round after it.
        to: Opening<'a>,
    },
}

/// Compares a committed seed with the one that the rules give.
///
/// # Errors
/// When the proof names no rounds of this commit, or is not under its super-root: then nothing follows about the prover.
pub fn check_link(commit: &Commit, proof: &LinkProof) -> Result<Verdict, ProofError> {
    let (committed, expected) = match proof {
        LinkProof::First(first) => {
            check_opening(commit, 0, first)?;
            (first.seed, seed_0(&commit.task()))
        }
        LinkProof::Next { round, from, to } => {
            let next = round.checked_add(1).filter(|next| *next < commit.rounds);
            let next = next.ok_or(ProofError::Round { round: *round, last: commit.rounds.saturating_sub(2) })?;
            check_opening(commit, *round, from)?;
            check_opening(commit, next, to)?;
            (to.seed, next_seed(from.seed, from.root))
        }
    };
    Ok(if *committed == expected { Verdict::Correct } else { Verdict::Wrong })
}

fn check_opening(commit: &Commit, round: u32, opening: &Opening) -> Result<(), ProofError> {
    check_path_len(opening.super_path, depth(u64::from(commit.rounds)))?;
    let leaf = super_leaf(opening.seed, opening.root);
    match root_from_path(leaf, u64::from(round), opening.super_path) == commit.super_root {
        true => Ok(()),
        false => Err(ProofError::NotCommitted),
    }
}

impl<'a> LinkProof<'a> {
    /// Reads the encoding without copying it.
    ///
    /// # Errors
    /// [`ProofError::LinkKind`], and [`ProofError::Length`] unless the length is exactly that of its kind.
    pub fn from_bytes(commit: &Commit, bytes: &'a [u8]) -> Result<Self, ProofError> {
        let one = Opening::len(commit);
        let expected = match bytes.first() {
            None => return Err(ProofError::Length { expected: 1 + one, got: 0 }),
            Some(0) => 1 + one,
            Some(1) => 2 + 2 * one,
            Some(kind) => return Err(ProofError::LinkKind(*kind)),
        };
        let length = ProofError::Length { expected, got: bytes.len() };
        match bytes {
            [0, first @ ..] if bytes.len() == expected => Ok(Self::First(Opening::read(first).ok_or(length)?)),
            [1, round, rest @ ..] if bytes.len() == expected => {
                let (from, to) = rest.split_at_checked(one).ok_or(length)?;
                Ok(Self::Next {
                    round: u32::from(*round),
                    from: Opening::read(from).ok_or(length)?,
                    to: Opening::read(to).ok_or(length)?,
                })
            }
            _ => Err(length),
        }
    }

    /// The encoding: what `prove_link` carries. A round above 255 is not encoded as it is: no commit has one.
    #[cfg(feature = "alloc")]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::First(first) => {
                let mut bytes = alloc::vec![0];
                first.write(&mut bytes);
                bytes
            }
            Self::Next { round, from, to } => {
                let mut bytes = alloc::vec![1, *round as u8];
                from.write(&mut bytes);
                to.write(&mut bytes);
                bytes
            }
        }
    }
}

impl<'a> Opening<'a> {
    fn len(commit: &Commit) -> usize {
        32 + TREE_NODE_LEN * (1 + depth(u64::from(commit.rounds)) as usize)
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (seed, rest) = bytes.split_first_chunk()?;
        let (root, rest) = rest.split_first_chunk()?;
        let (super_path, _) = rest.as_chunks();
        Some(Self { seed, root, super_path })
    }

    #[cfg(feature = "alloc")]
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.seed);
        bytes.extend_from_slice(self.root);
        bytes.extend_from_slice(self.super_path.as_flattened());
    }
}
