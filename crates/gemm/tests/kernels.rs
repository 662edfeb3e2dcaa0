//! The embedded PTX, run on a machine made for it: what the kernels compute is what the protocol defines, on every
//! generation of cards. See `millrace_cuda_emulator::ptx` for what that machine refuses besides.

mod common;

use common::cpu;
use millrace_core::{
    merkle::{leaf_node, parent, TreeNode, TREE_NODE_LEN},
    proof::{
        matrix::{block, Operand, BIAS, BLOCK_LEN},
        memory::{addresses, walk_start, Layout, MAX_WALKERS, MAX_WORDS, SLICES},
        pack_leaf, CELLS_PER_LEAF,
    },
};
use millrace_cuda_emulator::ptx::{launch, Arg, Global, Module};
use millrace_gemm::{recompute_cells, Backend, Round};
use sha2::{Digest, Sha256};
use std::ops::{ControlFlow, Range};

const SOURCE: &str = concat!(include_str!("../src/cuda/kernels.cu"), include_str!("../src/cuda/memory.cu"));
/// The PTX of each generation and the stages that its product has under way.
const GENERATIONS: [(&str, u32); 3] = [
    (include_str!("../src/cuda/kernels_61.ptx"), 1),
    (include_str!("../src/cuda/kernels_75.ptx"), 2),
    (include_str!("../src/cuda/kernels_80.ptx"), 4),
];
const SEED: [u8; 32] = [9; 32];
const THREADS: u32 = 256;
const TILE_ROWS: u32 = 128;
const TILE_COLS: u32 = 256;
const STAGE_BYTES: u32 = (TILE_ROWS + TILE_COLS) * 64;

/// A card with our kernels.
struct Gpu {
    module: Module,
    memory: Global,
    stages: u32,
}

/// One card of each generation.
fn gpus() -> impl Iterator<Item = Gpu> {
    GENERATIONS.into_iter().map(|(text, stages)| {
        let module = Module::parse(text).unwrap_or_else(|what| panic!("{what}"));
        Gpu { module, memory: Global::default(), stages }
    })
}

impl Gpu {
    fn launch(&mut self, name: &str, blocks: Range<u32>, threads: u32, dynamic_shared_bytes: u32, args: &[Arg]) {
        let kernel = self.module.kernel(name).unwrap();
        launch(kernel, &mut self.memory, blocks, threads, dynamic_shared_bytes, args)
            .unwrap_or_else(|what| panic!("{what}"));
    }

    fn download(&mut self, at: u64, len: u32) -> Vec<u8> {
        self.memory.download(at, len as usize).unwrap_or_else(|what| panic!("{what}"))
    }

    fn download_cells(&mut self, at: u64, count: u32) -> Vec<i32> {
        self.download(at, 4 * count).as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect()
    }

    /// An allocation of which only what `bytes` fill from `first` on is there.
    fn upload_part(&mut self, first: u64, bytes: &[u8]) -> u64 {
        let at = self.memory.alloc_part(first, bytes.len());
        self.memory.write(at + first, bytes);
        at
    }

    fn operand_lines(&mut self, operand: Operand, lines: Range<u32>, n: u32) -> u64 {
        let blocks = lines.len() as u32 * n / BLOCK_LEN as u32;
        let threads = 1 << blocks.trailing_zeros().min(THREADS.ilog2());
        let to = self.memory.alloc(lines.len() * n as usize);
        let seed = seed_words();
        let args = [
            Arg::Bytes(&seed),
            Arg::U32(operand as u32),
            Arg::U32(lines.start),
            Arg::U32((n / 32).ilog2()),
            Arg::Pointer(to),
        ];
        self.launch("operand_lines", 0..blocks / threads, threads, 0, &args);
        to
    }

    fn cells(&mut self, a: u64, cols: Range<u32>, n: u32, threads: u32) -> Vec<i32> {
        let to = self.memory.alloc(4 * cols.len());
        let seed = seed_words();
        let args = [Arg::Bytes(&seed), Arg::U32(cols.start), Arg::U32(n), Arg::Pointer(a), Arg::Pointer(to)];
        self.launch("cells", 0..cols.len() as u32, threads, 0, &args);
        self.download_cells(to, cols.len() as u32)
    }

