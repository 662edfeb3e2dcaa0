//! A small market through the same path as a large one. Nothing here depends on time.

use std::fs;

use millrace_core::hash::sha256;
use millrace_core::leaves::{LEASE_LEAF_LEN, NODE_LEAF_LEN, ORACLE_LEAF_LEN};
use millrace_oracle::decide::report::from_wire;
use millrace_scale::chain::{costs, Cost};
use millrace_scale::epoch::{follow, propose, write_ballots};
use millrace_scale::market::{Market, EPOCH};
use millrace_wire::messages::{Leaves, Report};

const MARKET: Market = Market { nodes: 2_000, oracles: 7, seed: 3 };

/// The root as the specification says it, from the bytes of the message, with nothing of ours but the hash.
fn root_of(report: &Report) -> [u8; 24] {
    let kinds: [(&Leaves, usize, &[u8]); 3] = [
        (&report.lease_leaves, LEASE_LEAF_LEN, b"MRlease\0"),
        (&report.node_leaves, NODE_LEAF_LEN, b"MRnode\0\0"),
        (&report.oracle_leaves, ORACLE_LEAF_LEN, b"MRoracle"),
    ];
    let hash = |parts: &[&[u8]]| -> [u8; 24] { sha256(parts)[..24].try_into().unwrap() };
    let hashed = |(leaves, len, tag): (&Leaves, usize, &[u8])| -> Vec<[u8; 24]> {
        leaves.0.chunks(len).map(|leaf| hash(&[&[0], tag, leaf])).collect()
    };
    let mut level: Vec<[u8; 24]> = kinds.into_iter().flat_map(hashed).collect();
    level.resize(level.len().next_power_of_two(), [0; 24]);
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| hash(&[&[1], &pair[0], &pair[1]])).collect();
    }
    level[0]
}

#[test]
fn a_proposal_of_a_whole_market_is_taken_by_the_next_seat_and_is_as_long_as_its_leaves() {
    let folder = tempfile::tempdir().unwrap();
    write_ballots(&MARKET, folder.path()).unwrap();
    let proposed = propose(&MARKET, folder.path()).unwrap();
    let followed = follow(&MARKET, folder.path()).unwrap();
    assert_eq!(proposed.root, followed.root, "both signed it");

    let body = fs::read(folder.path().join("proposal.json")).unwrap();
    let report: Report = serde_json::from_slice(&body).unwrap();
    assert_eq!(hex::encode(root_of(&report)), proposed.root);
    let set = from_wire(&report).unwrap();
    // Every lease but what the proposer missed itself, a finding of each node audited the epoch before, all seats.
    let missed = MARKET.nodes as usize - MARKET.seen_by(0).leases.len();
    assert_eq!(set.leases().len(), MARKET.nodes as usize - missed);
    assert_eq!(set.nodes().len(), MARKET.audited(EPOCH - 1).count());
    assert_eq!(set.oracles().len(), 7);
    assert_eq!(proposed.leaves, set.len());
    let leaves = proposed.leaves as usize;
    assert!(body.len() <= Report::most_bytes(leaves), "{} bytes", body.len());
    assert_eq!(followed.message_bytes, body.len() as u64);
    assert!(proposed.message_bytes <= Report::most_bytes(leaves) as u64, "a sealed ballot is no longer");
}

#[test]
fn a_proposal_with_a_false_leaf_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_ballots(&MARKET, folder.path()).unwrap();
    propose(&MARKET, folder.path()).unwrap();
    let path = folder.path().join("proposal.json");
    let mut report: Report = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // An hour more of the fifth lease.
    let live_secs = &mut report.lease_leaves.0[4 * LEASE_LEAF_LEN + 33];
    *live_secs = live_secs.wrapping_add(14);
    fs::write(&path, serde_json::to_vec(&report).unwrap()).unwrap();
    let refused = follow(&MARKET, folder.path()).unwrap_err();
    assert!(format!("{refused:#}").contains("live seconds"), "{refused:#}");
}

#[test]
fn what_a_market_is_follows_from_its_seed() {
    let audited = |seed| Market { seed, ..MARKET }.audited(EPOCH).collect::<Vec<_>>();
    assert_eq!(audited(3), audited(3));
    assert_ne!(audited(3), audited(4));
    // 2,000 ÷ 64 = 31.25 with a deviation of 5.5: this seed's, exactly.
    assert!((10..60).contains(&audited(3).len()), "{}", audited(3).len());
}

#[test]
fn an_oracle_pays_the_same_whatever_the_size_of_the_market() {
    let small = costs(10).unwrap();
    assert_eq!(costs(2_000_000).unwrap(), small);
    let signing = &small[0];
    assert_eq!((signing.name, signing.lamports_a_day()), ("sign_report", 720_000));
    assert!(small.iter().all(|cost: &Cost| cost.signatures == 1), "the fee payer's alone");
}
