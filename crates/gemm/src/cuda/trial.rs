//! What is tried of a card before it proves, and measured of one: is its product right, which way is the fastest.

use super::{alloc, square, Cuda, Lane, Multiplier, NoCuda, Seed, TILE_COLS, TILE_ROWS};
use crate::{backend::ProveError, bench::Parts, memory::MemoryFill, operands::dot};
use cudarc::driver::DriverError;
use millrace_core::proof::{
    matrix::Operand,
    memory::{MemoryTask, MIN_WORDS},
};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// n of the products by which the fastest way of multiplying is chosen, and how often each is timed.
const TUNE_N: u32 = 4_096;
const TUNE_TIMES: u32 = 3;

impl Cuda {
    /// `a·b` on the card for rows of A and columns of B of n elements each, by rows: for trials and checks.
    ///
    /// # Errors
    /// [`ProveError::Backend`].
    ///
    /// # Panics
    /// Unless A has a multiple of 128 rows and B n columns.
    pub fn multiply(&self, by: Multiplier, n: u32, a: &[i8], b: &[i8]) -> Result<Vec<i32>, ProveError> {
        let card = self.lock();
        let stream = &card.streams[0];
        let run = || -> Result<_, String> {
            let told = |error: DriverError| error.to_string();
            let bytes = |elements: &[i8]| elements.iter().map(|element| *element as u8).collect::<Vec<_>>();
            let a = stream.clone_htod(&bytes(a)).map_err(told)?;
            let b = stream.clone_htod(&bytes(b)).map_err(told)?;
            let mut c = stream.alloc_zeros(a.len()).map_err(told)?;
            card.multiply(by, stream, &a.as_view(), &b.as_view(), &mut c, n)?;
            stream.clone_dtoh(&c).map_err(told)
        };
        run().map_err(|error| self.failed(error))
    }

    /// The fastest way of multiplying, out of those that are right.
    pub(super) fn fastest(&self) -> Result<Multiplier, NoCuda> {
        let ordinal = self.ordinal;
        if !self.is_right(Multiplier::Kernel) {
            return Err(NoCuda::Wrong { ordinal, name: self.name.clone() });
        }
        let others = self.multipliers().into_iter().filter(|way| *way != Multiplier::Kernel);
        let others = others.filter(|way| self.is_right(*way)).collect::<Vec<_>>();
        if others.is_empty() {
            return Ok(Multiplier::Kernel);
        }
        let mut timed = vec![];
        for way in [Multiplier::Kernel].into_iter().chain(others) {
            let parts = self.round_parts(way, TUNE_N, TUNE_TIMES);
            let parts = parts.map_err(|error| NoCuda::Driver { ordinal, reason: error.to_string() })?;
            timed.push((parts.multiply, way));
        }
        Ok(timed.into_iter().min_by_key(|(took, _)| *took).map_or(Multiplier::Kernel, |(_, way)| way))
    }

    /// Whether a product of extremes and of everything between them comes out right.
    fn is_right(&self, multiplier: Multiplier) -> bool {
        let n = TILE_COLS;
        let mixed = |i: u32| [i8::MIN, i8::MAX, (i.wrapping_mul(0x9e37_79b1) >> 24) as i8][i as usize % 3];
        let a = (0..TILE_ROWS * n).map(mixed).collect::<Vec<_>>();
        let b = (0..n * n).map(|i| mixed(i / 7)).collect::<Vec<_>>();
        let lines = |m: &[i8]| m.chunks_exact(n as usize).map(<[i8]>::to_vec).collect::<Vec<_>>();
        let columns = lines(&b);
        let expected = lines(&a).iter().flat_map(|a| columns.iter().map(|b| dot(a, b))).collect::<Vec<_>>();
        self.multiply(multiplier, n, &a, &b).is_ok_and(|c| c == expected)
    }

    /// Whether the smallest fill, and walks through it, come out right.
    pub(super) fn try_memory(&self) -> Result<(), ProveError> {
        let [deployment_id, node, beacon, nonce] = [[7; 32]; 4];
        let (words, walkers) = (MIN_WORDS, 100);
        let task = MemoryTask { deployment_id, node, gpu_index: 0, epoch: 0, beacon, nonce, words, walkers };
        let go_on = |_| ControlFlow::Continue(());
        let (got, expected) = (self.fill_memory(&task, &go_on)?, MemoryFill::new(&task, &go_on)?);
        let (walked, right) = (got.walk(&nonce, &go_on)?, expected.walk(&nonce, &go_on)?);
        match got.commit() == expected.commit() && walked.commit() == right.commit() {
            true => Ok(()),
            false => Err(self.failed("a small fill comes out wrong; proving with it would be taken for fraud")),
        }
    }

    /// What the parts of a round take, each alone: the least of `times` measurements of as many rows as fit, for all n.
    ///
    /// # Errors
    /// [`ProveError::Backend`], also where n does not fit.
    pub fn round_parts(&self, multiplier: Multiplier, n: u32, times: u32) -> Result<Parts, ProveError> {
        let card = self.lock();
        let stream = card.streams[0].clone();
        let plan = self.plan(&card, n, 0)?;
        let run = || -> Result<Parts, String> {
            let told = |error: DriverError| error.to_string();
            let seed = Seed::new(&[7; 32]);
            let mut b = alloc(&stream, square(n)).map_err(told)?;
            let mut lane = Lane::new(stream.clone(), n, plan.band_rows).map_err(told)?;
            let (mut of_b, mut of_a, mut multiply, mut hash) = (vec![], vec![], vec![], vec![]);
            // One more than asked for: the first pays for what is done once.
            for _ in 0..=times {
                let mut timed = |parts: &mut Vec<Duration>, work: &mut dyn FnMut(&mut Lane) -> Result<(), String>| {
                    let begun = Instant::now();
                    work(&mut lane)?;
                    stream.synchronize().map_err(told)?;
                    parts.push(begun.elapsed());
                    Ok::<_, String>(())
                };
                timed(&mut of_b, &mut |_| {
                    card.kernels.operand_lines(&stream, &seed, Operand::B, 0, n, &mut b.as_view_mut()).map_err(told)
                })?;
                timed(&mut of_a, &mut |lane| {
                    card.kernels
                        .operand_lines(&stream, &seed, Operand::A, 0, n, &mut lane.a.as_view_mut())
                        .map_err(told)
                })?;
                timed(&mut multiply, &mut |lane| {
                    card.multiply(multiplier, &stream, &lane.a.as_view(), &b.as_view(), &mut lane.c, n)
                })?;
                timed(&mut hash, &mut |lane| {
                    let levels = (lane.leaves() as u32).ilog2();
                    lane.hash(&card.kernels, levels).map(|_| ()).map_err(told)
                })?;
            }
            let bands = n / plan.band_rows;
            let least = |parts: &[Duration]| parts.iter().skip(1).min().copied().unwrap_or_default();
            Ok(Parts {
                generate: least(&of_b) + least(&of_a) * bands,
                multiply: least(&multiply) * bands,
                hash: least(&hash) * bands,
            })
        };
        run().map_err(|error| self.failed(error))
    }
}
