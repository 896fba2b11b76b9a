//! Runs, model calls, and advice.

use countersign_schemas::body::{
    AdviceForm, AdviceGiven, AdviceRequested, AnswerOutcome, ClockState, ModelAnswered, ModelCalled, Role, RunMode,
    RunStarted, Tokens,
};
use countersign_schemas::digest::Digest;
use countersign_schemas::list::Bytes;
use countersign_schemas::number::{Count, Seq};
use countersign_verifier::law::Stop;

use super::account::{Amount, spend_of};
use super::acting::{CALLS, Call, State};
use super::command::Pick;
use super::world::{OpenCall, Party, Question, Run, World, one_of};
use crate::support::credentials::name;

/// What a model call reserves.
const RESERVE: Amount = [1, 1_000, 1_000, 1_000];

impl World {
    pub(super) fn start_run(&mut self, which: Pick) -> Option<()> {
        let lead = self.pick(which, |seq, party| {
            let is_lead = party.role == Role::Agent && party.introduced_by == party.process && !self.is_revoked(seq);
            is_lead && party.run.is_none() && party.stop == Stop::Running && self.can_speak(party.process)
        })?;
        let by = self.parties[&lead].process;
        let mode = *one_of(RunMode::ALL, which)?;
        let run = self.say(by, &[b"fix add.sh"], |refs| {
            RunStarted {
                run_id: Bytes::new([9; 16]),
                task: refs[0].clone(),
                asked_by: None,
                root_grant: lead,
                mode,
                config: Digest::sha256(b"config"),
                clock: ClockState::Ntp,
            }
            .into()
        });
        self.runs.insert(run, Run { lead, ended: None });
        self.parties.get_mut(&lead)?.run = Some(run);
        Some(())
    }

    /// Who would pay for a call of this party now: itself, or who asked the question it has to answer first.
    fn payer(&self, seq: Seq, party: &Party) -> Option<Seq> {
        let payer = match party.role {
            Role::Agent => seq,
            Role::Advisor => {
                let question = self.questions.values().find(|question| question.advisor == seq)?;
                question.asked_by
            }
            Role::Runtime | Role::Approver => return None,
        };
        self.active_run_of(payer).filter(|_| !self.is_revoked(payer))?;
        self.accounts.fits(payer, RESERVE).then_some(payer)
    }

    /// A call, its answer, and one request with its decision.
    pub(super) fn turn(&mut self, who: Pick, proposes: Pick, word: Pick, place: Pick) -> Option<()> {
        self.call(who)?;
        self.answer(u8::MAX, proposes, 1, who)?;
        self.request(who, proposes, who, place)?;
        self.decide(u8::MAX, word, place)
    }

    pub(super) fn call(&mut self, who: Pick) -> Option<()> {
        let by = self.pick(who, |seq, party| {
            party.open_call.is_none() && self.can_speak(seq) && self.payer(seq, party).is_some()
        })?;
        self.call_by(by)
    }

    fn call_by(&mut self, by: Seq) -> Option<()> {
        let payer = self.payer(by, &self.parties[&by])?;
        let seq = self.say(by, &[b"{}"], |refs| {
            ModelCalled {
                provider: name("scripted"),
                model: name("scripted"),
                request: refs[0].clone(),
                reserve: spend_of(RESERVE),
                system_prompt: Digest::sha256(b"prompt"),
                toolset: Digest::sha256(b"tools"),
                price_table: Digest::sha256(b"prices"),
            }
            .into()
        });
        self.accounts.reserve(payer, RESERVE);
        self.parties.get_mut(&by)?.open_call = Some(OpenCall {
            seq,
            payer,
            reserve: RESERVE,
        });
        Some(())
    }

    pub(super) fn answer(&mut self, who: Pick, proposes: Pick, outcome: Pick, used: Pick) -> Option<()> {
        let by = self.pick(who, |seq, party| party.open_call.is_some() && self.can_speak(seq))?;
        self.answer_by(by, proposes, outcome, used)
    }

