//! Drives one oracle through epochs of markets from a thousand nodes to a million, and says what that takes.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{ensure, Context};
use clap::{Parser, ValueEnum};
use millrace_scale::audits;
use millrace_scale::epoch::{follow, propose, write_ballots, Part};
use millrace_scale::market::{Market, EPOCH};
use millrace_scale::measure::keep_to_cores;
use millrace_scale::report::{csv, svg, tables, Point, TARGET_NODES};
use millrace_scale::watching::watch;
use serde::de::DeserializeOwned;
use serde::Serialize;

/// What an oracle takes as the market grows. Writes scale.csv and scale.svg, and fails where a hundred thousand nodes take more than
/// they may.
#[derive(Parser)]
struct Args {
    /// Nodes of each market, and as many leases.
    #[arg(long, value_delimiter = ',', default_value = "1000,3000,10000,30000,100000,300000,1000000")]
    sizes: Vec<u32>,
    /// Seats of the oracle network.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(2..=32))]
    oracles: u8,
    /// Decides who is audited and what each oracle saw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder to write to.
    #[arg(long, default_value = "docs")]
    out: PathBuf,
    /// Do one part of one market in this process: how the simulator calls itself, so that no part's memory is another's.
    #[arg(long, hide = true)]
    part: Option<PartName>,
    /// Where the parts leave messages for each other.
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PartName {
    Ballots,
    Propose,
    Follow,
    Audits,
    Watch,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    match (args.part, &args.folder) {
        (Some(part), Some(folder)) => do_part(part, &args, folder).map(|()| ExitCode::SUCCESS),
        _ => run(&args),
    }
}

fn market(args: &Args, nodes: u32) -> Market {
    Market { nodes, oracles: args.oracles, seed: args.seed }
}

fn do_part(part: PartName, args: &Args, folder: &Path) -> anyhow::Result<()> {
    let market = market(args, *args.sizes.first().context("a part is of one market")?);
    keep_to_cores(if matches!(part, PartName::Audits) { 2 } else { 1 })?;
    match part {
        PartName::Ballots => write_ballots(&market, folder),
        PartName::Propose => say(&propose(&market, folder)?),
        PartName::Follow => say(&follow(&market, folder)?),
        PartName::Audits => say(&audits::check()?),
        PartName::Watch => say(&watch(&market)?),
    }
}

fn say<T: Serialize>(outcome: &T) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(outcome)?);
    Ok(())
}

/// Calls this program for one part, and gives what it prints.
fn call(part: &str, args: &Args, nodes: u32, folder: &Path) -> anyhow::Result<Vec<u8>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--part", part, "--sizes", &nodes.to_string(), "--seed", &args.seed.to_string()])
        .args(["--oracles", &args.oracles.to_string(), "--folder"])
        .arg(folder)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the part {part} of {nodes} nodes failed: {}", output.status);
    Ok(output.stdout)
}

fn told<T: DeserializeOwned>(part: &str, args: &Args, nodes: u32, folder: &Path) -> anyhow::Result<T> {
    serde_json::from_slice(&call(part, args, nodes, folder)?).with_context(|| format!("what the part {part} said"))
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    let checked = told("audits", args, 1, folder.path())?;
    let watching = told("watch", args, 1, folder.path())?;
    let mut points = Vec::new();
    for nodes in args.sizes.iter().copied() {
        let folder = tempfile::tempdir()?;
        eprintln!("{nodes} nodes");
        call("ballots", args, nodes, folder.path())?;
        let proposer: Part = told("propose", args, nodes, folder.path())?;
        let follower: Part = told("follow", args, nodes, folder.path())?;
        ensure!(proposer.root == follower.root, "the two seats signed different roots");
        let audits = market(args, nodes).audited(EPOCH).count() as u32;
        points.push(Point { nodes, audits, proposer, follower });
    }
    print!("{}", tables(&points, &checked, &watching)?);
    for (name, text) in [("scale.csv", csv(&points, &checked)?), ("scale.svg", svg(&points, &checked)?)] {
        let path = args.out.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("{}", path.display());
    }
    let target = points.iter().find(|point| point.nodes == TARGET_NODES);
    let missed = target.map(|point| point.missed(&checked)).unwrap_or_default();
    missed.iter().for_each(|missed| eprintln!("missed at {TARGET_NODES} nodes: {missed}"));
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
