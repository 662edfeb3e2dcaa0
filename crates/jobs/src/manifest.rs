//! `manifest.toml`: what to run, in which environment, on which files, within which limits.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::JobError;
use crate::path::check_path;

/// Largest manifest, bytes.
pub const MAX_MANIFEST_BYTES: usize = 64 * 1024;
/// Most files a job may list, inputs and outputs each.
pub const MAX_FILES: usize = 1_000;

const MAX_ARGUMENTS: usize = 100;
const MAX_COMMAND_BYTES: usize = 16 * 1024;
const MAX_ENVIRONMENT_BYTES: usize = 64;

/// A job as its customer describes it. Unknown keys are refused: a misspelt limit must not silently be none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What to run.
    pub job: JobSection,
    /// How much it may use.
    pub limits: Limits,
}

/// The `[job]` section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSection {
    /// Program and arguments, run in the folder of the files; no shell reads it.
    pub command: Vec<String>,
    /// Name of a software environment the provider offers, such as `python-sklearn`.
    pub environment: String,
    /// Files of the manifest's folder the job needs, together at most 64 MiB.
    pub files: Vec<String>,
    /// Files the job writes and the customer wants back, together at most 64 MiB.
    pub outputs: Vec<String>,
}

/// The `[limits]` section. A job that goes beyond one of them is killed and has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory of all its processes, page cache and `/tmp` included, MiB; 16 to 16,777,216.
    pub memory_mib: u64,
    /// What it may write, MiB; 1 to 16,777,216.
    pub disk_mib: u64,
    /// Processes and threads at once; 4 to 1,000,000.
    pub pids: u32,
    /// Time from its start, seconds; 1 to 31,536,000. The lease may end earlier.
    pub max_secs: u64,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`JobError::Syntax`] and every other that names what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, JobError> {
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(JobError::ManifestTooLarge(text.len()));
        }
        let manifest: Self = toml::from_str(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The one encoding of this manifest: files and outputs sorted, keys in their order, no comments.
    ///
    /// # Errors
    /// [`JobError::Write`].
    pub fn to_canonical(&self) -> Result<String, JobError> {
        let mut sorted = self.clone();
        sorted.job.files.sort_unstable();
        sorted.job.outputs.sort_unstable();
        Ok(toml::to_string(&sorted)?)
    }

    fn check(&self) -> Result<(), JobError> {
        let job = &self.job;
        let command_bytes: usize = job.command.iter().map(String::len).sum();
        check(
            !job.command.is_empty() && job.command.len() <= MAX_ARGUMENTS && command_bytes <= MAX_COMMAND_BYTES,
            "job.command",
            || format!("{} words, {command_bytes} bytes", job.command.len()),
            || format!("a program and its arguments, 1 to {MAX_ARGUMENTS} words, at most {MAX_COMMAND_BYTES} bytes"),
        )?;
        check(
            !job.command[0].is_empty() && job.command.iter().all(|word| !word.contains('\0')),
            "job.command",
            || format!("{:?}", job.command),
            || "words without NUL, the first of them a program".to_owned(),
        )?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        check(
            (1..=MAX_ENVIRONMENT_BYTES).contains(&job.environment.len())
                && job.environment.chars().all(plain)
                && !job.environment.starts_with('.'),
            "job.environment",
            || format!("{:?}", job.environment),
            || "a name of small letters, digits, '-', '_' and '.', like \"python-sklearn\"".to_owned(),
        )?;
        check_files(&job.files)?;
        check_files(&job.outputs)?;
        let Limits { memory_mib, disk_mib, pids, max_secs } = self.limits;
        check_range("limits.memory_mib", memory_mib, 16, 16 << 20)?;
        check_range("limits.disk_mib", disk_mib, 1, 16 << 20)?;
        check_range("limits.pids", u64::from(pids), 4, 1_000_000)?;
        check_range("limits.max_secs", max_secs, 1, 365 * 86_400)
    }
}

