//! SHA-256 of sixteen messages of 49 bytes at a time: matrix blocks, leaves and inner nodes are all of that length, one
//! compression. Without this, hashing takes longer than multiplying where the processor has VNNI, and checking a bundle
//! twice as long where it has SHA-NI.

use millrace_core::{
    merkle::{TreeNode, EMPTY, LEAF_PREFIX, PARENT_PREFIX, TREE_NODE_LEN},
    proof::{
        matrix::{preimage, Operand, BLOCK_LEN, PREIMAGE_LEN},
        CELLS_PER_LEAF,
    },
};

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod ni;
mod single;

/// Messages hashed together.
pub(crate) const LANES: usize = 16;

/// Sixteen messages with their padding. Words are big-endian in the message, native here.
pub type Messages = [[u32; 16]; LANES];

/// Their digests in the same order; words as in [`Messages`].
pub type Digests = [[u32; 8]; LANES];

/// Bits of a message, where its padding states them.
const BITS: u32 = 8 * PREIMAGE_LEN as u32;

/// The byte behind the message, where it stands in word 12.
const END: u32 = 0x0080_0000;

/// How it is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sha {
    /// Sixteen messages side by side in 512-bit registers.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// The processor's SHA instructions, two messages at a time.
    #[cfg(target_arch = "x86_64")]
    Ni,
    /// One message after the other, by the `sha2` crate.
    Single,
}

impl Sha {
    /// The ways that this processor can run, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut ways = vec![];
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                ways.push(Self::Avx512);
            }
            if has_ni() {
                ways.push(Self::Ni);
            }
        }
        ways.push(Self::Single);
        ways
    }

    /// For reports.
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Ni => "sha-ni",
            Self::Single => "sha2",
        }
    }

    /// Writes the digests of `messages` to `out`.
    ///
    /// # Panics
    /// When this processor cannot run it.
    pub fn digests(self, messages: &Messages, out: &mut Digests) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                assert!(has_avx512());
                // SAFETY: the processor has what the function needs.
                unsafe { avx512::digests(messages, out) }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Ni => {
                assert!(has_ni());
                // SAFETY: the processor has what the function needs.
                unsafe { ni::digests(messages, out) }
            }
            Self::Single => single::digests(messages, out),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

#[cfg(target_arch = "x86_64")]
fn has_ni() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3")
}

/// By the fastest way that this processor has, without a list of them.
fn digests(messages: &Messages, out: &mut Digests) {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        return Sha::Avx512.digests(messages, out);
    } else if has_ni() {
        return Sha::Ni.digests(messages, out);
    }
    Sha::Single.digests(messages, out)
}

/// [`digests`] of messages that have their first eight words in common.
fn digests_alike(messages: &Messages, out: &mut Digests) {
    #[cfg(target_arch = "x86_64")]
    if !has_avx512() && has_ni() {
        // SAFETY: the processor has what the function needs.
        return unsafe { ni::digests_alike(messages, out) };
    }
    digests(messages, out);
}

/// The blocks of an operand, sixteen at a time.
pub(crate) struct BlockHasher {
    messages: Messages,
    digests: Digests,
}

