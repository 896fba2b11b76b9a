//! Asks the verifier's library what it says of a case, and compares.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_identity::trust::Anchor;
use countersign_schemas::number::Seq;
use countersign_verifier::audit::{Asked, AuditOptions, Report, Required};
use countersign_verifier::finding::Finding;

use super::case::{Case, Expected, Given};
use super::folder::{head_file, trust_file};
use super::support::cast::Who;
use super::support::{Told, audit};

/// An answer that is not what the law says.
pub(crate) struct Disagreement {
    pub(crate) case: String,
    pub(crate) what: String,
}

/// Judges all cases with as many threads as the machine has cores; gives those that are not answered as the law says.
pub(crate) fn judge_all(cases: &[Case]) -> Vec<Disagreement> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let judge_some = || {
        let mut found = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(judge(case));
        }
        found
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(judge_some)).collect();
        let finished = running.into_iter().map(|thread| thread.join());
        finished
            .flat_map(|found| found.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

/// Judges one case.
pub(crate) fn judge(case: &Case) -> Vec<Disagreement> {
    // A case that cannot be told is a fault of the corpus, not a case that agrees.
    let Ok(told) = catch_unwind(AssertUnwindSafe(|| (case.make)())) else {
        return vec![Disagreement {
            case: case.name(),
            what: "it cannot be told: see the panic above".to_owned(),
        }];
    };
    let wrong = |expected: &Expected| {
        let what = compare(case, &told, expected).err()?;
        Some(Disagreement {
            case: case.name(),
            what,
        })
    };
    case.expected.iter().filter_map(wrong).collect()
}

fn compare(case: &Case, told: &Told, expected: &Expected) -> Result<(), String> {
    let report = audit(told, &options(case, &expected.given));
    let exit = report.verdict().exit_code();
    let says = |what: &str| {
        Err(format!(
            "{what}; given {:?}, the verifier says {}",
            expected.given,
            summary(&report)
        ))
    };
    if exit != expected.exit {
        return says(&format!("expected exit {}", expected.exit));
    }
    if let Some(named) = &expected.named {
        let first = report.findings.iter().filter_map(|finding| finding.entry).min();
        let at_first = |finding: &&Finding| finding.entry == Some(Seq::clamped(named.entry));
        let fits = |finding: &Finding| named.codes.contains(&finding.code.as_str());
        if first != Some(Seq::clamped(named.entry)) || !report.findings.iter().filter(at_first).any(fits) {
            return says(&format!(
                "expected one of {:?} at entry {} first",
                named.codes, named.entry
            ));
        }
    }
    let is_unproven = |code: &&str| report.unproven.iter().any(|finding| finding.code.as_str() == *code);
    if let Some(code) = expected.unproven.iter().find(|code| !is_unproven(code)) {
        return says(&format!("expected {code} to be unproven"));
    }
    if expected.exit == 0 && expected.given == Given::Anchor && report.assurance.end != "self" {
        return says("expected `end: self`");
    }
    Ok(())
}

fn options(case: &Case, given: &Given) -> AuditOptions {
    let anchors = match given {
        Given::OtherAnchor => vec![Anchor::Long(Who::Stranger.did().clone())],
        Given::Trust(knows, _) => Anchor::read_file(trust_file(&case.base, *knows).as_bytes()).expect("a trust file"),
        _ => vec![case.base.anchor.clone()],
    };
    let required = (*given == Given::RequiredHead).then_some(Required::Head);
    AuditOptions {
        anchors,
        asked: Asked {
            required: required.into_iter().collect(),
            ..Asked::default()
        },
        heads: head_file(&case.base, given).into_iter().map(|(_, note)| note).collect(),
        ..AuditOptions::default()
    }
}

fn summary(report: &Report) -> String {
    let told = |finding: &Finding| {
        let entry = finding.entry.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
        format!("{} at {entry} ({})", finding.code, finding.text())
    };
    let list = |findings: &[Finding]| findings.iter().take(4).map(told).collect::<Vec<_>>().join("; ");
    format!(
        "exit {}, findings [{}], unproven [{}]",
        report.verdict().exit_code(),
        list(&report.findings),
        list(&report.unproven)
    )
}
