//! One message after the other, by the `sha2` crate: its SHA-NI where the processor has it.

use super::{Digests, Messages, INITIAL};
use sha2::digest::generic_array::GenericArray;

pub(super) fn digests(messages: &Messages) -> Digests {
    messages.map(|message| {
        let mut block = GenericArray::default();
        for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(message) {
            *bytes = word.to_be_bytes();
        }
        let mut state = INITIAL;
        sha2::compress256(&mut state, &[block]);
        state
    })
}
