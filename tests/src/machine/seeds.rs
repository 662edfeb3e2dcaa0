//! Walks that once failed: kept in the repository, and made first in every run.

use std::path::Path;

use super::Walk;

/// Where they are kept.
pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/machine-seeds.txt");

/// The walks kept: each line a seed, the number of steps drawn, and behind `#` what failed.
///
/// # Panics
/// When the file does not read.
pub fn kept() -> Vec<Walk> {
    let text = std::fs::read_to_string(PATH).unwrap_or_else(|error| panic!("{PATH}: {error}"));
    let lines = text.lines().filter_map(|line| line.split('#').next()).map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| parse(line).unwrap_or_else(|| panic!("{PATH}: {line:?} is not a seed and a length"))).collect()
}

fn parse(line: &str) -> Option<Walk> {
    let (seed, length) = line.split_once(' ')?;
    Some(Walk { seed: seed.parse().ok()?, length: length.trim().parse().ok()? })
}

/// Keeps a walk that failed, once.
///
/// # Panics
/// When the file cannot be written.
pub fn keep(walk: Walk, broken: &str) {
    if kept().contains(&walk) {
        return;
    }
    let line = format!("{} {} # {}\n", walk.seed, walk.length, broken.lines().next().unwrap_or(""));
    let text = std::fs::read_to_string(Path::new(PATH)).unwrap_or_default() + &line;
    std::fs::write(PATH, text).unwrap_or_else(|error| panic!("{PATH}: {error}"));
}
