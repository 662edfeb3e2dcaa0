//! Proof of memory: what fills a card's memory, what is read of it against the clock, and what that has to cost.
//!
//! - [`MemoryTask`] names the work; its fields give [`fill_seed`].
//! - The fill is `words` words of 32 bytes in lanes of many steps, cut into [`SLICES`]. Word (lane, step) is
//!   [`word`] of the word before it in its lane and of [`REFERENCES`] words of any lane in slices already finished, at
//!   the [`addresses`] that the word before it gives. Word `step·lanes + lane` of the fill is leaf of that number of the
//!   tree whose root is [`MemoryCommit::fill_root`].
//! - Then, and only then, the oracles hand out shares of a second nonce. [`walk_seed`] starts `walkers` independent
//!   [`walk`]s of [`STEPS`] steps, [`REFERENCES`] reads each. What they end in are the leaves of [`WalkCommit::root`],
//!   which is due within [`deadline_nanos`](super::deadline::deadline_nanos) of the share.
//! - [`walker_query`] and [`word_query`] name what is opened once the next beacon is known.
//!
//! `docs/memory-and-bandwidth.md` says what follows from it. All integers are little-endian.

use super::commit::take;
use crate::{
    hash::sha256,
    merkle::{depth, leaf_node, TreeNode, TREE_NODE_LEN},
};

/// Bytes of a word: what a GPU's memory gives at least for one read.
pub const WORD_LEN: usize = 32;
/// A word of the fill, or the state of a walker.
pub type Word = [u8; WORD_LEN];

/// Parts of the fill. A word refers to parts before its own.
pub const SLICES: u32 = 64;
/// Words that a word refers to, and that a walker reads in a step.
pub const REFERENCES: usize = 8;
/// Fewest words: half a MiB.
pub const MIN_WORDS: u64 = 1 << 14;
/// Most words: a TiB.
pub const MAX_WORDS: u64 = 1 << 35;
/// Most lanes: what keeps a large GPU busy.
pub const MAX_LANES: u32 = 1 << 17;
/// Most walkers.
pub const MAX_WALKERS: u32 = 1 << 31;
/// Steps of a walk, each on what the one before it read.
pub const STEPS: usize = 4;
/// Words that a walker reads.
pub const READS: usize = STEPS * REFERENCES;
/// Bytes that a walker reads.
pub const WALK_BYTES: u64 = (READS * WORD_LEN) as u64;
/// Walkers opened: a fraction δ of wrong walkers passes with probability (1 − δ)¹²⁸.
pub const WALKER_QUERIES: usize = 128;
/// Words opened with all they are made of: a fraction δ of wrong words passes with probability (1 − δ)⁵¹².
pub const WORD_QUERIES: usize = 512;

/// Bytes of an encoded [`MemoryCommit`], which is also the message that the operator signs.
pub const MEMORY_COMMIT_LEN: usize = 8 + 32 + 32 + 4 + 8 + 32 + 32 + 8 + 4 + TREE_NODE_LEN;
/// Bytes of an encoded [`WalkCommit`], which is also the message that the operator signs.
pub const WALK_COMMIT_LEN: usize = 8 + 32 + 32 + TREE_NODE_LEN;

const MEMORY_TAG: &[u8; 8] = b"MRmemory";
const WALK_TAG: &[u8; 8] = b"MRwalked";
/// First byte of what is hashed for a step of a walk: neither a leaf's nor an inner node's.
const STEP_PREFIX: u8 = 2;

/// Why sizes or an encoding are not the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// The number of words is not an allowed one.
    #[error("{0} words, allowed are 2^14 to 2^35, a multiple of 64 times the lanes")]
    Words(u64),
    /// The number of walkers is out of range.
    #[error("{0} walkers, allowed are 1 to 2^31")]
    Walkers(u32),
    /// The encoding is longer or shorter than it must be.
    #[error("the encoding has {got} bytes, this kind has {expected}")]
    Length {
        /// Bytes that the encoding must have.
        expected: usize,
        /// Bytes that it has.
        got: usize,
    },
    /// The bytes are not a commit of this kind.
    #[error("a commit to a fill begins with MRmemory, one to walks with MRwalked")]
    Tag,
}

/// How the words of a fill lie: word (lane, step) is number `step·lanes + lane`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    lanes: u32,
    steps: u32,
}

