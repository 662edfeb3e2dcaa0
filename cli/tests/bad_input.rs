//! What people get wrong, and what `millrace` answers: what is wrong, what would be right, and nothing signed.

mod common;

use std::os::unix::fs::PermissionsExt;

use common::millrace;

/// Fails, and says each of `facts`.
fn refuses(arguments: &[&str], facts: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let output = millrace(dir.path(), arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{arguments:?} was accepted");
    for fact in facts {
        assert!(said.contains(fact), "{arguments:?} says {said:?}, without {fact:?}");
    }
    assert!(!dir.path().join("state").exists(), "{arguments:?} began to send something");
}

/// A port of this machine on which nobody listens.
fn dead_rpc() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}")
}

#[test]
fn an_rpc_that_is_down_is_named_and_so_is_the_flag() {
    let url = dead_rpc();
    refuses(&["-u", &url, "node", "list"], &[&url, "does not answer", "--url"]);
    refuses(&["-u", &url, "ledger"], &[&url, "does not answer", "--url"]);
}

#[test]
fn a_url_that_is_none_is_answered_with_what_is_one() {
    refuses(&["-u", "nowhere", "node", "list"], &["\"nowhere\"", "localhost, devnet"]);
}

#[test]
fn amounts_are_refused_rather_than_rounded() {
    refuses(&["customer", "deposit", "1.2345678"], &["7 decimals", "1.234567"]);
    refuses(&["customer", "deposit", "0"], &["zero"]);
    refuses(&["provider", "stake", "many"], &["\"many\"", "12 or 1.5"]);
    refuses(&["provider", "stake", "99999999999999999999"], &["more MILL than can exist"]);
}

#[test]
fn addresses_endpoints_and_regions_say_what_they_must_be() {
    refuses(&["balance", "abc"], &["\"abc\"", "base58"]);
    let zero = "11111111111111111111111111111111";
    refuses(&["provider", "register", "--operator", zero, "--endpoint", "ftp://x"], &["ftp://x", "http://"]);
    refuses(&["provider", "set-terms", "--tls-key", "07"], &["\"07\"", "\"operator\"", "64 hexadecimal digits"]);
    refuses(&["provider", "set-terms"], &["--endpoint", "--tls-key"]);
    refuses(&["node", "register", "--gops", "1", "--ask-per-sec", "1", "--region", "64"], &["\"64\"", "0 to 63"]);
}

#[test]
fn a_key_file_others_can_read_is_refused_with_the_command_that_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key.json");
    let key = key.to_str().unwrap();
    assert!(millrace(dir.path(), &["keygen", key]).status.success());
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600, "a new key is its owner's only");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    refuses(&["-u", &dead_rpc(), "-k", key, "customer", "show"], &["0644", "chmod 600"]);
}

#[test]
fn keygen_never_overwrites_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key.json");
    assert!(millrace(dir.path(), &["keygen", key.to_str().unwrap()]).status.success());
    let before = std::fs::read(&key).unwrap();
    assert!(!millrace(dir.path(), &["keygen", key.to_str().unwrap()]).status.success());
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

#[test]
fn a_missing_key_file_says_how_to_make_one() {
    refuses(&["-k", "/no/such/key.json", "customer", "show"], &["/no/such/key.json", "millrace keygen"]);
}

#[test]
fn a_manifest_with_an_unknown_key_or_a_path_that_leaves_its_folder_is_refused_before_anything_is_signed() {
    let dir = tempfile::tempdir().unwrap();
    let post = |manifest: &str, facts: &[&str]| {
        let path = dir.path().join("millrace.toml");
        std::fs::write(&path, manifest).unwrap();
        refuses(&["job", "post", path.to_str().unwrap(), "--max-per-sec", "1"], facts);
    };
    let limits = "[limits]\nmemory_mib = 64\ndisk_mib = 8\npids = 8\nmax_secs = 10\n";
    let job = |files: &str| {
        format!("[job]\ncommand = [\"python3\"]\nenvironment = \"python-sklearn\"\nfiles = [{files}]\noutputs = []\n{limits}")
    };
    post(&format!("{}surprise = 1\n", job("")), &["surprise"]);
    post(&job("\"../secret\""), &["../secret"]);
    post(&job("\"/etc/passwd\""), &["/etc/passwd"]);
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
    post(&job("\"link\""), &["link"]);
}

#[test]
fn a_bench_that_cannot_be_is_refused_before_it_begins() {
    for n in ["0", "300", "128", "131072", "4294967296"] {
        refuses(&["bench", "--n", n], &[n, "powers of two from 256 to 65,536"]);
    }
    refuses(&["bench", "--n", "many"], &["many", "powers of two"]);
    refuses(&["bench", "--secs", "0"], &["1..=3600"]);
    refuses(&["bench", "--threads", "1025"], &["0..=1024"]);
    refuses(&["bench", "--chart", "speed.gif"], &["speed.gif", ".svg", ".png"]);
    refuses(&["bench", "--chart", "/no/such/folder/speed.svg"], &["cannot be written to /no/such/folder/speed.svg"]);
}

#[test]
fn errors_are_json_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let output = millrace(dir.path(), &["--output", "json", "-u", "nowhere", "node", "list"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(error["error"].as_str().unwrap().contains("nowhere"));
}
