//! `millrace bench`.

mod chart;

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use millrace_core::proof::{check_size, operations, MAX_N, MIN_N};
use millrace_gemm::{
    backends, check_memory, measure, queries, verify_bundle, Backend, Backends, Bench, Bundle, ProveError, ProvenRun,
};
use serde::Serialize;
use tokio::sync::mpsc::{unbounded_channel, UnboundedSender};

use crate::context::Context;
use crate::output::{self, Format};
use chart::Chart;

/// A size whose rounds take longer is measured only when it is named.
const MAX_ROUND_SECS: f64 = 10.0;

/// What a shell reports of a command that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// What to measure, and how.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  millrace bench                               every size that this machine does in reasonable time
  millrace bench --n 16384 --secs 5            one size, for longer
  millrace bench --chart speed.svg             with a chart of gops against n
  millrace bench --n 4096 --output json        for programs: a list with an object for each size")]
pub struct Args {
    /// Rows and columns of the matrices, a power of two from 256 to 65,536; several are measured one after the other. By
    /// default all from 256 on whose rounds take less than 10 s here and fit into memory.
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = size)]
    n: Vec<u32>,
    /// Least time that a measurement takes, seconds; it ends before when it has done all 64 rounds.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    secs: u64,
    /// Processor threads, up to 1,024; 0 for one for each core.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1_024))]
    threads: u16,
    /// What computes; by default the fastest that there is.
    #[arg(long, value_enum, default_value_t = Kind::Auto)]
    backend: Kind,
    /// Save a chart of gops against n: FILE.svg or FILE.png.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    Auto,
    Cpu,
    Cuda,
}

/// What was measured at one size.
#[derive(Serialize)]
struct Row {
    n: u32,
    rounds: u32,
    elapsed_secs: f64,
    gops: u64,
    fraction_of_peak: Option<f64>,
    memory_mib: Option<u64>,
    verify_ms: f64,
    bundle_bytes: usize,
    backend: &'static str,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Measured {
    rows: Vec<Row>,
    /// What the fractions are of.
    #[serde(skip)]
    peak: String,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.rows.is_empty() {
            return write!(f, "nothing was measured");
        }
        let mut table =
            output::table(["n", "rounds", "seconds", "gops", "of peak", "memory MiB", "verify ms", "bundle bytes"]);
        for row in &self.rows {
            table.add_row([
                row.n.to_string(),
                row.rounds.to_string(),
                format!("{:.2}", row.elapsed_secs),
                row.gops.to_string(),
                row.fraction_of_peak.map_or("unknown".into(), |fraction| format!("{:.1} %", fraction * 100.0)),
                row.memory_mib.map_or("unknown".into(), |mib| mib.to_string()),
                format!("{:.1}", row.verify_ms),
                row.bundle_bytes.to_string(),
            ]);
        }
        for column in table.column_iter_mut() {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
        write!(f, "{table}\n{}", self.peak)
    }
}

pub async fn run(context: &Context, args: Args) -> Result<()> {
    let mut sizes = args.n;
    sizes.sort_unstable();
    sizes.dedup();
    // What can be refused is refused before anything is measured.
    let backend = choose(args.backend, args.threads.into())?;
    sizes.iter().try_for_each(|n| check_memory(backend.as_ref(), *n))?;
    let chart = args.chart.map(Chart::open).transpose()?;
    let peak_gops = backend.peak_gops();
    let name = backend.name();
    let peak = match peak_gops {
        Some(gops) => format!("peak of {name}: {gops} gops"),
        None => format!("peak of {name}: not known"),
    };

    let bar = bar(context.format);
    let (sender, mut receiver) = unbounded_channel();
    let work = tokio::task::spawn_blocking({
        let (at_least, bar) = (Duration::from_secs(args.secs), bar.clone());
        move || measure_sizes(&backend, &sizes, at_least, peak_gops, &bar, &sender)
    });
    let mut measured = Measured { rows: vec![], peak };
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let is_interrupted = loop {
        tokio::select! {
            row = receiver.recv() => match row {
                Some(row) => measured.rows.push(row),
                None => break false,
            },
            _ = &mut interrupted => break true,
        }
    };
    bar.finish_and_clear();
    // A run that was interrupted goes on telling how far it is.
    bar.set_draw_target(ProgressDrawTarget::hidden());
    context.print(&measured);
    if let Some(chart) = chart {
        let points: Vec<_> = measured.rows.iter().map(|row| (row.n, row.gops)).collect();
        chart.save(name, &points, peak_gops)?;
    }
    if is_interrupted {
        // The run under way is of no use, and would be waited for.
        std::process::exit(INTERRUPTED);
    }
    if let Some(left_out) = work.await?? {
        eprintln!("{left_out}");
    }
    Ok(())
}

fn size(text: &str) -> Result<u32, String> {
    // What is no such number is no allowed one either.
    let n = text.parse().map_err(|_| "allowed are the powers of two from 256 to 65,536")?;
    check_size(n, 1).map_err(|error| error.to_string())?;
    Ok(n)
}