    fn multiply_tiles(&mut self, tiles: Range<u32>, a: u64, b: u64, c: u64, rows: u32, n: u32) {
        let args = [Arg::Pointer(a), Arg::Pointer(b), Arg::Pointer(c), Arg::U32(rows), Arg::U32(n)];
        self.launch("multiply", tiles, THREADS, self.stages * STAGE_BYTES, &args);
    }

    fn multiply(&mut self, a: u64, b: u64, rows: u32, n: u32) -> u64 {
        let c = self.memory.alloc(4 * (rows * n) as usize);
        self.multiply_tiles(0..rows / TILE_ROWS * (n / TILE_COLS), a, b, c, rows, n);
        c
    }

    /// `leaves` or `parents`.
    fn hash(&mut self, kernel: &str, from: u64, count: u32) -> u64 {
        let to = self.memory.alloc(TREE_NODE_LEN * count as usize);
        let args = [Arg::Pointer(from), Arg::Pointer(to), Arg::U32(count)];
        self.launch(kernel, 0..count.div_ceil(THREADS), THREADS, 0, &args);
        to
    }

    fn download_nodes(&mut self, at: u64, count: u32) -> Vec<TreeNode> {
        self.download(at, TREE_NODE_LEN as u32 * count).as_chunks().0.to_vec()
    }
}

/// As the kernels take it: what precedes the operand's number in a block's message, as big-endian words.
fn seed_words() -> Vec<u8> {
    big_endian_words(&[&b"MRmat\0\0\0"[..], &SEED].concat())
}

fn big_endian_words(message: &[u8]) -> Vec<u8> {
    message.as_chunks::<4>().0.iter().flat_map(|word| u32::from_be_bytes(*word).to_le_bytes()).collect()
}

/// Lines as core defines them, as int8.
fn lines(operand: Operand, lines: Range<u32>, n: u32) -> Vec<u8> {
    let blocks = lines.flat_map(|line| (0..n / BLOCK_LEN as u32).map(move |i| block(&SEED, operand, line, i)));
    blocks.flatten().map(|byte| byte ^ BIAS).collect()
}

fn dot(a: &[u8], b: &[u8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a as i8) * i32::from(*b as i8)).sum()
}

#[test]
fn the_ptx_is_made_of_the_source() {
    let hash = Sha256::digest(SOURCE).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (text, _) in GENERATIONS {
        let first = text.lines().next().unwrap();
        assert!(first.contains(&hash), "kernels.cu or memory.cu was changed: run toolchain/ptx");
    }
}

#[test]
fn operands_are_the_blocks_of_core() {
    for mut gpu in gpus() {
        for (operand, first, count, n) in [
            (Operand::A, 0, 1, 256),
            (Operand::B, 70_000, 33, 256),
            (Operand::A, 65_534, 8, 1024),
            (Operand::B, 3, 8, 1024),
        ] {
            let at = gpu.operand_lines(operand, first..first + count, n);
            assert!(gpu.download(at, count * n) == lines(operand, first..first + count, n));
        }
    }
}

#[test]
fn products_are_exact_at_the_extremes_too() {
    const MIN: u8 = i8::MIN as u8;
    const MAX: u8 = i8::MAX as u8;
    let alternating = |at: usize| if (at / 3 + at / 256).is_multiple_of(2) { MIN } else { MAX };
    for (rows, n) in [(TILE_ROWS, 256), (2 * TILE_ROWS, 512)] {
        let of = |rows: u32, element: &dyn Fn(usize) -> u8| (0..(rows * n) as usize).map(element).collect::<Vec<_>>();
        check_products(rows, n, &lines(Operand::A, 0..rows, n), &lines(Operand::B, 0..n, n));
        check_products(rows, n, &of(rows, &alternating), &of(n, &|at| alternating(at + 1)));
        for (a, b) in [(MIN, MIN), (MIN, MAX), (MAX, MIN), (MAX, MAX)] {
            check_products(rows, n, &of(rows, &|_| a), &of(n, &|_| b));
        }
    }
}

