//! Whatever several honest processes do, in whatever order and wherever they die, their ledger is never rejected.

use countersign_schemas::body::{Outcome, RunEndReason};
use countersign_schemas::number::Seq;
use countersign_verifier::audit::Verdict;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::support::aftermath::{LIST, end_run_at, expire_at, join, lose_at, recover, start_with};
use crate::support::cast::Who;
use crate::support::story::{
    Author, BASH, RUNTIME, TODO, call_model, cast, close_by, decide_by, finish_by, inside, opening, request, stop, turn,
};
use crate::support::writer::{Twist, Writer};
use crate::support::{Told, anchored, audit, codes};
use countersign_verifier::projection::Observed;

/// Most processes, and most agents, of one story.
const PARTIES_MAX: u8 = 6;

/// One process, as it knows itself.
struct Process {
    author: Author,
    /// Lead and run, until the run has ended.
    run: Option<(Author, Seq)>,
    /// The last answer of the lead, and what it proposed that nobody asked for yet.
    proposed: Option<(Seq, Vec<(&'static str, &'static str)>)>,
    undecided: Vec<(Seq, &'static str)>,
    permitted: Vec<Seq>,
    asking: Vec<Seq>,
    is_calling: bool,
    fate: Fate,
}

#[derive(PartialEq, Eq)]
enum Fate {
    Runs,
    Died,
    Over,
}

struct World<'t> {
    writer: Writer<'t>,
    processes: Vec<Process>,
    parties: u8,
    anybody_died: bool,
}

/// What somebody does next; the numbers choose among what is possible.
#[derive(Debug, Clone)]
enum Step {
    Join,
    Start(u8),
    Think(u8),
    Ask(u8),
    Decide(u8),
    Finish(u8),
    Expire(u8),
    End(u8),
    Leave(u8),
    Die(u8),
    /// Takes over, says that the end was lost or not, and cleans up or not.
    Succeed(u8, bool, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let who = any::<u8>;
    prop_oneof![
        1 => Just(Step::Join),
        3 => who().prop_map(Step::Start),
        4 => who().prop_map(Step::Think),
        6 => who().prop_map(Step::Ask),
        6 => who().prop_map(Step::Decide),
        3 => who().prop_map(Step::Finish),
        1 => who().prop_map(Step::Expire),
        1 => who().prop_map(Step::End),
        1 => who().prop_map(Step::Leave),
        2 => who().prop_map(Step::Die),
        3 => (who(), any::<bool>(), any::<bool>()).prop_map(|(who, lost, cleans)| Step::Succeed(who, lost, cleans)),
    ]
}

impl World<'_> {
    fn begin() -> Self {
        let mut writer = Writer::new(Twist::honest());
        opening(&mut writer);
        cast(&mut writer);
        let run = Some(((Who::Lead, writer.at("lead")), writer.at("run")));
        let mut world = Self {
            writer,
            processes: Vec::new(),
            parties: 0,
            anybody_died: false,
        };
        world.enter(RUNTIME);
        world.processes[0].run = run;
        world
    }

    fn enter(&mut self, author: Author) {
        self.processes.push(Process {
            author,
            run: None,
            proposed: None,
            undecided: Vec::new(),
            permitted: Vec::new(),
            asking: Vec::new(),
            is_calling: false,
            fate: Fate::Runs,
        });
    }

    /// Somebody with keys that nobody had before.
    fn newcomer(&mut self) -> Option<Who> {
        self.parties += 1;
        (self.parties <= 2 * PARTIES_MAX).then_some(Who::Extra(self.parties))
    }

    /// One of the processes with this fate.
    fn one(&self, choice: u8, fate: &Fate) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.processes.len())
            .filter(|it| self.processes[*it].fate == *fate)
            .collect();
        fitting.get(usize::from(choice) % fitting.len().max(1)).copied()
    }

    fn take(&mut self, step: &Step) -> Option<()> {
        match step {
            Step::Join => {
                let who = self.newcomer()?;
                let author = join(&mut self.writer, "joined", who, None);
                self.enter(author);
            }
            Step::Succeed(who, lost, cleans) => self.succeed(self.one(*who, &Fate::Died)?, *lost, *cleans)?,
            Step::Die(who) => {
                let dead = self.one(*who, &Fate::Runs)?;
                self.processes[dead].fate = Fate::Died;
                self.anybody_died = true;
            }
            Step::Start(who) => {
                let place = self
                    .one(*who, &Fate::Runs)
                    .filter(|it| self.processes[*it].run.is_none())?;
                let who = self.newcomer()?;
                let author = self.processes[place].author;
                self.processes[place].run = Some(start_with(&mut self.writer, ["lead", "run"], author, who));
            }
            Step::Leave(who) => {
                let place = self.one(*who, &Fate::Runs)?;
                let author = self.processes[place].author;
                stop(&mut self.writer, "left", author, author.1);
                self.processes[place].fate = Fate::Over;
            }
            Step::Think(who) | Step::Ask(who) | Step::End(who) => {
                let place = self.one(*who, &Fate::Runs)?;
                let process = &mut self.processes[place];
                let (lead, run) = process.run?;
                process.lead_does(&mut self.writer, step, lead, run)?;
            }
            Step::Decide(who) | Step::Finish(who) | Step::Expire(who) => {
                let place = self.one(*who, &Fate::Runs)?;
                self.processes[place].gatekeeper_does(&mut self.writer, step)?;
            }
        }
        Some(())
    }

    fn succeed(&mut self, dead: usize, lost: bool, cleans: bool) -> Option<()> {
        let (who, before) = (self.newcomer()?, self.processes[dead].author.1);
        let author = join(&mut self.writer, "successor", who, Some(before));
        self.processes[dead].fate = Fate::Over;
        self.enter(author);
        if lost {
            recover(&mut self.writer, "lost", author, None);
        }
        if cleans {
            clean_up(&mut self.writer, author);
        }
        Some(())
    }
}

