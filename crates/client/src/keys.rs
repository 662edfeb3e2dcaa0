//! Key files: JSON arrays of 64 numbers, as `solana-keygen` writes them, readable by their owner only.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{Keypair, Signer};

/// A key file that cannot be used. Never carries a byte of the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no such file.
    #[error("there is no key file at {path}; `solana-keygen new -o {path}` makes one", path = .0.display())]
    Missing(PathBuf),
    /// Others may read the file.
    #[error("others can read the key file {path} (mode {mode:04o}); run: chmod 600 {path}", path = .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a key.
    #[error("{path} is not a key file: it must hold a JSON array of 64 numbers, the last 32 the public key of the first 32", path = .0.display())]
    Malformed(PathBuf),
    /// The file is there already, and is never overwritten.
    #[error("{path} is there already and is not overwritten; choose another path or move it away", path = .0.display())]
    Exists(PathBuf),
    /// The file system refused.
    #[error("cannot use the key file {path}: {reason}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

/// Longest file read: 64 numbers with generous white space.
const MAX_FILE_LEN: u64 = 4_096;

/// Reads a key file, and refuses one that the group or others may read.
///
/// # Errors
/// [`KeyError`], with the command that puts it right.
pub fn load(path: impl AsRef<Path>) -> Result<Keypair, KeyError> {
    let path = path.as_ref();
    let io = |reason: io::Error| match reason.kind() {
        io::ErrorKind::NotFound => KeyError::Missing(path.to_path_buf()),
        _ => KeyError::Io { path: path.to_path_buf(), reason },
    };
    let file = File::open(path).map_err(io)?;
    // The open file is asked, not the path, so that nothing can be swapped in between.
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_path_buf(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_LEN as usize));
    file.take(MAX_FILE_LEN).read_to_string(&mut text).map_err(io)?;
    decode(&text).ok_or_else(|| KeyError::Malformed(path.to_path_buf()))
}

fn decode(text: &str) -> Option<Keypair> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let mut bytes = Zeroizing::new([0u8; 64]);
    let mut numbers = inner.split(',');
    for byte in bytes.iter_mut() {
        *byte = numbers.next()?.trim().parse().ok()?;
    }
    if numbers.next().is_some() {
        return None;
    }
    Keypair::try_from(&bytes[..]).ok()
}

/// Makes a new key and writes it to `path`, readable by its owner only. Missing folders are made.
///
/// # Errors
/// [`KeyError::Exists`] when there is a file already, [`KeyError::Io`].
pub fn create(path: impl AsRef<Path>) -> Result<Keypair, KeyError> {
    let path = path.as_ref();
    let io = |reason: io::Error| match reason.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists(path.to_path_buf()),
        _ => KeyError::Io { path: path.to_path_buf(), reason },
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    }
    let key = Keypair::new();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    let bytes = Zeroizing::new(key.to_bytes());
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_LEN as usize));
    for (index, byte) in bytes.iter().enumerate() {
        text.push(if index == 0 { '[' } else { ',' });
        text.push_str(&byte.to_string());
    }
    text.push_str("]\n");
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    Ok(key)
}

/// Loads the key at `path`, or makes it when there is none. True when it was made.
///
/// # Errors
/// As [`load`] and [`create`].
pub fn load_or_create(path: impl AsRef<Path>) -> Result<(Keypair, bool), KeyError> {
    match load(path.as_ref()) {
        Err(KeyError::Missing(_)) => Ok((create(path)?, true)),
        loaded => Ok((loaded?, false)),
    }
}

/// The 32 secret bytes, for a signer of requests. They are cleared when dropped.
pub fn seed(key: &Keypair) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(*key.secret_bytes())
}

/// Signs `message` with `key`: the 64 bytes of an ed25519 signature.
pub fn sign(key: &Keypair, message: &[u8]) -> [u8; 64] {
    key.sign_message(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_created_key_loads_and_only_its_owner_can_read_it() {
        let folder = folder();
        let path = folder.path().join("deep/er/key.json");
        let key = create(&path).unwrap();
        assert_eq!(load(&path).unwrap().pubkey(), key.pubkey());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_others_can_read_is_refused_with_the_command_that_helps() {
        let folder = folder();
        let path = folder.path().join("key.json");
        create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refusal = load(&path).unwrap_err().to_string();
            assert!(refusal.contains(&format!("chmod 600 {}", path.display())), "{refusal}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(load(&path).is_ok());
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = folder();
        let path = folder.path().join("key.json");
        let key = create(&path).unwrap();
        assert!(matches!(create(&path), Err(KeyError::Exists(_))));
        let (same, made) = load_or_create(&path).unwrap();
        assert_eq!((same.pubkey(), made), (key.pubkey(), false));
    }

    #[test]
    fn what_is_not_a_key_is_refused_without_a_byte_of_it() {
        let folder = folder();
        let path = folder.path().join("key.json");
        assert!(matches!(load(&path), Err(KeyError::Missing(_))));
        let wrong_public_key = format!("[{}]", vec!["211"; 64].join(","));
        let too_long = format!("[{}]", vec!["7"; 65].join(","));
        let too_short = format!("[{}]", vec!["7"; 63].join(","));
        for text in ["", "[]", "[211,211]", "{\"secret\":211}", "[300]", &wrong_public_key, &too_long, &too_short] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let refusal = load(&path).unwrap_err();
            assert!(matches!(refusal, KeyError::Malformed(_)), "{text}");
            assert!(!format!("{refusal} {refusal:?}").contains("211"), "{refusal}");
        }
    }
}
