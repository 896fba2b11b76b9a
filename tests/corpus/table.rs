//! The table of docs/tamper-corpus.md, made from the cases themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::case::{Attack, Case, Class, Expected, Given, Knows};

/// One line: an attack by one class of attacker.
#[derive(Default)]
struct Line {
    /// Number of cases by base.
    cases: BTreeMap<&'static str, usize>,
    /// What the law says, by what the auditor brings along.
    verdicts: BTreeMap<&'static str, Said>,
}

/// Exit codes and codes.
#[derive(Default)]
struct Said {
    exits: BTreeSet<u8>,
    codes: BTreeSet<&'static str>,
}

/// The part of the document between its marks.
pub(crate) fn markdown(cases: &[Case]) -> String {
    let mut lines: BTreeMap<(&Attack, Class), Line> = BTreeMap::new();
    for case in cases {
        let line = lines.entry((case.attack, case.class)).or_default();
        *line.cases.entry(case.base.name).or_default() += 1;
        for expected in &case.expected {
            line.verdicts.entry(word(&expected.given)).or_default().take(expected);
        }
    }
    let mut text =
        String::from("| attack | class | what is done | cases | exit and code | named |\n|---|---|---|---|---|---|\n");
    for ((attack, class), line) in &lines {
        let count = |(base, cases): (&&str, &usize)| format!("{base} {cases}");
        let cases: Vec<String> = line.cases.iter().map(count).collect();
        let verdicts: Vec<String> = line.verdicts.iter().map(|(given, said)| said.text(given)).collect();
        let (name, what, rule) = (attack.name, attack.what, attack.rule);
        let row = format!(
            "| {name} | {class} | {what} | {} | {} | {rule} |\n",
            cases.join(", "),
            verdicts.join("; ")
        );
        text.push_str(&row);
    }
    text.push_str(&totals(cases));
    text
}

fn word(given: &Given) -> &'static str {
    match given {
        Given::Anchor => "",
        Given::Head => "with a head ",
        Given::Older(_) => "with that head ",
        Given::RequiredHead => "`--require head` ",
        Given::OtherAnchor => "its own anchor ",
        Given::Trust(Knows::Host, _) => "told of the hosts ",
        Given::Trust(Knows::HostStolen(_), _) => "told of the host's theft ",
        Given::Trust(Knows::PrincipalStolen(_), _) => "told of the principal's theft ",
        Given::Trust(Knows::Until(_), _) => "told of the principal's end ",
    }
}

impl Said {
    fn take(&mut self, expected: &Expected) {
        self.exits.insert(expected.exit);
        self.codes
            .extend(expected.named.iter().flat_map(|named| named.codes.iter().copied()));
        self.codes.extend(expected.unproven.iter().copied());
    }

    fn text(&self, given: &str) -> String {
        let exits: Vec<String> = self.exits.iter().map(ToString::to_string).collect();
        let codes: Vec<&str> = self.codes.iter().copied().collect();
        format!("{given}{} {}", exits.join(" or "), codes.join(" "))
            .trim()
            .to_owned()
    }
}

fn totals(cases: &[Case]) -> String {
    let mut text = String::from("\n| class | cases | attacks |\n|---|---|---|\n");
    let mut all = BTreeSet::new();
    for class in [Class::K0, Class::K1, Class::K2, Class::K3, Class::K4] {
        let of_class = cases.iter().filter(|case| case.class == class);
        let attacks: BTreeSet<&str> = of_class.clone().map(|case| case.attack.name).collect();
        let _ = writeln!(text, "| {class} | {} | {} |", of_class.count(), attacks.len());
        all.extend(attacks);
    }
    let _ = writeln!(text, "| all | {} | {} |", cases.len(), all.len());
    text
}
