use super::bundle::Reader;
use millrace_core::proof::memory::{
    addresses, fill_seed, walk, walk_seed, walk_start, walker_query, word, word_query, MemoryCommit, MemoryError,
    WalkCommit, REFERENCES, WALKER_QUERIES, WORD_LEN, WORD_QUERIES,
};

/// Why an answer about memory is not accepted. Only [`MemoryRefusal::Wrong`] proves that its prover cheated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryRefusal {
    /// The commit is not of an allowed size.
    #[error(transparent)]
    Commit(MemoryError),
    /// The walks belong to another fill.
    #[error("the walks are of another fill than the commit's")]
    OtherFill,
    /// The answer is longer or shorter than the commit requires.
    #[error("the answer has {got} bytes, this commit's has {expected}")]
    Length {
        /// Bytes that it must have.
        expected: usize,
        /// Bytes that it has.
        got: usize,
    },
    /// The bytes are no answer.
    #[error("an answer begins with MRopened")]
    Tag,
    /// The nodes that the answer begins with are not the commit's.
    #[error("the upper nodes do not give the commit's fill root")]
    FillRoot,
    /// What is said to be the end of a walker was not committed.
    #[error("the end of walker {walker} is not under the root of the walks")]
    WalkNotCommitted {
        /// The walker.
        walker: u32,
    },
    /// What is said to be a word was not committed.
    #[error("word {index} is not under the commit's fill root")]
    WordNotCommitted {
        /// Number of the word.
        index: u64,
    },
    /// A word that is made of nothing has something in the place of what it is made of.
    #[error("what word {index} is made of does not exist, and is to be all zeros")]
    NotZero {
        /// Number of the word.
        index: u64,
    },
    /// Committed walks or words are not what the rules give.
    #[error("wrong are {} of {} walks and {} of {} words", walkers.len(), WALKER_QUERIES, words.len(), WORD_QUERIES)]
    Wrong {
        /// Walkers that ended elsewhere, as often as they were asked for.
        walkers: Vec<u32>,
        /// Words, as often as they were asked for.
        words: Vec<u64>,
    },
}

/// Checks the answer to the queries of the next epoch's beacon, on one thread.
///
/// That the commits are the ones expected (deployment, node, GPU, epoch, beacon, nonces with one's shares in them, signed
/// by the operator, the second share handed out after the first commit came, the second commit in time) is for the caller
/// to check.
///
/// # Errors
/// [`MemoryRefusal`], with all that is wrong in it when everything was opened.
pub fn verify_memory(
    commit: &MemoryCommit,
    walks: &WalkCommit,
    next_beacon: &[u8; 32],
    answer: &[u8],
) -> Result<(), MemoryRefusal> {
    let task = &commit.task;
    let layout = task.layout().map_err(MemoryRefusal::Commit)?;
    if walks.memory_id != commit.id() {
        return Err(MemoryRefusal::OtherFill);
    }
    let mut opened = Reader::new(&layout, task.walkers, &commit.fill_root, answer)?;
    let walk_id = walks.id();

    let mut wrong_walkers = vec![];
    let seed = walk_seed(&commit.fill_root, &walks.nonce);
    for i in 0..WALKER_QUERIES as u32 {
        let walker = walker_query(&walk_id, next_beacon, i, task.walkers);
        let end = opened.end(walker, task.walkers, &walks.root)?;
        if walk(walk_start(&seed, walker), task.words, |index| opened.word(index))? != end {
            wrong_walkers.push(walker);
        }
    }

    let mut wrong_words = vec![];
    let seed = fill_seed(task);
    for i in 0..WORD_QUERIES as u32 {
        let index = word_query(&walk_id, next_beacon, i, task.words);
        let (lane, step) = layout.place(index);
        let committed = opened.word(index)?;
        let previous = match index.checked_sub(layout.lanes().into()) {
            Some(before) => opened.word(before)?,
            None => opened.nothing(index)?,
        };
        let finished = layout.finished(step);
        let mut references = [[0; WORD_LEN]; REFERENCES];
        for (reference, address) in references.iter_mut().zip(addresses(&previous, finished)) {
            *reference = match finished {
                0 => opened.nothing(index)?,
                _ => opened.word(address)?,
            };
        }
        if word(&seed, lane, step, &previous, &references) != committed {
            wrong_words.push(index);
        }
    }
    match wrong_walkers.is_empty() && wrong_words.is_empty() {
        true => Ok(()),
        false => Err(MemoryRefusal::Wrong { walkers: wrong_walkers, words: wrong_words }),
    }
}