#[test]
fn every_tile_of_a_band_is_computed_whatever_its_height() {
    let n = 512;
    for tiles in [10, 16] {
        let rows = tiles * TILE_ROWS;
        check_products(rows, n, &lines(Operand::A, 0..rows, n), &lines(Operand::B, 0..n, n));
    }
}

fn check_products(rows: u32, n: u32, a: &[u8], b: &[u8]) {
    let line = |of: &'_ [u8], i: u32| of[(i * n) as usize..((i + 1) * n) as usize].to_vec();
    let cols = (0..n).map(|col| line(b, col)).collect::<Vec<_>>();
    let expected = (0..rows).flat_map(|row| {
        let a = line(a, row);
        cols.iter().map(move |b| dot(&a, b)).collect::<Vec<_>>()
    });
    let expected = expected.collect::<Vec<_>>();
    for mut gpu in gpus() {
        let (a, b) = (gpu.memory.upload(a), gpu.memory.upload(b));
        let c = gpu.multiply(a, b, rows, n);
        assert!(gpu.download_cells(c, rows * n) == expected, "{rows} rows of n = {n}");
    }
}

#[test]
fn leaves_and_parents_are_those_of_core_for_any_number() {
    for count in [1, 255, 256, 257, 600] {
        let cells = (0..count * 16).map(|i: u32| i.wrapping_mul(0x9e37_79b9) as i32 >> (i % 3)).collect::<Vec<_>>();
        let leaves = cells.as_chunks().0.iter().map(|cells| leaf_node(&[&pack_leaf(cells)])).collect::<Vec<_>>();
        let parents = leaves.as_chunks().0.iter().map(|[left, right]| parent(left, right)).collect::<Vec<_>>();
        for mut gpu in gpus() {
            let c = gpu.memory.upload(&cells.iter().flat_map(|cell| cell.to_le_bytes()).collect::<Vec<_>>());
            let nodes = gpu.hash("leaves", c, count);
            assert!(gpu.download_nodes(nodes, count) == leaves, "{count} leaves");
            if count > 1 {
                let above = gpu.hash("parents", nodes, count / 2);
                assert!(gpu.download_nodes(above, count / 2) == parents, "the parents of {count} leaves");
            }
        }
    }
}

#[test]
fn opened_cells_are_those_of_the_processor() {
    for (n, threads, cols) in
        [(256, 8, 0..3), (256, THREADS, 17..33), (512, 7, 496..512), (16_384, THREADS, 16_382..16_384)]
    {
        let row = n - 3;
        let expected = recompute_cells(&Round { index: 0, seed: SEED, n }, row, cols.clone());
        for mut gpu in gpus() {
            let a = gpu.operand_lines(Operand::A, row..row + 1, n);
            assert_eq!(gpu.cells(a, cols.clone(), n, threads), expected);
        }
    }
}

#[test]
fn a_round_made_of_the_kernels_has_the_root_of_the_processor() {
    for n in [256, 512] {
        let round = Round { index: 0, seed: SEED, n };
        let expected = cpu().round(&round, 0, &|_| ControlFlow::Continue(())).unwrap().root();
        for mut gpu in gpus() {
            let a = gpu.operand_lines(Operand::A, 0..n, n);
            let b = gpu.operand_lines(Operand::B, 0..n, n);
            let c = gpu.multiply(a, b, n, n);
            let mut width = n * n / CELLS_PER_LEAF as u32;
            let mut nodes = gpu.hash("leaves", c, width);
            while width > 1 {
                width /= 2;
                nodes = gpu.hash("parents", nodes, width);
            }
            assert_eq!(gpu.download_nodes(nodes, 1), [expected]);
        }
    }
}

