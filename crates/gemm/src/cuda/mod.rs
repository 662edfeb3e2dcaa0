//! NVIDIA's GPUs as provers. Operands, product and tree, or the words of a fill and their tree, are all made on the card;
//! only the kept nodes come back.
//!
//! Neither building nor running needs a CUDA toolkit: the driver (`libcuda`) is looked for at run time, and it compiles the
//! embedded PTX for the card it has.

mod device;
mod library;
mod memory;
mod plan;
mod trial;

use crate::{
    backend::{recompute_cells, Backend, Memory, ProveError, Round, RowsDone},
    memory::{MemoryFill, MemoryWatch},
    tree::{kept_nodes, UpperTree},
};
use cudarc::driver::{sys::CUdevice_attribute as Attribute, CudaContext, CudaSlice, CudaStream, CudaView, DriverError};
use device::{Generation, Kernels, Seed};
use library::Library;
use millrace_core::{
    merkle::EMPTY,
    proof::{matrix::Operand, memory::MemoryTask, CELLS_PER_LEAF},
};
use plan::{least_bytes, peak_gops, NoRoom, Plan, LANES};
use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Rows and columns of C that one block of threads computes, as in `kernels.cu`.
const TILE_ROWS: u32 = 128;
const TILE_COLS: u32 = 256;

/// Bytes of a node.
const NODE_BYTES: usize = millrace_core::merkle::TREE_NODE_LEN;

/// Why no GPU can be used. The processor can prove all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCuda {
    /// There is no `libcuda`.
    #[error(
        "there is no NVIDIA driver (libcuda) here; install one, of version 525 or newer, or prove on the processor"
    )]
    NoDriver,
    /// The driver finds no card.
    #[error("the NVIDIA driver finds no GPU; `nvidia-smi` should list it")]
    NoCard,
    /// The card is too old.
    #[error("GPU {ordinal} ({name}) has compute capability {}.{}; the proof needs 6.1 or newer", .capability.0, .capability.1)]
    TooOld {
        /// Which card, as the driver counts.
        ordinal: usize,
        /// Its name.
        name: String,
        /// Its compute capability.
        capability: (i32, i32),
    },
    /// The driver refused something.
    #[error("GPU {ordinal}: the driver says {reason}")]
    Driver {
        /// Which card, as the driver counts.
        ordinal: usize,
        /// What it said.
        reason: String,
    },
    /// A product came out wrong when it was tried: this card must not prove.
    #[error("GPU {ordinal} ({name}) multiplies wrongly; proving with it would be taken for fraud")]
    Wrong {
        /// Which card, as the driver counts.
        ordinal: usize,
        /// Its name.
        name: String,
    },
}

/// What [`Cuda::all`] found.
pub struct Cards {
    /// Those that can prove.
    pub usable: Vec<Cuda>,
    /// Why others cannot, or why there is none.
    pub refused: Vec<NoCuda>,
}

/// How the product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multiplier {
    /// By the kernel in this crate: tensor cores, or `dp4a` on cards that have none for int8.
    Kernel,
    /// By cuBLASLt.
    Library,
}

/// One card; so are its clones.
#[derive(Clone)]
pub struct Cuda {
    ordinal: usize,
    name: String,
    generation: &'static Generation,
    peak_gops: Option<u64>,
    multiplier: Multiplier,
    /// What is used by one round, fill or walk at a time: a card has nothing to gain from two.
    card: Arc<Mutex<Card>>,
}

struct Card {
    context: Arc<CudaContext>,
    kernels: Kernels,
    library: Option<Library>,
    streams: [Arc<CudaStream>; LANES as usize],
}

impl Cuda {
    /// All cards of this host, in the driver's order, each after a short trial: the ways of multiplying have to give the
    /// right product, and the fastest is kept.
    pub fn all() -> Cards {
        // SAFETY: looks for the file and its initialisers, nothing else. Calling into an absent driver would panic.
        if !unsafe { cudarc::driver::sys::is_culib_present() } {
            return Cards { usable: vec![], refused: vec![NoCuda::NoDriver] };
        }
        let count = cudarc::driver::result::init().and_then(|()| CudaContext::device_count()).unwrap_or(0);
        let (mut usable, mut refused) = (vec![], vec![]);
        for ordinal in 0..count.max(0) as usize {
            match Self::open(ordinal) {
                Ok(card) => usable.push(card),
                Err(error) => refused.push(error),
            }
        }
        if usable.is_empty() && refused.is_empty() {
            refused.push(NoCuda::NoCard);
        }
        Cards { usable, refused }
    }

