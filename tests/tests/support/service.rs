//! The models that a command line can name, each with a provider on loopback, and runs that ask them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Checked;
use super::programs::{Ran, run};
use super::provider::Setup;
use super::workshop::Workshop;

/// Looks like no provider's key, so that no pattern recognises it.
pub(crate) const KEY: &str = "Key0fThisTest5d41402abc4b2a76b9719d911017c592";

/// A model as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Anthropic,
    OpenAi,
    OpenAiChat,
    Local,
}

/// All of them.
pub(crate) const SERVICES: [Service; 4] = [Service::Anthropic, Service::OpenAi, Service::OpenAiChat, Service::Local];

impl Service {
    fn model(self, url: &str) -> String {
        match self {
            Self::Anthropic => "anthropic/claude-test".to_owned(),
            Self::OpenAi => "openai/gpt-test".to_owned(),
            Self::OpenAiChat => "openai-chat/gpt-test".to_owned(),
            Self::Local => format!("{url}/v1#local-model"),
        }
    }

    /// The variable with the key, and how a request shows it.
    pub(crate) fn key(self) -> Option<(&'static str, &'static str, String)> {
        match self {
            Self::Anthropic => Some(("ANTHROPIC_API_KEY", "x-api-key", KEY.to_owned())),
            Self::OpenAi | Self::OpenAiChat => Some(("OPENAI_API_KEY", "authorization", format!("Bearer {KEY}"))),
            Self::Local => None,
        }
    }

    /// A server that plays `script` to a lead with `task`.
    pub(crate) fn setup(self, script: &str, task: &str) -> Checked<Setup> {
        let setup = Setup::new(script, task)?;
        Ok(match self {
            Self::Local => setup,
            _ => setup.key(KEY),
        })
    }

    /// `command` with this model at `url`. Keys are there whoever is asked: nobody gets one that is not meant for it.
    pub(crate) fn choose(self, command: &mut Command, url: &str) {
        command.args(["--model", &self.model(url)]);
        command.env("ANTHROPIC_BASE_URL", url).env("ANTHROPIC_API_KEY", KEY);
        command
            .env("OPENAI_BASE_URL", format!("{url}/v1"))
            .env("OPENAI_API_KEY", KEY);
    }
}

/// Runs the task `say hello` once against the provider at `url`.
pub(crate) fn ask(service: Service, url: &str, change: impl Fn(&mut Command)) -> Checked<(Workshop, Ran)> {
    let workshop = Workshop::new()?;
    let mut command = workshop.countersign();
    command.args([
        "run",
        "say hello",
        "--dir",
        "work",
        "--ledger",
        "ledger.db",
        "--approve",
        "never",
    ]);
    service.choose(&mut command, url);
    command.env("RUST_LOG", "trace");
    change(&mut command);
    let ran = run(&mut command)?;
    Ok((workshop, ran))
}

/// Tries something with every service, side by side, because most of it is waiting.
pub(crate) fn with_each(attempt: impl Fn(Service) -> Checked + Sync) -> Checked {
    std::thread::scope(|scope| {
        let attempt = &attempt;
        let attempts = SERVICES.map(|service| (service, scope.spawn(move || attempt(service))));
        for (service, attempt) in attempts {
            let ended = attempt.join().map_err(|_| format!("{service:?}: see above"))?;
            ended.map_err(|error| format!("{service:?}: {error}"))?;
        }
        Ok(())
    })
}

/// Every file below `folder` that holds `bytes`.
fn files_with(folder: &Path, bytes: &[u8]) -> Checked<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with(&path, bytes)?);
        } else if fs::read(&path)?.windows(bytes.len()).any(|window| window == bytes) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The key is in no file, the log of the program included, and was never printed.
#[track_caller]
pub(crate) fn assert_key_is_nowhere(workshop: &Workshop, ran: &Ran) -> Checked {
    let logs = fs::read_dir(workshop.home().join("logs"))?.collect::<Result<Vec<_>, _>>()?;
    let [log] = logs.as_slice() else {
        return Err(format!("{} logs", logs.len()).into());
    };
    assert!(log.metadata()?.len() > 0, "there is something to look at");
    assert_eq!(files_with(workshop.root(), KEY.as_bytes())?, Vec::<PathBuf>::new());
    assert!(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY), "{ran}");
    Ok(())
}
