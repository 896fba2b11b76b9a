//! The keys a command needs, opened from the home folder.

use std::path::Path;

use countersign_identity::did::PeerDid;
use countersign_identity::keyfile::{KeyFile, KeyFileError, Passphrase, Purpose};

use super::exit::{Exit, Failure};
use super::prompt::Terminal;
use crate::gate::{Manner, Prompt};
use crate::home::Home;
use crate::recorder::Authority;
use crate::session::ApproverKey;

const PASSPHRASE: &str = "COUNTERSIGN_PASSPHRASE";
const PASSPHRASE_FILE: &str = "COUNTERSIGN_PASSPHRASE_FILE";

/// Whether a command may ask a person something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// At the terminal, if there is one.
    Allowed,
    /// `--no-input`.
    Forbidden,
}

impl Input {
    pub(crate) const fn of(no_input: bool) -> Self {
        if no_input { Self::Forbidden } else { Self::Allowed }
    }

    pub(crate) fn is_possible(self) -> bool {
        self == Self::Allowed && Terminal::is_attended()
    }
}

/// The passphrase from file or environment, or from the terminal where `input` allows.
pub(crate) fn passphrase(input: Input, prompt: &str) -> Result<Passphrase, Failure> {
    let text = if let Some(path) = std::env::var_os(PASSPHRASE_FILE).filter(|path| !path.is_empty()) {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::caused(
                Exit::Environment,
                format!("{PASSPHRASE_FILE}: {}", Path::new(&path).display()),
                &error,
            )
        })?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    } else if let Ok(text) = std::env::var(PASSPHRASE) {
        text
    } else if input.is_possible() {
        rpassword::prompt_password(prompt)
            .map_err(|error| Failure::caused(Exit::Environment, "the passphrase could not be read", &error))?
    } else {
        return Err(
            Failure::new(Exit::Environment, "a passphrase is needed and nobody can be asked")
                .hint(format!("set {PASSPHRASE_FILE} or {PASSPHRASE}")),
        );
    };
    Passphrase::new(text).map_err(|error| Failure::caused(Exit::Environment, "passphrase", &error))
}

/// Opens a key file and checks what it was made for.
pub(crate) fn open(path: &Path, purpose: Purpose, input: Input) -> Result<KeyFile, Failure> {
    let failed = |error: KeyFileError| Failure::caused(Exit::Environment, path.display(), &error);
    let unlock = if KeyFile::is_encrypted(path).map_err(failed)? {
        Some(passphrase(input, &format!("Passphrase for {}: ", path.display()))?)
    } else {
        None
    };
    let file = KeyFile::open(path, unlock.as_ref()).map_err(failed)?;
    if file.purpose() != purpose {
        return Err(Failure::new(
            Exit::Environment,
            format!(
                "{}: this key was made for the purpose `{}`, not `{}`",
                path.display(),
                file.purpose().as_str(),
                purpose.as_str()
            ),
        ));
    }
    Ok(file)
}

/// Principal and host of this home: what a run acts under.
pub(crate) fn authority(home: &Home) -> Result<Authority, Failure> {
    let path = home.principal_did();
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::caused(Exit::Environment, format!("no principal: {}", path.display()), &error)
            .hint("`countersign init` makes one")
    })?;
    let principal = PeerDid::parse_long(text.trim_end())
        .map_err(|error| Failure::caused(Exit::Environment, path.display(), &error))?;
    let path = home.host_key();
    let file = open(&path, Purpose::Host, Input::Forbidden)?;
    let (secret, _, credential) = file.into_parts();
    let credential = credential.ok_or_else(|| {
        Failure::new(
            Exit::Environment,
            format!("{}: the host has no credential", path.display()),
        )
        .hint("`countersign init --renew-host` makes one")
    })?;
    Authority::new(principal, secret, credential)
        .map_err(|error| Failure::caused(Exit::Environment, path.display(), &error))
}

/// The approver whose key lies at `path`, answering in `manner`.
pub(crate) fn approver(path: &Path, manner: ApproverManner, input: Input) -> Result<ApproverKey, Failure> {
    let file = open(path, Purpose::Approver, input)?;
    let (secret, did, credential) = file.into_parts();
    let credential = credential.ok_or_else(|| {
        Failure::new(
            Exit::Environment,
            format!("{}: the principal has not enrolled this approver", path.display()),
        )
    })?;
    let manner = match manner {
        ApproverManner::Unattended => Manner::Unattended,
        ApproverManner::Terminal => Manner::Terminal(std::sync::Arc::new(Terminal) as std::sync::Arc<dyn Prompt>),
    };
    Ok(ApproverKey {
        did,
        secret,
        credential,
        manner,
    })
}

/// How an approver's key is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApproverManner {
    /// The key alone answers yes.
    Unattended,
    /// A person answers at the terminal.
    Terminal,
}
