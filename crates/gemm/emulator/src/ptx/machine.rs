//! Runs the blocks of a launch, one after the other.

use super::{
    alu::{Lanes, UNSPECIFIED},
    memory::{Global, Shared},
    parse::{Address, Kernel, Op, Slot, Space, SPECIALS},
    Result,
};
use std::{collections::VecDeque, ops::Range};

/// A kernel's parameter.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    /// As it lies in memory.
    Bytes(&'a [u8]),
    /// A number.
    U32(u32),
    /// An address.
    Pointer(u64),
}

const WARP: usize = 32;
/// Instructions after which a warp is held to run for ever. Our longest kernel needs half of them.
const MAX_STEPS: u64 = 1 << 23;

/// Runs blocks `blocks` of a grid, of `threads` threads each.
pub fn launch(
    kernel: &Kernel,
    memory: &mut Global,
    blocks: Range<u32>,
    threads: u32,
    dynamic_shared_bytes: u32,
    args: &[Arg],
) -> Result<()> {
    let place = |what: &str| format!("{}, {}: {what}", kernel.target, kernel.name);
    if !(1..=kernel.max_threads).contains(&threads) {
        return Err(place(&format!("{threads} threads a block, of at most {}", kernel.max_threads)));
    }
    let params = encode(kernel, args).map_err(|what| place(&what))?;
    memory.begin_launch();
    let shared = kernel.dynamic_shared_start() + dynamic_shared_bytes;
    let warps = (0..threads as usize).step_by(WARP).map(|first| first..(first + WARP).min(threads as usize));
    let mut warps = warps.map(|threads| Warp::new(kernel, threads)).collect::<Vec<_>>();
    for block in blocks {
        warps.iter_mut().for_each(|warp| warp.begin(block, threads));
        let mut running = Block { kernel, params: &params, memory, shared: Shared::new(shared) };
        running.run(&mut warps).map_err(|what| place(&format!("block {block}, {what}")))?;
    }
    Ok(())
}

/// The parameters as they lie in memory.
fn encode(kernel: &Kernel, args: &[Arg]) -> Result<Vec<u8>> {
    if args.len() != kernel.params.len() {
        return Err(format!("{} arguments for {} parameters", args.len(), kernel.params.len()));
    }
    let mut bytes = vec![];
    for (arg, (at, size)) in args.iter().zip(&kernel.params) {
        bytes.resize(*at as usize, 0);
        match arg {
            Arg::Bytes(arg) => bytes.extend_from_slice(arg),
            Arg::U32(arg) => bytes.extend_from_slice(&arg.to_le_bytes()),
            Arg::Pointer(arg) => bytes.extend_from_slice(&arg.to_le_bytes()),
        }
        if bytes.len() != (at + size) as usize {
            return Err(format!("the parameter at {at} has {size} bytes, its argument {}", bytes.len() - *at as usize));
        }
    }
    Ok(bytes)
}

/// 32 threads, of which those that are behind always go first: so they come together again where their ways meet.
#[derive(Clone)]
struct Warp {
    /// Its threads of the block.
    threads: Range<usize>,
    slots: Vec<Lanes>,
    /// What each thread executes next; [`DONE`], or, while it waits at a barrier, that and [`WAITING`].
    at: [u32; WARP],
    steps: u64,
    copies: [Copies; WARP],
}

const WAITING: u32 = 1 << 31;
const DONE: u32 = u32::MAX;

/// A thread's asynchronous copies that have not landed.
#[derive(Clone, Default)]
struct Copies {
    /// Closed groups, oldest first.
    groups: VecDeque<Vec<Copied>>,
    open: Vec<Copied>,
}

#[derive(Clone)]
struct Copied {
    to: u64,
    words: [u32; 4],
}

impl Warp {
    fn new(kernel: &Kernel, threads: Range<usize>) -> Self {
        let mut slots = vec![[UNSPECIFIED; WARP]; kernel.slots];
        for (value, slot) in &kernel.constants {
            slots[usize::from(*slot)] = [*value; WARP];
        }
        Self { threads, slots, at: [DONE; WARP], steps: 0, copies: Default::default() }
    }

    /// Begins another block. The registers still hold what the one before left in them.
    fn begin(&mut self, block: u32, threads: u32) {
        let ids = std::array::from_fn(|lane| (self.threads.start + lane) as u64);
        let specials = [ids, [threads.into(); WARP], [block.into(); WARP]];
        self.slots[..SPECIALS.len()].copy_from_slice(&specials);
        self.at[..self.threads.len()].fill(0);
        self.steps = 0;
    }

    fn lanes(&self, slot: Slot) -> &Lanes {
        &self.slots[usize::from(slot)]
    }

    fn set(&mut self, slot: Slot, lane: usize, value: u64) {
        self.slots[usize::from(slot)][lane] = value;
    }

