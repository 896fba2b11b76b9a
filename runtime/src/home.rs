//! Where a person's keys, policies, ledgers and logs live.
//!
//! Everything lies under `$COUNTERSIGN_HOME` when it is set (so that a test can point it elsewhere), otherwise keys and
//! policies under the XDG configuration folder, and ledgers and logs under the XDG data folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The folders and files that belong to one person on one machine.
#[derive(Debug, Clone)]
pub struct Home {
    config: PathBuf,
    ledgers: PathBuf,
    logs: PathBuf,
    running: PathBuf,
}

/// Why no home folder can be named.
#[derive(Debug, Error)]
pub enum HomeError {
    /// Neither `COUNTERSIGN_HOME`, the XDG variables nor `HOME` are set.
    #[error("no home folder: set COUNTERSIGN_HOME or HOME")]
    Unknown,
}

impl Home {
    /// Finds the home from the process environment.
    ///
    /// # Errors
    /// [`HomeError::Unknown`] when no variable names one.
    pub fn from_env() -> Result<Self, HomeError> {
        Self::from_variables(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, HomeError> {
        if let Some(root) = variable("COUNTERSIGN_HOME") {
            return Ok(Self::at(Path::new(&root)));
        }
        let below_home = |folder: &str| variable("HOME").map(|home| Path::new(&home).join(folder));
        let config = variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| below_home(".config"));
        let share = variable("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| below_home(".local/share"));
        match (config, share) {
            (Some(config), Some(share)) => Ok(Self {
                config: config.join("countersign"),
                ledgers: share.join("countersign").join("ledgers"),
                logs: share.join("countersign").join("logs"),
                running: share.join("countersign").join("running"),
            }),
            _ => Err(HomeError::Unknown),
        }
    }

    /// The home whose everything lies under `root`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            config: root.to_path_buf(),
            ledgers: root.join("ledgers"),
            logs: root.join("logs"),
            running: root.join("running"),
        }
    }

    /// The folder of keys and policies.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The configuration, if somebody wrote one (`docs/configuration.md`).
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.json")
    }

    /// The folder of ledgers that were given no name of their own.
    #[must_use]
    pub fn ledgers(&self) -> &Path {
        &self.ledgers
    }

    /// The folder of the program's own logs, if it is asked to write any.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// The folder in which runs that go on are listed, so that they can be stopped.
    #[must_use]
    pub fn running(&self) -> &Path {
        &self.running
    }

    /// The trust anchor: one line, the principal's DID in long form.
    #[must_use]
    pub fn principal_did(&self) -> PathBuf {
        self.config.join("principal.did")
    }

    /// The principal's key file.
    #[must_use]
    pub fn principal_key(&self) -> PathBuf {
        self.config.join("principal.key")
    }

    /// The host's key file with its credential.
    #[must_use]
    pub fn host_key(&self) -> PathBuf {
        self.config.join("host.key")
    }

    /// The key file of the person who answers at this machine's terminal.
    #[must_use]
    pub fn approver_key(&self) -> PathBuf {
        self.config.join("approver.key")
    }

    /// The starter policy; takes effect only when it is passed with `--policy`.
    #[must_use]
    pub fn starter_policy(&self) -> PathBuf {
        self.config.join("policy.cedar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(variables: &[(&str, &str)]) -> Result<Home, HomeError> {
        Home::from_variables(|name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        })
    }

    #[test]
    fn countersign_home_wins_over_everything() -> Result<(), HomeError> {
        let home = home(&[("COUNTERSIGN_HOME", "/c"), ("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")])?;
        assert_eq!(home.principal_did(), Path::new("/c/principal.did"));
        assert_eq!(home.ledgers(), Path::new("/c/ledgers"));
        assert_eq!(home.logs(), Path::new("/c/logs"));
        assert_eq!(home.running(), Path::new("/c/running"));
        Ok(())
    }

    #[test]
    fn xdg_folders_are_used_each_for_its_own() -> Result<(), HomeError> {
        let home = home(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")])?;
        assert_eq!(home.config(), Path::new("/h/.config/countersign"));
        assert_eq!(home.ledgers(), Path::new("/d/countersign/ledgers"));
        assert_eq!(home.logs(), Path::new("/d/countersign/logs"));
        assert_eq!(home.running(), Path::new("/d/countersign/running"));
        Ok(())
    }

    #[test]
    fn no_variable_is_an_error_not_the_current_folder() {
        assert!(matches!(home(&[]), Err(HomeError::Unknown)));
    }
}
