//! Where to find the chain and the key, kept in one small TOML file.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::outbox::MAX_PRIORITY_FEE_LAMPORTS;

/// Environment variable that names another configuration file.
pub const CONFIG_ENV: &str = "MILLRACE_CONFIG";

/// The configuration. Options on the command line go before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientConfig {
    /// JSON RPCs of the cluster. Default: that of a local network.
    pub urls: Vec<String>,
    /// Key file that signs and pays. Default: where `solana-keygen` writes it.
    pub keypair: PathBuf,
    /// Most a transaction pays for priority, lamports. Default: [`MAX_PRIORITY_FEE_LAMPORTS`].
    pub max_priority_fee_lamports: u64,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            urls: vec!["http://127.0.0.1:8899".to_string()],
            keypair: home().join(".config/solana/id.json"),
            max_priority_fee_lamports: MAX_PRIORITY_FEE_LAMPORTS,
        }
    }
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not what it should be.
    #[error("the configuration {path} is wrong: {reason}; it may hold `urls`, a list, `keypair`, and `max_priority_fee_lamports`", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot use the configuration {path}: {reason}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

fn home() -> PathBuf {
    env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

fn folder(variable: &str, below_home: &str) -> PathBuf {
    let set = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.unwrap_or_else(|| home().join(below_home)).join("millrace")
}

/// Where the configuration lies: `$MILLRACE_CONFIG`, or `~/.config/millrace/config.toml`.
pub fn path() -> PathBuf {
    env::var_os(CONFIG_ENV).map_or_else(|| folder("XDG_CONFIG_HOME", ".config").join("config.toml"), PathBuf::from)
}

/// Where the command line keeps its outbox: `~/.local/state/millrace/outbox.sqlite`.
pub fn outbox_path() -> PathBuf {
    folder("XDG_STATE_HOME", ".local/state").join("outbox.sqlite")
}

impl ClientConfig {
    /// Reads the file at `path`. Without a file, the defaults.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(reason) => return Err(ConfigError::Io { path: path.to_path_buf(), reason }),
        };
        let malformed = |error: toml::de::Error| ConfigError::Malformed {
            path: path.to_path_buf(),
            reason: error.message().to_string(),
        };
        let mut config: Self = toml::from_str(&text).map_err(malformed)?;
        if let Ok(below) = config.keypair.strip_prefix("~") {
            config.keypair = home().join(below);
        }
        Ok(config)
    }

    /// Writes the file at `path`; missing folders are made.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn save(&self, path: &Path) -> Result<(), ConfigError> {
        let io = |reason: io::Error| ConfigError::Io { path: path.to_path_buf(), reason };
        let text = toml::to_string(self)
            .map_err(|error| ConfigError::Malformed { path: path.to_path_buf(), reason: error.to_string() })?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        fs::write(path, text).map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_loads_and_without_a_file_the_defaults_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/config.toml");
        assert_eq!(ClientConfig::load(&path).unwrap(), ClientConfig::default());
        let urls = vec!["http://127.0.0.1:1".to_string(), "http://127.0.0.1:2".to_string()];
        let config = ClientConfig { urls, keypair: PathBuf::from("/keys/id.json"), max_priority_fee_lamports: 7 };
        config.save(&path).unwrap();
        assert_eq!(ClientConfig::load(&path).unwrap(), config);
    }

    #[test]
    fn one_setting_may_be_given_alone_and_home_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "keypair = \"~/k.json\"").unwrap();
        let config = ClientConfig::load(&path).unwrap();
        assert_eq!((config.urls, config.keypair), (ClientConfig::default().urls, home().join("k.json")));
    }

    #[test]
    fn an_unknown_setting_is_refused_and_the_known_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, "rul = \"x\"").unwrap();
        let said = ClientConfig::load(&path).unwrap_err().to_string();
        assert!(said.contains("rul") && said.contains("`urls`, a list, `keypair`"), "{said}");
    }
}