    /// An address in shared memory may be held in 32 bits.
    fn address(&self, address: Address, space: Space, lane: usize) -> u64 {
        let at = self.lanes(address.base)[lane].wrapping_add(address.offset as u64);
        match space {
            Space::Global => at,
            Space::Shared => at & 0xffff_ffff,
        }
    }
}

struct Block<'a> {
    kernel: &'a Kernel,
    params: &'a [u8],
    memory: &'a mut Global,
    shared: Shared,
}

impl Block<'_> {
    fn run(&mut self, warps: &mut [Warp]) -> Result<()> {
        loop {
            for warp in warps.iter_mut() {
                self.run_warp(warp)?;
            }
            let states = || warps.iter().flat_map(|warp| warp.threads.clone().zip(warp.at));
            let Some((waiting, at)) = states().find(|(_, at)| *at != DONE) else { return Ok(()) };
            if let Some((other, _)) = states().find(|(_, other)| *other != at) {
                let line = self.kernel.lines[(at & !WAITING) as usize];
                return Err(format!(
                    "line {line}, thread {waiting}: waits at a barrier that thread {other} does not come to"
                ));
            }
            self.shared.barrier();
            for warp in warps.iter_mut() {
                warp.at = warp.at.map(|at| if at == DONE { DONE } else { (at & !WAITING) + 1 });
            }
        }
    }

    /// Until all of the warp's threads are done or at a barrier.
    fn run_warp(&mut self, warp: &mut Warp) -> Result<()> {
        loop {
            let mut at = warp.at.into_iter().min().expect("a warp has lanes");
            if at >= WAITING {
                return Ok(());
            }
            let active = warp.at.map(|other| other == at);
            let others = warp.at.into_iter().filter(|other| *other != at).min().unwrap_or(DONE);
            let mut straight = true;
            while straight && at < others {
                straight = self.step(warp, at, &active).map_err(|(lane, what)| {
                    format!("line {}, thread {}: {what}", self.kernel.lines[at as usize], warp.threads.start + lane)
                })?;
                at += 1;
            }
            if straight {
                (0..WARP).filter(|lane| active[*lane]).for_each(|lane| warp.at[lane] = at);
            }
        }
    }

    /// One instruction in the active lanes. False: it has set [`Warp::at`] itself. The error is of a lane.
    fn step(&mut self, warp: &mut Warp, at: u32, active: &[bool; WARP]) -> std::result::Result<bool, (usize, String)> {
        let Self { params, memory, shared, .. } = self;
        let lanes = || (0..WARP).filter(|lane| active[*lane]);
        let first = warp.threads.start;
        warp.steps += 1;
        if warp.steps > MAX_STEPS {
            return Err((0, "does not end".into()));
        }
        match self.kernel.code[at as usize] {
            Op::Alu { alu, to, from } => {
                let result = alu(from.map(|slot| warp.lanes(slot)));
                match active.contains(&false) {
                    false => warp.slots[usize::from(to)] = result,
                    true => lanes().for_each(|lane| warp.set(to, lane, result[lane])),
                }
            }
            Op::LoadParam { to, at, words } => {
                let mut value = [0; 8];
                let len = 4 * words as usize;
                value[..len].copy_from_slice(&params[at as usize..at as usize + len]);
                lanes().for_each(|lane| warp.set(to, lane, u64::from_le_bytes(value)));
            }
            Op::Load { space, words, to, address } => {
                for lane in lanes() {
                    let (mut loaded, at) = ([0; 4], warp.address(address, space, lane));
                    let done = match space {
                        Space::Global => memory.load(at, &mut loaded[..words]),
                        Space::Shared => shared.load(at, first + lane, &mut loaded[..words]),
                    };
                    done.map_err(|what| (lane, what))?;
                    to.into_iter().zip(loaded).take(words).for_each(|(to, word)| warp.set(to, lane, word.into()));
                }
            }
            Op::Store { space, words, from, address } => {
                for lane in lanes() {
                    let (stored, at) =
                        (from.map(|from| warp.lanes(from)[lane] as u32), warp.address(address, space, lane));
                    let done = match space {
                        Space::Global => memory.store(at, &stored[..words]),
                        Space::Shared => shared.store(at, first + lane, &stored[..words]),
                    };
                    done.map_err(|what| (lane, what))?;
                }
            }
            Op::AtomicAdd { to, address, value } => {
                for lane in lanes() {
                    let (at, value) = (warp.address(address, Space::Shared, lane), warp.lanes(value)[lane] as u32);
                    let before = shared.atomic_add(at, first + lane, value).map_err(|what| (lane, what))?;
                    warp.set(to, lane, before.into());
                }
            }
            Op::CopyAsync { to, from } => {
                for lane in lanes() {
                    // It may land at any time from now on; here it does as late as it can.
                    let to = warp.address(to, Space::Shared, lane);
                    let mut words = [0; 4];
                    memory.load(warp.address(from, Space::Global, lane), &mut words).map_err(|what| (lane, what))?;
                    shared.begin_copy(to, first + lane, words.len()).map_err(|what| (lane, what))?;
                    warp.copies[lane].open.push(Copied { to, words });
                }
            }
            Op::CommitGroup => {
                for lane in lanes() {
                    let Copies { groups, open } = &mut warp.copies[lane];
                    groups.push_back(std::mem::take(open));
                }
            }
            Op::WaitGroup { left } => {
                for lane in lanes() {
                    let groups = &mut warp.copies[lane].groups;
                    for copied in groups.drain(..groups.len().saturating_sub(left)).flatten() {
                        shared.land_copy(copied.to, first + lane, &copied.words).map_err(|what| (lane, what))?;
                    }
                }
            }
            Op::LoadMatrix { .. } | Op::Multiply { .. } if active.contains(&false) => {
                let lane = lanes().next().unwrap_or_default();
                return Err((lane, "is at an instruction that its warp executes as one, without the others".into()));
            }
            Op::LoadMatrix { to, address } => load_matrix(warp, shared, to, address)?,
            Op::Multiply { size: 1, d, a, b, c } => multiply::<1>(warp, d, a, b, c),
            Op::Multiply { size: _, d, a, b, c } => multiply::<2>(warp, d, a, b, c),
            Op::Barrier => {
                lanes().for_each(|lane| warp.at[lane] = at | WAITING);
                return Ok(false);
            }
            Op::Return => {
                for lane in lanes() {
                    let Copies { groups, open } = &mut warp.copies[lane];
                    if groups.drain(..).any(|group| !group.is_empty()) || !open.is_empty() {
                        return Err((lane, "ends before its copies".into()));
                    }
                    warp.at[lane] = DONE;
                }
                return Ok(false);
            }
            Op::Branch { target, when } => {
                for lane in lanes() {
                    let taken = when.is_none_or(|(predicate, value)| (warp.lanes(predicate)[lane] != 0) == value);
                    warp.at[lane] = if taken { target } else { at + 1 };
                }
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Four matrices of eight rows of 16 bytes. Lane 8m + r has the address of row r of matrix m; register m of each lane gets
/// four bytes of that matrix, the lanes row by row.
fn load_matrix(
    warp: &mut Warp,
    shared: &mut Shared,
    to: [Slot; 4],
    address: Address,
) -> std::result::Result<(), (usize, String)> {
    let rows: [u64; WARP] = std::array::from_fn(|lane| warp.address(address, Space::Shared, lane));
    for (matrix, (rows, to)) in rows.as_chunks::<8>().0.iter().zip(to).enumerate() {
        if let Some(row) = rows.iter().position(|row| !row.is_multiple_of(16)) {
            return Err((8 * matrix + row, format!("a row begins at {:#x}, no multiple of 16", rows[row])));
        }
        // Not wrong, but slow, and the kernel lays its lines out so that it does not happen.
        if rows.iter().fold(0, |banks, row| banks | 1 << (row / 16 % 8)) != 0xff {
            return Err((8 * matrix, "reads eight rows that are not in different banks".into()));
        }
        for lane in 0..WARP {
            let mut word = [0];
            let at = rows[lane / 4] + 4 * (lane as u64 % 4);
            shared.load(at, warp.threads.start + lane, &mut word).map_err(|what| (lane, what))?;
            warp.set(to, lane, word[0].into());
        }
    }
    Ok(())
}

/// d = a·b + c. Of A, register `i + SIZE·h` has rows 8i to 8i + 7 at k from 16h to 16h + 15; of B, register h has the same k;
/// of C, registers 2i and 2i + 1 have neighbours in rows 8i to 8i + 7. In each, a row (of B a column) is four lanes' wide.
fn multiply<const SIZE: usize>(warp: &mut Warp, d: [Slot; 4], a: [Slot; 4], b: [Slot; 2], c: [Slot; 4]) {
    let mut rows = [[0i16; 32]; 16];
    let mut cols = [[0i16; 32]; 8];
    let fill = |lines: &mut [[i16; 32]], lanes: &Lanes, half: usize| {
        for (lane, word) in lanes.iter().enumerate() {
            let four = (*word as u32).to_le_bytes().map(|byte| i16::from(byte as i8));
            lines[lane / 4][16 * half + lane % 4 * 4..][..4].copy_from_slice(&four);
        }
    };
    for half in 0..SIZE {
        fill(&mut cols, warp.lanes(b[half]), half);
        for eight in 0..SIZE {
            fill(&mut rows[8 * eight..], warp.lanes(a[eight + SIZE * half]), half);
        }
    }
    // All of C is read before any of it is written: the registers may be the same.
    let c = c.map(|slot| *warp.lanes(slot));
    for i in 0..2 * SIZE {
        for lane in 0..WARP {
            let (row, col) = (&rows[8 * (i / 2) + lane / 4], &cols[lane % 4 * 2 + i % 2]);
            let product: i32 = (0..16 * SIZE).map(|k| i32::from(row[k]) * i32::from(col[k])).sum();
            warp.set(d[i], lane, u64::from((c[i][lane] as i32).wrapping_add(product) as u32));
        }
    }
}
