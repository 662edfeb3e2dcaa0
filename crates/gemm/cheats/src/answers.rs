//! The answers of one run to many beacons.

use millrace_core::proof::{Commit, Query, CELLS_PER_LEAF};
use millrace_gemm::{Bundle, OpenedEntry, ProvenRun};
use std::collections::HashMap;
use std::sync::Mutex;

/// A run that opens each leaf once, however often it is asked for: a trial costs its verification.
pub(crate) struct Answers {
    run: ProvenRun,
    opened: Mutex<HashMap<Query, OpenedEntry>>,
}

impl Answers {
    pub(crate) fn of(run: ProvenRun) -> Self {
        Self { run, opened: Mutex::default() }
    }

    pub(crate) fn commit(&self) -> &Commit {
        self.run.commit()
    }

    /// What [`ProvenRun::answer`] gives.
    pub(crate) fn answer(&self, queries: &[Query]) -> Bundle {
        let first_of_leaf = |query: &Query| Query { col: query.col - query.col % CELLS_PER_LEAF as u32, ..*query };
        let mut opened = self.opened.lock().expect("opening does not panic");
        let wanted = queries.iter().map(first_of_leaf).filter(|query| !opened.contains_key(query)).collect::<Vec<_>>();
        let rounds = self.run.rounds().copied().collect();
        opened.extend(self.run.answer(&wanted).entries.into_iter().map(|entry| (entry.query, entry)));
        let entries =
            queries.iter().map(|query| OpenedEntry { query: *query, ..opened[&first_of_leaf(query)].clone() });
        Bundle { rounds, entries: entries.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cpu, run, task};
    use millrace_gemm::queries;

    #[test]
    fn a_leaf_opened_before_is_the_same_again() {
        let answers = Answers::of(run(&task(256, 2), cpu()));
        for next_beacon in [[1; 32], [2; 32], [1; 32]] {
            let queries = queries(answers.commit(), &next_beacon);
            assert_eq!(answers.answer(&queries), answers.run.answer(&queries));
        }
    }
}
