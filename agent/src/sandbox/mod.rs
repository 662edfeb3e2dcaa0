//! Runs a stranger's program so that it can do nothing but compute.
//!
//! Bubblewrap gives it own namespaces: no network, no host process to see, a file system of read-only system
//! libraries, its environment, a private `/tmp` and the one folder it works in. It runs as `nobody` without
//! capabilities and with a cleared environment; no key is ever inside. Memory and processes are limited by a cgroup
//! where one can be made, else by a watchdog; disk by a watchdog and `RLIMIT_FSIZE`; time by a deadline. When the
//! agent dies, by whatever signal, the kernel kills the sandbox with it.
//!
//! What remains open: the job shares the host's kernel, so a hole in the kernel is a hole in the sandbox.

mod bwrap;
mod cgroup;
mod environment;
mod log;
mod run;
mod usage;

use std::path::PathBuf;
use std::time::Duration;

use millrace_jobs::Limits;

pub use bwrap::Privilege;
pub use cgroup::Cgroups;
pub use environment::{Environment, EnvironmentError};
pub use log::{LOG_TRUNCATED, MAX_LOG_BYTES};
pub use run::Running;

/// What a job went beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `memory_mib` of its manifest.
    Memory,
    /// `pids` of its manifest.
    Pids,
    /// `disk_mib` of its manifest.
    Disk,
    /// `max_secs` of its manifest or of its lease.
    Time,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory => "the job used more memory than limits.memory_mib allows",
            Self::Pids => "the job started more processes and threads than limits.pids allows",
            Self::Disk => "the job wrote more than limits.disk_mib allows",
            Self::Time => "the job ran longer than limits.max_secs or its lease allows",
        })
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By itself, with this exit code; 128 + n for signal n.
    Exited(i32),
    /// Killed for going beyond a limit.
    Killed {
        /// Which.
        limit: Limit,
    },
    /// Killed because the agent was told to.
    Stopped,
    /// The sandbox would not start or vanished: the node's fault, never the job's.
    SandboxLost {
        /// What is known about it.
        reason: String,
    },
}

/// One program to run.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Names its cgroup; letters and digits, unique on this machine among this agent's runs.
    pub id: String,
    /// Program and arguments, looked up in the environment first.
    pub command: Vec<String>,
    /// Its software.
    pub environment: Environment,
    /// Folder it works in; all it can write to that outlives it.
    pub work_dir: PathBuf,
    /// Where its output goes, at most [`MAX_LOG_BYTES`].
    pub log_path: PathBuf,
    /// Memory, disk, processes.
    pub limits: Limits,
    /// Time it may run.
    pub deadline: Duration,
}

/// Why no sandbox can be had on this machine.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Bubblewrap, setpriv or prlimit is not installed.
    #[error("{0} is not installed; on Debian: apt install bubblewrap util-linux")]
    Missing(&'static str),
    /// The trial run failed.
    #[error("the sandbox does not work on this machine: {0}; try `bwrap --unshare-all --ro-bind / / true`")]
    Broken(String),
    /// A file of the run cannot be prepared.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// How this machine runs jobs.
#[derive(Clone, Debug)]
pub struct Sandbox {
    bwrap: PathBuf,
    privilege: Privilege,
    cgroups: Option<Cgroups>,
    /// Free space of the work folder's file system below which this machine fails a job, MiB.
    keep_free_mib: u64,
}

impl Sandbox {
    /// Finds bubblewrap. `cgroups` as made by [`Cgroups::find`]; without them a watchdog enforces memory and processes.
    ///
    /// # Errors
    /// [`SandboxError::Missing`].
    pub fn new(privilege: Privilege, cgroups: Option<Cgroups>) -> Result<Self, SandboxError> {
        let bwrap = bwrap::find_program("bwrap").ok_or(SandboxError::Missing("bubblewrap"))?;
        for name in ["setpriv", "prlimit"] {
            if !std::path::Path::new("/usr/bin").join(name).is_file() {
                return Err(SandboxError::Missing(name));
            }
        }
        Ok(Self { bwrap, privilege, cgroups, keep_free_mib: 0 })
    }

    /// The same that fails a job when less than `keep_free_mib` are free where it works: a job that cannot write for want of room must
    /// not look as if its customer's code had failed.
    #[must_use]
    pub fn keeping_free(self, keep_free_mib: u64) -> Self {
        Self { keep_free_mib, ..self }
    }

    /// Whether memory and processes are limited by the kernel; else by a watchdog that looks every 20 ms.
    pub fn has_cgroups(&self) -> bool {
        self.cgroups.is_some()
    }

    /// Starts a run. It ends when its program does, when it goes beyond a limit, when it is stopped, or with the
    /// thread that watches it.
    ///
    /// # Errors
    /// [`SandboxError::Io`] when its folder or log cannot be prepared. A sandbox that does not start is an
    /// [`Outcome::SandboxLost`].
    pub fn start(&self, spec: Spec) -> Result<Running, SandboxError> {
        run::start(self.clone(), spec)
    }

    /// Runs `true` in the sandbox, in a folder of its own below `scratch`.
    ///
    /// # Errors
    /// [`SandboxError::Broken`] with what bubblewrap said.
    pub async fn check(&self, scratch: &std::path::Path) -> Result<(), SandboxError> {
        let io = |source| SandboxError::Io { path: scratch.to_owned(), source };
        let work_dir = scratch.join("sandbox-check");
        std::fs::create_dir_all(&work_dir).map_err(io)?;
        let log_path = scratch.join("sandbox-check.log");
        let spec = Spec {
            id: "check".into(),
            command: vec!["/usr/bin/true".into()],
            environment: Environment::system(),
            work_dir: work_dir.clone(),
            log_path: log_path.clone(),
            limits: Limits { memory_mib: 64, disk_mib: 1, pids: 8, max_secs: 20 },
            deadline: Duration::from_secs(20),
        };
        let outcome = self.start(spec)?.wait().await;
        let said = std::fs::read_to_string(&log_path).unwrap_or_default();
        std::fs::remove_dir_all(&work_dir).map_err(io)?;
        std::fs::remove_file(&log_path).map_err(io)?;
        match outcome {
            Outcome::Exited(0) => Ok(()),
            other => Err(SandboxError::Broken(format!("{other:?} {said}").trim().to_owned())),
        }
    }
}
