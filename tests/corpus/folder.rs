//! Writes a case as a folder: the ledger, what the auditor brings along, and what is expected (docs/tamper-corpus.md).

use std::error::Error;
use std::fs;
use std::path::Path;

use countersign_identity::instant;
use countersign_schemas::number::Millis;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::base::Base;
use super::case::{Case, Expected, Given, Knows};
use super::support::Told;
use super::support::cast::Who;
use super::support::file::store;

/// Writes `case` to `folder`, which does not exist yet.
pub(crate) fn write(case: &Case, folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let base = &case.base;
    fs::write(folder.join("trust"), format!("{}\n", base.anchor))?;
    if case
        .expected
        .iter()
        .any(|expected| expected.given == Given::OtherAnchor)
    {
        fs::write(folder.join("other-trust"), format!("{}\n", Who::Stranger.did().long()))?;
    }
    for given in case.expected.iter().map(|expected| &expected.given) {
        if let Some((name, note)) = head_file(base, given) {
            fs::write(folder.join(name), note)?;
        }
        if let Given::Trust(knows, _) = given {
            fs::write(folder.join(knows.file()), trust_file(base, *knows))?;
        }
    }
    let told = (case.make)();
    write_ledger(base, &told, &folder.join("ledger.db"))?;
    let text = serde_json::to_string_pretty(&expected(case))?;
    fs::write(folder.join("expected.json"), text + "\n")?;
    Ok(())
}

/// The head that is given, and the file it is in.
pub(crate) fn head_file(base: &Base, given: &Given) -> Option<(String, Vec<u8>)> {
    let size = match given {
        Given::Anchor | Given::RequiredHead | Given::OtherAnchor => return None,
        Given::Head => base.size(),
        Given::Older(size) => *size,
        Given::Trust(_, size) => (*size)?,
    };
    match size == base.size() {
        true => Some(("head".to_owned(), base.head())),
        false => Some((format!("head-{size}"), base.head_over(size)?)),
    }
}

/// A trust file about the principal of a base.
pub(crate) fn trust_file(base: &Base, knows: Knows) -> String {
    let instant = |at: u64| instant::format(Millis::clamped(at)).expect("a whole second");
    let mut anchor = json!({ "did": base.anchor.short().to_string() });
    match knows {
        Knows::Host => anchor["hosts"] = json!([{ "did": base.host() }]),
        Knows::HostStolen(since) => {
            anchor["hosts"] = json!([{ "did": base.host(), "compromisedSince": instant(since) }]);
        }
        Knows::PrincipalStolen(since) => anchor["compromisedSince"] = instant(since).into(),
        Knows::Until(until) => anchor["validUntil"] = instant(until).into(),
    }
    json!({ "schema": "countersign.trust/v1", "anchors": [anchor] }).to_string()
}

/// The arguments of `verify` behind the ledger.
pub(crate) fn arguments(base: &Base, given: &Given) -> Vec<String> {
    let trust = match given {
        Given::OtherAnchor => "other-trust".to_owned(),
        Given::Trust(knows, _) => knows.file(),
        _ => "trust".to_owned(),
    };
    let head = head_file(base, given).map(|(name, _)| ["--head".to_owned(), name]);
    let required = (*given == Given::RequiredHead).then(|| ["--require", "head"].map(str::to_owned));
    let options = head.into_iter().chain(required).flatten();
    ["--trust".to_owned(), trust].into_iter().chain(options).collect()
}

/// `countersign.tamper/v1`.
fn expected(case: &Case) -> Value {
    let verdict = |expected: &Expected| {
        let named = expected
            .named
            .as_ref()
            .map(|named| json!({ "entry": named.entry, "codes": named.codes }));
        json!({
            "arguments": arguments(&case.base, &expected.given),
            "exit": expected.exit,
            "named": named,
            "unproven": expected.unproven,
        })
    };
    json!({
        "schema": "countersign.tamper/v1",
        "attack": case.attack.name,
        "what": case.attack.what,
        "class": case.class.to_string(),
        "base": case.base.name,
        "position": case.position,
        "verdicts": case.expected.iter().map(verdict).collect::<Vec<_>>(),
    })
}

/// Writes the rows as they are, whatever they are: into the file that a runtime made for the base, without its guards.
pub(crate) fn write_ledger(base: &Base, told: &Told, path: &Path) -> Result<(), Box<dyn Error>> {
    store(&base.told, path)?;
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let triggers: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let writing = connection.transaction()?;
    for trigger in triggers {
        writing.execute_batch(&format!("DROP TRIGGER \"{trigger}\""))?;
    }
    writing.execute_batch("DELETE FROM record; DELETE FROM payload; DELETE FROM checkpoint;")?;
    for entry in &told.entries {
        writing.execute("INSERT INTO record VALUES (?1, ?2)", (entry.seq, &entry.record))?;
        for payload in &entry.payloads {
            let id = entry.seq * 8 + i64::from(payload.slot);
            writing.execute(
                "INSERT INTO payload (id, salt, content) VALUES (?1, ?2, ?3)",
                (id, &payload.salt, &payload.content),
            )?;
        }
    }
    for checkpoint in &told.checkpoints {
        writing.execute(
            "INSERT INTO checkpoint VALUES (?1, ?2)",
            (checkpoint.size, &checkpoint.note),
        )?;
    }
    writing.commit()?;
    Ok(())
}
