//! Writes the tamper corpus: a folder for each case, with the ledger, what the auditor brings along, and what the law says.
//!
//! `tamper-corpus DIR [--all] [--places N] [--judge] [--only WORD]...`: `--all` changes every byte instead of a few of each
//! row, `--places` takes at most N cases of each attack, class and base, `--judge` asks the verifier's library as well and
//! fails unless it answers as expected, `--only` takes the cases whose name contains the word. `-` as DIR writes nothing. The
//! demo is played by the program `countersign` beside this one.

#[path = "../corpus/mod.rs"]
mod corpus;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use corpus::base::Base;
use corpus::case::Case;
use corpus::sample::sampled;
use corpus::{Scale, cases, folder, judge};
use tempfile::TempDir;

struct Arguments {
    folder: PathBuf,
    scale: Scale,
    places: Option<usize>,
    is_judged: bool,
    only: Vec<String>,
}

impl Arguments {
    fn parse() -> Option<Self> {
        let mut given = std::env::args().skip(1);
        let folder = given
            .next()
            .filter(|folder| folder == "-" || !folder.starts_with('-'))?;
        let mut arguments = Self {
            folder: folder.into(),
            scale: Scale::Sampled,
            places: None,
            is_judged: false,
            only: Vec::new(),
        };
        while let Some(flag) = given.next() {
            match &*flag {
                "--all" => arguments.scale = Scale::All,
                "--places" => arguments.places = Some(given.next()?.parse().ok().filter(|places| *places > 0)?),
                "--judge" => arguments.is_judged = true,
                "--only" => arguments.only.push(given.next()?),
                _ => return None,
            }
        }
        Some(arguments)
    }

    fn takes(&self, case: &Case) -> bool {
        let name = case.name();
        self.only.iter().all(|word| name.contains(word.as_str()))
    }
}

fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let mut talk = std::io::stderr();
    let Some(arguments) = Arguments::parse() else {
        writeln!(
            talk,
            "usage: tamper-corpus DIR [--all] [--places N] [--judge] [--only WORD]..."
        )?;
        return Ok(ExitCode::from(2));
    };
    let bases = [demo()?, Base::story()?, Base::large()?].map(Arc::new);
    let mut cases = cases(&bases, arguments.scale);
    cases.retain(|case| arguments.takes(case));
    let cases = match arguments.places {
        Some(places) => sampled(cases, places),
        None => cases,
    };
    if arguments.folder != Path::new("-") {
        for case in &cases {
            let folder = arguments.folder.join(case.name());
            folder::write(case, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
    }
    writeln!(talk, "{} cases", cases.len())?;
    let disagreements = if arguments.is_judged {
        judge::judge_all(&cases)
    } else {
        Vec::new()
    };
    for disagreement in &disagreements {
        writeln!(talk, "{}: {}", disagreement.case, disagreement.what)?;
    }
    Ok(ExitCode::from(u8::from(!disagreements.is_empty())))
}

/// The demo, played in a folder that is gone afterwards.
fn demo() -> Result<Base, Box<dyn Error + Send + Sync>> {
    let own = std::env::current_exe()?;
    let programs = own
        .parent()
        .and_then(Path::parent)
        .ok_or("an example lies in target/PROFILE/examples")?;
    let folder = TempDir::new()?;
    let played = Command::new(programs.join("countersign"))
        .arg("demo")
        .current_dir(folder.path())
        .output();
    let played =
        played.map_err(|error| format!("{error}: build it first, with `cargo build -p countersign-runtime`"))?;
    if !played.status.success() {
        return Err(format!("the demo failed: {}", String::from_utf8_lossy(&played.stderr)).into());
    }
    let demo = folder.path().join("demo");
    Base::demo(&demo.join("ledger.db"), &demo.join("principal.did"))
}
