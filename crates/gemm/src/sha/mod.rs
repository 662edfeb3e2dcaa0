//! SHA-256 of sixteen messages of 49 bytes at a time: matrix blocks, leaves and inner nodes are all of that length, one
//! compression. Without this, hashing takes longer than multiplying where the processor has VNNI.

use millrace_core::{
    merkle::{TreeNode, LEAF_PREFIX, PARENT_PREFIX, TREE_NODE_LEN},
    proof::{
        matrix::{preimage, Operand, BLOCK_LEN, PREIMAGE_LEN},
        CELLS_PER_LEAF,
    },
};

#[cfg(target_arch = "x86_64")]
mod avx512;
mod single;

/// Messages hashed together.
pub(crate) const LANES: usize = 16;

/// Sixteen messages: word by word, and of each word the messages in turn. Words are big-endian in the message, native here.
pub(crate) type Messages = [[u32; LANES]; 16];

/// Their digests in the same order.
pub(crate) type Digests = [[u32; LANES]; 8];

/// Bits of a message, where its padding states them.
const BITS: u32 = 8 * PREIMAGE_LEN as u32;

/// The byte behind the message, where it stands in word 12.
const END: u32 = 0x0080_0000;

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

fn digests(messages: &Messages) -> Digests {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        // SAFETY: the processor has what the function needs.
        return unsafe { avx512::digests(messages) };
    }
    single::digests(messages)
}

/// Rows become columns.
fn transpose(words: &[[u32; 16]; 16]) -> [[u32; 16]; 16] {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        // SAFETY: the processor has what the function needs.
        return unsafe { avx512::transpose(words) };
    }
    single::transpose(words)
}

/// The blocks of an operand, sixteen at a time.
pub(crate) struct BlockHasher {
    messages: Messages,
}

impl BlockHasher {
    pub(crate) fn new(seed: &[u8; 32], operand: Operand) -> Self {
        let preimage = preimage(seed, operand, 0, 0);
        let mut messages = [[0; LANES]; 16];
        for (word, bytes) in messages.iter_mut().zip(preimage.as_chunks().0) {
            *word = [u32::from_be_bytes(*bytes); LANES];
        }
        messages[15] = [BITS; LANES];
        Self { messages }
    }

    /// The blocks (`line(i)`, `block(i)`) for i from 0 to 15.
    pub(crate) fn digests(&mut self, line: impl Fn(u32) -> u32, block: impl Fn(u32) -> u32) -> Digests {
        // m is byte 40, the line bytes 41 to 44, the block bytes 45 to 48, both little-endian.
        for i in 0..LANES {
            let line = line(i as u32).swap_bytes();
            let block = block(i as u32).swap_bytes();
            self.messages[10][i] = self.messages[10][i] & 0xff00_0000 | line >> 8;
            self.messages[11][i] = line << 24 | block >> 8;
            self.messages[12][i] = block << 24 | END;
        }
        digests(&self.messages)
    }
}

/// Digests one after the other, as bytes.
pub(crate) fn in_turn(digests: &Digests) -> [[u8; BLOCK_LEN]; LANES] {
    let mut rows = [[0; LANES]; 16];
    for (row, digest) in rows.iter_mut().zip(digests) {
        *row = digest.map(u32::to_be);
    }
    transpose(&rows).map(|row| {
        let mut bytes = [0; BLOCK_LEN];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(row) {
            *bytes = word.to_ne_bytes();
        }
        bytes
    })
}

/// The nodes of the leaves that hold `cells`, of which there are sixteen for each node.
pub(crate) fn hash_leaves(cells: &[i32], nodes: &mut [TreeNode]) {
    let mut messages = [[0; LANES]; 16];
    messages[15] = [BITS; LANES];
    for (cells, nodes) in cells.chunks(LANES * CELLS_PER_LEAF).zip(nodes.chunks_mut(LANES)) {
        let mut rows = [[0; CELLS_PER_LEAF]; LANES];
        for (row, cells) in rows.iter_mut().zip(cells.as_chunks::<CELLS_PER_LEAF>().0) {
            // The three bytes of an entry as they follow each other in the message, in the low 24 bits.
            *row = cells.map(|cell| (cell as u32).swap_bytes() >> 8);
        }
        let cells = transpose(&rows);
        // Four entries are three words; the prefix shifts all by a byte.
        for i in 0..LANES {
            let mut before = u32::from(LEAF_PREFIX);
            for quad in 0..CELLS_PER_LEAF / 4 {
                let [a, b, c, d] = [0, 1, 2, 3].map(|j| cells[4 * quad + j][i]);
                messages[3 * quad][i] = before << 24 | a;
                messages[3 * quad + 1][i] = b << 8 | c >> 16;
                messages[3 * quad + 2][i] = c << 16 | d >> 8;
                before = d & 0xff;
            }
            messages[12][i] = before << 24 | END;
        }
        put_nodes(&digests(&messages), nodes);
    }
}

