use super::{
    bundle::Writer,
    hasher::WordHasher,
    progress::{Counter, MemoryWatch},
    tree::KeptTree,
    words::{MainMemory, Words},
};
use crate::ProveError;
use millrace_core::proof::memory::{
    addresses, fill_seed, walk, walk_seed, walk_start, walker_query, word_query, Layout, MemoryCommit, MemoryTask,
    WalkCommit, Word, REFERENCES, WALKER_QUERIES, WORD_QUERIES,
};
use rayon::{prelude::*, ThreadPool};
use std::{ops::Range, sync::Arc};

/// A filled memory: what to sign, and what to walk through and to answer from.
///
/// Whoever needs the memory before the answer is due can drop this and make it again: it is the same, and only the walks
/// are timed.
pub struct MemoryFill {
    pub(super) commit: MemoryCommit,
    pub(super) layout: Layout,
    pub(super) words: Box<dyn Words>,
    tree: KeptTree,
    /// None: the current rayon pool, whichever that is.
    pool: Option<Arc<ThreadPool>>,
}

/// Finished walks.
pub struct MemoryWalk {
    commit: WalkCommit,
    seed: [u8; 32],
    tree: KeptTree,
    ends: Box<Ends>,
}

/// Where some walkers of these walks end: words of the fill, seed of the walks, walkers.
pub(super) type Ends = dyn Fn(&dyn Words, &[u8; 32], Range<u64>) -> Result<Vec<Word>, ProveError> + Send + Sync;

impl MemoryFill {
    /// Fills 32 bytes of main memory for each word of the task and hashes them, in the current rayon pool; so are the walks
    /// done and the answer made.
    ///
    /// # Errors
    /// [`ProveError::MemoryTask`] where the sizes are not the protocol's, [`ProveError::Stopped`], [`ProveError::Backend`]
    /// where there is not so much memory.
    pub fn new(task: &MemoryTask, watch: &MemoryWatch) -> Result<Self, ProveError> {
        let hasher = WordHasher::new(&fill_seed(task));
        Self::with_words(task, watch, |lane, step, previous, references| hasher.word(lane, step, previous, references))
    }

    /// [`MemoryFill::new`], the walks and the answer in this pool.
    pub(crate) fn in_pool(pool: &Arc<ThreadPool>, task: &MemoryTask, watch: &MemoryWatch) -> Result<Self, ProveError> {
        let fill = pool.install(|| Self::new(task, watch))?;
        Ok(Self { pool: Some(pool.clone()), ..fill })
    }

    /// [`MemoryFill::new`] with a hand in the words: an honest one makes them as the rules say.
    pub(super) fn with_words(
        task: &MemoryTask,
        watch: &MemoryWatch,
        make: impl Fn(u32, u32, &Word, &[Word; REFERENCES]) -> Word + Sync,
    ) -> Result<Self, ProveError> {
        let layout = task.layout()?;
        let count = layout.words();
        let counter = Counter::new(2 * count, watch);
        let words = MainMemory::fill(&layout, &counter, make)?;
        let tree = KeptTree::build(count, |group| words.read(group), |done| counter.add(done))?;
        Ok(Self::made(task, layout, Box::new(words), tree))
    }

    /// Of words made elsewhere, and the tree over them.
    pub(crate) fn made(task: &MemoryTask, layout: Layout, words: Box<dyn Words>, tree: KeptTree) -> Self {
        let commit = MemoryCommit { task: *task, fill_root: tree.root() };
        Self { commit, layout, words, tree, pool: None }
    }

    /// What the operator signs when the memory is full.
    pub fn commit(&self) -> &MemoryCommit {
        &self.commit
    }

    /// Walks. `nonce` is [`millrace_core::proof::nonce`] of the oracles' second shares.
    ///
    /// # Errors
    /// [`ProveError::Stopped`], [`ProveError::Backend`].
    pub fn walk(&self, nonce: &[u8; 32], watch: &MemoryWatch) -> Result<MemoryWalk, ProveError> {
        let walkers = self.commit.task.walkers.into();
        let counter = Counter::new(walkers, watch);
        let seed = walk_seed(&self.commit.fill_root, nonce);
        let tree = self.install(|| self.words.walk(&seed, walkers, &counter))?;
        Ok(self.walked(nonce, tree, Box::new(|words, seed, walkers| words.ends(seed, walkers))))
    }

