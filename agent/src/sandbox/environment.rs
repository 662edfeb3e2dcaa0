//! Software environments a provider offers: one folder each, by name, usually a Python virtual environment.

use std::path::{Path, PathBuf};

/// A folder of software, bound into the sandbox read-only at its own path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `bin` folders searched before the system's.
    pub bin_dirs: Vec<PathBuf>,
    /// Folders bound: where they lie, and where the sandbox sees them.
    pub binds: Vec<(PathBuf, PathBuf)>,
}

/// Why an environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// No folder of that name.
    #[error("there is no environment {name:?} in {}; there is: {}", dir.display(), there_is(known))]
    Unknown {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        dir: PathBuf,
        /// What there is.
        known: Vec<String>,
    },
    /// A virtual environment whose Python lies where binding it would show a job too much.
    #[error("environment {name:?} is made from the Python in {}, which the sandbox must not show to jobs; make it from a Python installed in a folder of its own", prefix.display())]
    BasePrefix {
        /// The environment.
        name: String,
        /// The prefix of its Python.
        prefix: PathBuf,
    },
    /// A folder that cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn there_is(known: &[String]) -> String {
    if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    }
}

impl Environment {
    /// Only what the system has in `/usr`.
    pub fn system() -> Self {
        Self { bin_dirs: Vec::new(), binds: Vec::new() }
    }

    /// The names of the environments in `dir`, sorted.
    pub fn list(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort_unstable();
        names
    }

    /// The environment `name` in `dir`. `private` are folders no job may see: the agent's data and keys.
    ///
    /// # Errors
    /// [`EnvironmentError`].
    pub fn load(dir: &Path, name: &str, private: &[&Path]) -> Result<Self, EnvironmentError> {
        let known = Self::list(dir);
        if !known.iter().any(|known| known == name) {
            return Err(EnvironmentError::Unknown { name: name.to_owned(), dir: dir.to_owned(), known });
        }
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|source| EnvironmentError::Io { path: path.to_owned(), source })
        };
        let canonical =
            |path: &Path| path.canonicalize().map_err(|source| EnvironmentError::Io { path: path.to_owned(), source });
        let folder = absolute(&dir.join(name))?;
        let mut binds = vec![(canonical(&folder)?, folder.clone())];
        if let Some(prefix) = base_prefix(&folder) {
            let real = canonical(&prefix)?;
            if !real.starts_with("/usr") {
                let home = std::env::var_os("HOME").map(PathBuf::from);
                let mut hidden = private.iter().map(|path| path.to_path_buf()).chain(home);
                if real.components().count() < 3 || hidden.any(|hidden| hidden.starts_with(&real)) {
                    return Err(EnvironmentError::BasePrefix { name: name.to_owned(), prefix: real });
                }
                if real != prefix {
                    binds.push((real.clone(), prefix));
                }
                binds.push((real.clone(), real));
            }
        }
        Ok(Self { bin_dirs: vec![folder.join("bin")], binds })
    }
}

/// Prefix of the Python a virtual environment was made from: its `home` is that Python's `bin`.
fn base_prefix(venv: &Path) -> Option<PathBuf> {
    let config = std::fs::read_to_string(venv.join("pyvenv.cfg")).ok()?;
    let home = config.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "home").then(|| value.trim().to_owned())
    })?;
    Path::new(&home).parent().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn venv(dir: &Path, name: &str, home: &str) {
        std::fs::create_dir_all(dir.join(name).join("bin")).unwrap();
        std::fs::write(dir.join(name).join("pyvenv.cfg"), format!("home = {home}\nversion = 3.11\n")).unwrap();
    }

    #[test]
    fn an_unknown_environment_names_those_there_are() {
        let dir = tempfile::tempdir().unwrap();
        venv(dir.path(), "python-sklearn", "/usr/bin");
        for name in ["pytorch", "../python-sklearn", ".", ""] {
            let error = Environment::load(dir.path(), name, &[]).unwrap_err().to_string();
            assert!(error.contains("there is: python-sklearn"), "{error}");
        }
    }

    #[test]
    fn a_python_outside_usr_is_bound_and_one_inside_is_not_bound_twice() {
        let dir = tempfile::tempdir().unwrap();
        let python = dir.path().join("pythons/3.11");
        std::fs::create_dir_all(python.join("bin")).unwrap();
        venv(dir.path(), "own", python.join("bin").to_str().unwrap());
        venv(dir.path(), "system", "/usr/bin");
        let real = python.canonicalize().unwrap();
        let own = Environment::load(dir.path(), "own", &[]).unwrap();
        assert!(own.binds.contains(&(real.clone(), real)));
        assert_eq!(Environment::load(dir.path(), "system", &[]).unwrap().binds.len(), 1);
    }

    #[test]
    fn a_python_whose_prefix_holds_keys_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap();
        std::fs::create_dir(home.join("bin")).unwrap();
        venv(&home.join("envs"), "bad", home.join("bin").to_str().unwrap());
        let private = home.join("keys");
        let error = Environment::load(&home.join("envs"), "bad", &[&private]).unwrap_err();
        assert!(matches!(error, EnvironmentError::BasePrefix { .. }), "{error}");
    }
}
