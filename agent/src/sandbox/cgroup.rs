//! Limits the kernel keeps: one cgroup a run, version 1 or 2, below the agent's own where that can be written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_jobs::Limits;

use super::Limit;

/// Bubblewrap's own two processes count among the run's.
const BWRAP_PROCESSES: u64 = 2;

/// Where cgroups are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// Folders in which this agent may make cgroups; removed with the last clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroups {
    parents: Arc<Parents>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Parents {
    /// One hierarchy a controller.
    V1 { memory: PathBuf, pids: PathBuf },
    /// One for all.
    V2 { all: PathBuf },
}

impl Parents {
    fn folders(&self) -> Vec<&PathBuf> {
        match self {
            Self::V1 { memory, pids } => vec![memory, pids],
            Self::V2 { all } => vec![all],
        }
    }
}

impl Drop for Parents {
    fn drop(&mut self) {
        for folder in self.folders() {
            remove(folder);
        }
    }
}

impl Cgroups {
    /// Makes the agent's own cgroup, named `name`, and removes what a killed agent of that name left. `None` when no
    /// hierarchy with memory and pids can be written here.
    pub fn find(name: &str) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        Self::find_in(Path::new(ROOT), &own, name)
    }

    fn find_in(root: &Path, own: &str, name: &str) -> Option<Self> {
        let v1 = |controller: &str| {
            let mount = root.join(controller);
            let path = own_path(own, controller).unwrap_or("");
            // Inside a container the path may be the host's, and the mount already the container's own.
            [join(&mount, path), mount].into_iter().find_map(|parent| make(&parent.join(name)))
        };
        let v2 = || {
            // A v2 cgroup has either processes or controlled children, so the agent's own cannot be the parent.
            let path = Path::new(own_path(own, "")?).parent()?.to_str()?;
            let all = make(&join(root, path).join(name))?;
            fs::write(all.join("cgroup.subtree_control"), "+memory +pids").ok()?;
            Some(Parents::V2 { all })
        };
        let parents = match (v1("memory"), v1("pids")) {
            (Some(memory), Some(pids)) if memory.join("memory.limit_in_bytes").exists() => Parents::V1 { memory, pids },
            _ => v2()?,
        };
        let found = Self { parents: Arc::new(parents) };
        found.sweep();
        Some(found)
    }

    fn folders(&self) -> Vec<&PathBuf> {
        self.parents.folders()
    }

    /// Ends and removes every run of an agent that was killed.
    fn sweep(&self) {
        for parent in self.folders() {
            for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    remove(&entry.path());
                }
            }
        }
    }

    /// Makes the cgroup of one run.
    ///
    /// # Errors
    /// When a limit cannot be written.
    pub(crate) fn create(&self, id: &str, limits: &Limits) -> io::Result<RunCgroup> {
        let folders: Vec<PathBuf> = self.folders().into_iter().map(|parent| parent.join(id)).collect();
        // Made before it is filled: dropping it removes what there is, whatever fails below.
        let run = RunCgroup { folders, version: if matches!(*self.parents, Parents::V1 { .. }) { 1 } else { 2 } };
        for folder in &run.folders {
            if folder.exists() {
                remove(folder);
            }
            fs::create_dir(folder)?;
        }
        let memory = limits.memory_mib.saturating_mul(1 << 20).to_string();
        let pids = u64::from(limits.pids).saturating_add(BWRAP_PROCESSES).to_string();
        if run.version == 1 {
            fs::write(run.memory().join("memory.limit_in_bytes"), &memory)?;
            // Absent where swap is not accounted for.
            let with_swap = run.memory().join("memory.memsw.limit_in_bytes");
            if with_swap.exists() {
                fs::write(with_swap, &memory)?;
            }
        } else {
            fs::write(run.memory().join("memory.max"), &memory)?;
            let swap = run.memory().join("memory.swap.max");
            if swap.exists() {
                fs::write(swap, "0")?;
            }
        }
        fs::write(run.pids().join("pids.max"), pids)?;
        Ok(run)
    }
}

/// The cgroup of one run; removed, with what is in it, when dropped.
#[derive(Debug)]
pub(crate) struct RunCgroup {
    folders: Vec<PathBuf>,
    version: u8,
}

impl RunCgroup {
    fn memory(&self) -> &Path {
        &self.folders[0]
    }

