//! Provers whose answers are not the answers asked for.

use crate::answers::Answers;
use crate::{cpu, judged, not_found, rng, run, task, Cheat, Kind, Trial};
use millrace_core::proof::QUERIES;
use millrace_gemm::cheats::Lazy;
use millrace_gemm::{queries, verify_bundle, Bundle, Refusal, Round};
use rand::{rngs::StdRng, Rng};
use std::sync::LazyLock;

pub(crate) fn cheats() -> Vec<Cheat> {
    let bad = |name, does, caught_by, spoil| Cheat {
        name,
        does,
        caught_by,
        missed: 0.0,
        kind: Kind::Answer,
        trial: spoiled(spoil),
    };
    const INDICES: &str = "the verifier's own queries, which the entries must be, in order";
    const LENGTH: &str = "the length, which the commit gives to the byte";
    const PATH: &str = "the path to the committed root";
    vec![
        Cheat {
            name: "wrong indices",
            does: "skips 10% of the rows and answers for a computed row where a skipped one is asked for",
            caught_by: INDICES,
            // Only where a skipped row is asked for is there anything to hide.
            missed: not_found(f64::from(skipped_rows()) / 256.0),
            kind: Kind::Answer,
            trial: other_rows(),
        },
        bad("missing entries", "leaves some answers out", LENGTH, |bundle, rng| {
            for _ in 0..rng.random_range(1..=QUERIES) {
                bundle.entries.remove(rng.random_range(0..bundle.entries.len()));
            }
        }),
        bad("extra entries", "adds answers that nobody asked for", LENGTH, |bundle, rng| {
            for _ in 0..rng.random_range(1..=QUERIES) {
                let entry = bundle.entries[rng.random_range(0..QUERIES)].clone();
                bundle.entries.insert(rng.random_range(0..=bundle.entries.len()), entry);
            }
        }),
        bad("duplicated entries", "gives one answer in place of another", INDICES, |bundle, rng| {
            let at = rng.random_range(0..QUERIES);
            let others = (0..QUERIES).filter(|i| bundle.entries[*i].query != bundle.entries[at].query);
            let others = others.collect::<Vec<_>>();
            bundle.entries[at] = bundle.entries[others[rng.random_range(0..others.len())]].clone();
        }),
        bad("malformed leaf", "changes a byte of a leaf", PATH, |bundle, rng| {
            let leaf = &mut bundle.entries[rng.random_range(0..QUERIES)].leaf;
            leaf[rng.random_range(0..leaf.len())] ^= rng.random_range(1..=255u8);
        }),
        bad("malformed path", "changes a byte of a path, or its length", PATH, |bundle, rng| {
            let path = &mut bundle.entries[rng.random_range(0..QUERIES)].path;
            match rng.random_range(0..3) {
                0 => path.truncate(rng.random_range(0..path.len())),
                1 => path.push(rng.random()),
                _ => {
                    let at = rng.random_range(0..path.len());
                    path[at][rng.random_range(0..24)] ^= rng.random_range(1..=255u8);
                }
            }
        }),
        bad("malformed root", "changes a byte of a round's root or seed, or the rounds", PATH, |bundle, rng| {
            let round = rng.random_range(0..bundle.rounds.len());
            let claim = bundle.rounds[round];
            match rng.random_range(0..4) {
                0 => bundle.rounds[round].root[rng.random_range(0..24)] ^= rng.random_range(1..=255u8),
                1 => bundle.rounds[round].seed[rng.random_range(0..32)] ^= rng.random_range(1..=255u8),
                2 => bundle.rounds.push(claim),
                _ => drop(bundle.rounds.remove(round)),
            }
        }),
    ]
}

/// An honest run, whose answer `spoil` spoils. Detected: refused as a value and as bytes, where the honest answer passes.
fn spoiled(spoil: fn(&mut Bundle, &mut StdRng)) -> Trial {
    let made: LazyLock<Answers> = LazyLock::new(|| Answers::of(run(&task(256, 2), cpu())));
    Box::new(move |seed| {
        let mut rng = rng(seed);
        let commit = made.commit();
        let next_beacon = rng.random();
        let mut bundle = made.answer(&queries(commit, &next_beacon));
        let would_pass = judged(commit, &next_beacon, &bundle.to_bytes()).is_ok();
        spoil(&mut bundle, &mut rng);
        let is_refused = verify_bundle(commit, &next_beacon, &bundle).is_err()
            && judged(commit, &next_beacon, &bundle.to_bytes()).is_err();
        would_pass && is_refused
    })
}

const LAZY_PERCENT: u32 = 10;

fn skips(row: u32) -> bool {
    Lazy::rows(cpu(), LAZY_PERCENT).skips(&Round { index: 0, seed: [0; 32], n: 256 }, row)
}

fn skipped_rows() -> u32 {
    (0..256).map(|row| u32::from(skips(row))).sum()
}

/// Skips rows and answers for others where one of them is asked for.
fn other_rows() -> Trial {
    let made: LazyLock<(Answers, Vec<bool>)> = LazyLock::new(|| {
        (Answers::of(run(&task(256, 2), Lazy::rows(cpu(), LAZY_PERCENT))), (0..256).map(skips).collect())
    });
    Box::new(move |seed| {
        let (run, is_skipped) = &*made;
        let next_beacon = rng(seed).random();
        let mut asked = queries(run.commit(), &next_beacon);
        for query in &mut asked {
            while is_skipped[query.row as usize] {
                query.row = (query.row + 1) % 256;
            }
        }
        let bundle = run.answer(&asked).to_bytes();
        matches!(judged(run.commit(), &next_beacon, &bundle), Err(Refusal::OtherEntry { .. }))
    })
}
