//! What a run uses, seen from outside: its processes and their memory, and what it wrote.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most entries a work folder may have: its size is counted by walking it.
const MAX_ENTRIES: u64 = 200_000;

/// Sends SIGKILL. A process that is gone already is what was wanted.
pub(crate) fn kill(pid: i32) {
    // SAFETY: kill takes numbers only. Positive pids address one process, never a group.
    if pid > 1 {
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

/// Sends SIGSTOP to a child of this process, and waits for a moment until it has stopped.
pub(crate) fn stop(pid: i32) {
    // SAFETY: as in `kill`.
    if pid > 1 {
        unsafe { libc::kill(pid, libc::SIGSTOP) };
    }
    for _ in 0..200 {
        match state_of(pid) {
            Some('T' | 'Z') | None => return,
            Some(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    }
}

/// The processes below `root`, itself included. Orphans of a sandbox become children of its first process, so below
/// that one are all.
pub(crate) fn processes_below(root: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some((pid, parent)) = pid.and_then(|pid| Some((pid, parent_of(pid)?))) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found
}

/// Field of `/proc/pid/stat`, counted from the state, which follows the name in parentheses.
fn stat_field<T: std::str::FromStr>(pid: i32, at: usize) -> Option<T> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(at)?.parse().ok()
}

/// What a process does: `T` is stopped, `Z` ended and not yet waited for.
fn state_of(pid: i32) -> Option<char> {
    stat_field(pid, 0)
}

fn parent_of(pid: i32) -> Option<i32> {
    stat_field(pid, 1)
}

/// Processes and threads of `pids`.
pub(crate) fn task_count(pids: &[i32]) -> u64 {
    pids.iter().filter_map(|pid| stat_field::<i64>(*pid, 17)).map(|threads| threads.max(0) as u64).sum()
}

/// Processes and threads of a user on this host.
pub(crate) fn tasks_of_user(user: u32) -> u64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = processes.filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == user));
    let pids: Vec<i32> = own.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    task_count(&pids)
}

/// Memory of `pids` when above `limit_bytes`. Resident pages count pages shared after a fork once for each process,
/// so what seems too much is looked at again, shared pages divided among their users.
pub(crate) fn memory_is_above(pids: &[i32], limit_bytes: u64) -> bool {
    let sum = |read: fn(i32) -> Option<u64>| pids.iter().filter_map(|pid| read(*pid)).sum::<u64>();
    sum(resident_bytes) > limit_bytes
        && match sum(proportional_bytes) {
            0 => true,
            exact => exact > limit_bytes,
        }
}

fn resident_bytes(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    kib_line(&status, "VmRSS:")
}

fn proportional_bytes(pid: i32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    kib_line(&rollup, "Pss:")
}

fn kib_line(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Whether what lies in `folder`, and what `pids` keep open after deleting it, takes more than `limit_bytes` or is
/// more than a folder may have. Stops counting as soon as it knows.
pub(crate) fn disk_is_above(folder: &Path, pids: &[i32], limit_bytes: u64) -> bool {
    let (mut bytes, mut entries) = (0u64, 0u64);
    let mut open_folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = open_folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            entries += 1;
            if let Ok(metadata) = entry.metadata() {
                bytes = bytes.saturating_add(metadata.blocks().saturating_mul(512));
                if metadata.is_dir() {
                    open_folders.push(entry.path());
                }
            }
            if bytes > limit_bytes || entries > MAX_ENTRIES {
                return true;
            }
        }
    }
    bytes.saturating_add(deleted_bytes(folder, pids)) > limit_bytes
}

/// Bytes of deleted files on the file system of `folder` that `pids` hold open.
fn deleted_bytes(folder: &Path, pids: &[i32]) -> u64 {
    let Ok(device) = fs::metadata(folder).map(|metadata| metadata.dev()) else { return 0 };
    let mut seen = HashSet::new();
    let open_files =
        pids.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten());
    open_files
        .filter_map(|open| fs::metadata(open.path()).ok())
        .filter(|file| file.is_file() && file.nlink() == 0 && file.dev() == device && seen.insert(file.ino()))
        .map(|file| file.blocks().saturating_mul(512))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn own_threads_and_memory_are_counted() {
        let pid = std::process::id() as i32;
        assert!(processes_below(pid).contains(&pid));
        assert!(task_count(&[pid]) >= 2, "the test itself runs in a thread");
        assert!(memory_is_above(&[pid], 1));
        assert!(!memory_is_above(&[pid], 1 << 40));
    }

    #[test]
    fn a_deleted_file_held_open_still_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hidden");
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(&vec![1; 4 << 20]).unwrap();
        file.sync_all().unwrap();
        let pids = [std::process::id() as i32];
        assert!(disk_is_above(folder.path(), &pids, 1 << 20));
        std::fs::remove_file(&path).unwrap();
        assert!(disk_is_above(folder.path(), &pids, 1 << 20));
        drop(file);
        assert!(!disk_is_above(folder.path(), &pids, 1 << 20));
    }
}