    fn open(ordinal: usize) -> Result<Self, NoCuda> {
        let refuse = |error: DriverError| NoCuda::Driver { ordinal, reason: error.to_string() };
        let context = CudaContext::new(ordinal).map_err(refuse)?;
        let name = context.name().map_err(refuse)?;
        let capability = context.compute_capability().map_err(refuse)?;
        let generation =
            Generation::of(capability).ok_or_else(|| NoCuda::TooOld { ordinal, name: name.clone(), capability })?;
        let attribute = |which| context.attribute(which).map(|value| value.max(0) as u64).map_err(refuse);
        let multiprocessors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let clock_khz = attribute(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?;
        let streams = [context.new_stream().map_err(refuse)?, context.new_stream().map_err(refuse)?];
        let kernels = Kernels::load(&context, generation).map_err(refuse)?;
        let card = Card { context, kernels, library: Library::open(), streams };
        let mut cuda = Self {
            ordinal,
            name,
            generation,
            peak_gops: peak_gops(capability, multiprocessors, clock_khz),
            multiplier: Multiplier::Kernel,
            card: Arc::new(Mutex::new(card)),
        };
        cuda.multiplier = cuda.fastest()?;
        Ok(cuda)
    }

    /// Which card this is, as the driver counts.
    pub fn ordinal(&self) -> usize {
        self.ordinal
    }

    /// What its maker calls it. A label: nothing depends on it.
    pub fn card_name(&self) -> &str {
        &self.name
    }

    /// How the product is computed.
    pub fn multiplier(&self) -> Multiplier {
        self.multiplier
    }

    /// The ways of multiplying that there are on this host.
    pub fn multipliers(&self) -> Vec<Multiplier> {
        let library = self.lock().library.is_some();
        [Multiplier::Kernel].into_iter().chain(library.then_some(Multiplier::Library)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Card> {
        // A panic under the lock leaves nothing half done but a round, which is done from its start.
        self.card.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: impl std::fmt::Display) -> ProveError {
        ProveError::Backend { backend: self.name(), reason: format!("GPU {}: {error}", self.ordinal) }
    }

    fn plan(&self, card: &Card, n: u32, kept_node_bytes: u64) -> Result<Plan, ProveError> {
        let free_bytes = self.free_bytes(card)?;
        Plan::new(n, kept_node_bytes, free_bytes).map_err(|NoRoom { needed_bytes, fits }| ProveError::Memory {
            n,
            needed_mib: needed_bytes.div_ceil(1 << 20),
            free_mib: free_bytes >> 20,
            fits,
        })
    }

    fn free_bytes(&self, card: &Card) -> Result<u64, ProveError> {
        // Freed memory goes back to the driver when the streams have come to their ends.
        card.context.synchronize().map_err(|error| self.failed(error))?;
        let (free_bytes, _) = card.context.mem_get_info().map_err(|error| self.failed(error))?;
        Ok(free_bytes as u64)
    }
}

impl Card {
    fn multiply(
        &self,
        by: Multiplier,
        stream: &CudaStream,
        a: &CudaView<u8>,
        b: &CudaView<u8>,
        c: &mut CudaSlice<i32>,
        n: u32,
    ) -> Result<(), String> {
        match (by, &self.library) {
            (Multiplier::Library, Some(library)) => {
                library.multiply(stream, a, b, c, n).map_err(|error| format!("cuBLASLt says {error}"))
            }
            _ => self.kernels.multiply(stream, a, b, c, n).map_err(|error| error.to_string()),
        }
    }

    /// A round's tree, band after band, two of them under way. What depends on what between the two streams is known to
    /// cudarc by the buffers: B is made before any band multiplies by it, and the tree above the bands after all of them.
    fn round(
        &self,
        by: Multiplier,
        round: &Round,
        skip: u32,
        plan: Plan,
        rows_done: &RowsDone,
    ) -> Result<Option<UpperTree>, String> {
        let told = |error: DriverError| error.to_string();
        let Round { n, seed, .. } = *round;
        let (seed, kernels) = (Seed::new(&seed), &self.kernels);
        let [first, _] = &self.streams;
        let mut b = alloc(first, square(n)).map_err(told)?;
        kernels.operand_lines(first, &seed, Operand::B, 0, n, &mut b.as_view_mut()).map_err(told)?;
        // As `UpperTree` keeps them: the root at 1, the children of i at 2i and 2i + 1.
        let width = kept_nodes(n, skip);
        let mut nodes = alloc(first, 2 * width * NODE_BYTES).map_err(told)?;
        let mut lanes = vec![];
        for stream in &self.streams {
            lanes.push(Lane::new(stream.clone(), n, plan.band_rows).map_err(told)?);
        }
        for (first_row, i) in (0..n).step_by(plan.band_rows as usize).zip(0..) {
            let lane = &mut lanes[i % LANES as usize];
            let stream = lane.stream.clone();
            // The band before last is done: its buffers are used again.
            stream.synchronize().map_err(told)?;
            if rows_done(first_row.saturating_sub((LANES - 1) * plan.band_rows)).is_break() {
                return Ok(None);
            }
            kernels.operand_lines(&stream, &seed, Operand::A, first_row, n, &mut lane.a.as_view_mut()).map_err(told)?;
            self.multiply(by, &stream, &lane.a.as_view(), &b.as_view(), &mut lane.c, n)?;
            let kept = lane.leaves() >> skip;
            let begin = (width + i * kept) * NODE_BYTES;
            let top = lane.hash(kernels, skip).map_err(told)?;
            let mut into = nodes.slice_mut(begin..begin + kept * NODE_BYTES);
            stream.memcpy_dtod(&top, &mut into).map_err(told)?;
        }
        let mut level = width;
        while level > 1 {
            let (mut parents, children) = nodes.split_at_mut(level * NODE_BYTES);
            let mut parents = parents.slice_mut(level / 2 * NODE_BYTES..);
            kernels.parents(first, &children.slice(..level * NODE_BYTES), &mut parents).map_err(told)?;
            level /= 2;
        }
        let mut kept = vec![EMPTY; 2 * width];
        first.memcpy_dtoh(&nodes.slice(NODE_BYTES..), &mut kept.as_flattened_mut()[NODE_BYTES..]).map_err(told)?;
        first.synchronize().map_err(told)?;
        if rows_done(n).is_break() {
            return Ok(None);
        }
        Ok(Some(UpperTree::from_nodes(skip, kept.into_flattened())))
    }

    fn cells(&self, round: &Round, row: u32, cols: Range<u32>) -> Result<Vec<i32>, DriverError> {
        let (stream, seed) = (&self.streams[0], Seed::new(&round.seed));
        let mut a = alloc(stream, round.n as usize)?;
        self.kernels.operand_lines(stream, &seed, Operand::A, row, round.n, &mut a.as_view_mut())?;
        let mut out = alloc(stream, cols.len())?;
        self.kernels.cells(stream, &seed, cols.start, &a, &mut out)?;
        stream.clone_dtoh(&out)
    }
}

impl Backend for Cuda {
    fn name(&self) -> &'static str {
        match self.multiplier {
            Multiplier::Kernel => self.generation.name,
            Multiplier::Library => "cuda-cublaslt",
        }
    }

    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<UpperTree, ProveError> {
        let card = self.lock();
        let kept_node_bytes = (2 * kept_nodes(round.n, skip) * NODE_BYTES) as u64;
        let plan = self.plan(&card, round.n, kept_node_bytes)?;
        let tree = card.round(self.multiplier, round, skip, plan, rows_done).map_err(|error| self.failed(error))?;
        tree.ok_or(ProveError::Stopped)
    }

    fn cells(&self, round: &Round, row: u32, cols: Range<u32>) -> Vec<i32> {
        // A card that fails now has given its commit already; the processor answers for it, more slowly.
        self.lock().cells(round, row, cols.clone()).unwrap_or_else(|_| recompute_cells(round, row, cols))
    }

    /// After a short trial: a small fill and walks through it have to be the processor's.
    fn fill(&self, task: &MemoryTask, watch: &MemoryWatch) -> Result<MemoryFill, ProveError> {
        self.try_memory()?;
        self.fill_memory(task, watch)
    }

    fn peak_gops(&self) -> Option<u64> {
        self.peak_gops
    }

    fn memory(&self, n: u32, _tree_bytes: u64) -> Option<Memory> {
        let free_bytes = self.free_bytes(&self.lock()).ok()?;
        Some(Memory { needed_bytes: least_bytes(n), free_bytes })
    }
}

/// Buffers of one band under way.
struct Lane {
    stream: Arc<CudaStream>,
    a: CudaSlice<u8>,
    c: CudaSlice<i32>,
    /// The leaves' nodes, and the level above; higher ones take turns in both.
    levels: [CudaSlice<u8>; 2],
}

impl Lane {
    fn new(stream: Arc<CudaStream>, n: u32, band_rows: u32) -> Result<Self, DriverError> {
        let cells = band_rows as usize * n as usize;
        let leaf_bytes = cells / CELLS_PER_LEAF * NODE_BYTES;
        Ok(Self {
            a: alloc(&stream, cells)?,
            c: alloc(&stream, cells)?,
            levels: [alloc(&stream, leaf_bytes)?, alloc(&stream, leaf_bytes / 2)?],
            stream,
        })
    }

    fn leaves(&self) -> usize {
        self.c.len() / CELLS_PER_LEAF
    }

    /// Hashes C and so many levels above its leaves; gives the highest.
    fn hash(&mut self, kernels: &Kernels, levels: u32) -> Result<CudaView<'_, u8>, DriverError> {
        let mut len = self.leaves() * NODE_BYTES;
        let [mut at, mut above] = self.levels.each_mut();
        kernels.leaves(&self.stream, &self.c, &mut at.slice_mut(..len))?;
        for _ in 0..levels {
            kernels.parents(&self.stream, &at.slice(..len), &mut above.slice_mut(..len / 2))?;
            len /= 2;
            (at, above) = (above, at);
        }
        Ok(at.slice(..len))
    }
}

fn alloc<T: cudarc::driver::DeviceRepr>(stream: &Arc<CudaStream>, len: usize) -> Result<CudaSlice<T>, DriverError> {
    // SAFETY: of every buffer here, what is read was written by a kernel before.
    unsafe { stream.alloc(len) }
}

fn square(n: u32) -> usize {
    n as usize * n as usize
}
