use crate::{
    bundle::{Bundle, OpenedEntry},
    operands,
    run::super_tree,
};
use millrace_core::{
    merkle::{Tree, TreeNode},
    proof::{
        check_opened, check_size, next_seed, query, seed_0, Commit, EntryProof, LinkProof, Opening, ProofError, Query,
        Verdict, QUERIES,
    },
};
use rayon::iter::{ParallelBridge, ParallelIterator};

/// Wrong entries that make a fraud.
pub const MAX_WRONG_ENTRIES: usize = 3;

/// A bundle that answers every query and has no wrong entry among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// [`Commit::id`] of what was verified.
    pub commit_id: [u8; 32],
}

/// Why a bundle is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The commit is not of an allowed size.
    #[error(transparent)]
    Commit(ProofError),
    /// The encoding is longer or shorter than the commit requires.
    #[error("the bundle has {got} bytes, this commit's has {expected}")]
    Length {
        /// Bytes that it must have.
        expected: usize,
        /// Bytes that it has.
        got: usize,
    },
    /// The bytes are not a bundle.
    #[error("a bundle begins with MRbundle")]
    Tag,
    /// Missing or extra rounds.
    #[error("the bundle has {got} rounds, the commit {expected}")]
    Rounds {
        /// Rounds of the commit.
        expected: usize,
        /// Rounds in the bundle.
        got: usize,
    },
    /// The rounds are not the ones that were committed.
    #[error("the rounds' seeds and roots do not give the commit's super-root")]
    SuperRoot,
    /// A committed seed is not what it should be: proof enough for `prove_link`, see [`false_link`].
    #[error("the seed of round {round} does not follow from what is before it")]
    FalseSeed {
        /// The round with the false seed.
        round: u32,
    },
    /// Missing or extra entries.
    #[error("the bundle has {got} entries, the queries are {}", QUERIES)]
    Entries {
        /// Entries in the bundle.
        got: usize,
    },
    /// Another entry than the one asked for.
    #[error("query {index} asks for {expected:?}, the bundle has {got:?}")]
    OtherEntry {
        /// Which query.
        index: usize,
        /// What it asks for.
        expected: Query,
        /// What was opened in its place.
        got: Query,
    },
    /// An entry that cannot be judged.
    #[error("the answer to query {index}: {error}")]
    Unjudged {
        /// Which query.
        index: usize,
        /// Why not.
        error: ProofError,
    },
    /// Entries that are not what the seed gives: proof for `prove_entry`, see [`wrong_entries`].
    #[error("{} of {} entries are wrong", .0.len(), QUERIES)]
    WrongEntries(Vec<Query>),
}

/// The queries that the next epoch's beacon puts to a commit.
pub fn queries(commit: &Commit, next_beacon: &[u8; 32]) -> Vec<Query> {
    (0..QUERIES as u32).map(|i| query(&commit.super_root, next_beacon, i, commit.n, commit.rounds)).collect()
}

/// Checks a bundle against the commit it belongs to, on one thread.
///
/// The entries are recomputed last, once all else in the bundle is right, so that one which is refused for anything else
/// costs less than an honest one. Beside the bundle this takes at most 20 KB, whatever n is: the queries, the rounds'
/// tree and two stretches of operands.
///
/// That the commit itself is the one expected (deployment, node, GPU, epoch, beacon, a nonce with one's share in it, the
/// operator's signature) is for the caller to check.
///
/// # Errors
/// [`Refusal`], with all wrong entries in it when every query was answered.
pub fn verify_bundle(commit: &Commit, next_beacon: &[u8; 32], bundle: &Bundle) -> Result<Verified, Refusal> {
    verify_with(commit, next_beacon, bundle, operands::entry)
}

