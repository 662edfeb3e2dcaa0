//! Provers that cheat about their memory, for tests; not compiled without the feature `cheats`.

use super::{
    fill::{MemoryFill, MemoryWalk},
    hasher::WordHasher,
    tree::KeptTree,
    words::{references, Words},
};
use crate::ProveError;
use millrace_core::proof::memory::{
    addresses, fill_seed, walk, walk_seed, walk_start, Layout, MemoryTask, Word, REFERENCES, WORD_LEN,
};
use std::ops::{ControlFlow, Range};

/// A fill in which word (lane, step) is `change(lane, step, right word)`. What comes after is made from what is there.
///
/// # Errors
/// As [`MemoryFill::new`].
pub fn fill_with(task: &MemoryTask, change: impl Fn(u32, u32, Word) -> Word + Sync) -> Result<MemoryFill, ProveError> {
    let hasher = WordHasher::new(&fill_seed(task));
    MemoryFill::with_words(task, &|_| ControlFlow::Continue(()), |lane, step, previous, references| {
        change(lane, step, hasher.word(lane, step, previous, references))
    })
}

/// A fill that refers to one word eight times, and so reads an eighth.
///
/// # Errors
/// As [`MemoryFill::new`].
pub fn fill_with_one_reference(task: &MemoryTask) -> Result<MemoryFill, ProveError> {
    let hasher = WordHasher::new(&fill_seed(task));
    MemoryFill::with_words(task, &|_| ControlFlow::Continue(()), |lane, step, previous, references| {
        hasher.word(lane, step, previous, &[references[0]; REFERENCES])
    })
}

impl MemoryFill {
    /// The fill as another task's: what was made before this one was known.
    pub fn replayed_as(mut self, task: &MemoryTask) -> Self {
        self.commit.task = *task;
        self
    }

    /// Walks that end in zeros wherever `skips(walker)`, and save the reads.
    ///
    /// # Errors
    /// As [`MemoryFill::walk`].
    pub fn walk_skipping(
        &self,
        nonce: &[u8; 32],
        skips: impl Fn(u32) -> bool + Send + Sync + 'static,
    ) -> Result<MemoryWalk, ProveError> {
        self.walk_with(nonce, move |words, seed, walkers| {
            let mut ends = words.ends(seed, walkers.clone())?;
            for (end, walker) in ends.iter_mut().zip(walkers) {
                if skips(walker as u32) {
                    *end = [0; WORD_LEN];
                }
            }
            Ok(ends)
        })
    }

    /// Walks that were done before the second shares were known, from a seed of the prover's choosing.
    ///
    /// # Errors
    /// As [`MemoryFill::walk`].
    pub fn walk_ahead(&self, nonce: &[u8; 32], seed: [u8; 32]) -> Result<MemoryWalk, ProveError> {
        self.walk_with(nonce, move |words, _, walkers| words.ends(&seed, walkers))
    }

    /// [`MemoryFill::walk`] with a hand in where the walkers end.
    fn walk_with(
        &self,
        nonce: &[u8; 32],
        ends: impl Fn(&dyn Words, &[u8; 32], Range<u64>) -> Result<Vec<Word>, ProveError> + Send + Sync + 'static,
    ) -> Result<MemoryWalk, ProveError> {
        let (words, seed) = (self.words.as_ref(), walk_seed(&self.commit.fill_root, nonce));
        let walkers = self.commit.task.walkers.into();
        let tree = KeptTree::build(walkers, |walkers| ends(words, &seed, walkers), |_| Ok(()))?;
        Ok(self.walked(nonce, tree, Box::new(ends)))
    }
}

/// Which words a [`Forgetful`] prover does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgets {
    /// This share of all, scattered, in thousandths.
    Scattered(u32),
    /// Every so-manieth of each lane, at least every second: the word before is always there.
    EveryNth(u32),
    /// Every second of each lane in the last part of the fill, so that this share of all is missing, in thousandths: few
    /// words refer to them.
    InLastSlices(u32),
    /// The same in the first part: they refer to few words.
    InFirstSlices(u32),
}

impl Forgets {
    /// Whether word (lane, step) is not kept.
    pub fn is_missing(&self, layout: &Layout, lane: u32, step: u32) -> bool {
        let index = u64::from(step) * u64::from(layout.lanes()) + u64::from(lane);
        let second_of = |steps: u32, thousandths: u32| {
            step % 2 == 1 && u64::from(steps) * 1000 < 2 * u64::from(thousandths) * u64::from(layout.steps())
        };
        match *self {
            Self::Scattered(thousandths) => {
                // The upper bits of a product with an odd number spread like a hash.
                let place = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let place = (place ^ place >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32;
                (place * 1000) >> 32 < u64::from(thousandths)
            }
            Self::EveryNth(n) => step % n == n - 1,
            Self::InLastSlices(thousandths) => second_of(layout.steps() - 1 - step, thousandths),
            Self::InFirstSlices(thousandths) => second_of(step, thousandths),
        }
    }
}

/// What reading has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Words made again, five compressions each.
    pub recomputed: u64,
    /// Words read from memory.
    pub reads: u64,
}

/// A prover that keeps some of the words, and makes the others again whenever it is asked for one.
pub struct Forgetful {
    layout: Layout,
    hasher: WordHasher,
    kept: Vec<Option<Word>>,
}

impl Forgetful {
    /// Forgets part of a fill.
    pub fn new(fill: &MemoryFill, forgets: Forgets) -> Self {
        let layout = fill.layout;
        let kept = |(index, word)| {
            let (lane, step) = layout.place(index);
            (!forgets.is_missing(&layout, lane, step)).then_some(word)
        };
        let words = fill.words.read(0..layout.words()).expect("the words can be read");
        Self {
            layout,
            hasher: WordHasher::new(&fill_seed(&fill.commit.task)),
            kept: (0..).zip(words).map(kept).collect(),
        }
    }

    /// Share of the words that are missing.
    pub fn missing(&self) -> f64 {
        self.kept.iter().filter(|word| word.is_none()).count() as f64 / self.kept.len() as f64
    }

    /// The word, and what it took, added to `cost`. None as soon as more than `most` words were made again.
    pub fn read(&self, index: u64, cost: &mut Cost, most: u64) -> Option<Word> {
        if let Some(word) = self.kept[index as usize] {
            cost.reads += 1;
            return Some(word);
        }
        cost.recomputed += 1;
        if cost.recomputed > most {
            return None;
        }
        let (lane, step) = self.layout.place(index);
        let previous = match step {
            0 => [0; WORD_LEN],
            _ => self.read(index - u64::from(self.layout.lanes()), cost, most)?,
        };
        let finished = self.layout.finished(step);
        let mut words = references(&previous, &[]);
        if finished > 0 {
            for (word, address) in words.iter_mut().zip(addresses(&previous, finished)) {
                *word = self.read(address, cost, most)?;
            }
        }
        Some(self.hasher.word(lane, step, &previous, &words))
    }

    /// Where a walker of these walks ends, and what it took.
    pub fn walk(&self, seed: &[u8; 32], walker: u32, cost: &mut Cost, most: u64) -> Option<Word> {
        walk(walk_start(seed, walker), self.layout.words(), |index| self.read(index, cost, most).ok_or(())).ok()
    }
}
