//! What `verify --json` says.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use super::Checked;
use super::programs::{Ran, run, verify};

/// One verdict with its findings.
pub(crate) struct Verdict {
    pub(crate) ran: Ran,
    pub(crate) document: Value,
}

impl Verdict {
    /// Judges `ledger` by the program.
    pub(crate) fn of(ledger: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Checked<Self> {
        let ran = run(verify().arg(ledger).args(arguments).arg("--json"))?;
        let document = serde_json::from_str(&ran.stdout).map_err(|error| format!("{error}\n{ran}"))?;
        Ok(Self { ran, document })
    }

    /// The exit code, 255 where a signal ended the program.
    pub(crate) fn code(&self) -> i32 {
        self.ran.code.unwrap_or(255)
    }

    /// Fails unless the program exited with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        Self {
            ran: self.ran.expect(code),
            ..self
        }
    }

    /// Whether a finding has this code at this entry.
    pub(crate) fn finds(&self, code: &str, entry: u64) -> bool {
        self.findings()
            .iter()
            .any(|finding| finding["code"] == code && finding["entry"] == entry)
    }

    /// Whether a finding names this entry.
    pub(crate) fn names(&self, entry: u64) -> bool {
        self.findings().iter().any(|finding| finding["entry"] == entry)
    }

    /// Codes of what breaks a rule.
    pub(crate) fn finding_codes(&self) -> Vec<&str> {
        codes(self.findings())
    }

    /// Codes of what is not proven.
    pub(crate) fn unproven_codes(&self) -> Vec<&str> {
        codes(list(&self.document, "unproven"))
    }

    fn findings(&self) -> &[Value] {
        list(&self.document, "findings")
    }
}

fn list<'v>(document: &'v Value, member: &str) -> &'v [Value] {
    document[member].as_array().map_or(&[], Vec::as_slice)
}

fn codes(findings: &[Value]) -> Vec<&str> {
    findings.iter().filter_map(|finding| finding["code"].as_str()).collect()
}
