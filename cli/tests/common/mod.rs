//! The command line as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

/// `millrace` with these arguments, its settings and what it keeps in `dir`.
pub fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command
        .args(arguments)
        .env("HOME", dir)
        .env("MILLRACE_CONFIG", dir.join("config.toml"))
        .env("XDG_STATE_HOME", dir.join("state"))
        .env_remove("MILLRACE_URL");
    command
}

/// What it printed and how it ended.
pub fn millrace(dir: &Path, arguments: &[&str]) -> Output {
    command(dir, arguments).output().unwrap()
}
