/// Why a commit or a proof could not be judged. Says nothing about whether the prover cheated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The encoding is longer or shorter than n and rounds require.
    #[error("the encoding has {got} bytes, this commit's have {expected}")]
    Length {
        /// Bytes that the encoding must have.
        expected: usize,
        /// Bytes that it has.
        got: usize,
    },
    /// The bytes are not a commit of this protocol.
    #[error("a commit begins with MRcommit")]
    Tag,
    /// n is not one of the allowed sizes.
    #[error("n is {0}, allowed are the powers of two from 256 to 65,536")]
    Size(u32),
    /// The number of rounds is out of range.
    #[error("rounds is {0}, allowed are 1 to 64")]
    Rounds(u32),
    /// The proof names a round that the commit has not.
    #[error("round {round} is named, the last of the commit is {last}")]
    Round {
        /// The round named.
        round: u32,
        /// The last that can be named.
        last: u32,
    },
    /// The proof names a row or a column outside the matrix.
    #[error("row {row}, column {col} is not in a matrix of {n} × {n}")]
    Index {
        /// The row named.
        row: u32,
        /// The column named.
        col: u32,
        /// Rows and columns that there are.
        n: u32,
    },
    /// A path has another number of nodes than its tree has levels.
    #[error("a path has {got} nodes, its tree has {expected} levels")]
    PathLength {
        /// Levels of the tree.
        expected: usize,
        /// Nodes in the path.
        got: usize,
    },
    /// The kind of link proof is unknown.
    #[error("a link proof is of kind 0 or 1, this one is of kind {0}")]
    LinkKind(u8),
    /// What was opened does not lead to the commit's super-root.
    #[error("what was opened is not under the commit's super-root")]
    NotCommitted,
}
