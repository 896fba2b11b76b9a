//! `countersign ledger …`: reading a ledger as it stands, and copying it. What is read here is shown, not proven.

mod copies;
mod predecessor;
mod recover;

pub(super) use predecessor::predecessor;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;

use countersign_identity::did::PeerDid;
use countersign_identity::instant;
use countersign_ledger::cose;
use countersign_ledger::reader::{LedgerReader, StoredEntry};
use countersign_schemas::body::{Body, Introduced, Newcomer, Opened};
use countersign_schemas::number::Seq;
use countersign_schemas::record::Record;
use countersign_schemas::statement::Statement;
use countersign_verifier::visible::{visible, visible_json};
use serde_json::{Value, json};

use super::arguments::{LedgerArguments, LedgerCommand};
use super::exit::{Exit, Failure};
use super::init::home;

/// The most of a body or payload that a line for a person shows.
const SHOWN_CHARS_MAX: usize = 160;

/// Runs one of the commands on a ledger.
pub(super) fn run(command: LedgerCommand) -> Result<Exit, Failure> {
    match command {
        LedgerCommand::Log(arguments) => log(arguments),
        LedgerCommand::Show { entry, ledger } => show(entry, ledger),
        LedgerCommand::Head(arguments) => head(arguments),
        LedgerCommand::Backup(arguments) => copies::backup(arguments),
        LedgerCommand::Export(arguments) => copies::export(arguments),
        LedgerCommand::Recover(arguments) => recover::recover(arguments),
    }
}

fn open(path: Option<PathBuf>) -> Result<(PathBuf, LedgerReader), Failure> {
    let path = path.map_or_else(latest, Ok)?;
    let reader =
        LedgerReader::open(&path).map_err(|error| Failure::caused(Exit::Environment, path.display(), &error))?;
    Ok((path, reader))
}

/// The ledger of this home that was begun last: their names sort by time.
fn latest() -> Result<PathBuf, Failure> {
    let home = home()?;
    let folder = home.ledgers();
    let names = std::fs::read_dir(folder)
        .map_err(|error| Failure::caused(Exit::Environment, folder.display(), &error).hint("name one with --ledger"))?;
    let ledgers = names.filter_map(|entry| Some(entry.ok()?.path()));
    ledgers
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .max()
        .ok_or_else(|| Failure::new(Exit::Environment, "this home has no ledger yet").hint("name one with --ledger"))
}

fn log(arguments: LedgerArguments) -> Result<Exit, Failure> {
    let (path, reader) = open(arguments.ledger)?;
    let mut names = Names::default();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut exit = Exit::Done;
    for entry in reader.entries() {
        let read = entry
            .map_err(|error| error.to_string())
            .and_then(|stored| Decoded::read(&stored, &mut names));
        match read {
            Ok(decoded) if arguments.json => writeln!(out, "{}", decoded.to_json())?,
            Ok(decoded) => writeln!(out, "{}", decoded.to_line())?,
            Err(problem) => {
                exit = Exit::Failed;
                writeln!(io::stderr(), "error: {}: {problem}", path.display())?;
            }
        }
    }
    out.flush()?;
    Ok(exit)
}

/// The last `count` entries of the ledger at `path`, each in a line.
pub(super) fn tail(path: &std::path::Path, count: usize) -> Result<Vec<String>, Failure> {
    let (_, reader) = open(Some(path.to_owned()))?;
    let mut names = Names::default();
    let mut lines = std::collections::VecDeque::with_capacity(count + 1);
    for stored in reader.entries().filter_map(Result::ok) {
        let line = Decoded::read(&stored, &mut names).map_or_else(|problem| problem, |entry| entry.to_line());
        lines.push_back(line);
        if lines.len() > count {
            lines.pop_front();
        }
    }
    Ok(lines.into())
}

fn show(seq: u64, arguments: LedgerArguments) -> Result<Exit, Failure> {
    let (path, reader) = open(arguments.ledger)?;
    let failed = |problem: String| Failure::new(Exit::Failed, format!("{}: {problem}", path.display()));
    let mut names = Names::default();
    // Damage elsewhere only costs names; what is asked for is shown or said to be damaged.
    for stored in reader.entries().filter_map(Result::ok) {
        let decoded = Decoded::read(&stored, &mut names);
        if u64::try_from(stored.seq) == Ok(seq) {
            let value = whole(&decoded.map_err(failed)?, &stored);
            let text = if arguments.json {
                value.to_string()
            } else {
                format!("{value:#}")
            };
            // A payload holds whatever a model or a tool wrote.
            writeln!(io::stdout(), "{}", visible_json(&text))?;
            return Ok(Exit::Done);
        }
    }
    Err(failed(format!("there is no readable entry {seq}")))
}

/// Everything an entry says, with its payloads.
fn whole(decoded: &Decoded, stored: &StoredEntry) -> Value {
    let mut value = decoded.to_json();
    value["received"] = time(decoded.record.received);
    value["n"] = decoded.statement.n.get().into();
    value["seen"] = json!({
        "size": decoded.statement.seen.size.get(), "link": decoded.statement.seen.link.to_string(),
    });
    value["payloads"] = stored.payloads.iter().map(payload_json).collect();
    value
}

