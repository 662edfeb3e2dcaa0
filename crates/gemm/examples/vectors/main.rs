//! Writes `docs/proof-vectors.json`; with `--check` only compares it.
//!
//! `cargo run -p millrace-gemm --example vectors [-- --check]`

mod make;

fn main() -> anyhow::Result<()> {
    let current = make::vectors();
    if std::env::args().nth(1).as_deref() != Some("--check") {
        return Ok(std::fs::write(make::PATH, current)?);
    }
    let is_current = std::fs::read_to_string(make::PATH)? == current;
    anyhow::ensure!(is_current, "docs/proof-vectors.json is out of date: run this without --check");
    Ok(())
}