/// The level above `children`.
pub(crate) fn hash_parents(children: &[TreeNode], parents: &mut [TreeNode]) {
    for (children, parents) in children.chunks(2 * LANES).zip(parents.chunks_mut(LANES)) {
        put_nodes(&parent_digests(children), parents);
    }
}

/// The level above `nodes`, in the first half of `nodes`.
pub(crate) fn hash_level_in_place(nodes: &mut [TreeNode]) {
    let parents = nodes.len() / 2;
    for first in (0..parents).step_by(LANES) {
        let last = parents.min(first + LANES);
        let digests = parent_digests(&nodes[2 * first..2 * last]);
        put_nodes(&digests, &mut nodes[first..last]);
    }
}

fn parent_digests(children: &[TreeNode]) -> Digests {
    let mut rows = [[0; 16]; LANES];
    for (row, pair) in rows.iter_mut().zip(children.as_chunks::<2>().0) {
        // All of the message but its prefix, which shifts it by a byte.
        let mut before = u32::from(PARENT_PREFIX);
        for (word, bytes) in row.iter_mut().zip(pair.as_flattened().as_chunks().0) {
            let bytes = u32::from_be_bytes(*bytes);
            *word = before << 24 | bytes >> 8;
            before = bytes & 0xff;
        }
        row[12] = before << 24 | END;
        row[15] = BITS;
    }
    digests(&transpose(&rows))
}

fn put_nodes(digests: &Digests, nodes: &mut [TreeNode]) {
    for (digest, node) in in_turn(digests).iter().zip(nodes) {
        node.copy_from_slice(&digest[..TREE_NODE_LEN]);
    }
}

/// FIPS 180-4, 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_core::{merkle, proof::pack_leaf};
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    proptest! {
        #[test]
        fn every_way_of_hashing_is_sha_256(contents in any::<[[[u8; 7]; 7]; LANES]>()) {
            let mut messages = [[0; LANES]; 16];
            for (i, content) in contents.iter().enumerate() {
                let mut block = [0; 64];
                block[..49].copy_from_slice(content.as_flattened());
                block[49] = 0x80;
                block[62..].copy_from_slice(&(49u16 * 8).to_be_bytes());
                for (word, bytes) in messages.iter_mut().zip(block.as_chunks().0) {
                    word[i] = u32::from_be_bytes(*bytes);
                }
            }
            let expected: [[u8; 32]; LANES] = contents.map(|content| Sha256::digest(content.as_flattened()).into());
            prop_assert_eq!(in_turn(&digests(&messages)), expected);
            prop_assert_eq!(in_turn(&single::digests(&messages)), expected);
        }

        #[test]
        fn every_way_of_transposing_is_the_definition(words: [[u32; 16]; 16]) {
            let expected = std::array::from_fn(|i| std::array::from_fn(|j| words[j][i]));
            prop_assert_eq!(transpose(&words), expected);
            prop_assert_eq!(single::transpose(&words), expected);
        }

        #[test]
        fn leaves_and_inner_nodes_are_those_of_core(
            cells in prop::collection::vec(any::<[i32; CELLS_PER_LEAF]>(), 1..40),
        ) {
            let mut nodes = vec![merkle::EMPTY; cells.len()];
            hash_leaves(cells.as_flattened(), &mut nodes);
            for (node, cells) in nodes.iter().zip(&cells) {
                prop_assert_eq!(*node, merkle::leaf_node(&[&pack_leaf(cells)]));
            }
            nodes.truncate(nodes.len() / 2 * 2);
            let expected = nodes.chunks(2).map(|pair| merkle::parent(&pair[0], &pair[1])).collect::<Vec<_>>();
            let mut parents = vec![merkle::EMPTY; expected.len()];
            hash_parents(&nodes, &mut parents);
            prop_assert_eq!(&parents, &expected);
            hash_level_in_place(&mut nodes);
            prop_assert_eq!(&nodes[..expected.len()], &expected);
        }
    }
}