fn head(arguments: LedgerArguments) -> Result<Exit, Failure> {
    let (path, reader) = open(arguments.ledger)?;
    let failed = |error: &dyn std::error::Error| Failure::caused(Exit::Environment, path.display(), error);
    let mut last = None;
    for checkpoint in reader.checkpoints() {
        last = Some(checkpoint.map_err(|error| failed(&error))?);
    }
    let last = last.ok_or_else(|| Failure::new(Exit::Failed, format!("{}: no checkpoint yet", path.display())))?;
    let note = String::from_utf8_lossy(&last.note);
    let mut out = io::stdout().lock();
    if arguments.json {
        writeln!(
            out,
            "{}",
            json!({ "schema": "countersign.head/v1", "size": last.size, "note": note })
        )?;
    } else {
        out.write_all(&last.note)?;
    }
    Ok(Exit::Done)
}

/// Who speaks under which introduction, gathered on the way.
#[derive(Default)]
struct Names(HashMap<Seq, (String, String)>);

impl Names {
    fn learn(&mut self, seq: Seq, body: &Body) {
        let named = match body {
            Body::LedgerOpened(opened) => opener(opened),
            Body::IdentityIntroduced(introduced) => newcomer(introduced),
            _ => None,
        };
        if let Some(named) = named {
            self.0.insert(seq, named);
        }
    }

    fn of(&self, by: Seq) -> (String, String) {
        self.0
            .get(&by)
            .cloned()
            .unwrap_or_else(|| ("?".to_owned(), "?".to_owned()))
    }
}

fn opener(opened: &Opened) -> Option<(String, String)> {
    let did = PeerDid::parse_long(opened.dids.get(1)?.as_str()).ok()?;
    Some((did.short().to_owned(), "runtime".to_owned()))
}

fn newcomer(introduced: &Introduced) -> Option<(String, String)> {
    let Newcomer::Did(did) = &introduced.did else {
        return None;
    };
    let did = PeerDid::parse_long(did.as_str()).ok()?.short().to_owned();
    let credential: Value = serde_json::from_slice(introduced.credential.as_bytes()).ok()?;
    let name = credential.pointer("/credentialSubject/name")?.as_str()?;
    Some((did, visible(name, 64)))
}

/// One entry, decoded without being verified.
struct Decoded {
    seq: Seq,
    record: Record,
    statement: Statement,
    did: String,
    agent: String,
}

impl Decoded {
    fn read(stored: &StoredEntry, names: &mut Names) -> Result<Self, String> {
        let at = |problem: &dyn std::fmt::Display| format!("entry {}: {problem}", stored.seq);
        let record = Record::decode(&stored.record).map_err(|error| at(&error))?;
        let envelope = cose::Unverified::parse(&record.statement).map_err(|error| at(&error))?;
        let statement = Statement::decode(envelope.payload()).map_err(|error| at(&error))?;
        names.learn(record.seq, &statement.body);
        let (did, agent) = names.of(statement.by);
        Ok(Self {
            seq: record.seq,
            record,
            statement,
            did,
            agent,
        })
    }

    /// `countersign.entry/v1`
    fn to_json(&self) -> Value {
        let mut value = json!({
            "schema": "countersign.entry/v1",
            "seq": self.seq.get(),
            "kind": self.statement.kind().name(),
            "by": self.did,
            "agent": self.agent,
            "at": time(self.statement.at),
            "body": self.statement.body.to_json(),
        });
        if let Some(ext) = &self.statement.ext {
            value["ext"] = countersign_schemas::field::Field::to_json(ext);
        }
        value
    }

    fn to_line(&self) -> String {
        let body = summary(&self.statement.body);
        let time = time(self.statement.at);
        let time = time.as_str().unwrap_or_default();
        format!(
            "{:>5}  {time}  {:<9} {:<20} {body}",
            self.seq,
            self.agent,
            self.statement.kind().name()
        )
    }
}

/// The parts of a body that tell it from others of its kind.
fn summary(body: &Body) -> String {
    let value = body.to_json();
    let told = [
        "request", "decision", "tool", "outcome", "verdict", "role", "layer", "reason", "code", "instance", "call",
        "run",
    ];
    let parts = told.iter().filter_map(|name| {
        let value = value
            .get(*name)
            .filter(|value| value.is_string() || value.is_number())?;
        Some(format!(
            "{name} {}",
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        ))
    });
    visible(&parts.collect::<Vec<_>>().join("  "), SHOWN_CHARS_MAX)
}

fn payload_json(payload: &countersign_ledger::reader::StoredPayload) -> Value {
    let content = match std::str::from_utf8(&payload.content) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "hex": data_encoding::HEXLOWER.encode(&payload.content) }),
    };
    json!({ "slot": payload.slot, "content": content })
}

/// RFC 3339 with milliseconds; the bare number after the year 9999.
fn time(at: countersign_schemas::number::Millis) -> Value {
    let whole = countersign_schemas::number::Millis::clamped(at.get() / 1000 * 1000);
    match instant::format(whole) {
        Ok(text) => format!("{}.{:03}Z", text.trim_end_matches('Z'), at.get() % 1000).into(),
        Err(_) => at.get().into(),
    }
}
