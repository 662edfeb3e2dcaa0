//! Searches everything a run wrote, but the key files themselves, for the secrets of its keys.

use std::fs;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use anyhow::{ensure, Context, Result};
use millrace_client::{keys, Keypair};

/// How the name of a key file ends.
pub const KEY_FILE_END: &str = ".key.json";

/// Every way a secret is likely to be written: as bytes, hex, Base58 and a list of numbers, as a seed and as a pair.
fn writings(key: &Keypair) -> Vec<Vec<u8>> {
    let pair = key.to_bytes();
    let seed = &pair[..32];
    let numbers = |separator: &str| seed.iter().map(u8::to_string).collect::<Vec<_>>().join(separator);
    let texts = [
        hex::encode(seed),
        hex::encode_upper(seed),
        bs58::encode(seed).into_string(),
        bs58::encode(pair).into_string(),
        numbers(","),
        numbers(", "),
    ];
    texts.into_iter().map(String::into_bytes).chain([seed.to_vec()]).collect()
}

/// The files below `dir`.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => found.extend(files(&entry.path())?),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    Ok(found)
}

/// Fails when a file below `dir` other than a key file holds the secret of one of the key files there. Says how many
/// keys and how many files were looked at.
pub fn require_none_written(dir: &Path) -> Result<(usize, usize)> {
    let is_key = |path: &PathBuf| path.to_string_lossy().ends_with(KEY_FILE_END);
    let (key_files, others): (Vec<_>, Vec<_>) = files(dir)?.into_iter().partition(is_key);
    let keys = key_files.iter().map(keys::load).collect::<Result<Vec<_>, _>>()?;
    ensure!(!keys.is_empty(), "there are no keys in {}", dir.display());
    let writings: Vec<Vec<u8>> = keys.iter().flat_map(writings).collect();
    let per_key = writings.len() / keys.len();
    let search = AhoCorasick::new(&writings)?;
    for path in &others {
        let found = search.find(&fs::read(path).with_context(|| path.display().to_string())?);
        if let Some(found) = found {
            let key = key_files.get(found.pattern().as_usize() / per_key).map(|key| key.display().to_string());
            anyhow::bail!("{} holds the secret of {}", path.display(), key.unwrap_or_default());
        }
    }
    Ok((keys.len(), others.len()))
}

#[cfg(test)]
mod tests {
    use millrace_client::Signer;

    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<Keypair> = ["one", "two"]
            .map(|name| keys::create(folder.path().join(format!("{name}{KEY_FILE_END}"))).unwrap())
            .into();
        let log = folder.path().join("below/a.log");
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(&log, format!("{} and {}", keys[0].pubkey(), keys[1].pubkey())).unwrap();
        assert_eq!(require_none_written(folder.path()).unwrap(), (2, 1));
        for (key, name) in keys.iter().zip(["one", "two"]) {
            for writing in writings(key) {
                fs::write(&log, [b"key=", &writing[..], b"\n"].concat()).unwrap();
                let error = require_none_written(folder.path()).unwrap_err().to_string();
                assert!(error.contains("a.log holds the secret of") && error.contains(name), "{error}");
            }
        }
    }
}
