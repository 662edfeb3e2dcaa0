//! The kernels of one card, each behind a function that gives it what its comment in `kernels.cu` or `memory.cu` asks
//! for.

use super::{NODE_BYTES, TILE_COLS, TILE_ROWS};
use crate::memory::WordHasher;
use cudarc::{
    driver::{
        sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, CudaContext, CudaFunction,
        CudaSlice, CudaStream, CudaView, CudaViewMut, DeviceRepr, DriverError, LaunchConfig, PushKernelArg,
    },
    nvrtc::Ptx,
};
use millrace_core::proof::{
    matrix::{preimage, Operand, BLOCK_LEN},
    memory::WORD_LEN,
};
use std::{ops::Range, sync::Arc};

/// Threads of a block.
const BLOCK: u32 = 256;

/// PTX for one generation of cards.
pub(super) struct Generation {
    /// What its product runs on.
    pub name: &'static str,
    ptx: &'static str,
    /// Shared memory of a block of `multiply`, bytes: stages × (rows + columns of a tile) × 64.
    shared_bytes: u32,
}

const GENERATIONS: [((i32, i32), Generation); 3] = [
    ((8, 0), Generation { name: "cuda-mma", ptx: include_str!("kernels_80.ptx"), shared_bytes: 4 * STAGE_BYTES }),
    ((7, 5), Generation { name: "cuda-mma", ptx: include_str!("kernels_75.ptx"), shared_bytes: 2 * STAGE_BYTES }),
    ((6, 1), Generation { name: "cuda-dp4a", ptx: include_str!("kernels_61.ptx"), shared_bytes: STAGE_BYTES }),
];
const STAGE_BYTES: u32 = (TILE_ROWS + TILE_COLS) * 64;

impl Generation {
    /// The newest that a card of this compute capability runs.
    pub fn of(capability: (i32, i32)) -> Option<&'static Self> {
        GENERATIONS.iter().find(|(least, _)| capability >= *least).map(|(_, generation)| generation)
    }
}

/// What every message of a kind begins with: a matrix block's, or that of a walker's start.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Seed([u32; 10]);

// SAFETY: ten words, as in the kernel.
unsafe impl DeviceRepr for Seed {}

impl Seed {
    pub fn new(seed: &[u8; 32]) -> Self {
        Self::of(&preimage(seed, Operand::A, 0, 0))
    }

    /// Of the walks from this seed.
    pub fn of_walks(seed: &[u8; 32]) -> Self {
        Self::of(&[b"MRstep", &seed[..], &[0; 2]].concat())
    }

    fn of(message: &[u8]) -> Self {
        let mut words = [0; 10];
        for (word, bytes) in words.iter_mut().zip(message.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        Self(words)
    }
}

/// SHA-256's state behind the block that the message of each word of a fill begins with.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct State([u32; 8]);

// SAFETY: eight words, as in the kernel.
unsafe impl DeviceRepr for State {}

impl State {
    pub fn behind_prefix(hasher: &WordHasher) -> Self {
        Self(hasher.behind_prefix)
    }
}

/// The kernels, loaded on one card.
pub(super) struct Kernels {
    operand_lines: CudaFunction,
    cells: CudaFunction,
    leaves: CudaFunction,
    parents: CudaFunction,
    multiply: CudaFunction,
    fill: CudaFunction,
    walks: CudaFunction,
    word_leaves: CudaFunction,
    shared_bytes: u32,
}

impl Kernels {
    pub fn load(context: &Arc<CudaContext>, generation: &Generation) -> Result<Self, DriverError> {
        let module = context.load_module(Ptx::from_src(generation.ptx))?;
        let multiply = module.load_function("multiply")?;
        let shared_bytes = generation.shared_bytes;
        multiply.set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared_bytes as i32)?;
        Ok(Self {
            operand_lines: module.load_function("operand_lines")?,
            cells: module.load_function("cells")?,
            leaves: module.load_function("leaves")?,
            parents: module.load_function("parents")?,
            multiply,
            fill: module.load_function("fill")?,
            walks: module.load_function("walks")?,
            word_leaves: module.load_function("word_leaves")?,
            shared_bytes,
        })
    }

    /// Lines `first_line..` of an operand, as many as `lines` has room for, of n elements.
    pub fn operand_lines(
        &self,
        stream: &CudaStream,
        seed: &Seed,
        operand: Operand,
        first_line: u32,
        n: u32,
        lines: &mut CudaViewMut<u8>,
    ) -> Result<(), DriverError> {
        let blocks = (lines.len() / BLOCK_LEN) as u32;
        let (operand, log_blocks) = (operand as u32, (n / BLOCK_LEN as u32).ilog2());
        assert!(lines.len().is_multiple_of(n as usize), "whole lines");
        // Powers of two both, so that the grid has exactly as many threads as there are blocks.
        let threads = blocks.min(BLOCK);
        let mut launch = stream.launch_builder(&self.operand_lines);
        launch.arg(seed).arg(&operand).arg(&first_line).arg(&log_blocks).arg(lines);
        // SAFETY: the arguments are the kernel's, and each thread writes its own block of `lines`.
        unsafe { launch.launch(grid(blocks / threads, threads, 0)) }?;
        Ok(())
    }