fn check(
    holds: bool,
    field: &'static str,
    found: impl FnOnce() -> String,
    wanted: impl FnOnce() -> String,
) -> Result<(), JobError> {
    match holds {
        true => Ok(()),
        false => Err(JobError::Field { field, found: found(), wanted: wanted() }),
    }
}

fn check_range(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), JobError> {
    check((least..=most).contains(&value), field, || value.to_string(), || format!("{least} to {most}"))
}

fn check_files(files: &[String]) -> Result<(), JobError> {
    if files.len() > MAX_FILES {
        return Err(JobError::TooManyFiles(files.len()));
    }
    let mut seen = BTreeSet::new();
    for path in files {
        check_path(path)?;
        if !seen.insert(path) {
            return Err(JobError::Duplicate(path.clone()));
        }
    }
    // A file where another path needs a folder: no folder can hold both.
    for path in files {
        let mut above = path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            if seen.contains(&folder.to_owned()) {
                return Err(JobError::NotAFile { path: folder.to_owned(), kind: "a file and a folder at once" });
            }
            above = folder;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [job]
        command = ["python3", "train.py"]
        environment = "python-sklearn"
        files = ["train.py", "data/a.csv"]
        outputs = ["model.json"]
        [limits]
        memory_mib = 512
        disk_mib = 64
        pids = 32
        max_secs = 60
    "#;

    fn error_with(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "the test replaces nothing: {from}");
        Manifest::parse(&GOOD.replace(from, to)).expect_err("a bad manifest was accepted").to_string()
    }

    #[test]
    fn the_canonical_form_reads_back_and_forgets_order_and_layout() {
        let manifest = Manifest::parse(GOOD).unwrap();
        let canonical = manifest.to_canonical().unwrap();
        let again = Manifest::parse(&canonical).unwrap();
        assert_eq!(again.to_canonical().unwrap(), canonical);
        let swapped = GOOD.replace(r#"["train.py", "data/a.csv"]"#, r#"["data/a.csv", "train.py"]"#);
        assert_eq!(Manifest::parse(&swapped).unwrap().to_canonical().unwrap(), canonical);
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        let error = error_with("pids = 32", "pids = 32\n memory_mb = 5");
        assert!(error.contains("memory_mb") && error.contains("memory_mib"), "{error}");
        let error = error_with("[limits]", "[network]\nallow = true\n[limits]");
        assert!(error.contains("network"), "{error}");
    }

    #[test]
    fn a_missing_limit_is_named() {
        let error = error_with("pids = 32", "");
        assert!(error.contains("missing field `pids`"), "{error}");
    }

    #[test]
    fn paths_that_leave_the_folder_say_so_and_what_would_be_right() {
        let error = error_with("data/a.csv", "../a.csv");
        assert!(
            error.contains("may leave the folder") && error.contains("relative to the manifest's folder"),
            "{error}"
        );
        let error = error_with("\"model.json\"", "\"/etc/cron.d/x\"");
        assert!(error.contains("is absolute"), "{error}");
    }

    #[test]
    fn files_that_cannot_exist_together_are_refused() {
        assert!(error_with("data/a.csv", "train.py").contains("listed twice"));
        assert!(error_with("data/a.csv", "train.py/a").contains("a file and a folder"));
        assert!(error_with("data/a.csv", "manifest.toml").contains("the manifest itself"));
    }

    #[test]
    fn values_out_of_range_name_the_range() {
        let error = error_with("memory_mib = 512", "memory_mib = 1");
        assert!(error.contains("limits.memory_mib") && error.contains("16 to"), "{error}");
        assert!(error_with("max_secs = 60", "max_secs = 0").contains("1 to"));
        assert!(error_with("pids = 32", "pids = -1").contains("pids"));
        assert!(error_with(r#"["python3", "train.py"]"#, "[]").contains("job.command"));
        assert!(error_with("python-sklearn", "../../root").contains("job.environment"));
    }

    #[test]
    fn a_manifest_too_large_is_refused_before_it_is_parsed() {
        let text = format!("{GOOD}\n#{}", "x".repeat(MAX_MANIFEST_BYTES));
        assert!(matches!(Manifest::parse(&text), Err(JobError::ManifestTooLarge(_))));
    }
}
