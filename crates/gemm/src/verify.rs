use crate::{
    bundle::{Bundle, OpenedEntry},
    run::super_tree,
};
use millrace_core::{
    merkle::{Tree, TreeNode},
    proof::{
        check_entry, check_size, next_seed, query, seed_0, Commit, EntryProof, LinkProof, Opening, ProofError, Query,
        Verdict, QUERIES,
    },
};

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
/// That the commit itself is the one expected (deployment, node, GPU, epoch, beacon, a nonce with one's share in it, the
/// operator's signature) is for the caller to check.
///
/// # Errors
/// [`Refusal`], with all wrong entries in it when every query was answered.
pub fn verify_bundle(commit: &Commit, next_beacon: &[u8; 32], bundle: &Bundle) -> Result<Verified, Refusal> {
    let rounds = Rounds::open(commit, bundle)?;
    if let Some(round) = rounds.first_false_seed() {
        return Err(Refusal::FalseSeed { round });
    }
    if bundle.entries.len() != QUERIES {
        return Err(Refusal::Entries { got: bundle.entries.len() });
    }
    let mut wrong = vec![];
    for (index, (entry, expected)) in bundle.entries.iter().zip(queries(commit, next_beacon)).enumerate() {
        if entry.query != expected {
            return Err(Refusal::OtherEntry { index, expected, got: entry.query });
        }
        match rounds.judge(entry).map_err(|error| Refusal::Unjudged { index, error })? {
            Verdict::Correct => {}
            Verdict::Wrong => wrong.push(entry.query),
        }
    }
    match wrong.is_empty() {
        true => Ok(Verified { commit_id: commit.id() }),
        false => Err(Refusal::WrongEntries(wrong)),
    }
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
    let Ok(rounds) = Rounds::open(commit, bundle) else { return vec![] };
    let mut wrong = vec![];
    for entry in &bundle.entries {
        if rounds.judge(entry) == Ok(Verdict::Wrong) {
            wrong.push(entry);
        }
    }
    independent(&wrong)
        .into_iter()
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

    fn judge(&self, entry: &OpenedEntry) -> Result<Verdict, ProofError> {
        let Query { round, .. } = entry.query;
        if round >= self.commit.rounds {
            return Err(ProofError::Round { round, last: self.commit.rounds - 1 });
        }
        check_entry(self.commit, &self.proof(entry, &self.super_path(entry)))
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
