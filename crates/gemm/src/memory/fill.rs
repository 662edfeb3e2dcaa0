use super::{bundle::Writer, hasher::WordHasher, tree::KeptTree};
use crate::ProveError;
use millrace_core::proof::memory::{
    addresses, fill_seed, walk, walk_seed, walk_start, walker_query, word_leaf, word_query, Layout, MemoryCommit,
    MemoryTask, WalkCommit, Word, REFERENCES, WALKER_QUERIES, WORD_LEN, WORD_QUERIES,
};
use rayon::prelude::*;
use std::{
    convert::Infallible,
    ops::ControlFlow,
    sync::atomic::{AtomicU64, Ordering},
};

/// Lanes that one thread advances in a row.
const LANES_PER_TASK: usize = 64;

/// How far a fill or the walks have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryProgress {
    /// Words made and words hashed, or walks done.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

/// Told of the progress, now and then and from any thread; breaks to stop the work.
pub type MemoryWatch<'a> = dyn Fn(MemoryProgress) -> ControlFlow<()> + Sync + 'a;

/// Adds up what the threads have done.
struct Counter<'a> {
    done: AtomicU64,
    of: u64,
    watch: &'a MemoryWatch<'a>,
}

impl Counter<'_> {
    fn add(&self, done: u64) -> Result<(), ProveError> {
        let done = self.done.fetch_add(done, Ordering::Relaxed) + done;
        match (self.watch)(MemoryProgress { done, of: self.of }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ProveError::Stopped),
        }
    }
}

/// A filled memory: what to sign, and what to walk through and to answer from.
///
/// Whoever needs the memory before the answer is due can drop this and make it again: it is the same, and only the walks
/// are timed.
pub struct MemoryFill {
    pub(super) commit: MemoryCommit,
    pub(super) layout: Layout,
    pub(super) words: Vec<Word>,
    tree: KeptTree,
}

/// Finished walks.
pub struct MemoryWalk {
    commit: WalkCommit,
    seed: [u8; 32],
    tree: KeptTree,
    end: Box<End>,
}

/// Where a walker of these walks ends: fill, seed of the walks, walker.
pub(super) type End = dyn Fn(&MemoryFill, &[u8; 32], u32) -> Word + Send + Sync;

impl MemoryFill {
    /// Fills 32 bytes of memory for each word of the task and hashes them, in the current rayon pool.
    ///
    /// # Errors
    /// [`ProveError::MemoryTask`] where the sizes are not the protocol's, [`ProveError::Stopped`], [`ProveError::Backend`]
    /// where there is not so much memory.
    pub fn new(task: &MemoryTask, watch: &MemoryWatch) -> Result<Self, ProveError> {
        Self::with_words(task, watch, |hasher, lane, step, previous, references| {
            hasher.word(lane, step, previous, references)
        })
    }

