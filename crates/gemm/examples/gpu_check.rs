//! Everything about the GPUs of this host that can only be known by running on them: are the bits right, how fast is each
//! part. `make gpu-check` runs this; the results are kept in docs/measurements.
//!
//! `cargo run --release -p millrace-gemm --example gpu_check [FOLDER]`

use millrace_core::proof::{
    gops,
    memory::{Layout, MemoryTask, WALK_BYTES, WORD_LEN},
    operations, Task,
};
use millrace_gemm::{
    cuda::Cards, memory::verify_memory, prove, queries, verify_bundle, Backend, Bundle, Cpu, Cuda, ProveOptions,
    ProvenRun,
};
use std::{
    error::Error,
    fmt::Write as _,
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// Sizes at which every bit is compared with the processor's.
const COMPARED: [u32; 5] = [256, 512, 1_024, 2_048, 4_096];
/// Sizes at which an audit's answer is verified and the parts are timed.
const TIMED: [u32; 4] = [4_096, 16_384, 32_768, 65_536];
/// Words and walkers of fills that are compared with the processor's: full trees and others.
const COMPARED_FILLS: [(u64, u32); 2] = [(1 << 14, 1_000), (5 << 18, 1_000_000)];
/// Walks that are timed: they read 137 GB.
const TIMED_WALKERS: u32 = 1 << 27;
const GO_ON: ControlFlow<()> = ControlFlow::Continue(());
/// How deep products of extremes are.
const DEEPEST: u32 = 16_384;

fn task(n: u32, rounds: u32) -> Task {
    let [deployment_id, node, beacon, nonce] = [1, 2, 3, 4].map(|byte| [byte; 32]);
    Task { deployment_id, node, gpu_index: 0, epoch: 5, beacon, nonce, n, rounds }
}

fn memory_task(words: u64, walkers: u32) -> MemoryTask {
    let Task { deployment_id, node, gpu_index, epoch, beacon, nonce, .. } = task(0, 0);
    MemoryTask { deployment_id, node, gpu_index, epoch, beacon, nonce, words, walkers }
}

fn run(backend: &Arc<dyn Backend>, n: u32, rounds: u32) -> Result<(ProvenRun, Duration), Box<dyn Error>> {
    let begun = Instant::now();
    let go_on = |_| ControlFlow::Continue(());
    let run = prove(&task(n, rounds), backend.clone(), ProveOptions::default(), &go_on)?;
    Ok((run, begun.elapsed()))
}

fn main() -> ExitCode {
    match check() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| String::from("docs/measurements")));
    let processor: Arc<dyn Backend> = Arc::new(Cpu::new(0)?);
    let Cards { usable, refused } = Cuda::all();
    for refusal in &refused {
        eprintln!("{refusal}");
    }
    if usable.is_empty() {
        return Err("there is no card to check".into());
    }
    for card in usable {
        let card = Arc::new(card);
        let mut report = format!("# {}\n\nBy `make gpu-check`; multiplies by {}.\n", card.card_name(), card.name());
        let mut say = |line: String| {
            println!("{line}");
            writeln!(report, "{line}").expect("a string takes all");
        };
        say(String::from("\nBits:\n"));
        compare(&card, &processor, &mut say)?;
        say(String::from("\nSpeed, the best of three; parts in ms a round, each alone on the card:\n"));
        measure(&card, &mut say)?;
        say(String::from("\nMemory:\n"));
        measure_memory(&card, &mut say)?;
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{}-{}.md", card.card_name().replace([' ', '/'], "-"), card.ordinal()));
        std::fs::write(&file, report)?;
        println!("\nwritten to {}", file.display());
    }
    Ok(())
}

/// Fails at the first bit that differs.
fn compare(card: &Arc<Cuda>, processor: &Arc<dyn Backend>, say: &mut impl FnMut(String)) -> Result<(), Box<dyn Error>> {
    for product in card.multipliers() {
        let n = DEEPEST;
        for (a, b) in [(-128i8, -128i8), (-128, 127), (127, 127)] {
            let c = card.multiply(product, n, &vec![a; 128 * n as usize], &vec![b; n as usize * n as usize])?;
            let expected = n as i32 * i32::from(a) * i32::from(b);
            if let Some(wrong) = c.iter().find(|c| **c != expected) {
                return Err(format!("{product:?}: {a} × {b}, {n} times, gives {wrong} instead of {expected}").into());
            }
            say(format!("- {product:?}: {a} × {b} summed {n} times: {expected} everywhere"));
        }
    }
    let on_card: Arc<dyn Backend> = card.clone();
    for n in COMPARED {
        let ((got, _), (expected, _)) = (run(&on_card, n, 3)?, run(processor, n, 3)?);
        if got.commit() != expected.commit() {
            return Err(format!("n = {n}: the card's super-root is not the processor's").into());
        }
        say(format!("- n = {n}, 3 rounds: the card's super-root is the processor's"));
    }
    for (words, walkers) in COMPARED_FILLS {
        let task = memory_task(words, walkers);
        let (got, expected) = (card.fill(&task, &|_| GO_ON)?, processor.fill(&task, &|_| GO_ON)?);
        let (got_walks, expected_walks) = (got.walk(&[6; 32], &|_| GO_ON)?, expected.walk(&[6; 32], &|_| GO_ON)?);
        let is_same = got.commit() == expected.commit()
            && got_walks.commit() == expected_walks.commit()
            && got.try_answer(&got_walks, &[9; 32])? == expected.try_answer(&expected_walks, &[9; 32])?;
        if !is_same {
            return Err(format!("{words} words, {walkers} walkers: what the card gives is not the processor's").into());
        }
        say(format!("- {words} words, {walkers} walkers: the card's roots and answer are the processor's"));
    }
    Ok(())
}

