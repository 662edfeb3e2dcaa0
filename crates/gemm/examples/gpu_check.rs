//! Everything about the GPUs of this host that can only be known by running on them: are the bits right, how fast is each
//! part. `make gpu-check` runs this; the results are kept in docs/measurements.
//!
//! `cargo run --release -p millrace-gemm --example gpu_check [FOLDER]`

use millrace_core::proof::{gops, operations, Task};
use millrace_gemm::{cuda::Cards, prove, queries, verify_bundle, Backend, Bundle, Cpu, Cuda, ProveOptions, ProvenRun};
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
/// How deep products of extremes are.
const DEEPEST: u32 = 16_384;

fn task(n: u32, rounds: u32) -> Task {
    let [deployment_id, node, beacon, nonce] = [1, 2, 3, 4].map(|byte| [byte; 32]);
    Task { deployment_id, node, gpu_index: 0, epoch: 5, beacon, nonce, n, rounds }
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
