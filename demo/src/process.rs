//! The demo's processes: started with their output in files, watched, and never left behind.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context, Result};
use serde_json::Value;

/// A running daemon of the demo. Dropping it ends it.
pub struct Daemon {
    /// What it is called in the log.
    pub name: String,
    child: Child,
    log: PathBuf,
}

/// Time a daemon has to stop by itself before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(3);

impl Daemon {
    /// Starts `command` with standard output in `NAME.out` and standard error in `NAME.log` under `dir`,
    /// after what is there.
    pub fn start(name: &str, mut command: Command, dir: &Path) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let open = |path: &Path| File::options().create(true).append(true).open(path);
        let out = open(&dir.join(format!("{name}.out")))?;
        command.stdin(Stdio::null()).stdout(out).stderr(open(&log)?);
        // In a group of its own, so that a Ctrl-C reaches the demo alone, which then stops all in order; and ended by
        // the kernel should the demo be killed.
        command.process_group(0);
        // SAFETY: prctl with these arguments only sets an attribute of the child and allocates nothing.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let child = command.spawn().with_context(|| format!("{name} does not start: {:?}", command.get_program()))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Fails with the end of its log if it has ended.
    pub fn require_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => Err(self.ended(status)),
            None => Ok(()),
        }
    }

    /// Whether it was killed. Fails with the end of its log if it ended otherwise.
    pub fn was_killed(&mut self) -> Result<bool> {
        match self.child.try_wait()? {
            Some(status) if status.signal() != Some(libc::SIGKILL) => Err(self.ended(status)),
            ended => Ok(ended.is_some()),
        }
    }

    fn ended(&self, status: ExitStatus) -> anyhow::Error {
        anyhow!("{} ended ({status}); the end of {}:\n{}", self.name, self.log.display(), tail(&self.log))
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it where it is, as a machine that swaps or hangs would: its connections stay open, and nothing answers.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            // SAFETY: kill takes two integers; the id is of a child not yet waited for, so it is no one else's.
            unsafe { libc::kill(id, signal) };
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(libc::SIGTERM);
        self.thaw();
        let deadline = Instant::now() + STOP_WITHIN;
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a file.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Runs a command to its end and reads the JSON it prints.
pub fn json(mut command: Command) -> Result<Value> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("{:?} does not start", command.get_program()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let arguments: Vec<_> = command.get_args().map(|it| it.to_string_lossy()).collect();
        bail!("`millrace {}` failed: {}", arguments.join(" "), said.trim());
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(&output.stdout)))
}

/// A port nobody listens on.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
