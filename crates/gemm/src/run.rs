use crate::{
    backend::{Backend, ProveError, Round},
    bundle::{Bundle, OpenedEntry, RoundClaim},
    sha::hash_leaves,
    tree::{max_skip, tree_bytes, UpperTree},
};
use millrace_core::{
    merkle::{Tree, EMPTY},
    proof::{check_size, leaf_index, next_seed, pack_leaf, seed_0, super_leaf, Commit, Query, Task, CELLS_PER_LEAF},
};
use rayon::prelude::*;
use std::{ops::ControlFlow, sync::Arc};

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rounds done.
    pub rounds_done: u32,
    /// Rounds of the run.
    pub rounds: u32,
    /// Rows done of the round under way.
    pub rows_done: u32,
    /// Rows of a round.
    pub rows: u32,
}

/// What a run may use.
#[derive(Clone, Copy, Debug)]
pub struct ProveOptions {
    /// Bytes of trees to keep until the queries are known, for all rounds together. What is left out is computed again
    /// to answer: half the bytes, twice the work. No budget is kept below a row's root for each row.
    pub keep_bytes: u64,
}

impl Default for ProveOptions {
    /// 1 GiB: all of eight rounds at n = 4,096.
    fn default() -> Self {
        Self { keep_bytes: 1 << 30 }
    }
}

/// A finished run: what to sign, and what is needed to answer for it.
pub struct ProvenRun {
    commit: Commit,
    rounds: Vec<(RoundClaim, UpperTree)>,
    backend: Arc<dyn Backend>,
}

/// Runs a task. `watch` is called now and then, from any thread; it breaks to stop the run.
///
/// # Errors
/// [`ProveError`].
pub fn prove(
    task: &Task,
    backend: Arc<dyn Backend>,
    options: ProveOptions,
    watch: &(dyn Fn(Progress) -> ControlFlow<()> + Sync),
) -> Result<ProvenRun, ProveError> {
    prove_with_links(task, backend, options, watch, |_, seed| seed)
}

/// [`prove`], with a hand in the seeds: an honest one gives back what the rules give.
pub(crate) fn prove_with_links(
    task: &Task,
    backend: Arc<dyn Backend>,
    options: ProveOptions,
    watch: &(dyn Fn(Progress) -> ControlFlow<()> + Sync),
    link: impl Fn(u32, [u8; 32]) -> [u8; 32],
) -> Result<ProvenRun, ProveError> {
    check_size(task.n, task.rounds)?;
    let skip = levels_to_skip(task.n, task.rounds, options.keep_bytes);
    let mut rounds = Vec::with_capacity(task.rounds as usize);
    let mut seed = link(0, seed_0(task));
    for index in 0..task.rounds {
        let rows_done =
            |rows_done| watch(Progress { rounds_done: index, rounds: task.rounds, rows_done, rows: task.n });
        let tree = backend.round(&Round { index, seed, n: task.n }, skip, &rows_done)?;
        let root = tree.root();
        rounds.push((RoundClaim { seed, root }, tree));
        seed = link(index + 1, next_seed(&seed, &root));
    }
    let super_root = super_tree(rounds.iter().map(|(claim, _)| claim)).root();
    Ok(ProvenRun { commit: task.commit(super_root), rounds, backend })
}

/// The tree over the rounds.
pub(crate) fn super_tree<'a>(claims: impl Iterator<Item = &'a RoundClaim>) -> Tree {
    Tree::new(claims.map(|claim| super_leaf(&claim.seed, &claim.root)).collect())
}

/// Bytes of the trees that a run keeps.
pub(crate) fn kept_bytes(n: u32, rounds: u32, options: ProveOptions) -> u64 {
    u64::from(rounds) * tree_bytes(n, levels_to_skip(n, rounds, options.keep_bytes))
}

fn levels_to_skip(n: u32, rounds: u32, keep_bytes: u64) -> u32 {
    (0..max_skip(n)).find(|skip| u64::from(rounds) * tree_bytes(n, *skip) <= keep_bytes).unwrap_or(max_skip(n))
}

impl ProvenRun {
    /// What the operator signs.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Seed and root of each round.
    pub fn rounds(&self) -> impl Iterator<Item = &RoundClaim> {
        self.rounds.iter().map(|(claim, _)| claim)
    }

    /// Opens the entries asked for, in the current rayon pool.
    ///
    /// # Panics
    /// With a query outside this run's rounds and matrices.
    pub fn answer(&self, queries: &[Query]) -> Bundle {
        let entries = queries.par_iter().map(|query| self.open(query)).collect();
        Bundle { rounds: self.rounds().copied().collect(), entries }
    }

    fn open(&self, query: &Query) -> OpenedEntry {
        let n = self.commit.n;
        let (claim, tree) = &self.rounds[query.round as usize];
        let round = Round { index: query.round, seed: claim.seed, n };
        // The lowest kept node stands over these columns of the row.
        let width = (CELLS_PER_LEAF as u32) << tree.skipped();
        let first_col = query.col / width * width;
        let cells = self.backend.cells(&round, query.row, first_col..first_col + width);
        let mut leaves = vec![EMPTY; 1 << tree.skipped()];
        hash_leaves(&cells, &mut leaves);
        let (opened, _) = cells[((query.col - first_col) as usize / CELLS_PER_LEAF * CELLS_PER_LEAF)..].as_chunks();
        OpenedEntry {
            query: *query,
            leaf: pack_leaf(&opened[0]),
            path: tree.path(leaf_index(n, query.row, query.col), leaves),
        }
    }
}
