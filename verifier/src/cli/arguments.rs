//! What `verify` is asked for on its command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Parser};
use countersign_identity::instant;
use countersign_schemas::digest::Digest;
use countersign_schemas::number::{Millis, Seq};

use crate::audit::Required;
use crate::explain::Selection;

/// Proves a ledger: who acted, on whose authority, and whether anything was changed
#[derive(Debug, Parser)]
#[command(version, group(ArgGroup::new("part").args(["action", "agent", "entry"])))]
#[command(after_help = "Exit codes: 0 verified, 1 rejected, 2 wrong usage, 3 incomplete, 4 unreadable.")]
pub(super) struct Arguments {
    /// Ledger files
    #[arg(required = true, value_name = "LEDGER")]
    pub(super) ledgers: Vec<PathBuf>,
    /// Trust this principal: a DID, a file that holds one, or a trust file (JSON). May be repeated
    #[arg(long, value_name = "FILE|DID")]
    pub(super) trust: Vec<OsString>,
    /// A checkpoint that was kept elsewhere: the ledger must contain it. May be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) head: Vec<PathBuf>,
    /// SHA-256 of policies that must be in force, in some layer, at every decision. May be repeated
    #[arg(long, value_name = "DIGEST")]
    pub(super) policy: Vec<Digest>,
    /// I have held this ledger since then (like 2026-11-21T08:00:00Z): nothing in it was received later
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    pub(super) as_of: Option<Millis>,
    /// Ask that the verdict rests on a head that was given, on a witness (which this version cannot read), or on
    /// post-quantum signatures of every author. May be repeated
    #[arg(long, value_name = "WHAT", value_parser = required())]
    pub(super) require: Vec<Required>,
    /// Reject (exit 1) what is only unproven
    #[arg(long)]
    pub(super) strict: bool,
    /// Show who did what, on whose authority
    #[arg(long)]
    pub(super) explain: bool,
    /// Show one action, named by any of its entries
    #[arg(long, value_name = "N")]
    pub(super) action: Option<u64>,
    /// Show one agent and its actions, named by DID or name
    #[arg(long, value_name = "DID")]
    pub(super) agent: Option<String>,
    /// Show one entry
    #[arg(long, value_name = "N")]
    pub(super) entry: Option<u64>,
    /// Print a verdict for each entry instead
    #[arg(long, conflicts_with_all = ["explain", "part"])]
    pub(super) entries: bool,
    /// Print one JSON document a ledger, or with --entries one an entry
    #[arg(long, conflicts_with_all = ["explain", "part"])]
    pub(super) json: bool,
    /// Ask nothing (nothing is ever asked)
    #[arg(long)]
    pub(super) no_input: bool,
}

impl Arguments {
    /// Reads the arguments; the first is the program's name.
    pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut arguments = arguments.into_iter();
        let name = arguments.next().unwrap_or_else(|| OsString::from("verify"));
        let bin_name = Path::new(&name)
            .file_name()
            .unwrap_or(&name)
            .to_string_lossy()
            .into_owned();
        let matches = <Self as clap::CommandFactory>::command()
            .name("verify")
            .bin_name(bin_name)
            .try_get_matches_from(std::iter::once(name).chain(arguments))?;
        <Self as clap::FromArgMatches>::from_arg_matches(&matches)
    }

    /// What of the story is to be shown, if anything is.
    pub(super) fn selection(&self) -> Option<Selection> {
        let part = self.action.map(|seq| Selection::Action(Seq::clamped(seq)));
        let part = part.or_else(|| self.agent.clone().map(Selection::Agent));
        let part = part.or_else(|| self.entry.map(|seq| Selection::Entry(Seq::clamped(seq))));
        part.or_else(|| self.explain.then_some(Selection::Everything))
    }
}

/// Reads the words of `--require`.
fn required() -> impl TypedValueParser<Value = Required> {
    let words = PossibleValuesParser::new(Required::ALL.map(Required::as_str));
    words.try_map(|word| {
        let named = Required::ALL.into_iter().find(|required| required.as_str() == word);
        named.ok_or("nothing that can be required")
    })
}
