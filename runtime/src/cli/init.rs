//! `countersign init`: keys, trust anchor, starter policy.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use countersign_identity::keyfile::{KeyFile, KeyFileError, Passphrase, Protection, Purpose, WorkFactor};
use countersign_identity::keys::HybridSecret;
use serde_json::json;

use super::arguments::InitArguments;
use super::exit::{Exit, Failure};
use super::household::{HOST_DAYS, Household, certify_host};
use super::keys::{self, Input};
use crate::clock::Clock;
use crate::home::Home;

const STARTER_POLICY: &str = include_str!("starter_policy.cedar");

/// Makes everything a first run needs, or nothing.
pub(super) fn run(arguments: &InitArguments) -> Result<Exit, Failure> {
    let home = home()?;
    if arguments.renew_host {
        return renew_host(&home, Input::of(arguments.no_input));
    }
    refuse_second(&home)?;
    let passphrase = new_passphrase(arguments)?;
    let protection = passphrase.as_ref().map_or(Protection::Plain, |secret| {
        Protection::Passphrase(secret, WorkFactor::DEFAULT)
    });
    let now = Clock::default().read();
    let household = Household::make(now).map_err(|error| Failure::caused(Exit::Environment, "keys", &error))?;
    let principal = household.principal_did();
    create_private_folder(home.config())?;
    create_private_folder(home.ledgers())?;
    let mut files = Files::default();
    if let Err(failure) = files.write(&home, household, &protection) {
        files.take_back();
        return Err(failure);
    }
    report(&home, principal.short(), arguments)
}

/// What an init has written so far: all of it is there in the end, or nothing.
#[derive(Default)]
struct Files(Vec<PathBuf>);

impl Files {
    fn write(&mut self, home: &Home, made: Household, protection: &Protection<'_>) -> Result<(), Failure> {
        let anchor = format!("{}\n", made.principal_did().long());
        let host = (made.host, Some(made.host_credential));
        let approver = (made.approver, Some(made.approver_credential));
        self.key(
            home.principal_key(),
            Purpose::Principal,
            (made.principal, None),
            protection,
        )?;
        self.key(home.host_key(), Purpose::Host, host, &Protection::Plain)?;
        self.key(home.approver_key(), Purpose::Approver, approver, protection)?;
        self.text(home.starter_policy(), STARTER_POLICY)?;
        // Last, because its presence is what says that init is done.
        self.text(home.principal_did(), &anchor)
    }

    fn key(
        &mut self,
        path: PathBuf,
        purpose: Purpose,
        (secret, credential): (HybridSecret, Option<Vec<u8>>),
        protection: &Protection<'_>,
    ) -> Result<(), Failure> {
        let failed = |error: KeyFileError| Failure::caused(Exit::Environment, path.display(), &error);
        KeyFile::new(purpose, secret, credential)
            .map_err(failed)?
            .create(&path, protection)
            .map_err(failed)?;
        self.0.push(path);
        Ok(())
    }

    fn text(&mut self, path: PathBuf, text: &str) -> Result<(), Failure> {
        write_text(&path, text)?;
        self.0.push(path);
        Ok(())
    }

    /// Removes what this init wrote, so that the next one can begin.
    fn take_back(&self) {
        for path in &self.0 {
            // What cannot be removed is named by the next init, which then changes nothing.
            let _ = fs::remove_file(path);
        }
    }
}

pub(super) fn home() -> Result<Home, Failure> {
    Home::from_env().map_err(|error| Failure::caused(Exit::Environment, "home", &error))
}

fn refuse_second(home: &Home) -> Result<(), Failure> {
    for path in [
        home.principal_did(),
        home.principal_key(),
        home.host_key(),
        home.approver_key(),
    ] {
        if path.symlink_metadata().is_ok() {
            return Err(
                Failure::new(Exit::Failed, format!("{} exists; nothing was changed", path.display()))
                    .hint("set COUNTERSIGN_HOME to make a second principal elsewhere"),
            );
        }
    }
    Ok(())
}

fn new_passphrase(arguments: &InitArguments) -> Result<Option<Passphrase>, Failure> {
    if arguments.no_passphrase {
        return Ok(None);
    }
    keys::passphrase(
        Input::of(arguments.no_input),
        "New passphrase for the principal's and the approver's key: ",
    )
    .map(Some)
    .map_err(|failure| failure.hint("set COUNTERSIGN_PASSPHRASE_FILE, or pass --no-passphrase"))
}

pub(super) fn create_private_folder(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Failure::caused(Exit::Environment, path.display(), &error))
}

pub(super) fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::caused(Exit::Environment, path.display(), &error);
    let mut file = fs::File::create_new(path).map_err(failed)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a file would look like a whole one to the next reader.
        let _ = fs::remove_file(path);
        failed(error)
    })
}

fn report(home: &Home, principal: &str, arguments: &InitArguments) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    if arguments.json {
        let made = json!({
            "schema": "countersign.init/v1",
            "principal": principal,
            "anchor": home.principal_did(),
            "host_days": HOST_DAYS,
            "policy": home.starter_policy(),
        });
        writeln!(out, "{made}")?;
        return Ok(Exit::Done);
    }
    writeln!(out, "principal  {principal}")?;
    writeln!(out, "anchor     {}", home.principal_did().display())?;
    writeln!(out, "policy     {}", home.starter_policy().display())?;
    writeln!(
        out,
        "The anchor is what auditors pass to `verify --trust`. This host may start runs for {HOST_DAYS} days."
    )?;
    Ok(Exit::Done)
}

/// Signs a new host credential with the principal's key; host and principal keep their keys.
fn renew_host(home: &Home, input: Input) -> Result<Exit, Failure> {
    let principal = keys::open(&home.principal_key(), Purpose::Principal, input)?;
    let host = keys::open(&home.host_key(), Purpose::Host, input)?;
    let now = Clock::default().read();
    let credential = certify_host(principal.secret(), host.did(), now)
        .map_err(|error| Failure::caused(Exit::Environment, "the host's credential", &error))?;
    let path = home.host_key();
    let failed = |error: KeyFileError| Failure::caused(Exit::Environment, path.display(), &error);
    host.with_credential(credential)
        .map_err(failed)?
        .replace(&path, &Protection::Plain)
        .map_err(failed)?;
    writeln!(io::stdout(), "this host may start runs for {HOST_DAYS} days from now")?;
    Ok(Exit::Done)
}
