//! How content is named, so that parts of it can be shown without the rest.
//!
//! The name is `sha256("MRcontnt" ‖ length as u64 ‖ root)`: the root is that of a Merkle tree of [`millrace_core::merkle`] over
//! chunks of [`CHUNK_BYTES`], the last one shorter, integers little-endian. Length and index of a chunk give its length and that
//! of its path, so a proof is nothing but bytes: for each chunk its path from the bottom up, then the chunk.

use std::io::Read;

use millrace_core::hash::sha256;
use millrace_core::merkle::{depth, leaf_node, root_from_path, Tree, TreeNode, TREE_NODE_LEN};

use crate::error::JobError;

/// Bytes of a chunk; the last one may have fewer.
pub const CHUNK_BYTES: u64 = 16 << 10;

/// Most chunks of one proof: 272 KiB.
pub const MAX_CHUNKS_PROVEN: usize = 16;

const TAG: &[u8; 8] = b"MRcontnt";

/// The name of `bytes`: `manifest_hash` of a bundle of inputs, `result_root` of one of results.
pub fn content_hash(bytes: &[u8]) -> [u8; 32] {
    let leaves = bytes.chunks(CHUNK_BYTES as usize).map(|chunk| leaf_node(&[chunk])).collect();
    name(bytes.len() as u64, &Tree::new(leaves).root())
}

fn name(bytes: u64, root: &TreeNode) -> [u8; 32] {
    sha256(&[TAG, &bytes.to_le_bytes(), root])
}

/// Content by its name and its length, of which nothing need be at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its name. Binds the length as well.
    pub hash: [u8; 32],
    /// Its length, bytes.
    pub bytes: u64,
}

impl Content {
    /// Chunks there are.
    pub const fn chunks(&self) -> u64 {
        chunks_of(self.bytes)
    }

    /// Bytes of the proof of these chunks. Whoever receives one need not read further.
    pub fn proof_len(&self, indices: &[u64]) -> u64 {
        indices.iter().fold(0, |sum, index| sum + path_len(self.bytes) as u64 + chunk_len(self.bytes, *index))
    }

    /// Checks that `proof` shows the chunks at `indices`, in this order.
    ///
    /// # Errors
    /// [`JobError::Unproven`].
    pub fn check(&self, indices: &[u64], proof: &[u8]) -> Result<(), JobError> {
        let unproven = |index: u64| JobError::Unproven { index, chunks: self.chunks() };
        let mut rest = proof;
        for index in indices {
            let chunk_len = chunk_len(self.bytes, *index) as usize;
            let (path, after) = rest.split_at_checked(path_len(self.bytes)).ok_or_else(|| unproven(*index))?;
            let (chunk, after) = after.split_at_checked(chunk_len).ok_or_else(|| unproven(*index))?;
            let root = root_from_path(leaf_node(&[chunk]), *index, path.as_chunks().0);
            if *index >= self.chunks() || name(self.bytes, &root) != self.hash {
                return Err(unproven(*index));
            }
            rest = after;
        }
        match rest.is_empty() {
            true => Ok(()),
            false => Err(JobError::ProofTooLong(rest.len())),
        }
    }
}

/// Proves the chunks at `indices`, which are below [`Content::chunks`] of `bytes`, of what `from` gives: one pass, in which besides
/// those chunks one more is in memory, and 24 bytes for each.
///
/// # Errors
/// When it cannot be read, or has another length than `bytes`.
pub fn prove_chunks(mut from: impl Read, bytes: u64, indices: &[u64]) -> std::io::Result<Vec<u8>> {
    let mut leaves = Vec::new();
    let mut shown: Vec<Vec<u8>> = vec![Vec::new(); indices.len()];
    let mut chunk = vec![0; CHUNK_BYTES as usize];
    for index in 0..chunks_of(bytes) {
        let chunk = &mut chunk[..chunk_len(bytes, index) as usize];
        from.read_exact(chunk)?;
        leaves.push(leaf_node(&[chunk]));
        for (shown, _) in shown.iter_mut().zip(indices).filter(|(_, asked)| **asked == index) {
            shown.extend_from_slice(chunk);
        }
    }
    if from.read(&mut [0])? != 0 {
        return Err(std::io::Error::other(format!("there are more than {bytes} bytes")));
    }
    let tree = Tree::new(leaves);
    let mut proof = Vec::new();
    for (chunk, index) in shown.iter().zip(indices) {
        proof.extend_from_slice(tree.path(*index).as_flattened());
        proof.extend_from_slice(chunk);
    }
    Ok(proof)
}

