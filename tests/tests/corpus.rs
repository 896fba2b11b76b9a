//! The tamper corpus: every attack at every place is named with the right code and entry (attackers K0 to K4).
//!
//! A usual run judges a few places of each attack on each base, the first and the last among them. `COUNTERSIGN_TAMPER=full`
//! judges all of them, with one flip at every byte, which takes long; `--example tamper-corpus -- - --judge` the places of the
//! table in docs/tamper-corpus.md.

#[path = "../corpus/mod.rs"]
mod posed;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use posed::base::Base;
use posed::case::{Attack, Case, Class, Expected};
use posed::judge::{Disagreement, judge, judge_all};
use posed::sample::sampled;
use posed::{Scale, cases, folder, table};

use crate::support::Checked;
use crate::support::programs::{run, verify};
use crate::support::story::story;

/// Places of one attack by one class on one base that a usual run judges.
const PLACES: usize = 4;

static NOTHING: Attack = Attack {
    name: "nothing",
    what: "nothing is changed",
    rule: "nobody",
};

fn bases() -> Checked<Vec<Arc<Base>>> {
    let demo = Base::demo(&story().ledger(), &story().anchor())?;
    Ok([demo, Base::story()?, Base::large()?].map(Arc::new).into())
}

fn told(disagreements: &[Disagreement]) -> String {
    let line = |it: &Disagreement| format!("{}: {}\n  {}", it.case, it.what, reproduce(&it.case));
    disagreements.iter().take(20).map(line).collect::<Vec<_>>().join("\n")
}

/// What writes the ledger of a case, and asks again.
fn reproduce(case: &str) -> String {
    format!("cargo run -p countersign-tests --example tamper-corpus -- /tmp/corpus --judge --only {case}")
}

#[test]
fn without_an_attack_the_bases_are_what_they_should_be() -> Checked {
    for base in bases()? {
        let told = base.told.clone();
        let honest = Expected {
            exit: base.exit,
            ..Expected::unseen()
        };
        let expected = vec![honest.clone(), honest.with_head()];
        let case = Case::new(&NOTHING, Class::K0, &base, "none", expected, move || told.clone());
        let wrong = judge(&case);
        assert!(wrong.is_empty(), "{}: {}", base.name, wrong[0].what);
    }
    Ok(())
}

#[test]
fn every_attack_is_answered_as_the_law_says() -> Checked {
    let is_full = std::env::var("COUNTERSIGN_TAMPER").is_ok_and(|value| value == "full");
    let judged = match is_full {
        true => cases(&bases()?, Scale::All),
        false => sampled(cases(&bases()?, Scale::Sampled), PLACES),
    };
    let disagreements = judge_all(&judged);
    assert!(
        disagreements.is_empty(),
        "{} of {} cases:\n{}",
        disagreements.len(),
        judged.len(),
        told(&disagreements)
    );
    Ok(())
}

#[test]
fn names_of_cases_tell_them_apart() -> Checked {
    let all = cases(&bases()?, Scale::Sampled);
    let names: BTreeSet<String> = all.iter().map(Case::name).collect();
    assert_eq!(names.len(), all.len());
    Ok(())
}

/// From a folder as the program writes it, by the arguments that stand in it.
#[test]
fn the_program_says_the_same_of_one_case_of_each_attack() -> Checked {
    let scratch = TempDir::new()?;
    let mut attacks = BTreeSet::new();
    let all = cases(&bases()?, Scale::Sampled);
    let first_of_each = all.iter().filter(|case| attacks.insert((case.attack, case.class)));
    for case in first_of_each {
        let folder = scratch.path().join(case.name());
        folder::write(case, &folder).map_err(|error| error.to_string())?;
        let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json"))?)?;
        assert_eq!(expected["schema"], "countersign.tamper/v1");
        for verdict in expected["verdicts"].as_array().ok_or("verdicts")? {
            let arguments = verdict["arguments"].as_array().ok_or("arguments")?;
            let arguments = arguments.iter().filter_map(Value::as_str);
            let ran = run(verify()
                .current_dir(&folder)
                .arg("ledger.db")
                .args(arguments)
                .arg("--json"))?;
            let exit = ran.code.map(i64::from);
            assert_eq!(
                exit,
                verdict["exit"].as_i64(),
                "{}: {ran}\n{}",
                case.name(),
                reproduce(&case.name())
            );
            let document: Value = serde_json::from_str(&ran.stdout)?;
            let named = &verdict["named"];
            let findings = document["findings"].as_array().cloned().unwrap_or_default();
            let is_named =
                |finding: &Value| finding["entry"] == named["entry"] && holds(&named["codes"], &finding["code"]);
            assert!(
                named.is_null() || findings.iter().any(is_named),
                "{}: {ran}",
                case.name()
            );
        }
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

fn holds(list: &Value, item: &Value) -> bool {
    list.as_array().is_some_and(|list| list.contains(item))
}

/// The document's table is the one that the cases give; `COUNTERSIGN_WRITE_DOCS=1` writes it.
#[test]
fn the_table_in_the_docs_is_up_to_date() -> Checked {
    const MARKS: [&str; 2] = [
        "<!-- table: made from the cases, see tests/tests/corpus.rs -->\n",
        "<!-- end of table -->\n",
    ];
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/tamper-corpus.md");
    let document = std::fs::read_to_string(&path)?;
    let [start, end] = MARKS.map(|mark| document.find(mark));
    let (start, end) = (start.ok_or("no mark")? + MARKS[0].len(), end.ok_or("no end mark")?);
    let table = table::markdown(&cases(&bases()?, Scale::Sampled));
    if std::env::var_os("COUNTERSIGN_WRITE_DOCS").is_some() {
        std::fs::write(&path, [&document[..start], &table, &document[end..]].concat())?;
        return Ok(());
    }
    assert!(
        document[start..end] == table,
        "docs/tamper-corpus.md is not up to date: COUNTERSIGN_WRITE_DOCS=1 cargo test -p countersign-tests --test main corpus::the_table"
    );
    Ok(())
}
