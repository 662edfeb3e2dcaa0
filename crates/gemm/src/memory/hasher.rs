use millrace_core::proof::memory::{word_prefix, Word, REFERENCES, WORD_LEN};
use sha2::digest::generic_array::GenericArray;

/// FIPS 180-4, 5.3.3.
const INITIAL: [u32; 8] =
    [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

/// SHA-256 blocks of a word's message behind its prefix.
const BLOCKS: usize = 5;
const REFERENCES_AT: usize = 8 + WORD_LEN;
const END: usize = REFERENCES_AT + REFERENCES * WORD_LEN;

/// Makes the words of one fill: [`millrace_core::proof::memory::word`] with the prefix hashed once.
pub(crate) struct WordHasher {
    /// SHA-256's state behind the prefix.
    pub behind_prefix: [u32; 8],
}

impl WordHasher {
    pub fn new(seed: &[u8; 32]) -> Self {
        let mut behind_prefix = INITIAL;
        sha2::compress256(&mut behind_prefix, &[word_prefix(seed).into()]);
        Self { behind_prefix }
    }

    pub fn word(&self, lane: u32, step: u32, previous: &Word, references: &[Word; REFERENCES]) -> Word {
        let mut message = [0; 64 * BLOCKS];
        message[..4].copy_from_slice(&lane.to_le_bytes());
        message[4..8].copy_from_slice(&step.to_le_bytes());
        message[8..REFERENCES_AT].copy_from_slice(previous);
        message[REFERENCES_AT..END].copy_from_slice(references.as_flattened());
        message[END] = 0x80;
        message[64 * BLOCKS - 8..].copy_from_slice(&(8 * (64 + END as u64)).to_be_bytes());
        let mut state = self.behind_prefix;
        let (blocks, _) = message.as_chunks::<64>();
        sha2::compress256(&mut state, &[0, 1, 2, 3, 4].map(|i| GenericArray::from(blocks[i])));
        let mut word = [0; WORD_LEN];
        for (bytes, number) in word.as_chunks_mut().0.iter_mut().zip(state) {
            *bytes = number.to_be_bytes();
        }
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_are_those_of_core(seed: [u8; 32], lane: u32, step: u32, previous: Word, references: [Word; 8]) {
            let expected = millrace_core::proof::memory::word(&seed, lane, step, &previous, &references);
            prop_assert_eq!(WordHasher::new(&seed).word(lane, step, &previous, &references), expected);
        }
    }
}