/// [`verify_bundle`], with entries recomputed by `entry(seed, n, row, col)`.
fn verify_with(
    commit: &Commit,
    next_beacon: &[u8; 32],
    bundle: &Bundle,
    entry: impl Fn(&[u8; 32], u32, u32, u32) -> i32,
) -> Result<Verified, Refusal> {
    let rounds = Rounds::open(commit, bundle)?;
    if let Some(round) = rounds.first_false_seed() {
        return Err(Refusal::FalseSeed { round });
    }
    if bundle.entries.len() != QUERIES {
        return Err(Refusal::Entries { got: bundle.entries.len() });
    }
    for (index, (entry, expected)) in bundle.entries.iter().zip(queries(commit, next_beacon)).enumerate() {
        if entry.query != expected {
            return Err(Refusal::OtherEntry { index, expected, got: entry.query });
        }
        rounds.check_opened(entry).map_err(|error| Refusal::Unjudged { index, error })?;
    }
    let wrong = rounds.wrong(bundle.entries.iter(), entry);
    match wrong.is_empty() {
        true => Ok(Verified { commit_id: commit.id() }),
        false => Err(Refusal::WrongEntries(wrong.into_iter().map(|entry| entry.query).collect())),
    }
}

/// [`verify_bundle`] for many bundles, each given as its commit, the next epoch's beacon and its encoding, on all threads
/// of the current rayon pool. The results are in the order of the bundles.
///
/// `bundles` is asked for one only when a thread is free to check it: no more of them are in memory than there are
/// threads, so an iterator that reads files checks any number of them in constant memory.
pub fn verify_batch<B: AsRef<[u8]> + Send>(
    bundles: impl Iterator<Item = (Commit, [u8; 32], B)> + Send,
) -> Vec<Result<Verified, Refusal>> {
    let mut results = bundles
        .enumerate()
        .par_bridge()
        .map(|(place, (commit, next_beacon, bytes))| {
            let bundle = check_size(commit.n, commit.rounds)
                .map_err(Refusal::Commit)
                .and_then(|()| Bundle::from_bytes(&commit, bytes.as_ref()));
            (place, bundle.and_then(|bundle| verify_bundle(&commit, &next_beacon, &bundle)))
        })
        .collect::<Vec<_>>();
    results.sort_unstable_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// A wrong entry and its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongEntry {
    /// Which entry.
    pub query: Query,
    /// [`EntryProof::to_bytes`]: what `prove_entry` carries.
    pub proof: Vec<u8>,
}

/// Up to [`MAX_WRONG_ENTRIES`] wrong entries of a bundle, no two of which share a row or a column: as many as there are.
/// They count whether or not they were asked for. Empty when there are none, or when the bundle is not the commit's.
pub fn wrong_entries(commit: &Commit, bundle: &Bundle) -> Vec<WrongEntry> {
    wrong_entries_beside(commit, bundle, &[])
}

/// [`wrong_entries`] of which none shares a row or a column with one of those `proven` before, and no more than make
/// [`MAX_WRONG_ENTRIES`] with them: whoever proved one that shares lines with the first choice spoils nothing.
pub fn wrong_entries_beside(commit: &Commit, bundle: &Bundle, proven: &[Query]) -> Vec<WrongEntry> {
    let Ok(rounds) = Rounds::open(commit, bundle) else { return vec![] };
    let is_apart = |entry: &&OpenedEntry| !proven.iter().any(|known| known.shares_line(&entry.query));
    let opened = bundle.entries.iter().filter(is_apart).filter(|entry| rounds.check_opened(entry).is_ok());
    independent(&rounds.wrong(opened, operands::entry))
        .into_iter()
        .take(MAX_WRONG_ENTRIES.saturating_sub(proven.len()))
        .map(|entry| WrongEntry {
            query: entry.query,
            proof: rounds.proof(entry, &rounds.super_path(entry)).to_bytes(),
        })
        .collect()
}

/// The first false seed of a bundle as [`LinkProof::to_bytes`], which is what `prove_link` carries. None when every seed
/// follows, or when the bundle is not the commit's.
pub fn false_link(commit: &Commit, bundle: &Bundle) -> Option<Vec<u8>> {
    let rounds = Rounds::open(commit, bundle).ok()?;
    let round = rounds.first_false_seed()?;
    let path = |round: u32| rounds.tree.path(u64::from(round));
    let opening = |round: u32, super_path| {
        let claim = &bundle.rounds[round as usize];
        Opening { seed: &claim.seed, root: &claim.root, super_path }
    };
    let proof = match round.checked_sub(1) {
        None => LinkProof::First(opening(0, &path(0))).to_bytes(),
        Some(before) => {
            LinkProof::Next { round: before, from: opening(before, &path(before)), to: opening(round, &path(round)) }
                .to_bytes()
        }
    };
    Some(proof)
}

