//! The proof of memory on a card: it fills its own memory, hashes it and walks through it. Main memory holds none of the
//! words, only the nodes that are kept of their tree.

use super::{
    alloc,
    device::{Kernels, Seed, State},
    plan::{band_depth, LANES},
    Card, Cuda, NODE_BYTES,
};
use crate::{
    backend::ProveError,
    memory::{Counter, KeptTree, MemoryFill, MemoryWatch, TreeOfBands, WordHasher, Words},
};
use cudarc::driver::{CudaContext, CudaSlice, CudaStream, DriverError};
use millrace_core::{
    merkle::{TreeNode, EMPTY},
    proof::memory::{fill_seed, MemoryTask, Word, SLICES, WORD_LEN},
};
use std::{ops::Range, sync::Arc};

/// The words of a fill, on the card.
struct CardWords {
    /// Locked for each use, not for as long as the words are there: rounds go on beside them.
    cuda: Cuda,
    words: CudaSlice<u8>,
    /// Dropped after the words.
    _freed: Freed,
    /// So many words are hashed, or walks done, at once: 2 to this power.
    band_depth: u32,
}

/// Memory that was freed goes back to the driver, and to others, when the card has come to the end of its work.
struct Freed(Arc<CudaContext>);

impl Drop for Freed {
    fn drop(&mut self) {
        // A card that fails now has nobody to be told.
        let _ = self.0.synchronize();
    }
}

impl Cuda {
    /// Fills the card's memory for this task and hashes it.
    pub(super) fn fill_memory(&self, task: &MemoryTask, watch: &MemoryWatch) -> Result<MemoryFill, ProveError> {
        let layout = task.layout()?;
        let counter = Counter::new(2 * layout.words(), watch);
        let card = self.lock();
        let band_depth = self.band_depth(&card, layout.words())?;
        let told = |error: DriverError| self.failed(error);
        let stream = &card.streams[0];
        let mut words = alloc(stream, layout.words() as usize * WORD_LEN).map_err(told)?;
        let state = State::behind_prefix(&WordHasher::new(&fill_seed(task)));
        let (lanes, steps) = (layout.lanes(), layout.steps() / SLICES);
        for slice in 0..SLICES {
            card.kernels.fill(stream, &state, lanes, slice * steps..(slice + 1) * steps, &mut words).map_err(told)?;
            stream.synchronize().map_err(told)?;
            counter.add(u64::from(lanes) * u64::from(steps))?;
        }
        let words = CardWords { cuda: self.clone(), words, _freed: Freed(card.context.clone()), band_depth };
        let tree = words.tree(&card, layout.words(), None, &counter)?;
        Ok(MemoryFill::made(task, layout, Box::new(words), tree))
    }

    /// See [`band_depth`].
    fn band_depth(&self, card: &Card, words: u64) -> Result<u32, ProveError> {
        let free_bytes = self.free_bytes(card)?;
        band_depth(words, free_bytes).map_err(|needed_bytes| {
            let (needed_mib, free_mib) = (needed_bytes.div_ceil(1 << 20), free_bytes >> 20);
            self.failed(format_args!("a fill of {words} words needs {needed_mib} MiB and {free_mib} MiB are free"))
        })
    }
}

impl CardWords {
    /// The tree over so many of the words or, with a seed, over where so many walkers end; band after band, two of them
    /// under way.
    fn tree(&self, card: &Card, leaves: u64, walks: Option<&Seed>, counter: &Counter) -> Result<KeptTree, ProveError> {
        let told = |error: DriverError| self.cuda.failed(error);
        let mut tree = TreeOfBands::new(leaves, self.band_depth);
        let mut bands = vec![];
        for stream in &card.streams {
            bands.push(Band::new(stream.clone(), tree.band_depth(), walks.is_some()).map_err(told)?);
        }
        let mut kept = vec![EMPTY; tree.heap_len()];
        for i in 0..tree.bands() + u64::from(LANES) {
            let band = &mut bands[(i % u64::from(LANES)) as usize];
            // The band before last is done: its buffers are used again.
            if let Some(done) = i.checked_sub(LANES.into()) {
                band.take(&mut kept).map_err(told)?;
                tree.put(done, &kept);
                let leaves = tree.band(done);
                counter.add(leaves.end - leaves.start)?;
            }
            if i < tree.bands() {
                band.hash(&card.kernels, &self.words, tree.band(i), walks).map_err(told)?;
            }
        }
        Ok(tree.finish())
    }
}

