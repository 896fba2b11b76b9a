//! A lying operator (K3) and advice: requests that rely on advice nobody gave them, and advice that nobody asked for (D8, and
//! A5 where it is given).

use std::sync::Arc;

use countersign_identity::credential::InstanceRole;
use countersign_schemas::body::{AdviceCited, AdviceForm, AdviceGiven, AdviceRelation, AdviceRequested, Body, Role};
use countersign_schemas::kind::Kind;
use countersign_schemas::list::List;
use countersign_schemas::number::Seq;

use super::Scale;
use super::base::Base;
use super::case::{Attack, Case, Class, Expected};
use super::lie::{changed, inserted};
use super::retelling::change_at;
use super::support::cast::Who;
use super::support::credentials::child_grant;
use super::support::story::{Author, binding, introduce};
use super::support::writer::{Draft, Writer};

static NO_ADVICE: Attack = Attack {
    name: "cite-no-advice",
    what: "a request says that it followed advice, and names a model's answer",
    rule: "that request (D8)",
};
static OF_ANOTHER: Attack = Attack {
    name: "cite-advice-of-another",
    what: "a request says that it followed advice that was given to another agent",
    rule: "that request (D8)",
};
static TO_COME: Attack = Attack {
    name: "cite-advice-to-come",
    what: "a request says that it followed advice that is given behind it",
    rule: "that request: nobody has seen what is not there yet (I5; D8)",
};
static DECIDED: Attack = Attack {
    name: "decide-on-no-advice",
    what: "a decision names as the advice that it used what is none",
    rule: "that decision (D8)",
};
static OPAQUE: Attack = Attack {
    name: "follow-opaque-advice",
    what: "a request says that it followed advice that it could not read",
    rule: "that request: opaque advice is cited as not assessable (D8)",
};
static FORGED: Attack = Attack {
    name: "forge-advice",
    what: "in front of an entry, the agent that asked gives the advice itself",
    rule: "that advice: an agent gives none (A5)",
};
static UNASKED: Attack = Attack {
    name: "advise-unasked",
    what: "an advisor that nobody asked answers in the place of the one that was asked",
    rule: "that advice: the question was not put to it (A5)",
};
static TWICE: Attack = Attack {
    name: "advise-twice",
    what: "an advisor answers a question a second time",
    rule: "the second answer (A5)",
};
static OTHER_ANSWER: Attack = Attack {
    name: "advise-from-another-answer",
    what: "advice names as the answer that it was taken from one of another's model, or one of before the question",
    rule: "that advice (A5)",
};
static UNPERMITTED: Attack = Attack {
    name: "ask-advisor-unpermitted",
    what: "in front of an entry, an agent asks an advisor outside an action that permits it",
    rule: "that question (D7)",
};
static SPAWNED: Attack = Attack {
    name: "spawn-unpermitted",
    what: "in front of an entry, an agent introduces a child outside an action that permits it",
    rule: "that introduction (D7)",
};

const GUEST: Who = Who::Extra(39);

