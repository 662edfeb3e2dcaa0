//! A clock of its own for each daemon, that can jump: libfaketime stands between it and the system's, and reads from a file how wrong
//! it is to be. Time that has passed is measured truly, as where an administrator or a time server sets a clock.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Where Debian has it, by processor.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"];

/// The clock of a daemon.
pub struct Clock {
    file: Option<PathBuf>,
}

impl Clock {
    /// Gives `command` a clock of its own, whose error stands in `file`; where the library is missing, the system's.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn of(command: &mut Command, file: &Path) -> Result<Self> {
        let Some(library) = LIBRARIES.iter().find(|library| Path::new(library).exists()) else {
            return Ok(Self { file: None });
        };
        command
            .env("LD_PRELOAD", library)
            .env("FAKETIME_TIMESTAMP_FILE", file)
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let clock = Self { file: Some(file.to_owned()) };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it wrong by `hours`, or right with zero. Returns whether it can be set.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, hours: i8) -> Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        fs::write(file, format!("{hours:+}h\n")).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(true)
    }
}