/// A bundle's rounds, which are the commit's.
struct Rounds<'a> {
    commit: &'a Commit,
    bundle: &'a Bundle,
    tree: Tree,
}

impl<'a> Rounds<'a> {
    fn open(commit: &'a Commit, bundle: &'a Bundle) -> Result<Self, Refusal> {
        check_size(commit.n, commit.rounds).map_err(Refusal::Commit)?;
        let expected = commit.rounds as usize;
        if bundle.rounds.len() != expected {
            return Err(Refusal::Rounds { expected, got: bundle.rounds.len() });
        }
        let tree = super_tree(bundle.rounds.iter());
        match tree.root() == commit.super_root {
            true => Ok(Self { commit, bundle, tree }),
            false => Err(Refusal::SuperRoot),
        }
    }

    fn first_false_seed(&self) -> Option<u32> {
        let mut expected = seed_0(&self.commit.task());
        for (claim, round) in self.bundle.rounds.iter().zip(0..) {
            if claim.seed != expected {
                return Some(round);
            }
            expected = next_seed(&claim.seed, &claim.root);
        }
        None
    }

    /// All of [`millrace_core::proof::check_entry`] but the entry's value.
    fn check_opened(&self, entry: &OpenedEntry) -> Result<(), ProofError> {
        let Query { round, .. } = entry.query;
        if round >= self.commit.rounds {
            return Err(ProofError::Round { round, last: self.commit.rounds - 1 });
        }
        check_opened(self.commit, &self.proof(entry, &self.super_path(entry)))
    }

    /// Those of `opened`, which were checked, whose value is not the seed's.
    fn wrong(
        &self,
        opened: impl Iterator<Item = &'a OpenedEntry>,
        entry: impl Fn(&[u8; 32], u32, u32, u32) -> i32,
    ) -> Vec<&'a OpenedEntry> {
        let verdict = |opened: &OpenedEntry| {
            let proof = self.proof(opened, &[]);
            proof.verdict(entry(proof.seed, self.commit.n, proof.row, proof.col))
        };
        opened.filter(|opened| verdict(opened) == Verdict::Wrong).collect()
    }

    fn super_path(&self, entry: &OpenedEntry) -> Vec<TreeNode> {
        self.tree.path(u64::from(entry.query.round))
    }

    /// The caller has checked that the entry's round is one of the commit's.
    fn proof<'b>(&'b self, entry: &'b OpenedEntry, super_path: &'b [TreeNode]) -> EntryProof<'b> {
        let Query { round, row, col } = entry.query;
        let seed = &self.bundle.rounds[round as usize].seed;
        EntryProof { round, row, col, leaf: &entry.leaf, path: &entry.path, seed, super_path }
    }
}

