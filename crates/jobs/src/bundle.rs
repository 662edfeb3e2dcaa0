//! Bundles: tar archives with one encoding per content.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::content::content_hash;
use crate::error::JobError;
use crate::manifest::{Manifest, MAX_FILES, MAX_MANIFEST_BYTES};
use crate::path::{check_path, open_inside, resolve_own};

/// Most bytes of an archive within the default [`Bounds`]: headers and padding of a thousand files are a MiB.
pub const MAX_BUNDLE_BYTES: u64 = MAX_CONTENT_BYTES + (2 << 20);

/// Most bytes of all files of a bundle together.
const MAX_CONTENT_BYTES: u64 = 64 << 20;

/// Name of the manifest in a bundle of inputs.
pub const MANIFEST_NAME: &str = "manifest.toml";

/// How much a reader takes from a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all files together.
    pub total_bytes: u64,
    /// Files.
    pub files: usize,
}

impl Default for Bounds {
    /// 64 MiB in as many files as a manifest may list, and the manifest.
    fn default() -> Self {
        Self { total_bytes: MAX_CONTENT_BYTES, files: MAX_FILES + 1 }
    }
}

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleFile {
    /// What is in it.
    pub content: Vec<u8>,
    /// Whether it may be run.
    pub executable: bool,
}

/// A job's inputs: the canonical manifest and the files it lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputBundle {
    /// The manifest.
    pub manifest: Manifest,
    /// The files, by path; the manifest is not among them.
    pub files: BTreeMap<String, BundleFile>,
    bytes: Vec<u8>,
}

impl InputBundle {
    /// Packs `manifest_path` (a file) and the files it lists, from the folder it lies in.
    ///
    /// # Errors
    /// Whatever is wrong with the manifest, a path or a file: see [`JobError`].
    pub fn pack(manifest_path: &Path, bounds: Bounds) -> Result<Self, JobError> {
        let text = std::fs::read_to_string(manifest_path).map_err(|error| JobError::io(manifest_path, error))?;
        let manifest = Manifest::parse(&text)?;
        let folder = match manifest_path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut total = Total::new(bounds);
        let mut files = BTreeMap::new();
        for path in &manifest.job.files {
            let full = resolve_own(folder, path)?;
            let read = || {
                let file = std::fs::File::open(&full)?;
                let metadata = file.metadata()?;
                Ok((file, metadata))
            };
            let (file, metadata) = read().map_err(|error| JobError::io(&full, error))?;
            let executable = metadata.permissions().mode() & 0o100 != 0;
            let content = total.read(file).map_err(|error| error.named(&full))?;
            files.insert(path.clone(), BundleFile { content, executable });
        }
        Self::assemble(manifest, files)
    }

    /// Puts a bundle together from its parts.
    ///
    /// # Errors
    /// [`JobError::Contents`] when the files are not exactly those the manifest lists; [`JobError::Write`].
    pub fn assemble(manifest: Manifest, files: BTreeMap<String, BundleFile>) -> Result<Self, JobError> {
        check_contents(&manifest, &files)?;
        let canonical = BundleFile { content: manifest.to_canonical()?.into_bytes(), executable: false };
        let mut all = files.clone();
        all.insert(MANIFEST_NAME.to_owned(), canonical);
        Ok(Self { manifest, files, bytes: write_bundle(&all)? })
    }

    /// Reads the inputs of the job posted with `manifest_hash`.
    ///
    /// # Errors
    /// [`JobError::OtherInputs`] for a single changed bit, and whatever a hostile customer made wrong on purpose.
    pub fn unpack(bytes: Vec<u8>, manifest_hash: &[u8; 32], bounds: Bounds) -> Result<Self, JobError> {
        let found = content_hash(&bytes);
        if found != *manifest_hash {
            return Err(JobError::OtherInputs { found: hex::encode(found), wanted: hex::encode(manifest_hash) });
        }
        let mut files = read_archive(&bytes, bounds, true)?;
        let manifest =
            files.remove(MANIFEST_NAME).ok_or_else(|| JobError::Contents("has no manifest.toml".to_owned()))?;
        if manifest.content.len() > MAX_MANIFEST_BYTES {
            return Err(JobError::ManifestTooLarge(manifest.content.len()));
        }
        let text = String::from_utf8(manifest.content)
            .map_err(|_| JobError::Contents("has a manifest.toml that is not UTF-8".to_owned()))?;
        let manifest = Manifest::parse(&text)?;
        check_contents(&manifest, &files)?;
        Ok(Self { manifest, files, bytes })
    }

    /// The archive.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The `manifest_hash` of the job.
    pub fn hash(&self) -> [u8; 32] {
        content_hash(&self.bytes)
    }
}

fn check_contents(manifest: &Manifest, files: &BTreeMap<String, BundleFile>) -> Result<(), JobError> {
    if let Some(missing) = manifest.job.files.iter().find(|path| !files.contains_key(*path)) {
        return Err(JobError::Contents(format!("lacks {missing:?}")));
    }
    if let Some(extra) = files.keys().find(|path| !manifest.job.files.contains(path)) {
        return Err(JobError::Contents(format!("has {extra:?}, which the manifest does not list")));
    }
    Ok(())
}

