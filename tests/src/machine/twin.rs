//! The twin: a build of the program with planted faults, one of which is let loose at a time. Built by
//! `toolchain/build-twin` from `tests/faults/faults.toml`; nothing that deploys takes it.

use serde::Deserialize;

use super::{run, Tally, Walk};

/// Where `toolchain/build-twin` leaves it.
pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/twin/millrace-with-planted-faults.so");
/// What its image says, just before the number of the fault let loose.
pub const MARKER: &[u8] = b"MILLRACE TWIN WITH PLANTED FAULTS, NEVER DEPLOY: fault=";

/// Steps drawn for a walk in which a fault is sought.
pub const LENGTH: usize = 1_200;

const FAULTS: &str = include_str!("../../faults/faults.toml");

/// One planted fault.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    /// Its number: what the selector byte says to let it loose.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// What it breaks, in a sentence.
    pub breaks: String,
}

#[derive(Deserialize)]
struct List {
    fault: Vec<Fault>,
}

/// The faults planted, in order.
///
/// # Panics
/// When the list does not read.
pub fn faults() -> Vec<Fault> {
    toml::from_str::<List>(FAULTS).expect("tests/faults/faults.toml lists faults").fault
}

/// The twin's image with `fault` let loose; none for zero.
///
/// # Panics
/// When it was not built, or has not exactly one selector.
pub fn image(fault: u8) -> Vec<u8> {
    let mut image = std::fs::read(PATH)
        .unwrap_or_else(|error| panic!("{PATH} cannot be read ({error}): build it with toolchain/build-twin first"));
    let mut places = image.windows(MARKER.len()).enumerate().filter(|(_, window)| *window == MARKER);
    let (place, _) = places.next().expect("the twin has its marker");
    assert!(places.next().is_none(), "the twin has one marker");
    image[place + MARKER.len()] = fault;
    image
}

/// Where a fault was found.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Seed of the walk.
    pub seed: u64,
    /// Steps of that walk, and of those before, until then.
    pub steps: u64,
    /// What was broken.
    pub broken: String,
}

/// Walks from `first_seed` on, on the program in `image`, until something is broken; `walks` times at most.
pub fn find(image: &[u8], first_seed: u64, walks: u64) -> Option<Sighting> {
    let mut tally = Tally::default();
    for seed in first_seed..first_seed + walks {
        let (start, steps) = Walk { seed, length: LENGTH }.drawn();
        if let Err(broken) = run(start, &steps, Some(image), &mut tally) {
            return Some(Sighting { seed, steps: tally.steps, broken });
        }
    }
    None
}
