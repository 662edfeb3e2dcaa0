//! How many walks it takes to tell memory in the card from memory behind a link, and the table of the document.

use millrace_core::proof::deadline::{
    deadline_nanos, fetch_nanos, required_read_rate, required_walkers, walk_nanos, walkers_needed, ALLOWANCE_NANOS,
    MIN_WALKERS,
};
use millrace_core::proof::memory::{Layout, MAX_WALKERS, MAX_WORDS, WALK_BYTES, WORD_LEN};
use proptest::prelude::*;

const GB: u64 = 1_000_000_000;

const MB: u64 = 1_000_000;

/// A link and its rate, MB/s in one direction.
type Link = (&'static str, u64);

/// Card, its memory bandwidth by its data sheet in GB/s, the links by which it reaches other memory.
const CARDS: [(&str, u64, &[Link]); 8] = [
    ("T4", 320, &[("PCIe 3", 15_750), ("100 Gb/s", 12_500)]),
    ("L4", 300, &[("PCIe 4", 31_500), ("100 Gb/s", 12_500)]),
    ("RTX 3090", 936, &[("PCIe 4", 31_500), ("NVLink 3", 56_250), ("10 Gb/s", 1_250), ("100 Gb/s", 12_500)]),
    ("RTX 4090", 1_008, &[("PCIe 4", 31_500), ("10 Gb/s", 1_250), ("100 Gb/s", 12_500)]),
    ("RTX 5090", 1_792, &[("PCIe 5", 63_000), ("100 Gb/s", 12_500)]),
    ("A100 80 GB", 2_039, &[("PCIe 4", 31_500), ("NVLink 3", 300_000), ("400 Gb/s", 50_000)]),
    ("H100 SXM", 3_350, &[("PCIe 5", 63_000), ("NVLink 4", 450_000), ("400 Gb/s", 50_000)]),
    ("B200", 8_000, &[("PCIe 5", 63_000), ("NVLink 5", 900_000), ("400 Gb/s", 50_000)]),
];

/// One row: what it takes for a fraction missing, or that no number of walks does it.
fn row(card: &str, read: u64, link: &str, link_rate: u64, missing_bps: u32) -> String {
    let head = format!("| {card} | {} | {link}, {:.1} | {} % |", read / GB, link_rate as f64 / 1e9, missing_bps / 100);
    match walkers_needed(read, link_rate, missing_bps, ALLOWANCE_NANOS) {
        None => format!("{head} not told apart | | | |"),
        Some(walkers) => format!(
            "{head} {:.1} | {:.0} | {:.0} | {:.0} |",
            f64::from(walkers) / 1e6,
            f64::from(walkers) * WALK_BYTES as f64 / 1e9,
            walk_nanos(walkers, read) as f64 / 1e6,
            deadline_nanos(walkers, read, ALLOWANCE_NANOS) as f64 / 1e6,
        ),
    }
}

#[test]
fn the_table_of_the_document_is_what_the_functions_give() {
    let mut table = String::new();
    for (card, bandwidth, links) in CARDS {
        for (link, rate) in links {
            for missing_bps in [1_000, 2_500] {
                table += &row(card, bandwidth * GB / 2, link, rate * MB, missing_bps);
                table += "\n";
            }
        }
    }
    let document = include_str!("../../../docs/memory-and-bandwidth.md");
    assert!(document.contains(&table), "the table is:\n{table}");
}

#[test]
fn a_link_as_good_as_the_memory_is_not_told_apart() {
    // A quarter of what is read crosses the link at most.
    assert_eq!(walkers_needed(1_000 * GB, 250 * GB, 5_000, ALLOWANCE_NANOS), None);
    assert!(walkers_needed(1_000 * GB, 200 * GB, 5_000, ALLOWANCE_NANOS).is_some());
    assert_eq!(walkers_needed(1_000 * GB, 90 * GB, 1_000, ALLOWANCE_NANOS), None);
    assert!(walkers_needed(1_000 * GB, 60 * GB, 1_000, ALLOWANCE_NANOS).is_some());
    assert_eq!(walkers_needed(1_000 * GB, GB, 0, ALLOWANCE_NANOS), None);
}

#[test]
fn rates_from_a_stranger_overflow_nothing() {
    for rate in [0, 1, u64::MAX] {
        for link in [0, 1, u64::MAX] {
            for missing_bps in [0, 1, 10_000, u32::MAX] {
                walkers_needed(rate, link, missing_bps, u64::MAX);
                fetch_nanos(u32::MAX, missing_bps, link);
                deadline_nanos(u32::MAX, rate, u64::MAX);
            }
        }
    }
    assert_eq!(deadline_nanos(1, 0, 0), u64::MAX);
    assert_eq!(fetch_nanos(1, 1_000, 0), u64::MAX);
    assert_eq!(fetch_nanos(1, 0, 0), 0);
}

proptest! {
    #[test]
    fn so_many_walkers_are_enough_and_hardly_fewer(
        read in 1..20_000 * GB,
        link in 1..2_000 * GB,
        missing_bps in 1u32..=5_000,
        allowance in 1_000_000u64..10_000_000_000,
    ) {
        let told = |walkers| {
            fetch_nanos(walkers, missing_bps, link) > deadline_nanos(walkers, read, allowance)
        };
        match walkers_needed(read, link, missing_bps, allowance) {
            Some(walkers) => {
                prop_assert!(told(walkers));
                prop_assert!(walkers < 100 || !told(walkers - walkers / 100));
            }
            None => prop_assert!(!told(MAX_WALKERS - MAX_WALKERS / 100)),
        }
    }
}

/// Dense int8 peaks by the data sheets, in the order of [`CARDS`], 10¹² operations a second.
const PEAK_TOPS: [u64; 8] = [130, 242, 284, 661, 838, 624, 1_979, 4_500];

/// The smallest share of the words, in percent, whose fetching makes these walks late; None where none does.
fn told_apart_percent(walkers: u32, link_rate: u64, due_nanos: u64) -> Option<u32> {
    (1..=50).find(|percent| fetch_nanos(walkers, percent * 100, link_rate) > due_nanos)
}

#[test]
fn the_table_of_what_oracles_ask_is_what_the_functions_give() {
    let mut table = String::new();
    for ((card, bandwidth, links), tops) in CARDS.into_iter().zip(PEAK_TOPS) {
        let rate = required_read_rate(tops * 1_000);
        let walkers = required_walkers(rate);
        let due_nanos = deadline_nanos(walkers, rate, ALLOWANCE_NANOS);
        let told = links.iter().map(|(link, rate)| match told_apart_percent(walkers, rate * MB, due_nanos) {
            Some(percent) => format!("{link}: {percent} %"),
            None => format!("{link}: none"),
        });
        table += &format!(
            "| {card} | {tops} | {} | {:.0} | {:.0} | {:.0} | {} |\n",
            rate / GB,
            f64::from(walkers) / 1e6,
            walk_nanos(walkers, bandwidth * GB / 2) as f64 / 1e6,
            due_nanos as f64 / 1e6,
            told.collect::<Vec<_>>().join(", "),
        );
    }
    let document = include_str!("../../../docs/memory-and-bandwidth.md");
    assert!(document.contains(&table), "the table is:\n{table}");
}

#[test]
fn what_is_required_follows_from_the_claim_within_its_bounds() {
    assert_eq!((required_read_rate(0), required_walkers(required_read_rate(0))), (500_000, MIN_WALKERS));
    assert_eq!(required_read_rate(1_000), 500_000_000);
    assert_eq!(required_walkers(500 * GB), 488_281_250);
    assert_eq!((required_read_rate(u64::MAX), required_walkers(u64::MAX)), (u64::MAX, MAX_WALKERS));
}

#[test]
fn a_claimed_memory_is_proven_by_a_fill_of_seven_eighths() {
    assert_eq!(Layout::proving(0).unwrap().words(), 1 << 14);
    for mib in [1, 7, 64, 1_000, 4_096, 24_576, 81_920] {
        let layout = Layout::proving(mib).unwrap();
        assert!(layout.proven_mib() >= mib, "{mib} MiB");
        assert_eq!(Layout::new(layout.words()), Ok(layout));
        assert!(layout.words() * WORD_LEN as u64 * 100 <= (u64::from(mib) << 20) * 94, "{mib} MiB: an eighth is left");
    }
    assert_eq!(Layout::proving(24_576).unwrap().words() * WORD_LEN as u64, 21 << 30);
    assert_eq!(Layout::proving(2 << 20), None);
    assert_eq!(Layout::new(MAX_WORDS).unwrap().proven_mib(), 1_198_372);
}
