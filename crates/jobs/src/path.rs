//! Paths of strangers: which are accepted, and how to open one without leaving its folder.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use crate::bundle::MANIFEST_NAME;
use crate::error::{JobError, PathFault};

/// Longest path, bytes: fits the name and prefix of a ustar header wherever its slashes are.
pub(crate) const MAX_PATH_BYTES: usize = 150;
/// Longest part of a path, bytes.
const MAX_PART_BYTES: usize = 100;

/// Refuses a path that is not plainly inside its folder: empty, absolute, with `.`, `..` or empty parts, with
/// backslashes or control characters, too long, or the manifest's own.
///
/// # Errors
/// [`JobError::Path`].
pub fn check_path(path: &str) -> Result<(), JobError> {
    let fault = |fault| Err(JobError::Path { path: path.to_owned(), fault });
    if path.is_empty() {
        return fault(PathFault::Empty);
    }
    if path.starts_with('/') {
        return fault(PathFault::Absolute);
    }
    if path.chars().any(|c| c == '\\' || c.is_control()) {
        return fault(PathFault::Character);
    }
    for part in path.split('/') {
        match part {
            ".." => return fault(PathFault::Parent),
            "" | "." => return fault(PathFault::Part),
            _ if part.len() > MAX_PART_BYTES => return fault(PathFault::Long),
            _ => {}
        }
    }
    if path.len() > MAX_PATH_BYTES {
        return fault(PathFault::Long);
    }
    if path == MANIFEST_NAME {
        return fault(PathFault::Manifest);
    }
    Ok(())
}

/// Opens `folder/path` without following any symlink below `folder`. `None` when nothing is there. For a folder a
/// stranger's code wrote into and no longer runs in: the check and the opening are two steps.
///
/// # Errors
/// [`JobError::Path`], [`JobError::NotAFile`] for a symlink, a folder or a special file, [`JobError::Io`].
pub fn open_inside(folder: &Path, path: &str) -> Result<Option<(File, Metadata)>, JobError> {
    check_path(path)?;
    let not_a_file = |kind| JobError::NotAFile { path: path.to_owned(), kind };
    let mut full = folder.to_owned();
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        full.push(part);
        let metadata = match full.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(JobError::io(&full, error)),
        };
        let is_last = parts.peek().is_none();
        if metadata.is_symlink() {
            return Err(not_a_file("a symlink or behind one"));
        }
        if is_last && metadata.is_dir() {
            return Err(not_a_file("a folder"));
        }
        if is_last && !metadata.is_file() {
            return Err(not_a_file("a device, pipe or socket"));
        }
        if !is_last && !metadata.is_dir() {
            return Err(not_a_file("below something that is no folder"));
        }
    }
    let file = File::open(&full).map_err(|error| JobError::io(&full, error))?;
    let metadata = file.metadata().map_err(|error| JobError::io(&full, error))?;
    Ok(Some((file, metadata)))
}

/// The file `folder/path` of a customer's own folder, symlinks followed as long as they stay inside.
///
/// # Errors
/// [`JobError::Path`], [`JobError::LeavesFolder`], [`JobError::NotAFile`], [`JobError::Io`].
pub(crate) fn resolve_own(folder: &Path, path: &str) -> Result<PathBuf, JobError> {
    check_path(path)?;
    let root = folder.canonicalize().map_err(|error| JobError::io(folder, error))?;
    let full = root.join(path);
    let target = full.canonicalize().map_err(|error| JobError::io(&full, error))?;
    if !target.starts_with(&root) {
        return Err(JobError::LeavesFolder { path: path.to_owned(), target });
    }
    let kind = target.metadata().map_err(|error| JobError::io(&full, error))?;
    match kind.is_file() {
        true => Ok(target),
        false if kind.is_dir() => Err(JobError::NotAFile { path: path.to_owned(), kind: "a folder" }),
        false => Err(JobError::NotAFile { path: path.to_owned(), kind: "a device, pipe or socket" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault_of(path: &str) -> Option<PathFault> {
        match check_path(path) {
            Ok(()) => None,
            Err(JobError::Path { fault, .. }) => Some(fault),
            Err(other) => panic!("{path:?} gave {other}"),
        }
    }

    #[test]
    fn a_path_that_may_leave_the_folder_is_refused_with_its_fault() {
        assert_eq!(fault_of("data/train.csv"), None);
        assert_eq!(fault_of("..hidden/a..b"), None);
        assert_eq!(fault_of(""), Some(PathFault::Empty));
        assert_eq!(fault_of("/etc/shadow"), Some(PathFault::Absolute));
        assert_eq!(fault_of("../secret"), Some(PathFault::Parent));
        assert_eq!(fault_of("a/../../secret"), Some(PathFault::Parent));
        assert_eq!(fault_of("a//b"), Some(PathFault::Part));
        assert_eq!(fault_of("./a"), Some(PathFault::Part));
        assert_eq!(fault_of("a/"), Some(PathFault::Part));
        assert_eq!(fault_of("a\\b"), Some(PathFault::Character));
        assert_eq!(fault_of("a\0b"), Some(PathFault::Character));
        assert_eq!(fault_of(&"a".repeat(101)), Some(PathFault::Long));
        assert_eq!(fault_of(&["a"; 90].join("/")), Some(PathFault::Long));
        assert_eq!(fault_of("manifest.toml"), Some(PathFault::Manifest));
    }

    proptest! {
        #[test]
        fn an_accepted_path_stays_inside_whatever_it_is(path in "[a-c./\\\\]{0,12}") {
            if check_path(&path).is_ok() {
                prop_assert!(Path::new(&path).components().all(|part| matches!(part, std::path::Component::Normal(_))));
            }
        }
    }

    #[test]
    fn a_symlink_planted_by_a_job_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir(&work).unwrap();
        std::fs::write(folder.path().join("secret"), "key").unwrap();
        std::os::unix::fs::symlink("../secret", work.join("model.json")).unwrap();
        std::os::unix::fs::symlink("..", work.join("up")).unwrap();
        assert!(matches!(open_inside(&work, "model.json"), Err(JobError::NotAFile { .. })));
        assert!(matches!(open_inside(&work, "up/secret"), Err(JobError::NotAFile { .. })));
        assert!(open_inside(&work, "absent").unwrap().is_none());
        std::fs::write(work.join("plain"), "1").unwrap();
        assert_eq!(open_inside(&work, "plain").unwrap().unwrap().1.len(), 1);
    }

    #[test]
    fn a_customers_symlink_may_point_within_the_folder_and_not_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let job = folder.path().join("job");
        std::fs::create_dir(&job).unwrap();
        std::fs::write(folder.path().join("secret"), "key").unwrap();
        std::fs::write(job.join("real.py"), "1").unwrap();
        std::os::unix::fs::symlink("real.py", job.join("alias.py")).unwrap();
        std::os::unix::fs::symlink("../secret", job.join("out.py")).unwrap();
        assert!(resolve_own(&job, "alias.py").is_ok());
        let error = resolve_own(&job, "out.py").unwrap_err();
        assert!(error.to_string().contains("outside the manifest's folder"), "{error}");
        assert!(matches!(resolve_own(&job, "missing.py"), Err(JobError::Io { .. })));
    }
}
