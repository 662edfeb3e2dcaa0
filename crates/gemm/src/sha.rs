//! SHA-256 of many messages of 49 bytes: matrix blocks, leaves and inner nodes are all of that length, one compression.

use sha2::digest::generic_array::GenericArray;

/// Messages hashed together.
pub(crate) const BATCH: usize = 16;

/// Bytes of a message.
pub(crate) const MESSAGE_LEN: usize = 49;

/// A padded message.
pub(crate) type Block = [u8; 64];

/// A message of 49 zeros, padded.
pub(crate) const EMPTY_BLOCK: Block = {
    let mut block = [0; 64];
    block[MESSAGE_LEN] = 0x80;
    let bits = (8 * MESSAGE_LEN as u16).to_be_bytes();
    block[62] = bits[0];
    block[63] = bits[1];
    block
};

/// The digests of a batch.
pub(crate) fn digests(blocks: &[Block; BATCH]) -> [[u8; 32]; BATCH] {
    let mut out = [[0; 32]; BATCH];
    for (block, out) in blocks.iter().zip(&mut out) {
        let mut state = INITIAL;
        sha2::compress256(&mut state, &[*GenericArray::from_slice(block)]);
        for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
    }
    out
}

/// FIPS 180-4, 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