    /// Walks that end where `ends` says, under the root of `tree`.
    pub(super) fn walked(&self, nonce: &[u8; 32], tree: KeptTree, ends: Box<Ends>) -> MemoryWalk {
        let commit = WalkCommit { memory_id: self.commit.id(), nonce: *nonce, root: tree.root() };
        MemoryWalk { commit, seed: walk_seed(&self.commit.fill_root, nonce), tree, ends }
    }

    /// [`MemoryFill::try_answer`], for whoever has nothing else to do when a card fails.
    ///
    /// # Panics
    /// With the walks of a fill of another size, and where the words are on a card that fails.
    pub fn answer(&self, walks: &MemoryWalk, next_beacon: &[u8; 32]) -> Vec<u8> {
        self.try_answer(walks, next_beacon).unwrap_or_else(|error| panic!("the words cannot be read: {error}"))
    }

    /// Opens what the next epoch's beacon asks for: [`super::memory_bundle_len`] bytes. Everything is opened as it was
    /// committed.
    ///
    /// # Errors
    /// [`ProveError::Backend`].
    ///
    /// # Panics
    /// With the walks of a fill of another size.
    pub fn try_answer(&self, walks: &MemoryWalk, next_beacon: &[u8; 32]) -> Result<Vec<u8>, ProveError> {
        let MemoryTask { words, walkers, .. } = self.commit.task;
        let walk_id = walks.commit.id();
        let head = Writer::head(&self.tree.level(self.layout.cap_depth()));
        let opened_walks = (0..WALKER_QUERIES as u32)
            .into_par_iter()
            .map(|i| self.open_walk(walks, walker_query(&walk_id, next_beacon, i, walkers)));
        let opened_words = (0..WORD_QUERIES as u32)
            .into_par_iter()
            .map(|i| self.open_word(word_query(&walk_id, next_beacon, i, words)));
        let parts = opened_walks.chain(opened_words).map(|part| part.map(Writer::into_bytes));
        let parts = self.install(|| parts.collect::<Result<Vec<_>, _>>())?;
        Ok([head.into_bytes(), parts.concat()].concat())
    }

    /// Where a walker ended, and what it reads.
    fn open_walk(&self, walks: &MemoryWalk, walker: u32) -> Result<Writer, ProveError> {
        let mut part = Writer::part(&self.layout);
        let ends = |walkers| (walks.ends)(self.words.as_ref(), &walks.seed, walkers);
        let (end, path) = walks.tree.open(walker.into(), ends)?;
        part.end(&end, &path);
        walk(walk_start(&walks.seed, walker), self.layout.words(), |index| self.open(index, &mut part))?;
        Ok(part)
    }

    /// A word, and what it is made of.
    fn open_word(&self, index: u64) -> Result<Writer, ProveError> {
        let mut part = Writer::part(&self.layout);
        self.open(index, &mut part)?;
        let previous = match index.checked_sub(self.layout.lanes().into()) {
            Some(before) => self.open(before, &mut part)?,
            None => part.nothing(),
        };
        let (_, step) = self.layout.place(index);
        let finished = self.layout.finished(step);
        for address in addresses(&previous, finished) {
            match finished {
                0 => part.nothing(),
                _ => self.open(address, &mut part)?,
            };
        }
        Ok(part)
    }

    fn open(&self, index: u64, part: &mut Writer) -> Result<Word, ProveError> {
        let (word, path) = self.tree.open(index, |group| self.words.read(group))?;
        part.word(&word, &path);
        Ok(word)
    }

    /// In the pool that this fill was made in.
    fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

impl MemoryWalk {
    /// What the operator signs after the walks.
    pub fn commit(&self) -> &WalkCommit {
        &self.commit
    }
}