impl BlockHasher {
    pub(crate) fn new(seed: &[u8; 32], operand: Operand) -> Self {
        let preimage = preimage(seed, operand, 0, 0);
        let mut message = [0; 16];
        for (word, bytes) in message.iter_mut().zip(preimage.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        message[15] = BITS;
        Self { messages: [message; LANES], digests: [[0; 8]; LANES] }
    }

    /// The blocks (`line(i)`, `block(i)`) for i from 0 to 15.
    pub(crate) fn digests(&mut self, line: impl Fn(u32) -> u32, block: impl Fn(u32) -> u32) -> &Digests {
        // m is byte 40, the line bytes 41 to 44, the block bytes 45 to 48, both little-endian.
        for (message, i) in self.messages.iter_mut().zip(0..) {
            let line = line(i).swap_bytes();
            let block = block(i).swap_bytes();
            message[10] = message[10] & 0xff00_0000 | line >> 8;
            message[11] = line << 24 | block >> 8;
            message[12] = block << 24 | END;
        }
        digests_alike(&self.messages, &mut self.digests);
        &self.digests
    }
}

/// A digest as bytes.
pub(crate) fn bytes(digest: &[u32; 8]) -> [u8; BLOCK_LEN] {
    let mut bytes = [0; BLOCK_LEN];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(digest) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

/// The nodes of the leaves that hold `cells`, of which there are sixteen for each node.
pub(crate) fn hash_leaves(cells: &[i32], nodes: &mut [TreeNode]) {
    let leaves = cells.as_chunks::<CELLS_PER_LEAF>().0;
    for (leaves, nodes) in leaves.chunks(LANES).zip(nodes.chunks_mut(LANES)) {
        hash_nodes(
            leaves.iter().map(|cells| {
                let mut words = [0; NODE_WORDS];
                for (words, cells) in words.as_chunks_mut::<3>().0.iter_mut().zip(cells.as_chunks::<4>().0) {
                    // The three bytes of an entry as they follow each other in the message, in the low 24 bits.
                    let [a, b, c, d] = cells.map(|cell| (cell as u32).swap_bytes() >> 8);
                    *words = [a << 8 | b >> 16, b << 16 | c >> 8, c << 24 | d];
                }
                message(LEAF_PREFIX, &words)
            }),
            nodes,
        );
    }
}

/// The level above `children`.
pub(crate) fn hash_parents(children: &[TreeNode], parents: &mut [TreeNode]) {
    for (children, parents) in children.chunks(2 * LANES).zip(parents.chunks_mut(LANES)) {
        hash_nodes(parent_messages(children), parents);
    }
}

/// The level above `nodes`, in the first half of `nodes`.
pub(crate) fn hash_level_in_place(nodes: &mut [TreeNode]) {
    let parents = nodes.len() / 2;
    for first in (0..parents).step_by(LANES) {
        let last = parents.min(first + LANES);
        let mut level = [EMPTY; LANES];
        hash_nodes(parent_messages(&nodes[2 * first..2 * last]), &mut level);
        nodes[first..last].copy_from_slice(&level[..last - first]);
    }
}

/// Words of what follows a node's prefix: a leaf, or two nodes.
const NODE_WORDS: usize = 12;

fn parent_messages(children: &[TreeNode]) -> impl Iterator<Item = [u32; 16]> + '_ {
    children.as_chunks::<2>().0.iter().map(|pair| {
        let mut words = [0; NODE_WORDS];
        for (word, bytes) in words.iter_mut().zip(pair.as_flattened().as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        message(PARENT_PREFIX, &words)
    })
}

/// A prefix and what follows it, which it shifts by a byte.
fn message(prefix: u8, words: &[u32; NODE_WORDS]) -> [u32; 16] {
    let mut message = [0; 16];
    let mut before = u32::from(prefix);
    for (out, word) in message.iter_mut().zip(words) {
        *out = before << 24 | word >> 8;
        before = *word;
    }
    message[12] = before << 24 | END;
    message[15] = BITS;
    message
}

/// At most sixteen messages; further ones are left out.
fn hash_nodes(messages: impl Iterator<Item = [u32; 16]>, nodes: &mut [TreeNode]) {
    let mut all = [[0; 16]; LANES];
    for (place, message) in all.iter_mut().zip(messages) {
        *place = message;
    }
    let mut out = [[0; 8]; LANES];
    digests(&all, &mut out);
    for (digest, node) in out.iter().zip(nodes) {
        node.copy_from_slice(&bytes(digest)[..TREE_NODE_LEN]);
    }
}

/// FIPS 180-4, 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// FIPS 180-4, 4.2.2.
#[cfg(target_arch = "x86_64")]
const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
];

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_core::{merkle, proof::pack_leaf};
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    proptest! {
        #[test]
        fn every_way_of_hashing_is_sha_256(contents in any::<[[[u8; 7]; 7]; LANES]>()) {
            let messages = contents.map(|content| {
                let mut block = [0; 64];
                block[..49].copy_from_slice(content.as_flattened());
                block[49] = 0x80;
                block[62..].copy_from_slice(&(49u16 * 8).to_be_bytes());
                std::array::from_fn(|i| u32::from_be_bytes(block.as_chunks().0[i]))
            });
            let expected: [[u8; 32]; LANES] = contents.map(|content| Sha256::digest(content.as_flattened()).into());
            for way in Sha::available() {
                let mut out = [[0; 8]; LANES];
                way.digests(&messages, &mut out);
                prop_assert_eq!(out.map(|digest| bytes(&digest)), expected, "{}", way.name());
            }
            let mut out = [[0; 8]; LANES];
            digests(&messages, &mut out);
            prop_assert_eq!(out.map(|digest| bytes(&digest)), expected);
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
