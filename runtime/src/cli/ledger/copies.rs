//! `countersign ledger backup|export`: copies of a ledger, compared with it before anybody is told that they are good.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use countersign_ledger::merkle::{Frontier, Root};
use countersign_ledger::reader::LedgerReader;
use countersign_ledger::store::{self, Content, Copied, CopyError, StoreError};
use countersign_verifier::visible::visible;
use serde_json::json;

use super::latest;
use crate::cli::arguments::{BackupArguments, ExportArguments};
use crate::cli::exit::{Exit, Failure};

/// Copies everything, beside a writer if there is one.
pub(super) fn backup(arguments: BackupArguments) -> Result<Exit, Failure> {
    let BackupArguments { output, ledger } = arguments;
    let (from, is_json) = (ledger.ledger.map_or_else(latest, Ok)?, ledger.json);
    let copied = store::backup(&from, &output).map_err(|error| failure(&error, &from, &output))?;
    Made {
        word: "backup",
        from,
        copied,
        content: Content::Whole,
    }
    .tell(is_json)
}

/// Copies what an auditor is to get.
pub(super) fn export(arguments: ExportArguments) -> Result<Exit, Failure> {
    let ExportArguments {
        output,
        without_content,
        ledger,
    } = arguments;
    let (from, is_json) = (ledger.ledger.map_or_else(latest, Ok)?, ledger.json);
    let content = if without_content {
        Content::WithoutErasable
    } else {
        Content::Whole
    };
    let copied = store::export(&from, &output, content).map_err(|error| failure(&error, &from, &output))?;
    Made {
        word: "export",
        from,
        copied,
        content,
    }
    .tell(is_json)
}

/// A copy that has its name, with where it is from.
struct Made {
    word: &'static str,
    from: PathBuf,
    copied: Copied,
    content: Content,
}

impl Made {
    /// Compares the copy with its original and says what it is. One that differs is left where it is: it may be all there is.
    fn tell(&self, is_json: bool) -> Result<Exit, Failure> {
        let failed = |problem: String| Failure::new(Exit::Failed, problem);
        let size = self.copied.size.get().cast_signed();
        let original = Reading::of(&self.from, size)?;
        let copy = Reading::of(&self.copied.path, i64::MAX)?;
        if (copy.size, copy.root) != (original.size, original.root) || copy.size != size {
            let problem = format!(
                "{}: not a true copy of {}: {copy} instead of {original}",
                shown(&self.copied.path),
                shown(&self.from)
            );
            return Err(failed(problem).hint("do not rely on it; remove it and copy again"));
        }
        if let Some(damage) = &copy.damage {
            note(&format!(
                "the ledger is damaged, and its copy in the same way: {}",
                visible(damage, 200)
            ));
        }
        self.explain();
        let mut out = io::stdout().lock();
        if is_json {
            writeln!(out, "{}", self.document(&copy.root))?;
        } else {
            writeln!(
                out,
                "{}  {size} entries, {} bytes, root {}",
                shown(&self.copied.path),
                self.copied.len_bytes,
                copy.root
            )?;
        }
        Ok(Exit::Done)
    }

    /// What the copy holds, for the person who hands it on.
    fn explain(&self) {
        match (self.word, self.content, self.copied.left_out.get()) {
            ("backup", ..) => note("holds everything that was in the ledger at one moment"),
            (_, Content::Whole, _) => {
                note("holds every entry, checkpoint and payload: prompts, arguments, results and policies")
            }
            (_, Content::WithoutErasable, left_out) => note(&format!(
                "holds every entry, every checkpoint and the policies; leaves out {left_out} payloads: prompts, answers, \
                 arguments and results. `verify` will call it incomplete: every absent payload is unproven (I9), and so is \
                 what rests on one, such as that the policies decide as it was decided (D4a). Who acted under which grant, \
                 and who allowed what in which order, is proven"
            )),
        }
    }

    /// `countersign.copy/v1`
    fn document(&self, root: &Root) -> serde_json::Value {
        json!({
            "schema": "countersign.copy/v1",
            "copy": self.word,
            "ledger": self.from,
            "path": self.copied.path,
            "entries": self.copied.size.get(),
            "root": root.to_string(),
            "bytes": self.copied.len_bytes,
            "content": match self.content {
                Content::Whole => "whole",
                Content::WithoutErasable => "evidence",
            },
            "left_out": self.copied.left_out.get(),
        })
    }
}

/// What a ledger holds, as far as a copy of it must hold the same.
struct Reading {
    /// The number of the last record, and one.
    size: i64,
    root: Root,
    /// The first thing that is wrong with it, in words.
    damage: Option<String>,
}

impl Reading {
    /// Reads the records in front of place `end`.
    fn of(path: &Path, end: i64) -> Result<Self, Failure> {
        let reader =
            LedgerReader::open(path).map_err(|error| Failure::caused(Exit::Environment, path.display(), &error))?;
        let (mut tree, mut size, mut damage) = (Frontier::new(), 0, None);
        for entry in reader.entries() {
            match entry {
                Ok(entry) if entry.seq >= end => break,
                Ok(entry) => {
                    tree.push(&entry.record);
                    size = entry.seq.saturating_add(1);
                }
                Err(error) => damage = damage.or_else(|| Some(error.to_string())),
            }
        }
        Ok(Self {
            size,
            root: tree.root(),
            damage,
        })
    }
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} entries with root {}", self.size, self.root)
    }
}

fn failure(error: &CopyError, from: &Path, to: &Path) -> Failure {
    match error {
        CopyError::Copy(StoreError::Exists { .. }) => Failure::caused(Exit::Failed, "nothing was copied", error)
            .hint("name another file with -o; a copy never replaces one"),
        CopyError::Copy(_) => Failure::caused(Exit::Environment, format!("copying to {}", shown(to)), error),
        CopyError::Original(_) => Failure::caused(Exit::Environment, "nothing was copied", error),
        _ => Failure::caused(Exit::Failed, shown(from), error)
            .hint("`verify` says what is damaged; `countersign ledger backup` copies it as it is"),
    }
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string(), usize::MAX)
}

/// A remark that nobody need hear.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
