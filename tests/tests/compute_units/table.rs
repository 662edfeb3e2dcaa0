//! The two files under `docs/`: one for people, one for machines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use millrace_tests::record::{Extent, MAX_ACCOUNTS, MAX_TRANSACTION_BYTES};

/// Key of the whole life of a job.
pub const LIFE_KEY: &str = "life_of_a_job";
/// Key of the whole life of a Guaranteed job of three nodes.
pub const GUARANTEED_KEY: &str = "life_of_a_guaranteed_job";
/// Key of an entry's proof for n = 16,384.
pub const ENTRY_KEY: &str = "prove_entry_16384";
/// What may not be exceeded, and what a peer publishes for the like.
pub const CEILINGS: [(&str, u64, &str); 8] = [
    ("register_provider", 20_000, "60,000"),
    ("place_bid", 25_000, "100,000"),
    ("award", 37_000, "150,000"),
    ("settle_lease", 15_000, "40,000 without a proof"),
    ("sign_report", 8_700, "35,000"),
    (ENTRY_KEY, 300_000, "none has it"),
    (LIFE_KEY, 70_000, "41,558"),
    (GUARANTEED_KEY, 250_000, "none has it"),
];
/// Growth over the committed figure that a change must explain, percent.
pub const MAX_GROWTH_PERCENT: u64 = 10;

/// The figures by key.
pub type Units = BTreeMap<String, u64>;

fn docs(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(docs(file))
        .unwrap_or_else(|error| panic!("docs/{file} cannot be read ({error}): run with UPDATE_COMPUTE_UNITS=1"))
}

/// The committed figures.
pub fn committed() -> Units {
    serde_json::from_str(&read("compute-units.json")).expect("docs/compute-units.json is names and numbers")
}

/// The committed table for people.
pub fn committed_table() -> String {
    read("compute-units.md")
}

/// Writes both files.
pub fn write(units: &Units, extents: &BTreeMap<String, Extent>, life: &[(&str, u64)], life_2022: u64) {
    let json = serde_json::to_string_pretty(units).expect("numbers serialize") + "\n";
    for (file, text) in [("compute-units.json", json), ("compute-units.md", table(units, extents, life, life_2022))] {
        std::fs::write(docs(file), text).unwrap_or_else(|error| panic!("docs/{file} cannot be written: {error}"));
    }
}

/// A number as the table shows it.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

/// The first two cells of a row.
pub fn row_start(key: &str, cu: u64) -> String {
    format!("| `{key}` | {} |", grouped(cu))
}

fn table(units: &Units, extents: &BTreeMap<String, Extent>, life: &[(&str, u64)], life_2022: u64) -> String {
    let ceiling_of = |key: &str| CEILINGS.iter().find(|(name, ..)| *name == key);
    let mut text = format!(
        "# What each instruction costs\n\n\
         Written by `UPDATE_COMPUTE_UNITS=1 cargo test -p millrace-tests compute_units` from the program that\n\
         `toolchain/build-program` made, run in LiteSVM. The same test fails when a figure grows by more than {MAX_GROWTH_PERCENT}% or\n\
         passes its ceiling, and when an instruction has no row. Figures for machines: `compute-units.json`.\n\n\
         - Units are those of the call itself, its own calls included, at its dearest: a full leaderboard, a leaf among a\n  \
           million, all {} seats signing, the largest run to recompute. Every address has the canonical bump 255; each bump\n  \
           missed adds 1,500 units to an instruction that opens an account.\n\
         - The mint is SPL Token's, in the build that LiteSVM 0.16 carries (`p-token`); a Token-2022 mint costs more, as below.\n\
         - Bytes and accounts are those of the largest transaction sent with it, of {} and {} that a network carries.\n\n\
         | instruction | units | ceiling | a peer's | bytes | accounts |\n|---|--:|--:|---|--:|--:|\n",
        millrace::constants::MAX_SEATS,
        grouped(MAX_TRANSACTION_BYTES as u64),
        MAX_ACCOUNTS,
    );
    for (key, cu) in units.iter().filter(|(key, _)| ![LIFE_KEY, GUARANTEED_KEY].contains(&key.as_str())) {
        let extent = extents[key];
        let (ceiling, peer) = ceiling_of(key).map_or((String::new(), ""), |(_, most, peer)| (grouped(*most), peer));
        let (bytes, accounts) = (grouped(extent.bytes as u64), extent.accounts);
        text += &format!("{} {ceiling} | {peer} | {bytes} | {accounts} |\n", row_start(key, *cu));
    }
    let (_, ceiling, peer) = ceiling_of(LIFE_KEY).expect("the life has a ceiling");
    text += &format!(
        "\n## The life of a job\n\n\
         One node, Spot, one bid; settled once, at its end, by a leaf among a million; fees swept with a real burn. The test\n\
         runs it in a market with one open job and in one with ten thousand, and finds the same units: no call looks at\n\
         another job. The ceiling is {}; with a Token-2022 mint it takes {}.\n\n\
         To compare: a peer's list, work and finish, with no bids, no proof and no burn, takes {peer} with an empty\n\
         queue, and its list and work 7,600 more each with every hundred jobs queued; built by the same toolchain and run in\n\
         the same LiteSVM.\n\n\
         | step | units |\n|---|--:|\n",
        grouped(*ceiling),
        grouped(life_2022),
    );
    for (step, cu) in life {
        text += &format!("| {step} | {} |\n", grouped(*cu));
    }
    let (_, ceiling, _) = ceiling_of(GUARANTEED_KEY).expect("the life has a ceiling");
    text + &format!(
        "{}\n\n## The life of a Guaranteed job\n\n\
         Three nodes: one post, three bids, awards, settlements by leaves among a million and acceptances, one sweep and one\n\
         close. The ceiling is {}.\n\n| whole | units |\n|---|--:|\n{}\n",
        row_start(LIFE_KEY, units[LIFE_KEY]),
        grouped(*ceiling),
        row_start(GUARANTEED_KEY, units[GUARANTEED_KEY]),
    )
}
