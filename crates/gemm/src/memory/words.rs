//! Where the words of a fill are: main memory here, a card's in [`crate::cuda`].

use super::{progress::Counter, tree::KeptTree};
use crate::{cpu::free_bytes, ProveError};
use millrace_core::proof::memory::{addresses, walk, walk_start, Layout, Word, REFERENCES, WORD_LEN};
use rayon::prelude::*;
use std::{convert::Infallible, ops::Range};

/// Lanes that one thread advances in a row.
const LANES_PER_TASK: usize = 64;

/// The words of a fill, wherever they are.
pub(crate) trait Words: Send + Sync {
    /// Some of the words.
    ///
    /// # Errors
    /// [`ProveError::Backend`].
    fn read(&self, words: Range<u64>) -> Result<Vec<Word>, ProveError>;

    /// Where some walkers end.
    ///
    /// # Errors
    /// [`ProveError::Backend`].
    fn ends(&self, seed: &[u8; 32], walkers: Range<u64>) -> Result<Vec<Word>, ProveError>;

    /// The tree over where so many walkers end.
    ///
    /// # Errors
    /// What `counter` gives, [`ProveError::Backend`].
    fn walk(&self, seed: &[u8; 32], walkers: u64, counter: &Counter) -> Result<KeptTree, ProveError> {
        KeptTree::build(walkers, |walkers| self.ends(seed, walkers), |done| counter.add(done))
    }
}

/// Words in main memory.
pub(super) struct MainMemory {
    words: Vec<Word>,
}

impl MainMemory {
    /// Makes all words in the current rayon pool, each by `make` of lane, step, the word before, and those it refers to.
    pub fn fill(
        layout: &Layout,
        counter: &Counter,
        make: impl Fn(u32, u32, &Word, &[Word; REFERENCES]) -> Word + Sync,
    ) -> Result<Self, ProveError> {
        let mut words = room_for(layout.words())?;
        let lanes = layout.lanes() as usize;
        for step in 0..layout.steps() {
            let (done, rest) = words.split_at_mut(step as usize * lanes);
            let finished = layout.finished(step);
            rest[..lanes].par_chunks_mut(LANES_PER_TASK).enumerate().for_each(|(chunk, words)| {
                for (word, lane) in words.iter_mut().zip(chunk * LANES_PER_TASK..) {
                    let previous = match step {
                        0 => [0; WORD_LEN],
                        _ => done[done.len() - lanes + lane],
                    };
                    let references = references(&previous, &done[..finished as usize]);
                    *word = make(lane as u32, step, &previous, &references);
                }
            });
            counter.add(lanes as u64)?;
        }
        Ok(Self { words })
    }
}

impl Words for MainMemory {
    fn read(&self, words: Range<u64>) -> Result<Vec<Word>, ProveError> {
        Ok(self.words[words.start as usize..words.end as usize].to_vec())
    }

    fn ends(&self, seed: &[u8; 32], walkers: Range<u64>) -> Result<Vec<Word>, ProveError> {
        let end = |walker| {
            // At most 2³¹ walkers.
            let start = walk_start(seed, walker as u32);
            let Ok(end) = walk(start, self.words.len() as u64, |index| Ok::<_, Infallible>(self.words[index as usize]));
            end
        };
        Ok(walkers.map(end).collect())
    }
}

/// The words that one behind `previous` refers to among the finished ones.
pub(super) fn references(previous: &Word, finished: &[Word]) -> [Word; REFERENCES] {
    match finished.is_empty() {
        true => [[0; WORD_LEN]; REFERENCES],
        false => addresses(previous, finished.len() as u64).map(|address| finished[address as usize]),
    }
}

fn room_for(count: u64) -> Result<Vec<Word>, ProveError> {
    let mut words = vec![];
    let size = usize::try_from(count).unwrap_or(usize::MAX);
    let needed_bytes = count * WORD_LEN as u64;
    // More can be reserved than there is: whoever then writes to it is killed.
    let is_free = free_bytes().is_none_or(|free| needed_bytes <= free);
    if !is_free || words.try_reserve_exact(size).is_err() {
        let reason = format!("it has no {} MiB to fill", needed_bytes >> 20);
        return Err(ProveError::Backend { backend: "the memory of this machine", reason });
    }
    words.resize(size, [0; WORD_LEN]);
    Ok(words)
}