    fn answer_by(&mut self, by: Seq, proposes: Pick, outcome: Pick, used: Pick) -> Option<()> {
        let OpenCall {
            seq: call,
            payer,
            reserve,
        } = self.parties.get_mut(&by)?.open_call.take()?;
        let outcome = if !outcome.is_multiple_of(4) {
            AnswerOutcome::Ok
        } else {
            *one_of(AnswerOutcome::ALL, outcome / 4)?
        };
        let proposed: Vec<Call> = (0..1 + usize::from(proposes % 4))
            .map(|it| CALLS[(usize::from(proposes) * 7 + it * 5) % CALLS.len()])
            // What is no document cannot stand in one: only a person commands it.
            .filter(|(_, arguments)| arguments.starts_with('{'))
            .collect();
        let response = response(&proposed);
        let is_ok = outcome == AnswerOutcome::Ok;
        // Some answers use more than was reserved; an answer that failed may carry what was received so far.
        let out = if used % 16 == 15 { 5_000 } else { 10 + u64::from(used) };
        let says_something = is_ok || used.is_multiple_of(2);
        let payloads: &[&[u8]] = if says_something { &[response.as_bytes()] } else { &[] };
        let seq = self.say(by, payloads, |refs| {
            ModelAnswered {
                call,
                outcome,
                response: refs.first().cloned(),
                tokens: Tokens {
                    input: Count::clamped(100),
                    output: Count::clamped(out),
                    cache_write: Count::clamped(3),
                    cache_read: Count::clamped(10),
                },
                cost: Count::clamped(30),
            }
            .into()
        });
        self.accounts.settle(payer, reserve, [reserve[0], 113, out, 30]);
        let party = self.parties.get_mut(&by)?;
        party.answer = Some(seq);
        party.proposed = if is_ok { proposed } else { Vec::new() };
        Some(())
    }

    /// A question, and advice at once.
    pub(super) fn consult(&mut self, who: Pick, advisor: Pick, form: Pick) -> Option<()> {
        self.question(who, advisor)?;
        let (_, question) = self.questions.last_key_value()?;
        let advisor = question.advisor;
        if self.parties[&advisor].open_call.is_some() || !self.can_speak(advisor) {
            return None;
        }
        self.call_by(advisor)?;
        self.answer_by(advisor, form, who, advisor.get() as Pick)?;
        self.advise(0, form)
    }

    pub(super) fn question(&mut self, who: Pick, advisor: Pick) -> Option<()> {
        let now = self.received();
        let action = |by: Seq| {
            self.actions.iter().find(|(_, action)| {
                let fits = action.by == by && action.call.0 == "advisor" && action.state == State::Permitted;
                fits && action.question.is_none() && action.expires >= now
            })
        };
        let by = self.pick(who, |seq, _| self.can_speak(seq) && action(seq).is_some())?;
        let request = action(by).map(|(seq, _)| *seq)?;
        let advisor = self.pick(advisor, |_, party| {
            let is_reachable = party.introduced_by == by || party.introduced_by == party.process;
            party.role == Role::Advisor && party.stop == Stop::Running && is_reachable
        })?;
        let seq = self.say(by, &[b"patch or rewrite?"], |refs| {
            AdviceRequested {
                advisor,
                question: refs[0].clone(),
            }
            .into()
        });
        self.questions.insert(seq, Question { asked_by: by, advisor });
        self.actions.get_mut(&request)?.question = Some(seq);
        Some(())
    }

    pub(super) fn advise(&mut self, who: Pick, form: Pick) -> Option<()> {
        let open = |advisor: Seq| {
            let answer = self.parties[&advisor].answer?;
            let question = self
                .questions
                .iter()
                .find(|(seq, question)| question.advisor == advisor && **seq < answer);
            question.map(|(seq, question)| (*seq, question.asked_by, answer))
        };
        let by = self.pick(who, |seq, party| {
            party.role == Role::Advisor && self.can_speak(seq) && open(seq).is_some()
        })?;
        let (question, asked_by, answer) = open(by)?;
        let form = *one_of(AdviceForm::ALL, form)?;
        let seq = self.say(by, &[b"Patch."], |refs| {
            AdviceGiven {
                question,
                answer,
                form,
                content: refs[0].clone(),
            }
            .into()
        });
        self.questions.remove(&question);
        self.parties.get_mut(&asked_by)?.advised.push((seq, form));
        Some(())
    }
}

/// The document of a model that proposes these calls.
fn response(proposed: &[Call]) -> String {
    let call = |(tool, arguments): &Call| format!(r#"{{"arguments":{arguments},"tool":"{tool}"}}"#);
    let calls: Vec<String> = proposed.iter().map(call).collect();
    format!(r#"{{"calls":[{}],"text":""}}"#, calls.join(","))
}
