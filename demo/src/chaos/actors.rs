//! The daemons that are harmed, and come back as they were.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use millrace_demo::process::Daemon;
use millrace_journal::crash::DIE_AT;

use crate::clocks::Clock;
use crate::disks::Disk;
use crate::net::Host;
use crate::plan::Blow;

/// A daemon with a place in the network.
pub struct Actor {
    /// What it is called.
    pub name: String,
    host: Host,
    command: Command,
    dir: PathBuf,
    daemon: Option<Daemon>,
    ill: Option<Blow>,
    clock: Clock,
    // After the daemon, which is stopped first.
    disk: Disk,
}

impl Actor {
    /// Starts `command` on `host`, with a clock and, at the folder of its data, a disk of its own; its output goes to `dir`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(name: &str, host: Host, mut command: Command, dir: &Path) -> Result<Self> {
        let disk = Disk::mount(&dir.join(format!("{name}-data")), host.is_apart())?;
        let clock = Clock::of(&mut command, &dir.join(format!("{name}.clock")))?;
        let mut actor =
            Self { name: name.into(), host, command, dir: dir.into(), daemon: None, ill: None, clock, disk };
        actor.run()?;
        Ok(actor)
    }

    fn run(&mut self) -> Result<()> {
        self.daemon = Some(Daemon::start(&self.name, self.host.place(&self.command), &self.dir)?);
        Ok(())
    }

    /// Starts it anew so that it dies at `step`, or nowhere.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart_to_die_at(&mut self, step: Option<&str>) -> Result<()> {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill()?;
        }
        match step {
            Some(step) => self.command.env(DIE_AT, step),
            None => self.command.env_remove(DIE_AT),
        };
        self.run()
    }

    /// Whether it was killed.
    ///
    /// # Errors
    /// When it ended otherwise.
    pub fn has_died(&mut self) -> Result<bool> {
        self.daemon.as_mut().map_or(Ok(true), Daemon::was_killed)
    }

    /// What ails it.
    pub fn ill(&self) -> Option<Blow> {
        self.ill
    }

    /// Fails with the end of its log when it ended by itself, but for want of room.
    ///
    /// # Errors
    /// When it did.
    pub fn require_alive(&mut self) -> Result<()> {
        if self.ill == Some(Blow::Full) {
            return Ok(());
        }
        self.daemon.as_mut().map_or(Ok(()), Daemon::require_alive)
    }

    /// Harms it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn harm(&mut self, blow: Blow) -> Result<()> {
        self.ill = Some(blow);
        match blow {
            Blow::Kill => self.daemon.take().context("it does not run")?.kill()?,
            Blow::Cut if self.host.set_link(false)? => {}
            Blow::Full if self.disk.fill()? => {}
            Blow::Clock { hours } if self.clock.set(hours)? => {}
            // What cannot be done here comes closest to a process that hangs.
            Blow::Cut | Blow::Full | Blow::Clock { .. } | Blow::Freeze => {
                self.daemon.as_ref().context("it does not run")?.freeze()
            }
            Blow::Weather(_) => {}
        }
        Ok(())
    }

    /// Ends the harm.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn heal(&mut self) -> Result<()> {
        match self.ill.take() {
            Some(Blow::Kill) => self.run()?,
            Some(Blow::Cut) if self.host.set_link(true)? => {}
            // It may have ended, and then its operator made room and starts it again.
            Some(Blow::Full) if self.disk.empty()? => {
                if self.require_alive().is_err() {
                    self.run()?;
                }
            }
            Some(Blow::Clock { .. }) if self.clock.set(0)? => {}
            Some(Blow::Cut | Blow::Full | Blow::Clock { .. } | Blow::Freeze) => {
                self.daemon.as_ref().context("it does not run")?.thaw()
            }
            Some(Blow::Weather(_)) | None => {}
        }
        Ok(())
    }
}