const fn chunks_of(bytes: u64) -> u64 {
    bytes.div_ceil(CHUNK_BYTES)
}

fn chunk_len(bytes: u64, index: u64) -> u64 {
    bytes.saturating_sub(index.saturating_mul(CHUNK_BYTES)).min(CHUNK_BYTES)
}

const fn path_len(bytes: u64) -> usize {
    depth(chunks_of(bytes)) as usize * TREE_NODE_LEN
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(bytes: &[u8]) -> Content {
        Content { hash: content_hash(bytes), bytes: bytes.len() as u64 }
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i / 7 + i % 251) as u8).collect()
    }

    #[test]
    fn every_chunk_of_any_length_is_proven_by_the_name() {
        const CHUNK: usize = CHUNK_BYTES as usize;
        for len in [1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 9] {
            let bytes = bytes(len);
            let whole = content(&bytes);
            let all: Vec<u64> = (0..whole.chunks()).collect();
            let proof = prove_chunks(bytes.as_slice(), whole.bytes, &all).unwrap();
            assert_eq!(proof.len() as u64, whole.proof_len(&all));
            whole.check(&all, &proof).unwrap();
        }
    }

    #[test]
    fn a_name_is_what_the_rules_give() {
        let mut bytes = [b'a'; CHUNK_BYTES as usize].to_vec();
        bytes.extend([b'b'; CHUNK_BYTES as usize]);
        bytes.push(b'c');
        // Made with Python's hashlib.
        let expected = "f58257aac13a74720b37422d3c7d5f4c3666df3b67a98f6adab3c9d50a87e235";
        assert_eq!(hex::encode(content_hash(&bytes)), expected);
    }

    #[test]
    fn a_changed_chunk_another_one_or_another_length_is_not_proven() {
        let bytes = bytes(5 * CHUNK_BYTES as usize + 9);
        let whole = content(&bytes);
        let proof = prove_chunks(bytes.as_slice(), whole.bytes, &[1, 5]).unwrap();
        whole.check(&[1, 5], &proof).unwrap();
        for (indices, why) in
            [(vec![5, 1], "order"), (vec![1], "too long"), (vec![1, 4], "another"), (vec![1, 6], "beyond")]
        {
            assert!(whole.check(&indices, &proof).is_err(), "{why}");
        }
        for place in [0, 71, 72, 72 + CHUNK_BYTES as usize - 1, proof.len() - 1] {
            let mut changed = proof.clone();
            changed[place] ^= 1;
            assert!(whole.check(&[1, 5], &changed).is_err(), "byte {place}");
        }
        assert!(whole.check(&[1, 5], &proof[..proof.len() - 1]).is_err());
        for bytes in [whole.bytes - 1, whole.bytes + 1, CHUNK_BYTES, u64::MAX] {
            let other = Content { bytes, ..whole };
            assert!(other.check(&[1, 5], &proof).is_err(), "{bytes} bytes");
            assert!(
                other.check(&[0], &proof[..proof.len().min(other.proof_len(&[0]) as usize)]).is_err(),
                "{bytes} bytes"
            );
        }
    }

    #[test]
    fn a_file_that_is_cut_or_has_grown_proves_nothing() {
        let bytes = bytes(3 * CHUNK_BYTES as usize);
        for len in [bytes.len() as u64 - 1, bytes.len() as u64 + 1] {
            assert!(prove_chunks(bytes.as_slice(), len, &[0]).is_err(), "{len}");
        }
    }

    #[test]
    fn nothing_has_a_name_and_no_chunk() {
        let nothing = content(&[]);
        assert_eq!((nothing.chunks(), nothing.proof_len(&[])), (0, 0));
        nothing.check(&[], &[]).unwrap();
        assert!(nothing.check(&[0], &[]).is_err());
    }

    proptest! {
        #[test]
        fn hostile_proofs_are_refused_and_never_panic(
            bytes: u64, indices in prop::collection::vec(any::<u64>(), 1..4), proof in prop::collection::vec(any::<u8>(), 0..2_000),
        ) {
            let other = Content { hash: [7; 32], bytes };
            prop_assert!(other.check(&indices, &proof).is_err());
        }
    }
}