pub(crate) fn cases(base: &Arc<Base>, _: Scale) -> Vec<Case> {
    if base.tell.is_none() {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for (place, known) in base.entries.iter().enumerate() {
        match &known.statement.body {
            Body::ActionRequested(body) => cases.extend(cited(base, place, body.cause)),
            Body::DecisionMade(body) => cases.push(decided(base, place, body.request)),
            Body::AdviceGiven(body) => cases.extend(given(base, place, body)),
            _ => {}
        }
        cases.extend(forged(base, place));
        cases.extend(unpermitted(base, place));
    }
    cases
}

fn cite(draft: &mut Draft, entry: Seq) {
    let relation = AdviceRelation::Followed;
    if let Body::ActionRequested(body) = &mut draft.statement.body {
        body.advice = List::new(vec![AdviceCited { entry, relation }]).ok();
    }
}

fn cited(base: &Arc<Base>, place: usize, cause: Option<Seq>) -> Vec<Case> {
    let author = base.entries[place].statement.by;
    let mut cases = Vec::new();
    cases.extend(cause.map(|cause| changed(&NO_ADVICE, base, place, "D8", move |draft| cite(draft, cause))));
    let next = Seq::clamped(place as u64 + 1);
    let to_come = changed(&TO_COME, base, place, "I5", move |draft| cite(draft, next));
    cases.push(Case {
        expected: vec![Expected::rejected(place as u64, &["I5", "D8"])],
        ..to_come
    });
    let of_another = base.of_kind(Kind::AdviceGiven).find(|(seq, known)| {
        let asked_by = match &known.statement.body {
            Body::AdviceGiven(body) => author_of(base, body.question),
            _ => None,
        };
        *seq < place && asked_by != Some(author)
    });
    cases.extend(of_another.map(|(seq, _)| {
        let advice = Seq::clamped(seq as u64);
        changed(&OF_ANOTHER, base, place, "D8", move |draft| cite(draft, advice))
    }));
    cases
}

fn author_of(base: &Base, seq: Seq) -> Option<Seq> {
    let entry = base.entries.get(usize::try_from(seq.get()).ok()?)?;
    Some(entry.statement.by)
}

fn decided(base: &Arc<Base>, place: usize, request: Seq) -> Case {
    changed(&DECIDED, base, place, "D8", move |draft| {
        if let Body::DecisionMade(body) = &mut draft.statement.body {
            body.advice = List::new(vec![request]).ok();
        }
    })
}

/// What can be wrong with the advice at `place`.
fn given(base: &Arc<Base>, place: usize, advice: &AdviceGiven) -> Vec<Case> {
    let mut cases = vec![opaque(base, place)];
    let (question, answer) = (advice.question, advice.answer);
    let others = base.of_kind(Kind::ModelAnswered).map(|(seq, _)| seq);
    let others = others.filter(|seq| *seq < place && *seq as u64 != answer.get());
    cases.extend(others.map(|seq| {
        let case = changed(&OTHER_ANSWER, base, place, "A5", move |draft| {
            if let Body::AdviceGiven(body) = &mut draft.statement.body {
                body.answer = Seq::clamped(seq as u64);
            }
        });
        Case {
            position: format!("{place}-{seq}"),
            ..case
        }
    }));
    let by = base.entries[place].statement.by;
    let advisor = base.holder(by).map(|who| (who, by));
    cases.extend(advisor.map(|advisor| {
        inserted(
            &TWICE,
            (Class::K3, base),
            (place + 1, place + 1, &["A5"]),
            move |writer| {
                advise(writer, advisor, (question, answer));
            },
        )
    }));
    cases.extend(base.runtime(place).map(|runtime| {
        inserted(
            &UNASKED,
            (Class::K3, base),
            (place, place + 1, &["A5"]),
            move |writer| {
                let role = InstanceRole::Advisor;
                let (guest, _) = introduce(writer, "guest", runtime, GUEST, role, (Who::Host, None, None));
                advise(writer, guest, (question, answer));
            },
        )
    }));
    cases
}

fn advise(writer: &mut Writer<'_>, author: Author, (question, answer): (Seq, Seq)) {
    writer.enter("forged", author, &[b"Do as you like."], |refs| {
        AdviceGiven {
            question,
            answer,
            form: AdviceForm::Readable,
            content: refs[0].clone(),
        }
        .into()
    });
}

/// The advice at `place` cannot be read, and who cites it later says what it says.
fn opaque(base: &Arc<Base>, place: usize) -> Case {
    let cites = |known: &super::base::Known| {
        let Body::ActionRequested(body) = &known.statement.body else {
            return false;
        };
        let mut cited = body.advice.iter().flat_map(|list| list.iter());
        cited.any(|cited| cited.entry.get() == place as u64 && cited.relation != AdviceRelation::NotAssessable)
    };
    let citing = base.entries.iter().position(cites);
    let expected = citing.map(|citing| Expected::rejected(citing as u64, &["D8"]));
    let from = Arc::clone(base);
    let expected = expected.into_iter().collect();
    Case::new(&OPAQUE, Class::K3, base, place.to_string(), expected, move || {
        change_at(&from, place, |draft| {
            if let Body::AdviceGiven(body) = &mut draft.statement.body {
                body.form = AdviceForm::Opaque;
            }
        })
    })
}

/// Advice by who asked for some, taken from the last answer of its own model.
fn forged(base: &Arc<Base>, place: usize) -> Option<Case> {
    let before = || base.entries[..place].iter().enumerate().rev();
    let (question, asked) = before().find(|(_, known)| known.kind() == Kind::AdviceRequested)?;
    let author = asked.statement.by;
    let agent = base.living(place).into_iter().find(|it| it.author.1 == author)?.author;
    let (answer, _) =
        before().find(|(_, known)| known.kind() == Kind::ModelAnswered && known.statement.by == author)?;
    let named = (Seq::clamped(question as u64), Seq::clamped(answer as u64));
    Some(inserted(
        &FORGED,
        (Class::K3, base),
        (place, place, &["A5"]),
        move |writer| {
            advise(writer, agent, named);
        },
    ))
}

fn unpermitted(base: &Arc<Base>, place: usize) -> Vec<Case> {
    let Some((_, lead)) = base.working(place) else {
        return Vec::new();
    };
    let mut cases = Vec::new();
    let advisor = base.living(place).into_iter().find(|it| it.role == Role::Advisor);
    if let Some(advisor) = advisor.filter(|_| !base.is_inside(lead.1, "advisor", Kind::AdviceRequested, place)) {
        let advisor = advisor.author.1;
        cases.push(inserted(
            &UNPERMITTED,
            (Class::K3, base),
            (place, place, &["D7"]),
            move |writer| {
                writer.enter("forged", lead, &[b"patch or rewrite?"], |refs| {
                    AdviceRequested {
                        advisor,
                        question: refs[0].clone(),
                    }
                    .into()
                });
            },
        ));
    }
    if !base.is_inside(lead.1, "agent", Kind::IdentityIntroduced, place) {
        cases.push(inserted(
            &SPAWNED,
            (Class::K3, base),
            (place, place, &["D7"]),
            move |writer| {
                spawn(writer, lead);
            },
        ));
    }
    cases
}

/// A child of a lead, wherever that stands.
fn spawn(writer: &mut Writer<'_>, lead: Author) {
    let Some((parent, root)) = writer
        .law
        .grant_of(lead.1)
        .map(|state| (state.digest(), state.root_digest()))
    else {
        return;
    };
    let run = writer.law.active_run_of(lead.1);
    let role = InstanceRole::Agent(Box::new(child_grant(binding(writer), parent, root)));
    introduce(writer, "child", lead, GUEST, role, (lead.0, run, Some(lead.1)));
}