impl Layout {
    /// The layout of so many words: as many lanes as leave each 1,024 steps, a power of two of at most [`MAX_LANES`].
    ///
    /// # Errors
    /// [`MemoryError::Words`] below [`MIN_WORDS`], above [`MAX_WORDS`], or where the steps are no multiple of [`SLICES`].
    pub const fn new(words: u64) -> Result<Self, MemoryError> {
        if words < MIN_WORDS || words > MAX_WORDS {
            return Err(MemoryError::Words(words));
        }
        let lanes = lanes_of(words);
        if !words.is_multiple_of(lanes * SLICES as u64) {
            return Err(MemoryError::Words(words));
        }
        // At most 2³⁵ / 2¹⁷ steps.
        Ok(Self { lanes: lanes as u32, steps: (words / lanes) as u32 })
    }

    /// The layout that proves a memory of so many MiB: the smallest that fills seven eighths of it, so that an eighth is left
    /// to the driver and to what the proof itself needs. None for more than [`MAX_WORDS`] hold.
    pub const fn proving(mib: u32) -> Option<Self> {
        let bytes = ((mib as u64) << 20) / 8 * 7;
        let words = bytes.div_ceil(WORD_LEN as u64);
        let words = if words < MIN_WORDS { MIN_WORDS } else { words };
        let unit = lanes_of(words) * SLICES as u64;
        match Self::new(words.next_multiple_of(unit)) {
            Ok(layout) => Some(layout),
            Err(_) => None,
        }
    }

    /// Memory that a fill of this size proves, MiB: eight sevenths of it, rounded down.
    pub const fn proven_mib(&self) -> u32 {
        let mib = (self.words() * WORD_LEN as u64 / 7 * 8) >> 20;
        // At most 2³⁵ words: less than 2²¹ MiB.
        mib as u32
    }

    /// Lanes, which are filled side by side.
    pub const fn lanes(&self) -> u32 {
        self.lanes
    }

    /// Words of a lane, each made from the one before it.
    pub const fn steps(&self) -> u32 {
        self.steps
    }

    /// Words in all.
    pub const fn words(&self) -> u64 {
        self.lanes as u64 * self.steps as u64
    }

    /// Lane and step of word number `index`.
    pub const fn place(&self, index: u64) -> (u32, u32) {
        ((index % self.lanes as u64) as u32, (index / self.lanes as u64) as u32)
    }

    /// Words in the slices that are finished when `step` is made: those it may refer to, the first ones of the fill.
    pub const fn finished(&self, step: u32) -> u64 {
        let slice_steps = self.steps / SLICES;
        (step / slice_steps * slice_steps) as u64 * self.lanes as u64
    }

    /// Levels of the tree over the words.
    pub const fn tree_depth(&self) -> u32 {
        depth(self.words())
    }

    /// Levels below the root that a bundle states as a whole, so that no path repeats them: 13, or what a small fill has
    /// more than six.
    pub const fn cap_depth(&self) -> u32 {
        let most = self.tree_depth() - 6;
        if most < 13 {
            most
        } else {
            13
        }
    }
}

/// Lanes of a fill of so many words, at least [`MIN_WORDS`] of them.
const fn lanes_of(words: u64) -> u64 {
    let lanes = 1 << (words / 1024).ilog2();
    if lanes > MAX_LANES as u64 {
        MAX_LANES as u64
    } else {
        lanes
    }
}

/// The memory that one GPU is to fill in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryTask {
    /// Fixed in `Config`; no other deployment or cluster has it.
    pub deployment_id: [u8; 32],
    /// Address of the `Node` account.
    pub node: [u8; 32],
    /// Which of the node's GPUs, from 0.
    pub gpu_index: u32,
    /// Epoch of the audit.
    pub epoch: u64,
    /// Slot hash latched for that epoch.
    pub beacon: [u8; 32],
    /// See [`super::nonce`].
    pub nonce: [u8; 32],
    /// Words of 32 bytes, see [`Layout`].
    pub words: u64,
    /// Walks through them.
    pub walkers: u32,
}

impl MemoryTask {
    /// How the words lie.
    ///
    /// # Errors
    /// [`MemoryError::Words`] and [`MemoryError::Walkers`] where the sizes are not the protocol's.
    pub const fn layout(&self) -> Result<Layout, MemoryError> {
        if self.walkers == 0 || self.walkers > MAX_WALKERS {
            return Err(MemoryError::Walkers(self.walkers));
        }
        Layout::new(self.words)
    }
}

/// What an operator signs when the memory is full, before it gets the shares that the walks start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryCommit {
    /// The task it answers.
    pub task: MemoryTask,
    /// Root of the tree over all words.
    pub fill_root: TreeNode,
}

