//! Writes the program's interface description, `idl/millrace.json`, from its source, or checks that it is current.
//! The builder is the one that `anchor build` uses; it compiles the program for this machine under `target/idl`.

use std::path::Path;

use anchor_lang_idl::build::IdlBuilder;
use anyhow::{bail, Context, Result};
use clap::Parser;

/// Writes idl/millrace.json from the program's source.
#[derive(Parser)]
struct Args {
    /// Only compares: fails when the file is not what the source gives.
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .context("this crate is not in toolchain/idl any more")?;
    let file = checkout.join("idl/millrace.json");

    // The builder sets its own RUSTFLAGS: a target folder apart keeps it from rebuilding everyone's crates.
    std::env::set_var("CARGO_TARGET_DIR", checkout.join("target/idl"));
    // Where rustup set this, anchor-lang-idl 0.1.4 would pass a literal "+{toolchain}" to cargo.
    std::env::remove_var("RUSTUP_TOOLCHAIN");

    let idl = IdlBuilder::new()
        .program_path(checkout.join("programs/millrace"))
        .cargo_args(vec!["--lib".into(), "--locked".into()])
        .build()?;
    let current = serde_json::to_string_pretty(&idl)? + "\n";

    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    if stored == current {
        return Ok(());
    }
    if args.check {
        bail!("{} is not what the program's source gives: run `make idl` and commit the file", file.display());
    }
    std::fs::create_dir_all(checkout.join("idl"))?;
    std::fs::write(&file, current).with_context(|| format!("cannot write {}", file.display()))
}