/// The fills that prove one GiB and all that is free.
fn measure_memory(card: &Arc<Cuda>, say: &mut impl FnMut(String)) -> Result<(), Box<dyn Error>> {
    say(String::from(
        "| fill, MiB | fill and hash, s | walks | walk, ms | random reads, GB/s | answer, ms | verify, ms |",
    ));
    say(String::from("|---|---|---|---|---|---|---|"));
    let free_bytes = card.memory(256, 0).ok_or("the card does not say what memory is free")?.free_bytes;
    for mib in [1 << 10, u32::try_from(free_bytes >> 20)?] {
        let words = Layout::proving(mib).ok_or("the card has more memory than can be proven")?.words();
        let begun = Instant::now();
        let fill = card.fill(&memory_task(words, TIMED_WALKERS), &|_| GO_ON)?;
        let filled = begun.elapsed();
        // The first time pays for what is done once.
        let mut walked = Duration::MAX;
        let mut walks = None;
        for nonce in [[6; 32], [7; 32], [8; 32]] {
            let begun = Instant::now();
            walks = Some(fill.walk(&nonce, &|_| GO_ON)?);
            walked = walked.min(begun.elapsed());
        }
        let walks = walks.ok_or("nothing was walked")?;
        let begun = Instant::now();
        let answer = fill.try_answer(&walks, &[9; 32])?;
        let answered = begun.elapsed();
        let begun = Instant::now();
        verify_memory(fill.commit(), walks.commit(), &[9; 32], &answer)?;
        say(format!(
            "| {} | {:.2} | {TIMED_WALKERS} | {:.1} | {:.0} | {:.0} | {:.0} |",
            (words * WORD_LEN as u64) >> 20,
            filled.as_secs_f64(),
            walked.as_secs_f64() * 1e3,
            f64::from(TIMED_WALKERS) * WALK_BYTES as f64 / walked.as_nanos() as f64,
            answered.as_secs_f64() * 1e3,
            begun.elapsed().as_secs_f64() * 1e3,
        ));
    }
    Ok(())
}

fn measure(card: &Arc<Cuda>, say: &mut impl FnMut(String)) -> Result<(), Box<dyn Error>> {
    say(String::from("| n | product | generate | multiply | hash | gops in the product | of peak | whole round, overlapped | gops | beside the product | answer, ms | verify, ms |"));
    say(String::from("|---|---|---|---|---|---|---|---|---|---|---|---|"));
    let on_card: Arc<dyn Backend> = card.clone();
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    for n in TIMED {
        for product in card.multipliers() {
            let parts = match card.round_parts(product, n, 3) {
                Ok(parts) => parts,
                Err(error) => {
                    say(format!("\nn = {n}: {error}"));
                    continue;
                }
            };
            let in_product = operations(n, 1) as f64 / parts.multiply.as_nanos() as f64;
            let of_peak = card.peak_gops().map_or(f64::NAN, |peak| in_product / peak as f64);
            let mut row = format!(
                "| {n} | {product:?} | {:.2} | {:.2} | {:.2} | {in_product:.0} | {of_peak:.2} |",
                ms(parts.generate),
                ms(parts.multiply),
                ms(parts.hash)
            );
            if product == card.multiplier() {
                let rounds = 4;
                let (proven, took) = run(&on_card, n, rounds)?;
                let nanos = u64::try_from(took.as_nanos())?;
                let (a_round, beside) =
                    (ms(took) / f64::from(rounds), ms(took) / f64::from(rounds) - ms(parts.multiply));
                let begun = Instant::now();
                let next_beacon = [9; 32];
                let bytes = proven.answer(&queries(proven.commit(), &next_beacon)).to_bytes();
                let answer = begun.elapsed();
                let begun = Instant::now();
                verify_bundle(proven.commit(), &next_beacon, &Bundle::from_bytes(proven.commit(), &bytes)?)?;
                write!(
                    row,
                    " {a_round:.2} | {} | {:.0} % | {:.0} | {:.0} |",
                    gops(n, rounds, nanos),
                    100.0 * beside / ms(parts.multiply),
                    ms(answer),
                    ms(begun.elapsed())
                )?;
            } else {
                row += " | | | | |";
            }
            say(row);
        }
    }
    Ok(())
}
