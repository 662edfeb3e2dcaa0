//! One run, watched from its start to its end by a thread of its own.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_daemon::gauges::free_bytes;
use tokio::sync::watch;

use super::bwrap::{self, NOBODY};
use super::cgroup::RunCgroup;
use super::{log, usage, Limit, Outcome, Sandbox, SandboxError, Spec};

/// How often memory and processes are looked at without a cgroup.
const WATCH_EVERY: Duration = Duration::from_millis(20);
/// How often the disk is looked at, at most; a walk that takes long is followed by a rest ten times as long.
const DISK_EVERY: Duration = Duration::from_millis(100);

/// A run under way. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    stop: Arc<AtomicBool>,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Running {
    /// Has it killed soon. An end that came before stands.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// How it ended, once it did, with every process gone and the log complete.
    pub async fn wait(&mut self) -> Outcome {
        match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(vanished),
            Err(_) => vanished(),
        }
    }

    /// How it ended, if it did.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome.borrow().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn vanished() -> Outcome {
    Outcome::SandboxLost { reason: "the thread that watched it ended".into() }
}

pub(crate) fn start(sandbox: Sandbox, spec: Spec) -> Result<Running, SandboxError> {
    let named = |path: &Path| {
        let path = path.to_owned();
        move |source| SandboxError::Io { path, source }
    };
    if bwrap::is_root() {
        give_to_nobody(&spec.work_dir).map_err(named(&spec.work_dir))?;
    }
    let (output, job_output) = io::pipe().map_err(named(&spec.log_path))?;
    let log = log::capture(output, &spec.log_path).map_err(named(&spec.log_path))?;
    let stop = Arc::new(AtomicBool::new(false));
    let (ended, outcome) = watch::channel(None);
    let running = Running { stop: stop.clone(), outcome };
    let log_path = spec.log_path.clone();
    let watcher = move || {
        let outcome = run(&sandbox, &spec, job_output.into(), &stop)
            .unwrap_or_else(|error| Outcome::SandboxLost { reason: error.to_string() });
        // The pipe ends when the last process that could write to it is gone.
        if log.join().is_err() {
            tracing::warn!("the thread that kept the job's log panicked");
        }
        ended.send_replace(Some(outcome));
    };
    std::thread::Builder::new().name("sandbox".into()).spawn(watcher).map_err(named(&log_path))?;
    Ok(running)
}

/// The folder and what is in it, which the agent just wrote, to the job's user.
fn give_to_nobody(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => give_to_nobody(&entry.path())?,
            false => std::os::unix::fs::lchown(entry.path(), Some(NOBODY), Some(NOBODY))?,
        }
    }
    std::os::unix::fs::lchown(folder, Some(NOBODY), Some(NOBODY))
}

fn run(sandbox: &Sandbox, spec: &Spec, out: OwnedFd, stop: &AtomicBool) -> io::Result<Outcome> {
    let cgroup = sandbox.cgroups.as_ref().map(|cgroups| cgroups.create(&spec.id, &spec.limits)).transpose()?;
    let doors = cgroup.as_ref().map(RunCgroup::doors).transpose()?.unwrap_or_default();
    let (status, job_status) = io::pipe()?;
    let started = Instant::now();
    let mut child = bwrap::spawn(sandbox, spec, job_status.into(), doors, out)?;
    let mut watch = Watch {
        sandbox,
        spec,
        cgroup: cgroup.as_ref(),
        status: Status::new(status)?,
        disk_at: started,
        is_room_gone: false,
    };
    let outcome = loop {
        if let Some(exit) = child.try_wait()? {
            // Limits first: what the kernel killed for its memory looks like an exit with code 137.
            break match (watch.exceeded_at_end(), watch.status.exit_code()) {
                (Some(limit), _) => Outcome::Killed { limit },
                (None, Some(1..)) if watch.is_room_gone() => watch.no_room(),
                (None, Some(code)) => Outcome::Exited(code),
                (None, None) => {
                    Outcome::SandboxLost { reason: format!("bubblewrap ended with {exit}, before the job") }
                }
            };
        }
        let limit = match started.elapsed() > spec.deadline {
            true => Some(Limit::Time),
            false => watch.exceeded(),
        };
        if let Some(limit) = limit {
            end(&mut child)?;
            break Outcome::Killed { limit };
        }
        if watch.is_room_gone {
            end(&mut child)?;
            break watch.no_room();
        }
        if stop.load(Ordering::Relaxed) {
            end(&mut child)?;
            break Outcome::Stopped;
        }
        std::thread::sleep(WATCH_EVERY);
    };
    Ok(outcome)
}

