//! `advice.requested` and `advice.given`: who may ask whom, and what an answer belongs to (authority-v1 §5.4, D7, D8).

use countersign_schemas::body::{AdviceForm, AdviceGiven, AdviceRequested, Role};
use countersign_schemas::number::Seq;

use super::entry::Entry;
use super::findings::Findings;
use super::instance::{Instance, Stop};
use super::settled::{Places, PlacesBy};
use super::snapshot_values::kept;
use super::{Change, Law};
use crate::code::Code;

/// A question without an answer.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) asked_by: Seq,
    pub(super) advisor: Seq,
    /// The `advisor` action it was asked in; its outcome closes the question.
    pub(super) decision: Option<Seq>,
}

kept!(Question {
    asked_by,
    advisor,
    decision
});

/// All advice that was given.
#[derive(Debug, Default)]
pub(super) struct Advice {
    all: Places,
    /// By whoever asked for it.
    asked: PlacesBy,
    /// What its receiver cannot read.
    opaque: Places,
}

kept!(Advice { all, asked, opaque });

impl Advice {
    fn insert(&mut self, seq: Seq, asked_by: Seq, form: AdviceForm) {
        self.all.insert(seq);
        self.asked.insert(asked_by, seq);
        if form != AdviceForm::Readable {
            self.opaque.insert(seq);
        }
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        self.all.contains(seq)
    }

    pub(super) fn is_asked_by(&self, agent: Seq, seq: Seq) -> bool {
        self.asked.contains(agent, seq)
    }

    pub(super) fn is_readable(&self, seq: Seq) -> bool {
        !self.opaque.contains(seq)
    }
}

impl Law {
    /// The oldest question that `advisor` has not answered.
    pub(super) fn open_question_to(&self, advisor: Seq) -> Option<&Question> {
        self.questions.values().find(|question| question.advisor == advisor)
    }
}

/// A question that is entered.
pub(super) struct Asked {
    seq: Seq,
    question: Question,
}

impl Asked {
    pub(super) fn apply(self, law: &mut Law) {
        let decision = self
            .question
            .decision
            .and_then(|seq| law.actions.decisions.get_mut(&seq));
        if let Some(decision) = decision {
            decision.question = Some(self.seq);
        }
        law.questions.insert(self.seq, self.question);
    }
}

pub(super) fn check_question(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &AdviceRequested,
    out: &mut Findings,
) -> Option<Change> {
    let advisor = law
        .instances
        .get(&body.advisor)
        .filter(|instance| instance.role == Role::Advisor);
    let Some(advisor) = advisor else {
        out.breach(
            Code::A5,
            "a question to an advisor",
            format_args!("entry {}", body.advisor),
        );
        return None;
    };
    out.require(
        advisor.stop == Stop::Running,
        Code::A5,
        "an advisor that has not stopped",
        "one that has",
    );
    let is_reachable = advisor.introduced_by == author.seq
        || law
            .instances
            .get(&advisor.introduced_by)
            .is_some_and(|by| by.role == Role::Runtime);
    let of_whom = format!("one introduced by {}", advisor.introduced_by);
    out.require(is_reachable, Code::A5, "an advisor of the runtime or its own", of_whom);
    out.require(author.run.is_some(), Code::A5, "a question within a run", "no run yet");
    let free = |decision: &super::action::Decision| decision.question.is_none();
    let decision = law.actions.permitted_for(author.seq, "advisor", entry.received, free);
    out.require(
        decision.is_some(),
        Code::D7,
        "an allowed advisor action of the author",
        "none",
    );
    let question = Question {
        asked_by: author.seq,
        advisor: body.advisor,
        decision,
    };
    Some(Change::AdviceRequested(Asked {
        seq: entry.seq,
        question,
    }))
}

/// Advice that is entered.
pub(super) struct Given {
    seq: Seq,
    question: Seq,
    asked_by: Seq,
    form: AdviceForm,
}

impl Given {
    pub(super) fn apply(self, law: &mut Law) {
        law.questions.remove(&self.question);
        law.advice.insert(self.seq, self.asked_by, self.form);
    }
}

pub(super) fn check_advice(
    law: &Law,
    entry: &Entry<'_>,
    author: &Instance,
    body: &AdviceGiven,
    out: &mut Findings,
) -> Option<Change> {
    let Some(question) = law
        .questions
        .get(&body.question)
        .filter(|question| question.advisor == author.seq)
    else {
        out.breach(
            Code::A5,
            "advice on an open question to its author",
            format_args!("entry {}", body.question),
        );
        return None;
    };
    let own = law.answers.contains(author.seq, body.answer) && body.answer > body.question;
    let expected = format!("a model answer of {} behind the question", author.seq);
    out.require(own, Code::A5, expected, format_args!("entry {}", body.answer));
    Some(Change::AdviceGiven(Given {
        seq: entry.seq,
        question: body.question,
        asked_by: question.asked_by,
        form: body.form,
    }))
}
