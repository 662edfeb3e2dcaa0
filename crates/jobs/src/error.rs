use std::path::PathBuf;

use crate::manifest::{MAX_FILES, MAX_MANIFEST_BYTES};
use crate::path::MAX_PATH_BYTES;

/// What is wrong with a manifest or a bundle, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Not TOML, a key missing, of the wrong type or unknown. The parser's message names the line and the key.
    #[error("the manifest cannot be read: {0}\nA manifest has [job] with command, environment, files, outputs, and [limits] with memory_mib, disk_mib, pids, max_secs")]
    Syntax(#[from] toml::de::Error),
    /// The manifest cannot be written as TOML.
    #[error("the manifest cannot be written: {0}")]
    Write(#[from] toml::ser::Error),
    /// A manifest larger than any job needs.
    #[error("the manifest is {0} bytes; at most {MAX_MANIFEST_BYTES} are allowed: put data into files, not into the manifest")]
    ManifestTooLarge(usize),
    /// A field whose value makes no sense.
    #[error("{field} in the manifest is {found}; it must be {wanted}")]
    Field {
        /// The key, with its section.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What would be right.
        wanted: String,
    },
    /// A path that could leave the job's folder, or that two systems could read differently.
    #[error("path {path:?} {fault}; write it relative to the manifest's folder, like \"data/train.csv\"")]
    Path {
        /// The path as written.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// The same file twice.
    #[error("{0:?} is listed twice; list each file once")]
    Duplicate(String),
    /// More files than a bundle may have.
    #[error("{0} files are listed; at most {MAX_FILES} are allowed: pack them into one archive")]
    TooManyFiles(usize),
    /// A symlink that leads out of the folder.
    #[error("{path:?} leads to {target}, outside the manifest's folder; copy the file into the folder")]
    LeavesFolder {
        /// The path as written.
        path: String,
        /// Where it leads.
        target: PathBuf,
    },
    /// Something that is not a regular file.
    #[error("{path:?} is {kind}; only regular files are allowed here")]
    NotAFile {
        /// The path as written.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Bytes that are not a tar archive of the accepted kind.
    #[error("the bundle is not a tar archive of plain files: {0}")]
    Tar(String),
    /// More content than the reader allows.
    #[error("the bundle has {found} {what}; at most {allowed} are allowed")]
    TooLarge {
        /// Bytes or files.
        what: &'static str,
        /// How many there are, or at least.
        found: u64,
        /// The bound.
        allowed: u64,
    },
    /// Files and manifest disagree.
    #[error("the bundle {0}; it must hold manifest.toml and exactly the files it lists, in order of their names")]
    Contents(String),
    /// Inputs that are not the ones the job was posted for.
    #[error("the inputs hash to {found}, the job was posted for {wanted}; send the bundle the job was posted with")]
    OtherInputs {
        /// Name of the bytes, hex.
        found: String,
        /// The manifest hash of the job, hex.
        wanted: String,
    },
    /// A chunk that is not shown to be a part of the content.
    #[error("chunk {index} of {chunks} is not proven; it must come with its path to the content's name")]
    Unproven {
        /// Which chunk.
        index: u64,
        /// Chunks there are.
        chunks: u64,
    },
    /// Bytes behind the last chunk of a proof.
    #[error("{0} bytes follow the proof of the last chunk; a proof has exactly the chunks asked for")]
    ProofTooLong(usize),
}

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Nothing.
    #[error("is empty")]
    Empty,
    /// From the root of a file system.
    #[error("is absolute")]
    Absolute,
    /// `..` somewhere.
    #[error("has a \"..\" in it, so it may leave the folder")]
    Parent,
    /// `.` or nothing between two slashes, or a slash at the end.
    #[error("has a \".\" or an empty part in it")]
    Part,
    /// Backslash, NUL or another control character.
    #[error("has a backslash or a control character in it")]
    Character,
    /// Longer than a tar header holds.
    #[error("is longer than {MAX_PATH_BYTES} bytes, or one of its parts is longer than 100")]
    Long,
    /// The name of the manifest.
    #[error("is the manifest itself, which is always part of the bundle")]
    Manifest,
}

impl JobError {
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