    /// [`MemoryFill::new`] with a hand in the words: an honest one makes them as the rules say.
    pub(super) fn with_words(
        task: &MemoryTask,
        watch: &MemoryWatch,
        make: impl Fn(&WordHasher, u32, u32, &Word, &[Word; REFERENCES]) -> Word + Sync,
    ) -> Result<Self, ProveError> {
        let layout = task.layout()?;
        let count = layout.words();
        let counter = Counter { done: AtomicU64::new(0), of: 2 * count, watch };
        let mut words = room_for(count)?;
        let hasher = WordHasher::new(&fill_seed(task));
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
                    *word = make(&hasher, lane as u32, step, &previous, &references);
                }
            });
            counter.add(lanes as u64)?;
        }
        let tree = KeptTree::build(count, |index| word_leaf(&words[index as usize]), |done| counter.add(done))?;
        let commit = MemoryCommit { task: *task, fill_root: tree.root() };
        Ok(Self { commit, layout, words, tree })
    }

    /// What the operator signs when the memory is full.
    pub fn commit(&self) -> &MemoryCommit {
        &self.commit
    }

    /// Walks, in the current rayon pool. `nonce` is [`millrace_core::proof::nonce`] of the oracles' second shares.
    ///
    /// # Errors
    /// [`ProveError::Stopped`].
    pub fn walk(&self, nonce: &[u8; 32], watch: &MemoryWatch) -> Result<MemoryWalk, ProveError> {
        self.walk_with(nonce, watch, |fill, seed, walker| fill.walk_from(walk_start(seed, walker)))
    }

    /// [`MemoryFill::walk`] with a hand in where the walkers end.
    pub(super) fn walk_with(
        &self,
        nonce: &[u8; 32],
        watch: &MemoryWatch,
        end: impl Fn(&MemoryFill, &[u8; 32], u32) -> Word + Send + Sync + 'static,
    ) -> Result<MemoryWalk, ProveError> {
        let walkers = u64::from(self.commit.task.walkers);
        let counter = Counter { done: AtomicU64::new(0), of: walkers, watch };
        let seed = walk_seed(&self.commit.fill_root, nonce);
        // At most 2³¹ walkers.
        let leaf = |walker| word_leaf(&end(self, &seed, walker as u32));
        let tree = KeptTree::build(walkers, leaf, |done| counter.add(done))?;
        let commit = WalkCommit { memory_id: self.commit.id(), nonce: *nonce, root: tree.root() };
        Ok(MemoryWalk { commit, seed, tree, end: Box::new(end) })
    }

    /// Where the walk from `start` ends.
    pub(super) fn walk_from(&self, start: Word) -> Word {
        let Ok(end) = walk(start, self.layout.words(), |index| Ok::<_, Infallible>(self.words[index as usize]));
        end
    }

    /// Opens what the next epoch's beacon asks for, in the current rayon pool: [`super::memory_bundle_len`] bytes.
    /// Everything is opened as it was committed.
    ///
    /// # Panics
    /// With the walks of a fill of another size.
    pub fn answer(&self, walks: &MemoryWalk, next_beacon: &[u8; 32]) -> Vec<u8> {
        let MemoryTask { words, walkers, .. } = self.commit.task;
        let walk_id = walks.commit.id();
        let head = Writer::head(self.tree.level(self.layout.cap_depth()));
        let opened_walks = (0..WALKER_QUERIES as u32)
            .into_par_iter()
            .map(|i| self.open_walk(walks, walker_query(&walk_id, next_beacon, i, walkers)));
        let opened_words = (0..WORD_QUERIES as u32)
            .into_par_iter()
            .map(|i| self.open_word(word_query(&walk_id, next_beacon, i, words)));
        let parts = opened_walks.chain(opened_words).map(Writer::into_bytes).collect::<Vec<_>>();
        [head.into_bytes(), parts.concat()].concat()
    }

    /// Where a walker ended, and what it reads.
    fn open_walk(&self, walks: &MemoryWalk, walker: u32) -> Writer {
        let mut part = Writer::part(&self.layout);
        let end = |walker| (walks.end)(self, &walks.seed, walker);
        // At most 2³¹ walkers.
        part.end(&end(walker), &walks.tree.path(walker.into(), |walker| word_leaf(&end(walker as u32))));
        let Ok(_) = walk(walk_start(&walks.seed, walker), self.layout.words(), |index| {
            Ok::<_, Infallible>(self.open(index, &mut part))
        });
        part
    }

    /// A word, and what it is made of.
    fn open_word(&self, index: u64) -> Writer {
        let mut part = Writer::part(&self.layout);
        self.open(index, &mut part);
        let previous = match index.checked_sub(self.layout.lanes().into()) {
            Some(before) => self.open(before, &mut part),
            None => part.nothing(),
        };
        let (_, step) = self.layout.place(index);
        let finished = self.layout.finished(step);
        for address in addresses(&previous, finished) {
            match finished {
                0 => part.nothing(),
                _ => self.open(address, &mut part),
            };
        }
        part
    }

    fn open(&self, index: u64, part: &mut Writer) -> Word {
        let word = self.words[index as usize];
        part.word(&word, &self.tree.path(index, |index| word_leaf(&self.words[index as usize])));
        word
    }
}

impl MemoryWalk {
    /// What the operator signs after the walks.
    pub fn commit(&self) -> &WalkCommit {
        &self.commit
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
    words.try_reserve_exact(size).map_err(|_| ProveError::Backend {
        backend: "the memory of this machine",
        reason: format!("it has no {} MiB to fill", (count * WORD_LEN as u64) >> 20),
    })?;
    words.resize(size, [0; WORD_LEN]);
    Ok(words)
}
