//! What a customer hands a node and gets back: the job's manifest, its bundle of inputs, its bundle of results.
//!
//! Both bundles are tar archives with one encoding per content (sorted names, no times, no owners), so a hash of the
//! bytes names the content: [`InputBundle::hash`] is the `manifest_hash` of the job on chain, [`content_hash`] of the
//! results is the `result_root` of its lease, and any chunk of them can be shown to belong to it ([`Content`]). Whoever reads a bundle reads a stranger's bytes: sizes, counts, kinds
//! and paths are checked before anything is written.

mod bundle;
mod content;
mod error;
mod manifest;
mod path;

pub use bundle::{
    pack_files, read_bundle, write_files, Bounds, BundleFile, InputBundle, MANIFEST_NAME, MAX_BUNDLE_BYTES,
};
pub use content::{content_hash, prove_chunks, Content, CHUNK_BYTES, MAX_CHUNKS_PROVEN};
pub use error::JobError;
pub use manifest::{JobSection, Limits, Manifest, MAX_FILES, MAX_MANIFEST_BYTES};
pub use path::{check_path, open_inside};
