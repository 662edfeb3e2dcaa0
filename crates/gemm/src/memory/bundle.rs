//! A prover's answer as bytes: all that is asked for, in the order in which it is checked, and no name of it, since the
//! verifier knows what it asked for.
//!
//! `MRopened`; the nodes of the fill's tree at [`Layout::cap_depth`]; for each walker asked for where it ended, the path
//! of that leaf, and the words it reads in turn; for each word asked for that word, the one before it in its lane and
//! those it refers to. A word is 32 bytes and the path from its leaf up to the node that the bundle began with. What does
//! not exist (before step 0, references of the first slice) is all zeros. Paths go from the bottom up.

use super::MemoryRefusal;
use millrace_core::{
    merkle::{depth, root_from_path, Tree, TreeNode, TREE_NODE_LEN},
    proof::memory::{word_leaf, Layout, Word, READS, REFERENCES, WALKER_QUERIES, WORD_LEN, WORD_QUERIES},
};

const TAG: &[u8; 8] = b"MRopened";

/// Bytes of the answer for a fill and walks of these sizes. Whoever receives one need not read further.
pub const fn memory_bundle_len(layout: &Layout, walkers: u32) -> usize {
    let walks = WALKER_QUERIES * (end_len(walkers) + READS * opened_len(layout));
    let words = WORD_QUERIES * (1 + 1 + REFERENCES) * opened_len(layout);
    TAG.len() + (TREE_NODE_LEN << layout.cap_depth()) + walks + words
}

const fn end_len(walkers: u32) -> usize {
    WORD_LEN + TREE_NODE_LEN * depth(walkers as u64) as usize
}

const fn opened_len(layout: &Layout) -> usize {
    WORD_LEN + TREE_NODE_LEN * path_len(layout)
}

/// Nodes from a word's leaf up to the cap.
const fn path_len(layout: &Layout) -> usize {
    (layout.tree_depth() - layout.cap_depth()) as usize
}

/// Writes a part of a bundle.
pub(super) struct Writer {
    path_len: usize,
    bytes: Vec<u8>,
}

impl Writer {
    /// What a bundle begins with.
    pub(super) fn head(cap: &[TreeNode]) -> Self {
        Self { path_len: 0, bytes: [TAG, cap.as_flattened()].concat() }
    }

    /// Openings in a fill of this layout.
    pub(super) fn part(layout: &Layout) -> Self {
        Self { path_len: path_len(layout), bytes: vec![] }
    }

    pub(super) fn end(&mut self, end: &Word, path: &[TreeNode]) {
        self.bytes.extend_from_slice(end);
        self.bytes.extend_from_slice(path.as_flattened());
    }

    /// `path` goes up to the root.
    pub(super) fn word(&mut self, word: &Word, path: &[TreeNode]) {
        self.end(word, &path[..self.path_len]);
    }

    pub(super) fn nothing(&mut self) -> Word {
        self.bytes.resize(self.bytes.len() + WORD_LEN + TREE_NODE_LEN * self.path_len, 0);
        [0; WORD_LEN]
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes a bundle apart without copying it.
pub(super) struct Reader<'a> {
    layout: Layout,
    cap: &'a [TreeNode],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Refuses what has another length, or another root than `fill_root`.
    pub(super) fn new(
        layout: &Layout,
        walkers: u32,
        fill_root: &TreeNode,
        bytes: &'a [u8],
    ) -> Result<Self, MemoryRefusal> {
        let expected = memory_bundle_len(layout, walkers);
        if bytes.len() != expected {
            return Err(MemoryRefusal::Length { expected, got: bytes.len() });
        }
        let rest = bytes.strip_prefix(TAG).ok_or(MemoryRefusal::Tag)?;
        let (cap, rest) = rest.split_at(TREE_NODE_LEN << layout.cap_depth());
        let (cap, _) = cap.as_chunks();
        match Tree::new(cap.to_vec()).root() == *fill_root {
            true => Ok(Self { layout: *layout, cap, rest }),
            false => Err(MemoryRefusal::FillRoot),
        }
    }

    /// The end of a walker as committed under `root`.
    pub(super) fn end(&mut self, walker: u32, walkers: u32, root: &TreeNode) -> Result<Word, MemoryRefusal> {
        let (end, path) = self.take(depth(walkers.into()) as usize);
        match root_from_path(word_leaf(end), walker.into(), path) == *root {
            true => Ok(*end),
            false => Err(MemoryRefusal::WalkNotCommitted { walker }),
        }
    }

    /// A word as committed.
    pub(super) fn word(&mut self, index: u64) -> Result<Word, MemoryRefusal> {
        let (word, path) = self.take(path_len(&self.layout));
        match root_from_path(word_leaf(word), index, path) == self.cap[(index >> path.len()) as usize] {
            true => Ok(*word),
            false => Err(MemoryRefusal::WordNotCommitted { index }),
        }
    }

    /// What does not exist, for the word that would refer to it.
    pub(super) fn nothing(&mut self, index: u64) -> Result<Word, MemoryRefusal> {
        let (word, path) = self.take(path_len(&self.layout));
        match *word == [0; WORD_LEN] && path.iter().all(|node| *node == [0; TREE_NODE_LEN]) {
            true => Ok(*word),
            false => Err(MemoryRefusal::NotZero { index }),
        }
    }

    /// The length of the whole was checked, so there is enough.
    fn take(&mut self, path_len: usize) -> (&'a Word, &'a [TreeNode]) {
        let (word, rest) = self.rest.split_first_chunk().expect("the length was checked");
        let (path, rest) = rest.split_at(TREE_NODE_LEN * path_len);
        self.rest = rest;
        (word, path.as_chunks().0)
    }
}