    /// `c = a·b` for as many rows of A as `a` has, a multiple of [`TILE_ROWS`]; B by columns.
    pub fn multiply(
        &self,
        stream: &CudaStream,
        a: &CudaView<u8>,
        b: &CudaView<u8>,
        c: &mut CudaSlice<i32>,
        n: u32,
    ) -> Result<(), DriverError> {
        let rows = (a.len() / n as usize) as u32;
        assert!(rows.is_multiple_of(TILE_ROWS) && b.len() == n as usize * n as usize && c.len() == a.len());
        let mut launch = stream.launch_builder(&self.multiply);
        launch.arg(a).arg(b).arg(c).arg(&rows).arg(&n);
        // SAFETY: the arguments are the kernel's, and the tiles are exactly C.
        unsafe { launch.launch(grid(rows / TILE_ROWS * (n / TILE_COLS), BLOCK, self.shared_bytes)) }?;
        Ok(())
    }

    /// The nodes of the leaves that hold `c`.
    pub fn leaves(
        &self,
        stream: &CudaStream,
        c: &CudaSlice<i32>,
        nodes: &mut CudaViewMut<u8>,
    ) -> Result<(), DriverError> {
        self.nodes(stream, &self.leaves, &c.as_view(), nodes)
    }

    /// The level above `children`.
    pub fn parents(
        &self,
        stream: &CudaStream,
        children: &CudaView<u8>,
        nodes: &mut CudaViewMut<u8>,
    ) -> Result<(), DriverError> {
        self.nodes(stream, &self.parents, children, nodes)
    }

    fn nodes<T>(
        &self,
        stream: &CudaStream,
        kernel: &CudaFunction,
        from: &CudaView<T>,
        nodes: &mut CudaViewMut<u8>,
    ) -> Result<(), DriverError> {
        let count = (nodes.len() / NODE_BYTES) as u32;
        let mut launch = stream.launch_builder(kernel);
        launch.arg(from).arg(nodes).arg(&count);
        // SAFETY: the arguments are the kernels', which stop at `count`; the caller gives what so many nodes are made of.
        unsafe { launch.launch(grid(count.div_ceil(BLOCK), BLOCK, 0)) }?;
        Ok(())
    }

    /// Entries `first_col..` of the row of C whose row of A is `a`, as many as `out` has room for.
    pub fn cells(
        &self,
        stream: &CudaStream,
        seed: &Seed,
        first_col: u32,
        a: &CudaSlice<u8>,
        out: &mut CudaSlice<i32>,
    ) -> Result<(), DriverError> {
        let (n, columns) = (a.len() as u32, out.len() as u32);
        let mut launch = stream.launch_builder(&self.cells);
        launch.arg(seed).arg(&first_col).arg(&n).arg(a).arg(out);
        // SAFETY: the arguments are the kernel's, and each block writes its own entry of `out`.
        unsafe { launch.launch(grid(columns, BLOCK, 0)) }?;
        Ok(())
    }

    /// The words of one slice of a fill, whose slices before it are finished.
    pub fn fill(
        &self,
        stream: &CudaStream,
        state: &State,
        lanes: u32,
        slice: Range<u32>,
        words: &mut CudaSlice<u8>,
    ) -> Result<(), DriverError> {
        let steps = slice.end - slice.start;
        assert!(slice.start.is_multiple_of(steps) && words.len() >= WORD_LEN * lanes as usize * slice.end as usize);
        // Powers of two both, so that the grid has exactly as many threads as there are lanes.
        let threads = lanes.min(BLOCK);
        let mut launch = stream.launch_builder(&self.fill);
        launch.arg(state).arg(&lanes).arg(&slice.start).arg(&steps).arg(words);
        // SAFETY: the arguments are the kernel's; each thread writes its own lane, which no other reads in this slice.
        unsafe { launch.launch(grid(lanes / threads, threads, 0)) }?;
        Ok(())
    }

    /// Where walkers `first..` through all of `words` end, as many as `ends` has room for.
    pub fn walks(
        &self,
        stream: &CudaStream,
        start: &Seed,
        first: u32,
        words: &CudaSlice<u8>,
        ends: &mut CudaViewMut<u8>,
    ) -> Result<(), DriverError> {
        let (count, word_count) = ((ends.len() / WORD_LEN) as u32, (words.len() / WORD_LEN) as u64);
        let mut launch = stream.launch_builder(&self.walks);
        launch.arg(start).arg(&first).arg(&count).arg(&word_count).arg(words).arg(ends);
        // SAFETY: the arguments are the kernel's, which stops at `count` and reads below `word_count`.
        unsafe { launch.launch(grid(count.div_ceil(BLOCK), BLOCK, 0)) }?;
        Ok(())
    }

    /// The nodes of leaves that are `words`, and behind them as much padding as `nodes` has room for.
    pub fn word_leaves(
        &self,
        stream: &CudaStream,
        words: &CudaView<u8>,
        nodes: &mut CudaViewMut<u8>,
    ) -> Result<(), DriverError> {
        let (word_count, count) = ((words.len() / WORD_LEN) as u32, (nodes.len() / NODE_BYTES) as u32);
        let mut launch = stream.launch_builder(&self.word_leaves);
        launch.arg(words).arg(nodes).arg(&word_count).arg(&count);
        // SAFETY: the arguments are the kernel's, which reads below `word_count` and stops at `count`.
        unsafe { launch.launch(grid(count.div_ceil(BLOCK), BLOCK, 0)) }?;
        Ok(())
    }
}

const fn grid(blocks: u32, threads: u32, shared_mem_bytes: u32) -> LaunchConfig {
    LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes }
}