/// Kills bubblewrap and all below it. Its first process inside asks the kernel to die with it, and with that one dies the namespace; but
/// one that is only just made has not asked yet, and would stay for ever. So nothing more is made first.
fn end(child: &mut Child) -> io::Result<()> {
    if let Ok(pid) = i32::try_from(child.id()) {
        usage::stop(pid);
        usage::processes_below(pid).into_iter().for_each(usage::kill);
    }
    child.kill()?;
    child.wait().map(|_| ())
}

struct Watch<'a> {
    sandbox: &'a Sandbox,
    spec: &'a Spec,
    cgroup: Option<&'a RunCgroup>,
    status: Status,
    disk_at: Instant,
    is_room_gone: bool,
}

impl Watch<'_> {
    /// What a run that is over went beyond, since it was last looked at.
    fn exceeded_at_end(&self) -> Option<Limit> {
        let disk = || usage::disk_is_above(&self.spec.work_dir, &[], self.disk_bytes()).then_some(Limit::Disk);
        self.cgroup.and_then(RunCgroup::exceeded).or_else(disk)
    }

    /// Whether this machine's disk is too full for any job.
    fn is_room_gone(&self) -> bool {
        let keep_free_bytes = self.sandbox.keep_free_mib.saturating_mul(1 << 20);
        free_bytes(&self.spec.work_dir).is_some_and(|free| free < keep_free_bytes)
    }

    fn no_room(&self) -> Outcome {
        let keep_free_mib = self.sandbox.keep_free_mib;
        Outcome::SandboxLost { reason: format!("less than {keep_free_mib} MiB of this machine's disk are free") }
    }

    fn disk_bytes(&self) -> u64 {
        self.spec.limits.disk_mib.saturating_mul(1 << 20)
    }

    /// The limit the run is beyond, if one.
    fn exceeded(&mut self) -> Option<Limit> {
        let limits = &self.spec.limits;
        if let Some(limit) = self.cgroup.and_then(RunCgroup::exceeded) {
            return Some(limit);
        }
        let disk_is_due = Instant::now() >= self.disk_at;
        if self.cgroup.is_some() && !disk_is_due {
            return None;
        }
        let pids = self.status.first_pid().map(usage::processes_below).unwrap_or_default();
        if self.cgroup.is_none() {
            // The first process of the namespace is bubblewrap's own.
            if usage::task_count(&pids) > u64::from(limits.pids).saturating_add(1) {
                return Some(Limit::Pids);
            }
            if usage::memory_is_above(&pids, limits.memory_mib.saturating_mul(1 << 20)) {
                return Some(Limit::Memory);
            }
        }
        if disk_is_due {
            let begun = Instant::now();
            if usage::disk_is_above(&self.spec.work_dir, &pids, self.disk_bytes()) {
                return Some(Limit::Disk);
            }
            self.is_room_gone = self.is_room_gone();
            self.disk_at = Instant::now() + DISK_EVERY.max(begun.elapsed().saturating_mul(10));
        }
        None
    }
}

/// What bubblewrap reports: JSON lines with `child-pid` at the start and `exit-code` at the end.
struct Status {
    from: io::PipeReader,
    text: String,
}

impl Status {
    fn new(from: io::PipeReader) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        // SAFETY: numbers only, on a descriptor this struct owns.
        if unsafe { libc::fcntl(from.as_fd().as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { from, text: String::new() })
    }

    fn number(&mut self, key: &str) -> Option<i32> {
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = self.from.read(&mut buffer) {
            self.text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
        let lines = self.text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut values = lines.filter_map(|line| line.get(key)?.as_i64());
        values.next_back().and_then(|value| value.try_into().ok())
    }

    /// The first process inside, by its number on the host.
    fn first_pid(&mut self) -> Option<i32> {
        self.number("child-pid")
    }

    /// The job's exit code; absent when the job was never started or bubblewrap was killed.
    fn exit_code(&mut self) -> Option<i32> {
        self.number("exit-code")
    }
}