/// The largest choice of at most three entries of which no two share a line.
fn independent<'a>(entries: &[&'a OpenedEntry]) -> Vec<&'a OpenedEntry> {
    let apart = |a: &OpenedEntry, b: &OpenedEntry| !a.query.shares_line(&b.query);
    let mut best = entries.iter().take(1).copied().collect::<Vec<_>>();
    for (i, a) in entries.iter().enumerate() {
        for (j, b) in entries.iter().enumerate().skip(i + 1).filter(|(_, b)| apart(a, b)) {
            if let Some(c) = entries[j + 1..].iter().find(|c| apart(a, c) && apart(b, c)) {
                return vec![*a, *b, *c];
            }
            best = vec![*a, *b];
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{prove, Cpu, ProveOptions};
    use millrace_core::proof::{matrix, Task};
    use proptest::prelude::*;
    use std::{
        cell::Cell,
        ops::ControlFlow,
        sync::{
            atomic::{AtomicUsize, Ordering::SeqCst},
            Arc, LazyLock,
        },
    };

    const NEXT_BEACON: [u8; 32] = [8; 32];

    static HONEST: LazyLock<(Commit, Bundle)> = LazyLock::new(|| {
        let [deployment_id, node, beacon, nonce] = [1, 2, 3, 4].map(|byte| [byte; 32]);
        let task = Task { deployment_id, node, gpu_index: 0, epoch: 5, beacon, nonce, n: 256, rounds: 2 };
        let go_on = |_| ControlFlow::Continue(());
        let run = prove(&task, Arc::new(Cpu::new(2).unwrap()), ProveOptions::default(), &go_on).unwrap();
        (*run.commit(), run.answer(&queries(run.commit(), &NEXT_BEACON)))
    });

    /// The verdict, and how many entries were recomputed for it.
    fn work(commit: &Commit, bundle: &Bundle) -> (Result<Verified, Refusal>, usize) {
        let recomputed = Cell::new(0);
        let result = verify_with(commit, &NEXT_BEACON, bundle, |seed, n, row, col| {
            recomputed.set(recomputed.get() + 1);
            operands::entry(seed, n, row, col)
        });
        (result, recomputed.get())
    }

    #[test]
    fn nothing_is_recomputed_before_all_else_is_right() {
        let (commit, honest) = &*HONEST;
        assert_eq!(work(commit, honest), (Ok(Verified { commit_id: commit.id() }), QUERIES));
        let changes: [fn(&mut Bundle); 8] = [
            |bundle| bundle.rounds[1].root[0] ^= 1,
            |bundle| bundle.rounds.truncate(1),
            |bundle| bundle.entries.truncate(QUERIES - 1),
            |bundle| bundle.entries.swap(QUERIES - 2, QUERIES - 1),
            |bundle| bundle.entries[0].path[0][0] ^= 1,
            |bundle| bundle.entries[QUERIES - 1].path[11][23] ^= 1,
            |bundle| bundle.entries[QUERIES - 1].leaf[47] ^= 1,
            |bundle| bundle.entries[QUERIES - 1].path.truncate(11),
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut hostile = honest.clone();
            change(&mut hostile);
            let (result, recomputed) = work(commit, &hostile);
            assert!(result.is_err(), "change {i} was accepted");
            assert_eq!(recomputed, 0, "change {i} was refused after entries were recomputed");
        }
    }

    #[test]
    fn a_batch_gives_every_bundle_its_own_verdict_in_order() {
        let (commit, bundle) = &*HONEST;
        let bytes = bundle.to_bytes();
        let unread = (0..20).map(|i| match i % 4 {
            0 => (*commit, NEXT_BEACON, bytes.clone()),
            1 => (*commit, NEXT_BEACON, bytes[..i].to_vec()),
            2 => (Commit { n: 0, ..*commit }, NEXT_BEACON, bytes.clone()),
            _ => (Commit { epoch: i as u64 + 1, ..*commit }, NEXT_BEACON, bytes.clone()),
        });
        for (i, result) in verify_batch(unread).into_iter().enumerate() {
            let expected = match i % 4 {
                0 => Ok(Verified { commit_id: commit.id() }),
                1 => Err(Refusal::Length { expected: bytes.len(), got: i }),
                2 => Err(Refusal::Commit(ProofError::Size(0))),
                _ => Err(Refusal::FalseSeed { round: 0 }),
            };
            assert_eq!(result, expected, "bundle {i}");
        }
    }

    /// The bytes of a bundle; counts those that are in memory.
    struct Read<'a>(&'a [u8], &'a AtomicUsize);

    impl AsRef<[u8]> for Read<'_> {
        fn as_ref(&self) -> &[u8] {
            self.0
        }
    }

    impl Drop for Read<'_> {
        fn drop(&mut self) {
            self.1.fetch_sub(1, SeqCst);
        }
    }

    #[test]
    fn a_batch_reads_no_more_bundles_than_it_has_threads_to_check_them() {
        let (commit, bundle) = &*HONEST;
        let bytes = bundle.to_bytes();
        let (in_memory, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let bundles = (0..100).map(|_| {
            most.fetch_max(in_memory.fetch_add(1, SeqCst) + 1, SeqCst);
            (*commit, NEXT_BEACON, Read(&bytes, &in_memory))
        });
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let results = pool.install(|| verify_batch(bundles));
        assert!(results.len() == 100 && results.iter().all(Result::is_ok));
        assert!((1..=3).contains(&most.into_inner()));
    }

    proptest! {
        #[test]
        fn an_entry_is_the_one_that_core_defines(
            seed: [u8; 32], log_n in 8u32..=16, row: u32, col: u32,
        ) {
            let n = 1 << log_n;
            let (row, col) = (row % n, col % n);
            prop_assert_eq!(operands::entry(&seed, n, row, col), matrix::entry(&seed, n, row, col));
        }
    }
}