impl MemoryCommit {
    /// The one encoding: `MRmemory`, then the fields of the task in their order, then the root.
    pub fn to_bytes(&self) -> [u8; MEMORY_COMMIT_LEN] {
        let MemoryTask { deployment_id, node, gpu_index, epoch, beacon, nonce, words, walkers } = &self.task;
        joined(&[
            MEMORY_TAG,
            deployment_id,
            node,
            &gpu_index.to_le_bytes(),
            &epoch.to_le_bytes(),
            beacon,
            nonce,
            &words.to_le_bytes(),
            &walkers.to_le_bytes(),
            &self.fill_root,
        ])
    }

    /// Reads [`MemoryCommit::to_bytes`]. Whoever gets a commit from here has one of an allowed size.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MemoryError> {
        let mut rest = checked::<MEMORY_COMMIT_LEN>(bytes, MEMORY_TAG)?;
        let task = MemoryTask {
            deployment_id: take(&mut rest),
            node: take(&mut rest),
            gpu_index: u32::from_le_bytes(take(&mut rest)),
            epoch: u64::from_le_bytes(take(&mut rest)),
            beacon: take(&mut rest),
            nonce: take(&mut rest),
            words: u64::from_le_bytes(take(&mut rest)),
            walkers: u32::from_le_bytes(take(&mut rest)),
        };
        task.layout()?;
        Ok(Self { task, fill_root: take(&mut rest) })
    }

    /// SHA-256 of the encoding: the identity of the commit.
    pub fn id(&self) -> [u8; 32] {
        sha256(&[&self.to_bytes()])
    }
}

/// What an operator signs after the walks: what the deadline is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkCommit {
    /// [`MemoryCommit::id`] of the fill that was walked.
    pub memory_id: [u8; 32],
    /// [`super::nonce`] of the shares handed out after the fill was committed.
    pub nonce: [u8; 32],
    /// Root of the tree over what all walkers ended in.
    pub root: TreeNode,
}

impl WalkCommit {
    /// The one encoding: `MRwalked`, then the fields in their order.
    pub fn to_bytes(&self) -> [u8; WALK_COMMIT_LEN] {
        joined(&[WALK_TAG, &self.memory_id, &self.nonce, &self.root])
    }

    /// Reads [`WalkCommit::to_bytes`].
    ///
    /// # Errors
    /// [`MemoryError::Length`], [`MemoryError::Tag`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MemoryError> {
        let mut rest = checked::<WALK_COMMIT_LEN>(bytes, WALK_TAG)?;
        Ok(Self { memory_id: take(&mut rest), nonce: take(&mut rest), root: take(&mut rest) })
    }

    /// SHA-256 of the encoding, from which the queries follow.
    pub fn id(&self) -> [u8; 32] {
        sha256(&[&self.to_bytes()])
    }
}

pub(super) fn joined<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    for part in parts {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    bytes
}

/// What is behind the tag of an encoding of N bytes.
fn checked<'a, const N: usize>(bytes: &'a [u8], tag: &[u8; 8]) -> Result<&'a [u8], MemoryError> {
    if bytes.len() != N {
        return Err(MemoryError::Length { expected: N, got: bytes.len() });
    }
    bytes.strip_prefix(tag).ok_or(MemoryError::Tag)
}

/// Seed of the fill: `sha256("MRfill" ‖ deployment_id ‖ node ‖ gpu_index ‖ epoch ‖ beacon ‖ nonce ‖ words)`.
pub fn fill_seed(task: &MemoryTask) -> [u8; 32] {
    sha256(&[
        b"MRfill",
        &task.deployment_id,
        &task.node,
        &task.gpu_index.to_le_bytes(),
        &task.epoch.to_le_bytes(),
        &task.beacon,
        &task.nonce,
        &task.words.to_le_bytes(),
    ])
}

/// First block of what is hashed for every word: `"MRword\0\0" ‖ seed ‖ 24 zero bytes`. It fills a SHA-256 block, so the
/// state after it is computed once a fill.
pub fn word_prefix(seed: &[u8; 32]) -> [u8; 64] {
    let mut prefix = [0; 64];
    prefix[..6].copy_from_slice(b"MRword");
    prefix[8..40].copy_from_slice(seed);
    prefix
}

/// Word (lane, step): `sha256(prefix ‖ lane_u32 ‖ step_u32 ‖ previous ‖ references)`, five compressions behind the
/// [`word_prefix`].
///
/// `previous` is the word before it in its lane, zeros at step 0; `references` are the words at the [`addresses`] that
/// `previous` gives within [`Layout::finished`], zeros in the first slice.
pub fn word(seed: &[u8; 32], lane: u32, step: u32, previous: &Word, references: &[Word; REFERENCES]) -> Word {
    let place = [lane.to_le_bytes(), step.to_le_bytes()];
    sha256(&[&word_prefix(seed), place.as_flattened(), previous, references.as_flattened()])
}