impl Words for CardWords {
    fn read(&self, words: Range<u64>) -> Result<Vec<Word>, ProveError> {
        let mut read = vec![[0; WORD_LEN]; (words.end - words.start) as usize];
        let from = self.words.slice(bytes(&words));
        let stream = &self.cuda.lock().streams[0];
        stream.memcpy_dtoh(&from, read.as_flattened_mut()).map_err(|error| self.cuda.failed(error))?;
        Ok(read)
    }

    fn ends(&self, seed: &[u8; 32], walkers: Range<u64>) -> Result<Vec<Word>, ProveError> {
        let card = self.cuda.lock();
        let stream = &card.streams[0];
        let mut ends = vec![[0; WORD_LEN]; (walkers.end - walkers.start) as usize];
        let mut run = || {
            let mut made = alloc(stream, ends.len() * WORD_LEN)?;
            let first = walkers.start as u32;
            card.kernels.walks(stream, &Seed::of_walks(seed), first, &self.words, &mut made.as_view_mut())?;
            stream.memcpy_dtoh(&made, ends.as_flattened_mut())
        };
        run().map_err(|error| self.cuda.failed(error))?;
        Ok(ends)
    }

    fn walk(&self, seed: &[u8; 32], walkers: u64, counter: &Counter) -> Result<KeptTree, ProveError> {
        let card = self.cuda.lock();
        self.tree(&card, walkers, Some(&Seed::of_walks(seed)), counter)
    }
}

/// Buffers of one band under way.
struct Band {
    stream: Arc<CudaStream>,
    /// Where the walkers end.
    ends: Option<CudaSlice<u8>>,
    /// All nodes above the band's words as a heap: the root at 1, the children of i at 2i and 2i + 1.
    nodes: CudaSlice<u8>,
}

impl Band {
    fn new(stream: Arc<CudaStream>, depth: u32, walks: bool) -> Result<Self, DriverError> {
        let ends = walks.then(|| alloc(&stream, WORD_LEN << depth)).transpose()?;
        Ok(Self { ends, nodes: alloc(&stream, (2 * NODE_BYTES) << depth)?, stream })
    }

    /// Hashes some of the words, or where some walkers end, up to one node.
    fn hash(
        &mut self,
        kernels: &Kernels,
        words: &CudaSlice<u8>,
        leaves: Range<u64>,
        walks: Option<&Seed>,
    ) -> Result<(), DriverError> {
        let Self { stream, ends, nodes } = self;
        let mut width = nodes.len() / 2;
        let leaf_words = match (walks, ends) {
            (Some(seed), Some(ends)) => {
                let len = bytes(&leaves).len();
                kernels.walks(stream, seed, leaves.start as u32, words, &mut ends.slice_mut(..len))?;
                ends.slice(..len)
            }
            _ => words.slice(bytes(&leaves)),
        };
        kernels.word_leaves(stream, &leaf_words, &mut nodes.slice_mut(width..))?;
        while width > NODE_BYTES {
            let (mut parents, children) = nodes.split_at_mut(width);
            kernels.parents(stream, &children.slice(..width), &mut parents.slice_mut(width / 2..))?;
            width /= 2;
        }
        Ok(())
    }

    /// Waits for the nodes that are kept, as a heap.
    fn take(&self, kept: &mut [TreeNode]) -> Result<(), DriverError> {
        let bytes = NODE_BYTES..kept.len() * NODE_BYTES;
        self.stream.memcpy_dtoh(&self.nodes.slice(bytes.clone()), &mut kept.as_flattened_mut()[bytes])
    }
}

/// Where words are.
fn bytes(words: &Range<u64>) -> Range<usize> {
    words.start as usize * WORD_LEN..words.end as usize * WORD_LEN
}
