//! The command line of bubblewrap, and what is done in the child before it starts.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{usage, Sandbox, Spec};

/// User and group `nobody`.
pub(crate) const NOBODY: u32 = 65_534;

/// Where a job finds itself.
const WORK_DIR: &str = "/work";

/// Added to the job's niceness: whoever proves the node's life must not wait for the job.
const NICENESS: i32 = 5;

/// Tasks a job's user may have beyond what was counted at the start and the job's own: other jobs run as the same user.
const SPARE_TASKS: u64 = 512;

/// How the sandbox is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// By root: jobs run as the host's `nobody`, who owns nothing.
    Root,
    /// By a plain user in a user namespace: jobs run as that user, shown to them as `nobody`, and can make no further
    /// user namespace. Root becomes `nobody` first: a namespace of root's keeps root's right to write /proc/sys.
    Rootless,
}

impl Privilege {
    /// What this process can do.
    pub fn of_this_process() -> Self {
        if is_root() {
            Self::Root
        } else {
            Self::Rootless
        }
    }
}

/// Where no cgroup counts the run's tasks: how many its user may have in all, so that a fork bomb stays small until the
/// watchdog sees it.
fn most_tasks(spec: &Spec) -> u64 {
    let own = u64::from(spec.limits.pids).saturating_add(SPARE_TASKS);
    let wanted = usage::tasks_of_user(job_user()).saturating_add(own);
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct lives for the call. One that fails leaves no more than was wanted.
    match unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &mut limit) } {
        0 => wanted.min(limit.rlim_max),
        _ => wanted,
    }
}

/// The user a job runs as, by the host's count.
fn job_user() -> u32 {
    // SAFETY: geteuid takes nothing and cannot fail.
    match unsafe { libc::geteuid() } {
        0 => NOBODY,
        user => user,
    }
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// A program in the usual system folders or in PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/bin", "/bin"].map(PathBuf::from);
    usual.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Arguments of bubblewrap; `status_fd` is where it reports start and exit code.
pub(crate) fn arguments(sandbox: &Sandbox, spec: &Spec, status_fd: RawFd) -> Vec<OsString> {
    let mut args = Arguments::default();
    args.all(&["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
    args.all(&["--die-with-parent", "--new-session", "--hostname", "millrace", "--cap-drop", "ALL"]);
    match sandbox.privilege {
        // Kept only until setpriv, below, has become nobody with them.
        Privilege::Root => {
            args.all(&["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"])
        }
        Privilege::Rootless => args.all(&["--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534"]),
    }
    args.all(&["--ro-bind", "/usr", "/usr"]);
    for name in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
        // On most systems links into /usr, on older ones folders.
        match std::fs::read_link(name) {
            Ok(target) => args.all(&[OsStr::new("--symlink"), target.as_os_str(), OsStr::new(name)]),
            Err(_) if Path::new(name).is_dir() => args.all(&["--ro-bind", name, name]),
            Err(_) => {}
        }
    }
    // Which library file a name means; nothing else of /etc.
    for name in ["/etc/ld.so.cache", "/etc/alternatives"] {
        args.all(&["--ro-bind-try", name, name]);
    }
    let memory = spec.limits.memory_mib.saturating_mul(1 << 20).to_string();
    args.all(&["--proc", "/proc", "--dev", "/dev"]);
    for folder in ["/dev/shm", "/tmp"] {
        args.all(&["--perms", "1777", "--size", &memory, "--tmpfs", folder]);
    }
    // After /tmp, which would hide an environment that lies there.
    for (from, to) in &spec.environment.binds {
        // Else bubblewrap makes the folders above it for root alone.
        let above: Vec<_> = to.ancestors().skip(1).filter(|folder| folder.components().count() > 1).collect();
        for folder in above.into_iter().rev().filter(|folder| *folder != Path::new("/tmp")) {
            args.all(&[OsStr::new("--perms"), OsStr::new("0755"), OsStr::new("--dir"), folder.as_os_str()]);
        }
        args.all(&[OsStr::new("--ro-bind"), from.as_os_str(), to.as_os_str()]);
    }
    args.all(&[OsStr::new("--bind"), spec.work_dir.as_os_str(), OsStr::new(WORK_DIR)]);
    args.all(&["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK_DIR, "--clearenv"]);
    for (name, value) in variables(spec) {
        args.all(&[OsStr::new("--setenv"), OsStr::new(name), &value]);
    }
    args.all(&["--json-status-fd", &status_fd.to_string(), "--"]);
    if sandbox.privilege == Privilege::Root {
        args.all(&["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
        args.all(&["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--"]);
    }
    // Each of these also looks the program up in the job's PATH.
    if !sandbox.has_cgroups() {
        let most_tasks = most_tasks(spec);
        args.all(&["/usr/bin/prlimit", &format!("--nproc={most_tasks}:{most_tasks}"), "--"]);
    } else if sandbox.privilege == Privilege::Rootless {
        args.all(&["/usr/bin/env", "--"]);
    }
    args.all(&spec.command);
    args.0
}

fn variables(spec: &Spec) -> Vec<(&'static str, OsString)> {
    let system = ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from);
    let path = std::env::join_paths(spec.environment.bin_dirs.iter().cloned().chain(system)).unwrap_or_default();
    vec![
        ("PATH", path),
        ("HOME", WORK_DIR.into()),
        ("USER", "nobody".into()),
        ("LOGNAME", "nobody".into()),
        ("TMPDIR", "/tmp".into()),
        ("LANG", "C.UTF-8".into()),
        // Logs appear as they are printed, not when a buffer is full.
        ("PYTHONUNBUFFERED", "1".into()),
        ("PYTHONDONTWRITEBYTECODE", "1".into()),
    ]
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn all<A: AsRef<OsStr>>(&mut self, args: &[A]) {
        self.0.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
    }
}

/// Starts bubblewrap from this thread: the kernel kills the sandbox when this **thread** ends, so it must live as
/// long as the run.
pub(crate) fn spawn(
    sandbox: &Sandbox,
    spec: &Spec,
    status: OwnedFd,
    doors: Vec<File>,
    out: OwnedFd,
) -> io::Result<Child> {
    let status_fd = status.as_raw_fd();
    // A page more than allowed, so that who runs into it is seen to be above.
    let file_bytes = spec.limits.disk_mib.saturating_mul(1 << 20).saturating_add(4096);
    let mut command = Command::new(&sandbox.bwrap);
    command.args(arguments(sandbox, spec, status_fd)).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::from(out.try_clone()?)).stderr(Stdio::from(out));
    if sandbox.privilege == Privilege::Rootless && is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let prepare = move || {
        for door in &doors {
            // SAFETY: two bytes from a static string to an open file.
            check(unsafe { libc::write(door.as_raw_fd(), c"0".as_ptr().cast(), 1) as i64 })?;
        }
        set_limit(libc::RLIMIT_FSIZE, file_bytes)?;
        set_limit(libc::RLIMIT_CORE, 0)?;
        // SAFETY: numbers only. Whatever the agent's own parent left open stays out; then the one bubblewrap needs.
        unsafe {
            check(libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC))?;
            check(i64::from(libc::fcntl(status_fd, libc::F_SETFD, 0)))?;
            // More is always allowed, and -1 may be what comes of it.
            libc::nice(NICENESS);
        }
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made: nothing is allocated and no lock taken.
    unsafe { command.pre_exec(prepare) };
    let child = command.spawn();
    drop(status);
    child
}

fn set_limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: the struct lives for the call.
    check(i64::from(unsafe { libc::setrlimit(resource, &limit) }))
}

fn check(result: i64) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