/// Ends whatever the law says that this instance may end.
fn clean_up(writer: &mut Writer<'_>, author: Author) {
    let left = writer.law.unfinished(author.1);
    for decision in left.permitted {
        lose_at(writer, "lost-action", author, decision);
    }
    for decision in left.asking {
        expire_at(writer, "lost-ask", author, decision);
    }
    for run in left.runs {
        let lead = writer.law.run(run).map_or(Seq::ZERO, |run| run.lead());
        end_run_at(writer, "lost-run", author, (run, lead), RunEndReason::Environment);
    }
    for instance in left.instances {
        stop(writer, "lost-instance", author, instance);
    }
    assert!(writer.law.unfinished(author.1).is_empty());
}

impl Process {
    fn lead_does(&mut self, writer: &mut Writer<'_>, step: &Step, lead: Author, run: Seq) -> Option<()> {
        match step {
            Step::Think(choice) if !self.is_calling && choice % 8 == 7 => {
                self.is_calling = true;
                call_model(writer, "call", lead);
            }
            Step::Think(_) if !self.is_calling => {
                let calls = [LIST, BASH, TODO];
                let answer = turn(writer, ["call", "answer"], lead, &calls);
                self.proposed = Some((answer, calls.to_vec()));
            }
            Step::Ask(_) => {
                let (cause, calls) = self.proposed.as_mut()?;
                let call = calls.pop()?;
                let asked = request(writer, "request", lead, call, *cause, &[]);
                self.undecided.push((asked, call.0));
            }
            Step::End(_) => {
                stop(writer, "lead-stopped", lead, lead.1);
                end_run_at(writer, "ended", self.author, (run, lead.1), RunEndReason::Done);
                self.run = None;
                self.proposed = None;
                self.is_calling = false;
                // What was permitted and has not begun will not begin any more.
                for decision in self.permitted.drain(..) {
                    lose_at(writer, "given-up", self.author, decision);
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn gatekeeper_does(&mut self, writer: &mut Writer<'_>, step: &Step) -> Option<()> {
        match step {
            Step::Decide(_) => {
                let (request, tool) = self.undecided.pop()?;
                let observed = match tool {
                    "list" => inside("/w/src"),
                    "bash" => Observed::unknown(),
                    _ => Observed::nothing(),
                };
                let decision = decide_by(writer, "decision", self.author, request, observed);
                match writer.outcomes.get(&decision)? {
                    Outcome::Allow => self.permitted.push(decision),
                    Outcome::Ask => self.asking.push(decision),
                    Outcome::Deny | Outcome::CouldNotEvaluate => {}
                }
            }
            Step::Finish(_) => {
                let decision = self.permitted.pop()?;
                finish_by(writer, "finish", self.author, decision);
            }
            Step::Expire(_) => {
                let decision = self.asking.pop()?;
                expire_at(writer, "expired", self.author, decision);
            }
            _ => return None,
        }
        Some(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn honest_processes_that_die_and_are_succeeded_are_never_rejected(
        steps in prop::collection::vec(step(), 10..60),
        closes in any::<u8>(),
    ) {
        let mut world = World::begin();
        for step in &steps {
            world.take(step);
        }
        let closer = world.one(closes, &Fate::Runs).filter(|_| closes % 3 > 0);
        if let Some(closer) = closer {
            let author = world.processes[closer].author;
            close_by(&mut world.writer, author);
        }
        let writer = &world.writer;
        prop_assert!(writer.refusals.is_empty(), "{:#?}", writer.refusals);
        judged(&audit(&Told::from_written(writer), &anchored()), world.anybody_died)?;
        let known: Vec<Seq> = writer.law.running().map(|it| it.seq()).collect();
        let living = world.processes.iter().filter(|it| it.fate != Fate::Over);
        let closed = closer.map(|it| world.processes[it].author.1);
        let expected: Vec<Seq> = living.map(|it| it.author.1).filter(|it| Some(*it) != closed).collect();
        prop_assert_eq!(known, expected);
    }
}

fn judged(report: &countersign_verifier::audit::Report, anybody_died: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(codes(report), [], "{:#?}", report.findings);
    // Nothing that died is ever called complete.
    prop_assert!(!anybody_died || report.verdict() == Verdict::Incomplete);
    Ok(())
}
