//! One message after the other, by the `sha2` crate: its SHA-NI where the processor has it.

use super::{Digests, Messages, INITIAL, LANES};
use sha2::digest::generic_array::GenericArray;

pub(super) fn digests(messages: &Messages) -> Digests {
    let mut out = [[0; LANES]; 8];
    for i in 0..LANES {
        let mut block = GenericArray::default();
        for (bytes, words) in block.as_chunks_mut().0.iter_mut().zip(messages) {
            *bytes = words[i].to_be_bytes();
        }
        let mut state = INITIAL;
        sha2::compress256(&mut state, &[block]);
        for (out, word) in out.iter_mut().zip(state) {
            out[i] = word;
        }
    }
    out
}

pub(super) fn transpose(words: &[[u32; 16]; 16]) -> [[u32; 16]; 16] {
    let mut out = [[0; 16]; 16];
    for (i, row) in words.iter().enumerate() {
        for (out, word) in out.iter_mut().zip(row) {
            out[i] = *word;
        }
    }
    out
}
