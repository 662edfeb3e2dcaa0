//! A small disk of its own for each daemon, where this machine allows it, that can be filled.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, Context, Result};

/// Room on a disk.
const SIZE: &str = "size=64m,mode=0700";
/// What fills it.
const FILLER: &str = "filler";
/// Written at once.
const CHUNK: usize = 64 << 10;

/// The folder of a daemon's data.
pub struct Disk {
    dir: PathBuf,
    is_mounted: bool,
}

impl Disk {
    /// A disk at `dir`, or a plain folder without the right to mount one.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn mount(dir: &Path, may_mount: bool) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let mount = || Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(dir).output();
        let is_mounted = may_mount && mount().is_ok_and(|output| output.status.success());
        Ok(Self { dir: dir.to_owned(), is_mounted })
    }

    /// Fills it to the last byte. Returns whether there is a disk to fill.
    ///
    /// # Errors
    /// When it cannot be written for another reason.
    pub fn fill(&self) -> Result<bool> {
        if !self.is_mounted {
            return Ok(false);
        }
        let mut file = fs::File::options().create(true).append(true).open(self.dir.join(FILLER))?;
        for len in [CHUNK, 1] {
            loop {
                match file.write(&vec![0; len]) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error).context("the filler cannot be written"),
                }
            }
        }
        Ok(true)
    }

    /// Makes room again. Returns whether it was filled.
    ///
    /// # Errors
    /// When the filler cannot be removed.
    pub fn empty(&self) -> Result<bool> {
        match fs::remove_file(self.dir.join(FILLER)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).context("the filler cannot be removed"),
        }
    }

    /// Moves what is on it to the disk below, where it can be looked at afterwards.
    fn keep(&self) -> Result<()> {
        let kept = self.dir.with_extension("kept");
        run(Command::new("cp").arg("-a").arg(&self.dir).arg(&kept))?;
        run(Command::new("umount").arg(&self.dir))?;
        fs::remove_dir(&self.dir)?;
        Ok(fs::rename(&kept, &self.dir)?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            if let Err(error) = self.empty().and_then(|_| self.keep()) {
                eprintln!("{} is lost: {error:#}", self.dir.display());
            }
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{:?} does not start", command.get_program()))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
