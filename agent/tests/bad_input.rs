//! What the program says to an operator who gets something wrong.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use millrace_client::{keys, Pubkey};

/// Writes settings with a good key, and `more`.
fn settings(dir: &Path, more: &str) -> std::path::PathBuf {
    keys::load_or_create(dir.join("operator.json")).unwrap();
    let authority = Pubkey::new_from_array([7; 32]);
    let text = format!(
        "keypair = {:?}\nauthority = \"{authority}\"\ndata_dir = {:?}\n{more}\n",
        dir.join("operator.json"),
        dir.join("data")
    );
    let path = dir.join("agent.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs the agent, which must refuse, and returns what it said.
fn refusal(config: &Path) -> String {
    let run =
        Command::new(env!("CARGO_BIN_EXE_millrace-agent")).args(["run", "--config"]).arg(config).output().unwrap();
    assert!(!run.status.success());
    String::from_utf8(run.stderr).unwrap()
}

#[test]
fn a_misspelt_setting_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let said = refusal(&settings(dir.path(), "[jobs]\nmax_memory = 5"));
    assert!(said.contains("max_memory") && said.contains("max_memory_mib"), "{said}");
    let said = refusal(&dir.path().join("nowhere.toml"));
    assert!(said.contains("cannot read the settings file"), "{said}");
}

#[test]
fn a_key_others_can_read_is_refused_with_the_command_that_helps() {
    let dir = tempfile::tempdir().unwrap();
    let config = settings(dir.path(), "");
    let key = dir.path().join("operator.json");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = refusal(&config);
    assert!(said.contains(&format!("chmod 600 {}", key.display())), "{said}");
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = refusal(&settings(dir.path(), &format!("listen = \"{address}\"")));
    assert!(said.contains(&format!("cannot listen on {address}")) && said.contains("--listen"), "{said}");
    assert!(!dir.path().join("data").exists());
}