/// At n = 65,536 C has 16 GiB: only what the last block of each kernel reads and writes is there.
#[test]
fn the_last_blocks_of_the_largest_matrix_are_where_they_belong() {
    let n = 65_536;
    let (first_row, first_col) = (n - TILE_ROWS, n - TILE_COLS);
    let offset = |rows: u32| u64::from(rows) * u64::from(n);
    let a_lines = lines(Operand::A, first_row..n, n);
    let b_lines = lines(Operand::B, first_col..n, n);
    let leaves = n / CELLS_PER_LEAF as u32 * n;
    for mut gpu in gpus() {
        let a = gpu.upload_part(offset(first_row), &a_lines);
        let b = gpu.upload_part(offset(first_col), &b_lines);
        let tiles = n / TILE_ROWS * (n / TILE_COLS);
        let c = gpu.memory.alloc_part(4 * offset(first_row), (4 * TILE_ROWS * n) as usize);
        gpu.multiply_tiles(tiles - 1..tiles, a, b, c, n, n);
        for i in 0..TILE_ROWS {
            let cells = gpu.download_cells(c + 4 * (offset(first_row + i) + u64::from(first_col)), TILE_COLS);
            let col = i * 7 % TILE_COLS;
            let line = |lines: &[u8], i: u32| lines[(i * n) as usize..][..n as usize].to_vec();
            assert_eq!(cells[col as usize], dot(&line(&a_lines, i), &line(&b_lines, col)));
        }

        let cells = (0..4096).map(|i| i - 2000).collect::<Vec<i32>>();
        let c = gpu.upload_part(
            64 * u64::from(leaves - 256),
            &cells.iter().flat_map(|cell| cell.to_le_bytes()).collect::<Vec<_>>(),
        );
        let first = TREE_NODE_LEN as u64 * u64::from(leaves - 256);
        let nodes = gpu.memory.alloc_part(first, 256 * TREE_NODE_LEN);
        let args = [Arg::Pointer(c), Arg::Pointer(nodes), Arg::U32(leaves)];
        gpu.launch("leaves", leaves / 256 - 1..leaves / 256, 256, 0, &args);
        let expected = cells.as_chunks().0.iter().map(|cells| leaf_node(&[&pack_leaf(cells)])).collect::<Vec<_>>();
        assert!(gpu.download_nodes(nodes + first, 256) == expected);
    }
}

/// The largest fill has a TiB, of which nothing is there: what a kernel reads first is what it is refused.
#[test]
fn words_of_the_largest_fill_are_read_where_they_belong() {
    let layout = Layout::new(MAX_WORDS).unwrap();
    let (lanes, steps) = (layout.lanes(), layout.steps() / SLICES);
    for mut gpu in gpus() {
        let (words, ends) = (gpu.memory.alloc(0), gpu.memory.alloc(32));
        let mut refused = |name: &str, block: u32, threads: u32, args: &[Arg]| {
            let kernel = gpu.module.kernel(name).unwrap();
            launch(kernel, &mut gpu.memory, block..block + 1, threads, 0, args).unwrap_err()
        };
        let at = |index: u64| format!("at {:#x}", words + 32 * index);

        let last_slice = (SLICES - 1) * steps;
        let args = [Arg::Bytes(&[0; 32]), Arg::U32(lanes), Arg::U32(last_slice), Arg::U32(steps), Arg::Pointer(words)];
        let said = refused("fill", lanes / THREADS - 1, THREADS, &args);
        // The word before, of the block's first lane.
        assert!(said.contains(&at(u64::from(last_slice) * u64::from(lanes) - u64::from(THREADS))), "{said}");

        for walker in [0, MAX_WALKERS - 1] {
            let start = [&b"MRstep"[..], &SEED, &[0; 2]].concat();
            let start = big_endian_words(&start);
            let count = MAX_WORDS.to_le_bytes();
            let args = [
                Arg::Bytes(&start),
                Arg::U32(walker),
                Arg::U32(1),
                Arg::Bytes(&count),
                Arg::Pointer(words),
                Arg::Pointer(ends),
            ];
            let said = refused("walks", 0, 1, &args);
            let named = addresses(&walk_start(&SEED, walker), MAX_WORDS).map(at);
            assert!(named.iter().any(|at| said.contains(at)), "{said}");
        }
    }
}
