//! One message after the other, by the `sha2` crate: its SHA-NI where the processor has it.

use super::{Digests, Messages, INITIAL};
use sha2::digest::generic_array::GenericArray;

pub(super) fn digests(messages: &Messages, out: &mut Digests) {
    for (message, state) in messages.iter().zip(out) {
        let mut block = GenericArray::default();
        for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(message) {
            *bytes = word.to_be_bytes();
        }
        *state = INITIAL;
        sha2::compress256(state, &[block]);
    }
}