    fn pids(&self) -> &Path {
        self.folders.last().unwrap_or(&self.folders[0])
    }

    /// Files to which a process writes `0` to enter.
    pub(crate) fn doors(&self) -> io::Result<Vec<fs::File>> {
        self.folders.iter().map(|folder| fs::OpenOptions::new().write(true).open(folder.join("cgroup.procs"))).collect()
    }

    /// The limit that was hit so far, if one was.
    pub(crate) fn exceeded(&self) -> Option<Limit> {
        let events = if self.version == 1 { "memory.oom_control" } else { "memory.events" };
        if counter(&self.memory().join(events), "oom_kill") > 0 {
            return Some(Limit::Memory);
        }
        (counter(&self.pids().join("pids.events"), "max") > 0).then_some(Limit::Pids)
    }
}

impl Drop for RunCgroup {
    fn drop(&mut self) {
        for folder in &self.folders {
            remove(folder);
        }
    }
}

/// The value of `name` in a file of `name value` lines; zero when there is none.
fn counter(path: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// The path of `controller` (empty: the unified hierarchy) in the text of `/proc/self/cgroup`.
fn own_path<'a>(own: &'a str, controller: &str) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|name| name == controller).then_some(path)
    })
}

fn join(mount: &Path, path: &str) -> PathBuf {
    mount.join(path.trim_start_matches('/'))
}

fn make(folder: &Path) -> Option<PathBuf> {
    match fs::create_dir(folder) {
        Ok(()) => Some(folder.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Some(folder.to_owned()),
        Err(_) => None,
    }
}

/// Kills what is in a cgroup and removes it. Killing takes the kernel a moment, so it is tried for a second.
fn remove(folder: &Path) {
    let give_up_at = Instant::now() + Duration::from_secs(1);
    while let Err(error) = fs::remove_dir(folder) {
        if error.kind() == io::ErrorKind::NotFound {
            return;
        }
        if Instant::now() > give_up_at {
            tracing::warn!(folder = %folder.display(), %error, "a cgroup cannot be removed");
            return;
        }
        let inside = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        for pid in inside.lines().filter_map(|line| line.trim().parse().ok()) {
            super::usage::kill(pid);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { memory_mib: 64, disk_mib: 8, pids: 8, max_secs: 5 };

    #[test]
    fn the_own_path_is_found_in_both_versions() {
        let own = "9:name=systemd:/\n4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/system.slice/agent.service\n";
        assert_eq!(own_path(own, "memory"), Some("/a/b"));
        assert_eq!(own_path(own, "cpuacct"), Some("/c"));
        assert_eq!(own_path(own, ""), Some("/system.slice/agent.service"));
        assert_eq!(own_path(own, "pids"), None);
    }

    #[test]
    fn version_2_limits_are_written_beside_the_agents_own_cgroup() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("system.slice/agent.service")).unwrap();
        let cgroups = Cgroups::find_in(root.path(), "0::/system.slice/agent.service\n", "millrace-1").unwrap();
        let run = cgroups.create("lease", &LIMITS).unwrap();
        let folder = root.path().join("system.slice/millrace-1/lease");
        assert_eq!(std::fs::read_to_string(folder.join("memory.max")).unwrap(), (64 << 20).to_string());
        assert_eq!(std::fs::read_to_string(folder.join("pids.max")).unwrap(), "10");
        assert_eq!(run.exceeded(), None);
        std::fs::write(folder.join("pids.events"), "max 3\n").unwrap();
        assert_eq!(run.exceeded(), Some(Limit::Pids));
        std::fs::write(folder.join("memory.events"), "low 0\noom 1\noom_kill 1\n").unwrap();
        assert_eq!(run.exceeded(), Some(Limit::Memory));
        // A plain folder is not emptied by removing it, as a cgroup is.
        for file in std::fs::read_dir(&folder).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        std::fs::remove_file(folder.with_file_name("cgroup.subtree_control")).unwrap();
        drop(run);
        drop(cgroups);
        assert!(!folder.parent().unwrap().exists());
    }

    #[test]
    fn where_nothing_can_be_written_there_are_none() {
        assert_eq!(Cgroups::find_in(Path::new("/proc/nowhere"), "0::/a/b\n", "millrace"), None);
    }
}
