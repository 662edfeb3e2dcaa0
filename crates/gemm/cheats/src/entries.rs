//! Provers whose entries are not the product.

use crate::answers::Answers;
use crate::{cpu, judged, not_found, rng, run, task, Cheat, Kind, Trial};
use millrace_core::proof::matrix::{self, Operand, BIAS, BLOCK_LEN};
use millrace_gemm::cheats::{Lazy, Tamper};
use millrace_gemm::{queries, Backend, Refusal, Round};
use rand::Rng;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

const N: u32 = 256;
const ROUNDS: u32 = 2;

pub(crate) fn cheats() -> Vec<Cheat> {
    let wrong = |name, does, wrong_fraction, trial| Cheat {
        name,
        does,
        caught_by: "wrong entries among the queries",
        missed: not_found(wrong_fraction),
        kind: Kind::Answer,
        trial,
    };
    let rows = |name, does, percent| {
        let round = Round { index: 0, seed: [0; 32], n: N };
        let lazy = Lazy::rows(cpu(), percent);
        let skipped = (0..N).filter(|row| lazy.skips(&round, *row)).count();
        wrong(name, does, skipped as f64 / f64::from(N), asked(ROUNDS, move || Lazy::rows(cpu(), percent)))
    };
    let one_row = || Tamper::new(cpu(), |_, row, _, value| if row == 99 { 0 } else { value });
    vec![
        wrong("one lazy row in 256", "leaves one row at zero", 1.0 / 256.0, asked(ROUNDS, one_row)),
        rows("lazy rows, 1%", "leaves 3 rows of 256 at zero", 1),
        rows("lazy rows, 5%", "leaves 13 rows of 256 at zero", 5),
        rows("lazy rows, 10%", "leaves 26 rows of 256 at zero", 10),
        wrong(
            "lazy tail rounds, 1 of 64",
            "leaves the last of 64 rounds at zero",
            1.0 / 64.0,
            asked(64, || Lazy::tail(cpu(), 63)),
        ),
        wrong(
            "lazy tail rounds, 2 of 16",
            "leaves the last 2 of 16 rounds at zero",
            2.0 / 16.0,
            asked(16, || Lazy::tail(cpu(), 14)),
        ),
        wrong(
            "low-rank fill",
            "computes the first half of the rows and commits each twice: a product of half the rank",
            0.5,
            asked(ROUNDS, || {
                filled(|round| product(N, &operand(round, Operand::A, |row, k| (row % (N / 2), k)), &b(round)))
            }),
        ),
        wrong(
            "structured fill",
            "makes A a Hankel matrix out of one row, whose product costs n² log n",
            (N - 1) as f64 / N as f64,
            asked(ROUNDS, || {
                filled(|round| product(N, &operand(round, Operand::A, |row, k| (0, (row + k) % N)), &b(round)))
            }),
        ),
        // Entries below 2¹¹, one in 50, are right, and a few by chance: 0.9 is safely less than what is wrong.
        wrong(
            "float approximation",
            "adds up in floats of 11 significant bits, as half-precision sums are",
            0.9,
            asked(ROUNDS, || filled(|round| half_product(N, &a(round), &b(round)))),
        ),
        wrong(
            "integers of four bits",
            "drops the lower half of each operand, for twice the speed",
            0.9,
            asked(ROUNDS, || {
                let coarse = |operand: Vec<i32>| operand.into_iter().map(|element| element & !15).collect::<Vec<_>>();
                filled(move |round| product(N, &coarse(a(round)), &coarse(b(round))))
            }),
        ),
    ]
}

/// A run of which each beacon's queries are a trial.
fn asked<B: Backend + 'static>(rounds: u32, make: impl Fn() -> B + Send + Sync + 'static) -> Trial {
    let made = OnceLock::new();
    Box::new(move |seed| {
        let proven = made.get_or_init(|| Answers::of(run(&task(N, rounds), make())));
        let next_beacon = rng(seed).random();
        let bundle = proven.answer(&queries(proven.commit(), &next_beacon));
        matches!(judged(proven.commit(), &next_beacon, &bundle.to_bytes()), Err(Refusal::WrongEntries(_)))
    })
}

/// Commits what `fill` makes of each round, once a round.
fn filled(fill: impl Fn(&Round) -> Vec<i32> + Send + Sync + 'static) -> impl Backend {
    let made = Mutex::new(HashMap::<u32, Arc<Vec<i32>>>::new());
    Tamper::new(cpu(), move |round: &Round, row, col, _| {
        let mut made = made.lock().expect("filling does not panic");
        made.entry(round.index).or_insert_with(|| Arc::new(fill(round)))[(row * round.n + col) as usize]
    })
}

/// An operand by lines, with element (line, k) taken from where `place` says.
fn operand(round: &Round, operand: Operand, place: impl Fn(u32, u32) -> (u32, u32)) -> Vec<i32> {
    let lines = (0..round.n).flat_map(|line| {
        (0..round.n / BLOCK_LEN as u32).flat_map(move |block| matrix::block(&round.seed, operand, line, block))
    });
    let made = lines.map(|byte| i32::from(byte) - i32::from(BIAS)).collect::<Vec<_>>();
    let at = |(line, k): (u32, u32)| made[(line * round.n + k) as usize];
    (0..round.n).flat_map(|line| (0..round.n).map(move |k| (line, k))).map(|(line, k)| at(place(line, k))).collect()
}

fn a(round: &Round) -> Vec<i32> {
    operand(round, Operand::A, |row, k| (row, k))
}

fn b(round: &Round) -> Vec<i32> {
    operand(round, Operand::B, |col, k| (col, k))
}

/// All dot products of the rows of `a` with the columns of `b`.
fn dots(n: u32, a: &[i32], b: &[i32], dot: impl Fn(&[i32], &[i32]) -> i32) -> Vec<i32> {
    a.chunks(n as usize).flat_map(|a| b.chunks(n as usize).map(|b| dot(a, b)).collect::<Vec<_>>()).collect()
}

fn product(n: u32, a: &[i32], b: &[i32]) -> Vec<i32> {
    dots(n, a, b, |a, b| a.iter().zip(b).map(|(a, b)| a * b).sum())
}

/// The product with every sum rounded to 11 significant bits.
fn half_product(n: u32, a: &[i32], b: &[i32]) -> Vec<i32> {
    let round = |sum: f32| f32::from_bits((sum.to_bits() + 0x1000) & !0x1fff);
    dots(n, a, b, |a, b| a.iter().zip(b).fold(0.0, |sum, (a, b)| round(sum + (a * b) as f32)) as i32)
}
