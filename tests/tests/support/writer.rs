//! The program that writes ledgers for the crash tests (`examples/ledger_writer.rs`), what it said, and whether that is so.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use countersign_identity::trust::Anchor;
use countersign_ledger::cose::Unverified;
use countersign_ledger::reader::LedgerReader;
use countersign_schemas::digest::Digest;
use countersign_schemas::record::Record;

use super::Checked;
use super::judge::{Judge, Judged};
use super::programs::{ledger_writer, run};

/// What belongs to a ledger that nobody has open.
const PARTS: [&str; 3] = ["ledger.db", "ledger.db-head", "ledger.db-fold"];

/// What a killed writer can leave where nobody clears it away: nobody listens at, or writes the head of, a closed ledger any
/// more, and a fold is written anew only where the ledger stays open.
const HARMLESS: [&str; 3] = [
    "ledger.db-sock",
    ".ledger.db-head.countersign-new",
    ".ledger.db-fold.countersign-new",
];

/// What writers of one ledger have said so far, line by line.
#[derive(Clone, Default)]
pub(crate) struct Told {
    anchor: Option<String>,
    acknowledged: BTreeMap<u64, String>,
    stage: String,
}

/// The writer for `ledger`, not started yet.
pub(crate) fn writer(ledger: &Path, arguments: &[&str]) -> Command {
    let mut command = ledger_writer();
    command.arg(ledger).args(arguments);
    command
}

impl Told {
    /// Takes everything that a writer printed. A last line that was cut short says nothing.
    pub(crate) fn hear_all(&mut self, printed: &str) -> Checked {
        let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
        whole.lines().try_for_each(|line| self.hear(line))
    }

    /// Another writer is about to begin; what was acknowledged stays acknowledged.
    pub(crate) fn begin(&mut self) {
        self.stage.clear();
    }

    /// Takes one line.
    pub(crate) fn hear(&mut self, line: &str) -> Checked {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["principal", did] => self.anchor = Some(did.to_owned()),
            ["ack", seq, digest] => {
                let before = self.acknowledged.insert(seq.parse()?, digest.to_owned());
                if before.is_some() {
                    return Err(format!("entry {seq} was acknowledged twice").into());
                }
            }
            [stage, ..] => self.stage = stage.to_owned(),
            [] => {}
        }
        Ok(())
    }

    /// The last stage that a writer named: `opening`, `opened`, `closing`, `closed`, `leaving`, `left`.
    pub(crate) fn stage(&self) -> &str {
        &self.stage
    }

    /// How many entries were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Judges a ledger by what was said of it; `None` if there is none, and nothing was said of one.
    ///
    /// # Errors
    /// An acknowledged entry is not there or is another one, a rule is broken, or the ledger cannot be read.
    pub(crate) fn kept_by(&self, ledger: &Path) -> Checked<Option<Judged>> {
        if !ledger.try_exists()? {
            return match self.stage() {
                "" | "opening" if self.acknowledged.is_empty() => Ok(None),
                stage => Err(format!("there is no ledger, though the writer said {stage}").into()),
            };
        }
        let statements = statements(ledger)?;
        for (seq, digest) in &self.acknowledged {
            match statements.get(seq) {
                Some(found) if found == digest => {}
                Some(_) => return Err(format!("entry {seq} is not the one that was acknowledged").into()),
                None => {
                    let (entries, acknowledged) = (statements.len(), self.acknowledged.len());
                    return Err(
                        format!("lost: entry {seq}; {acknowledged} were acknowledged, {entries} are there").into(),
                    );
                }
            }
        }
        let anchor = self.anchor.as_ref().map(|did| Anchor::parse(did)).transpose()?;
        let judged = Judge::trusting(anchor).judge(ledger)?;
        if ![0, 3].contains(&judged.code) {
            return Err(judged.to_string().into());
        }
        Ok(Some(judged))
    }
}

/// Lets the next writer go on with what is left, and close it. What was acknowledged before is still there then, and
/// nothing lies about in the folder.
///
/// # Errors
/// As [`Told::kept_by`]; or the writer is hindered, though the ledger was not closed before.
pub(crate) fn go_on(ledger: &Path, told: &Told) -> Checked<Judged> {
    let mut told = told.clone();
    let ran = run(&mut writer(ledger, &["callers=2", "entries=3"]))?;
    told.hear_all(&ran.stdout)?;
    let was_closed = ran.code == Some(4) && ran.stderr.contains("the ledger is closed");
    if !(was_closed || ran.code == Some(0)) {
        return Err(format!("the next writer fails: {ran}").into());
    }
    let kept = told.kept_by(ledger)?.ok_or("the next writer leaves no ledger")?;
    for name in std::fs::read_dir(ledger.parent().ok_or("no folder")?)? {
        let name = name?.file_name().to_string_lossy().into_owned();
        let is_harmless = HARMLESS.contains(&&*name) && (was_closed || name.contains("-fold"));
        if !(PARTS.contains(&&*name) || is_harmless) {
            return Err(format!("{name} is left behind").into());
        }
    }
    Ok(kept)
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} acknowledged, then {:?}", self.acknowledged.len(), self.stage)
    }
}

/// The digest of each statement in the ledger, by its place.
fn statements(ledger: &Path) -> Checked<BTreeMap<u64, String>> {
    let reader = LedgerReader::open(ledger)?;
    reader
        .entries()
        .map(|entry| {
            let entry = entry?;
            let record = Record::decode(&entry.record)?;
            let statement = Unverified::parse(&record.statement)?;
            Ok((record.seq.get(), Digest::sha256(statement.payload()).to_string()))
        })
        .collect()
}