/// Eight words out of the first `limit`, named by the eight 32-bit numbers in `from`: each number is the upper half, and
/// the one after it (after the last, the first) the lower half of a 64-bit fraction of `limit`.
///
/// All 0 where `limit` is 0: there is nothing to name.
pub fn addresses(from: &Word, limit: u64) -> [u64; REFERENCES] {
    let part = |i: usize| u64::from(u32::from_le_bytes([from[i], from[i + 1], from[i + 2], from[i + 3]]));
    core::array::from_fn(|i| fraction(part(4 * i) << 32 | part((4 * i + 4) % WORD_LEN), limit))
}

/// `bits / 2⁶⁴` of `limit`, rounded down.
const fn fraction(bits: u64, limit: u64) -> u64 {
    ((bits as u128 * limit as u128) >> 64) as u64
}

/// Seed of the walks: `sha256("MRwalk" ‖ fill_root ‖ nonce)`, with the nonce of the second shares.
pub fn walk_seed(fill_root: &TreeNode, nonce: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"MRwalk", fill_root, nonce])
}

/// Where a walker starts: `sha256("MRstep" ‖ seed ‖ walker_u32)`.
pub fn walk_start(seed: &[u8; 32], walker: u32) -> Word {
    sha256(&[b"MRstep", seed, &walker.to_le_bytes()])
}

/// One step: `sha256(0x02 ‖ m)`, one compression. m begins as the state and takes up the words at the [`addresses`] that
/// the state gives among all words, one after the other: each of its four 64-bit numbers becomes
/// `(number ⊕ the word's)·0x9e3779b97f4a7c15` modulo 2⁶⁴ with its halves exchanged.
///
/// A hash of all that was read would take five compressions, and large cards would hash longer than they read. Exclusive
/// or alone would let another machine send the sum of all that is missing; here what one word does depends on all before.
pub fn walk_step(state: &Word, words: &[Word; REFERENCES]) -> Word {
    let mut mixed = numbers(state);
    for word in words {
        for (number, other) in mixed.iter_mut().zip(numbers(word)) {
            *number = (*number ^ other).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
        }
    }
    sha256(&[&[STEP_PREFIX], mixed.map(u64::to_le_bytes).as_flattened()])
}

fn numbers(word: &Word) -> [u64; WORD_LEN / 8] {
    let (numbers, _) = word.as_chunks();
    core::array::from_fn(|i| u64::from_le_bytes(numbers[i]))
}

/// Walks from `start` through a fill of `words` words, each of which `read` gives, and returns where the walk ends.
///
/// # Errors
/// The first that `read` gives.
pub fn walk<E>(start: Word, words: u64, mut read: impl FnMut(u64) -> Result<Word, E>) -> Result<Word, E> {
    let mut state = start;
    for _ in 0..STEPS {
        let mut read_words = [[0; WORD_LEN]; REFERENCES];
        for (word, address) in read_words.iter_mut().zip(addresses(&state, words)) {
            *word = read(address)?;
        }
        state = walk_step(&state, &read_words);
    }
    Ok(state)
}

/// Leaf of the tree over the walks: `leaf_node(end)`. The leaves over the words are made alike.
pub fn word_leaf(word: &Word) -> TreeNode {
    leaf_node(&[word])
}

/// The walker that query `i` of [`WALKER_QUERIES`] opens: bytes 0..8 of `sha256("MRchwk" ‖ walk_id ‖ next_beacon ‖ i_u32)`
/// as a fraction of the walkers. `walk_id` is [`WalkCommit::id`]. Two queries may fall on one walker.
pub fn walker_query(walk_id: &[u8; 32], next_beacon: &[u8; 32], i: u32, walkers: u32) -> u32 {
    // Below `walkers`.
    query(b"MRchwk", walk_id, next_beacon, i, walkers as u64) as u32
}

/// The word that query `i` of [`WORD_QUERIES`] opens with all it is made of: as [`walker_query`], with `"MRchwd"` and the
/// number of words.
pub fn word_query(walk_id: &[u8; 32], next_beacon: &[u8; 32], i: u32, words: u64) -> u64 {
    query(b"MRchwd", walk_id, next_beacon, i, words)
}

fn query(tag: &[u8; 6], walk_id: &[u8; 32], next_beacon: &[u8; 32], i: u32, limit: u64) -> u64 {
    let digest = sha256(&[tag, walk_id, next_beacon, &i.to_le_bytes()]);
    let (bits, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    fraction(u64::from_le_bytes(*bits), limit)
}