fn choose(kind: Kind, threads: usize) -> Result<Arc<dyn Backend>> {
    let Backends { usable, refused } = backends(threads).context("the prover cannot start; take fewer --threads")?;
    let prefix = match kind {
        Kind::Auto => "",
        Kind::Cpu => "cpu",
        Kind::Cuda => "cuda",
    };
    let chosen = usable.into_iter().find(|backend| backend.name().starts_with(prefix));
    // The processor is always there.
    chosen.with_context(|| refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// A bar on standard error where that is a terminal; silent in JSON.
fn bar(format: Format) -> ProgressBar {
    if format == Format::Json {
        return ProgressBar::hidden();
    }
    // Before the first rows are done nobody can tell.
    let left = |state: &ProgressState, f: &mut dyn fmt::Write| {
        let _ = if state.pos() == 0 { write!(f, "-") } else { write!(f, "{} left", HumanDuration(state.eta())) };
    };
    let style = ProgressStyle::with_template("{msg} {bar:40} {percent:>3} %, {left}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("left", left);
    let bar = ProgressBar::new(1).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Measures `sizes`, or when there are none all that take a reasonable time; then says which come next, and why they
/// were left out.
fn measure_sizes(
    backend: &Arc<dyn Backend>,
    sizes: &[u32],
    at_least: Duration,
    peak_gops: Option<u64>,
    bar: &ProgressBar,
    rows: &UnboundedSender<Row>,
) -> Result<Option<String>> {
    for n in sizes {
        let _ = rows.send(measure_size(backend, *n, at_least, peak_gops, bar)?);
    }
    if !sizes.is_empty() {
        return Ok(None);
    }
    let mut n = MIN_N;
    while n <= MAX_N {
        if let Err(error @ ProveError::Memory { .. }) = check_memory(backend.as_ref(), n) {
            return Ok(Some(format!("left out: {error}")));
        }
        let row = measure_size(backend, n, at_least, peak_gops, bar)?;
        // Twice the n is eight times the work.
        let next_secs = 8.0 * row.elapsed_secs / f64::from(row.rounds);
        let _ = rows.send(row);
        n *= 2;
        if next_secs > MAX_ROUND_SECS && n <= MAX_N {
            return Ok(Some(format!(
                "left out: a round of {n} would take about {next_secs:.0} s; --n {n} measures it"
            )));
        }
    }
    Ok(None)
}

fn measure_size(
    backend: &Arc<dyn Backend>,
    n: u32,
    at_least: Duration,
    peak_gops: Option<u64>,
    bar: &ProgressBar,
) -> Result<Row> {
    bar.set_message(format!("n = {n}"));
    let (bench, run) = measure(backend, n, at_least, &|progress| {
        let length = u64::from(progress.rounds) * u64::from(progress.rows);
        if bar.length() != Some(length) {
            bar.reset();
            bar.set_length(length);
            bar.set_message(format!("n = {n}, rounds: {}", progress.rounds));
        }
        bar.set_position(u64::from(progress.rounds_done) * u64::from(progress.rows) + u64::from(progress.rows_done));
        ControlFlow::Continue(())
    })?;
    bar.set_message(format!("n = {n}, verifying"));
    let (verify, bundle_bytes) = answer_and_verify(&run)
        .with_context(|| format!("what {} computed at n = {n} is not the product", backend.name()))?;
    Ok(Row {
        n,
        rounds: bench.rounds,
        elapsed_secs: millis(bench.elapsed) / 1e3,
        gops: bench.gops,
        fraction_of_peak: peak_gops.map(|peak| fraction(&bench, peak)),
        memory_mib: bench.memory_bytes.map(|bytes| bytes.div_ceil(1 << 20)),
        verify_ms: millis(verify),
        bundle_bytes,
        backend: backend.name(),
    })
}

/// Answers as an audit asks, and checks the answer as an oracle does: how long that took, and the answer's bytes.
fn answer_and_verify(run: &ProvenRun) -> Result<(Duration, usize)> {
    // Any will do: nobody is to be surprised.
    let next_beacon = [1; 32];
    let bytes = run.answer(&queries(run.commit(), &next_beacon)).to_bytes();
    let start = Instant::now();
    verify_bundle(run.commit(), &next_beacon, &Bundle::from_bytes(run.commit(), &bytes)?)?;
    Ok((start.elapsed(), bytes.len()))
}

/// Of the peak, in ten-thousandths: gops rounded down would be too coarse for a slow processor.
fn fraction(bench: &Bench, peak_gops: u64) -> f64 {
    let gops = operations(bench.n, bench.rounds) as f64 / bench.elapsed.as_nanos() as f64;
    (gops / peak_gops as f64 * 1e4).round() / 1e4
}

/// Milliseconds to the microsecond.
fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