/// Packs those of `paths` that exist in `folder`, following no symlink: a job's results. Returns the archive and the
/// paths that were missing.
///
/// # Errors
/// [`JobError::NotAFile`] for a symlink, folder or special file; [`JobError::TooLarge`]; [`JobError::Io`].
pub fn pack_files(folder: &Path, paths: &[String], bounds: Bounds) -> Result<(Vec<u8>, Vec<String>), JobError> {
    let mut total = Total::new(bounds);
    let (mut files, mut missing) = (BTreeMap::new(), Vec::new());
    for path in paths {
        let Some((file, metadata)) = open_inside(folder, path)? else {
            missing.push(path.clone());
            continue;
        };
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let content = total.read(file).map_err(|error| error.named(&folder.join(path)))?;
        files.insert(path.clone(), BundleFile { content, executable });
    }
    Ok((write_bundle(&files)?, missing))
}

/// Reads an archive made by [`pack_files`].
///
/// # Errors
/// [`JobError::Tar`], [`JobError::Path`], [`JobError::Duplicate`], [`JobError::TooLarge`].
pub fn read_bundle(bytes: &[u8], bounds: Bounds) -> Result<BTreeMap<String, BundleFile>, JobError> {
    read_archive(bytes, bounds, false)
}

/// Writes files below `folder`, which the caller made and nobody else writes to; files that exist are not replaced.
///
/// # Errors
/// [`JobError::Path`], [`JobError::Io`].
pub fn write_files(folder: &Path, files: &BTreeMap<String, BundleFile>) -> Result<(), JobError> {
    for (path, file) in files {
        check_path(path)?;
        let full = folder.join(path);
        let write = || -> std::io::Result<()> {
            if let Some(above) = full.parent() {
                std::fs::create_dir_all(above)?;
            }
            let mode = if file.executable { 0o755 } else { 0o644 };
            let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&full)?;
            std::io::Write::write_all(&mut out, &file.content)
        };
        write().map_err(|error| JobError::io(&full, error))?;
    }
    Ok(())
}

/// Bytes and files taken so far against a bound.
struct Total {
    bounds: Bounds,
    bytes: u64,
    files: usize,
}

/// Why a file was not taken, before its path is known.
enum ReadFault {
    Bound(JobError),
    Io(std::io::Error),
}

impl ReadFault {
    fn named(self, path: &Path) -> JobError {
        match self {
            Self::Bound(error) => error,
            Self::Io(error) => JobError::io(path, error),
        }
    }
}

impl Total {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, bytes: 0, files: 0 }
    }

    /// Reads one file whole, and never more than the bound leaves.
    fn read(&mut self, from: impl Read) -> Result<Vec<u8>, ReadFault> {
        self.files = self.files.saturating_add(1);
        if self.files > self.bounds.files {
            let (found, allowed) = (self.files as u64, self.bounds.files as u64);
            return Err(ReadFault::Bound(JobError::TooLarge { what: "files", found, allowed }));
        }
        let left = self.bounds.total_bytes.saturating_sub(self.bytes);
        let mut content = Vec::new();
        let read = from.take(left.saturating_add(1)).read_to_end(&mut content).map_err(ReadFault::Io)? as u64;
        self.bytes = self.bytes.saturating_add(read);
        if read > left {
            let (found, allowed) = (self.bytes, self.bounds.total_bytes);
            return Err(ReadFault::Bound(JobError::TooLarge { what: "bytes", found, allowed }));
        }
        Ok(content)
    }
}

fn write_bundle(files: &BTreeMap<String, BundleFile>) -> Result<Vec<u8>, JobError> {
    let mut archive = tar::Builder::new(Vec::new());
    let fail = |error: std::io::Error| JobError::Tar(error.to_string());
    // A BTreeMap iterates in the order of its keys' bytes: that is the canonical order.
    for (path, file) in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).map_err(fail)?;
        header.set_size(file.content.len() as u64);
        header.set_mode(if file.executable { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        archive.append(&header, file.content.as_slice()).map_err(fail)?;
    }
    archive.into_inner().map_err(fail)
}

fn read_archive(bytes: &[u8], bounds: Bounds, has_manifest: bool) -> Result<BTreeMap<String, BundleFile>, JobError> {
    let fail = |error: std::io::Error| JobError::Tar(error.to_string());
    let mut total = Total::new(bounds);
    let mut files: BTreeMap<String, BundleFile> = BTreeMap::new();
    let mut archive = tar::Archive::new(Cursor::new(bytes));
    // Raw: a long-name or pax header of another kind of tar is an entry of its own here, and refused below.
    for entry in archive.entries().map_err(fail)?.raw(true) {
        let entry = entry.map_err(fail)?;
        let path = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|_| JobError::Tar("it has a name that is not UTF-8".to_owned()))?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            let kind = "a link, folder or special entry of the archive";
            return Err(JobError::NotAFile { path, kind });
        }
        if !(has_manifest && path == MANIFEST_NAME) {
            check_path(&path)?;
        }
        if files.keys().next_back().is_some_and(|last| *last >= path) {
            return Err(match files.contains_key(&path) {
                true => JobError::Duplicate(path),
                false => JobError::Contents(format!("has {path:?} out of order")),
            });
        }
        let executable = entry.header().mode().map_err(fail)? & 0o100 != 0;
        let declared = entry.size();
        let content = total.read(entry).map_err(|error| match error {
            ReadFault::Bound(error) => error,
            ReadFault::Io(error) => fail(error),
        })?;
        if content.len() as u64 != declared {
            return Err(JobError::Tar(format!("{path:?} is cut short")));
        }
        files.insert(path, BundleFile { content, executable });
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
