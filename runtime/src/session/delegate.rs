//! The tool `agent`: a child with its own identity and a narrower grant does a task, and only its report comes back.

use std::collections::BTreeSet;
use std::path::PathBuf;

use countersign_identity::credential::{InstanceClaims, InstanceCredential, InstanceRole};
use countersign_identity::grant::{AbsolutePath, Budget, Grant, Lineage, Purpose};
use countersign_identity::instant::Window;
use countersign_schemas::body::{FinishOutcome, InstanceStopped, Introduced, Newcomer, Role, StopReason};
use countersign_schemas::digest::Digest;
use countersign_schemas::list::Doc;
use countersign_schemas::number::{Count, Millis, Seq};
use countersign_schemas::text::{Did, Name};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::act::{Acted, Decided, Ended, Ran};
use super::agent::{Advice, Agent, AgentEnd, offered};
use super::background::Background;
use super::batch::Proposed;
use super::breaker::Breakers;
use super::consult::ADVISOR_NAME;
use super::conversation::Conversation;
use super::{Event, LEAD_NAME, Session, SessionError};
use crate::gate::{Permit, PermittedCall};
use crate::kind::AgentKind;
use crate::model::ToolCall;
use crate::prompt::{Facts, History, Prompt};
use crate::recorder::{Instance, Newborn, RecordError, Recorder};
use crate::tool::{AGENT, BoxFuture, Cancel, Overflow, ToolOutput, WEB_FETCH};
use crate::worktree::Worktree;

/// A delegation that was decided: its child is introduced, or it has ended already.
enum Begun<'a> {
    Child(Box<Child<'a>>),
    Ended(Acted),
}

/// A child that is about to work.
struct Child<'a> {
    agent: Agent,
    call: &'a ToolCall,
    decision: Seq,
    started: Millis,
    overflow: Overflow,
    worktree: Option<Worktree>,
    /// It changes files in a folder that others work in too.
    shares_its_folder: bool,
}

impl Session {
    /// Makes a run of `agent` calls. The children are introduced one after the other, in the order of the calls, so that
    /// each stands in the action it was asked for; then they work side by side.
    pub(super) async fn delegate_all(
        &self,
        parent: &mut Agent,
        cause: Seq,
        calls: &[Proposed],
        cancel: &Cancel,
    ) -> Result<Vec<Acted>, SessionError> {
        let mut begun = Vec::with_capacity(calls.len());
        for proposed in calls {
            if let Proposed::Call(call) = proposed {
                begun.push(self.begin(parent, cause, call, cancel).await?);
            }
        }
        let parent = &*parent;
        let mut working: Vec<BoxFuture<'_, _>> = Vec::with_capacity(begun.len());
        for begun in begun {
            working.push(match begun {
                Begun::Child(child) => Box::pin(self.work_as_child(parent, *child, cancel)),
                Begun::Ended(acted) => Box::pin(std::future::ready(Ok(acted))),
            });
        }
        stream::iter(working)
            .buffered(AgentKind::SIDE_BY_SIDE_MAX)
            .try_collect()
            .await
    }

    /// Has one `agent` call decided, and introduces its child.
    async fn begin<'a>(
        &self,
        parent: &mut Agent,
        cause: Seq,
        call: &'a ToolCall,
        cancel: &Cancel,
    ) -> Result<Begun<'a>, SessionError> {
        let permit = match self.decide(parent, cause, call, cancel).await? {
            Decided::Permitted(permit) => permit,
            Decided::Refused(result) => return Ok(Begun::Ended(Acted::refused(result))),
        };
        let (permit, started) = match self.still_good(permit)? {
            Ok(good) => good,
            Err(unused) => return Ok(Begun::Ended(Acted::of(self.told_finished(parent, call, unused)))),
        };
        let (decision, overflow) = (permit.decision(), Overflow::of(&permit));
        match self.make_child(parent, permit, started).await? {
            Ok((agent, worktree, shares_its_folder)) => Ok(Begun::Child(Box::new(Child {
                agent,
                call,
                decision,
                started,
                overflow,
                worktree,
                shares_its_folder,
            }))),
            Err(refused) => {
                let ran = self.ended((decision, started), overflow, failed(refused));
                Ok(Begun::Ended(self.finish_call(parent, call, ran).await?))
            }
        }
    }

    /// The child that a permitted call asks for, or why there can be none.
    async fn make_child(
        &self,
        parent: &mut Agent,
        permit: Permit,
        started: Millis,
    ) -> Result<Result<(Agent, Option<Worktree>, bool), String>, SessionError> {
        let decision = permit.decision();
        let (permitted, order) = match Order::read(permit, started) {
            Ok(read) => read,
            Err(refused) => return Ok(Err(refused)),
        };
        if parent.children == AgentKind::CHILDREN_MAX {
            return Ok(Err(format!(
                "no agent can be made: {} are the most for one agent in a run",
                AgentKind::CHILDREN_MAX
            )));
        }
        let worktree = match self.isolate(parent, &permitted, &order, decision).await {
            Ok(worktree) => worktree,
            Err(refused) => return Ok(Err(refused)),
        };
        let grant = self.child_grant(parent, &order, worktree.as_ref())?;
        // An `agent` action can be allowed to an agent whose grant may not be handed on: the child is never born then.
        if let Err(wide) = grant.check_narrows(&parent.grant) {
            if let Some(worktree) = worktree {
                worktree.discard().await;
            }
            let reasons: Vec<String> = wide.iter().map(ToString::to_string).collect();
            return Ok(Err(format!("no agent can be made: {}", reasons.join("; "))));
        }
        let shares = order.kind.writes() && worktree.is_none();
        let child = match self.introduce_child(parent, &order, grant, worktree.as_ref()) {
            Ok(child) => child,
            Err(error) if error.is_revocation() => {
                if let Some(worktree) = worktree {
                    worktree.discard().await;
                }
                return Ok(Err(
                    "no agent can be made: its parent's authority was withdrawn".to_owned()
                ));
            }
            Err(error) => return Err(error),
        };
        parent.children += 1;
        self.tell(Event::AgentStarted {
            agent: child.name.to_string(),
            did: child.instance.did().short().to_owned(),
            parent: Some(parent.name.to_string()),
        });
        Ok(Ok((child, worktree, shares)))
    }

    /// A work tree of its own for a child that is there to change files, where there can be one.
    async fn isolate(
        &self,
        parent: &Agent,
        permitted: &PermittedCall,
        order: &Order,
        decision: Seq,
    ) -> Result<Option<Worktree>, String> {
        if !order.kind.writes() {
            return Ok(None);
        }
        let workspace = PathBuf::from(parent.grant.workspace.as_str());
        Worktree::create(permitted, &workspace, &order.name, decision)
            .await
            .map_err(|error| format!("no work tree can be made: {}", super::error::with_causes(&error)))
    }

    /// Lets a child work to its end, and finishes the call it was made for.
    async fn work_as_child(&self, parent: &Agent, child: Child<'_>, cancel: &Cancel) -> Result<Acted, SessionError> {
        let Child {
            mut agent,
            call,
            decision,
            started,
            overflow,
            worktree,
            shares_its_folder,
        } = child;
        let alone = if shares_its_folder {
            Some(self.shared_folder.lock().await)
        } else {
            None
        };
        let end = self.work(&mut agent, cancel).await?;
        self.end_background(&mut agent).await?;
        drop(alone);
        let left = match worktree {
            Some(worktree) => Some(hand_in(worktree, &agent).await),
            None => None,
        };
        let name = agent.name.to_string();
        self.reads.forget(agent.instance.seq());
        self.stop(agent.instance, end.stop_reason())?;
        self.tell(Event::AgentStopped { agent: name.clone() });
        let output = report(&name, end, left);
        let ran = self.ended((decision, started), overflow, output);
        self.finish_call(parent, call, ran).await
    }

    fn ended(&self, (decision, started): (Seq, Millis), overflow: Overflow, output: ToolOutput) -> Ran {
        Ran::Ended(Ended {
            decision,
            started,
            ended: self.recorder.now(),
            overflow,
            output,
            advice: None,
            turn: None,
        })
    }

    fn introduce_child(
        &self,
        parent: &Agent,
        order: &Order,
        grant: Grant,
        worktree: Option<&Worktree>,
    ) -> Result<Agent, SessionError> {
        let newborn = Newborn::generate()?;
        let window = self.child_window(parent)?;
        let claims = InstanceClaims {
            window,
            instance: newborn.did().short_did().clone(),
            role: InstanceRole::Agent(Box::new(grant.clone())),
            name: order.name.clone(),
            operator: self.principal.clone(),
            runtime: super::build::runtime()?,
            model: Some(self.models.agents.name().clone()),
            ledger: grant.ledger,
        };
        let credential = InstanceCredential::issue(&claims, parent.instance.secret(), parent.instance.did())?;
        let digest = Digest::sha256(&credential);
        let body = Introduced {
            did: Newcomer::Did(Did::new(newborn.did().long()).map_err(RecordError::from)?),
            role: Role::Agent,
            credential: Doc::new(credential).map_err(RecordError::from)?,
            run: Some(self.run),
            succeeds: None,
            parent_grant: Some(parent.instance.seq()),
        };
        let seq = self
            .recorder
            .enter(&parent.instance, body.into(), Vec::new())?
            .in_order();
        let history = match worktree {
            Some(worktree) => History::WorkTree {
                branch: worktree.branch().to_owned(),
            },
            None => self.history.clone(),
        };
        let prompt = Prompt::of_kind(order.kind, &facts(&grant, history, self.recorder.now()));
        Ok(Agent {
            instance: newborn.introduced_at(seq),
            name: order.name.clone(),
            conversation: Conversation::new(prompt, offered(&grant), self.clean(&order.task))
                .with_provider_advisor(self.models.provider_advisor.as_deref().filter(|_| may_consult(&grant))),
            grant,
            window,
            credential: digest,
            root: parent.root,
            advice: Advice::default(),
            background: Background::default(),
            children: 0,
            breakers: Breakers::default(),
        })
    }

    /// What the parent has, narrowed to the kind's tools, one generation less, and half of what is left to spend.
    fn child_grant(&self, parent: &Agent, order: &Order, worktree: Option<&Worktree>) -> Result<Grant, SessionError> {
        let (tools, effects) = order.kind.narrow(&usable(&parent.grant), parent.grant.effects);
        let left = self.recorder.with_law(|law| law.budget_left(parent.instance.seq()));
        let left = left.ok_or(SessionError::Bug("an agent holds no grant"))?;
        let half = |left: Count, whole: Count| Count::clamped(left.get().div_ceil(2).min(whole.get()));
        let whole = parent.grant.budget;
        let own = worktree.and_then(|worktree| AbsolutePath::new(worktree.path().to_str()?).ok());
        let (workspace, paths) = match own {
            Some(own) => (own.clone(), [own].into()),
            None => (parent.grant.workspace.clone(), parent.grant.paths.clone()),
        };
        Ok(Grant {
            workspace,
            paths,
            tools,
            effects,
            budget: Budget {
                calls: half(left.calls, whole.calls),
                tokens_in: half(left.tokens_in, whole.tokens_in),
                tokens_out: half(left.tokens_out, whole.tokens_out),
                cost_micro_usd: half(left.cost_micro_usd, whole.cost_micro_usd),
            },
            depth: parent.grant.depth.saturating_sub(1),
            may_delegate: false,
            purpose: Purpose::new(format!("{} for {}", order.kind.word(), parent.name)).unwrap_or_default(),
            lineage: Lineage::Child {
                parent: parent.credential,
                root: parent.root,
            },
            ..parent.grant.clone()
        })
    }

    /// From now to the end of the parent's own window.
    fn child_window(&self, parent: &Agent) -> Result<Window, SessionError> {
        let now = Millis::clamped(self.recorder.now().get() / 1000 * 1000);
        Ok(Window::new(now.max(parent.window.from()), parent.window.until())?)
    }

    /// Lets `instance` say that it stops, and destroys its keys.
    pub(super) fn stop(&self, instance: Instance, reason: StopReason) -> Result<(), SessionError> {
        enter_stop(&self.recorder, instance, reason)
    }
}

/// Enters the last words of `instance`, which is dropped with its keys.
pub(super) fn enter_stop(recorder: &Recorder, instance: Instance, reason: StopReason) -> Result<(), SessionError> {
    let last = recorder.with_law(|law| law.instance(instance.seq()).map(|known| known.last_words()));
    let (last_n, last_seq) = last.ok_or(SessionError::Bug("an instance the law does not know wants to stop"))?;
    let body = InstanceStopped {
        instance: instance.seq(),
        reason,
        last_n,
        last_seq,
    };
    recorder.enter(&instance, body.into(), Vec::new())?.in_order();
    Ok(())
}

/// What a parent asked for.
struct Order {
    kind: AgentKind,
    name: Name,
    task: String,
}

impl Order {
    fn read(permit: Permit, started: Millis) -> Result<(PermittedCall, Self), String> {
        let call = permit.redeem(AGENT.name, started).map_err(|error| error.to_string())?;
        let members = AGENT.parse(call.arguments()).map_err(|error| error.to_string())?;
        let text = |name| members.text(name).map_err(|error| error.to_string());
        let word = text("type")?;
        let known = || AgentKind::WORDS.map(|(_, word)| word).join(", ");
        let taken = [LEAD_NAME, ADVISOR_NAME];
        if taken.contains(&text("name")?) {
            return Err(format!(
                "no agent can be called {}: these names are taken",
                taken.join(" or ")
            ));
        }
        let order = Self {
            kind: AgentKind::from_word(word).ok_or_else(|| format!("unknown type of agent; known are: {}", known()))?,
            name: Name::new(text("name")?).map_err(|error| error.to_string())?,
            task: text("task")?.to_owned(),
        };
        Ok((call, order))
    }
}

/// The tools of a grant that can come to anything: without a host there is nothing to fetch from.
pub(super) fn usable(grant: &Grant) -> BTreeSet<Name> {
    let comes_to_nothing = |tool: &Name| tool.as_str() == WEB_FETCH.name && grant.hosts.is_empty();
    grant
        .tools
        .iter()
        .filter(|tool| !comes_to_nothing(tool))
        .cloned()
        .collect()
}

/// What an agent with `grant` that begins at `now` is told about its place and time.
pub(super) fn facts(grant: &Grant, history: History, now: Millis) -> Facts {
    Facts {
        workspace: grant.workspace.clone(),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        now,
        history,
        budget: grant.budget,
        hosts: grant.hosts.clone(),
    }
}

/// Whether an agent with `grant` may be advised.
pub(super) fn may_consult(grant: &Grant) -> bool {
    grant
        .tools
        .iter()
        .any(|tool| tool.as_str() == crate::tool::ADVISOR.name)
}

/// What a child's work tree leaves for its parent, in words.
async fn hand_in(worktree: Worktree, agent: &Agent) -> String {
    let author = format!("{} {}", agent.name, agent.instance.did().short());
    match worktree.finish(&author).await {
        Ok(outcome) => outcome.to_string(),
        Err(error) => format!(
            "its changes could not be handed in: {}",
            super::error::with_causes(&error)
        ),
    }
}

/// What the parent gets of a child that has ended.
fn report(name: &str, end: AgentEnd, left: Option<String>) -> ToolOutput {
    let mut output = match end {
        AgentEnd::Done(report) => ToolOutput {
            content: report,
            outcome: FinishOutcome::Ok,
        },
        AgentEnd::Failed(reason) | AgentEnd::Unreachable(reason) => failed(format!("agent {name} failed: {reason}")),
        AgentEnd::Halted(halt) => failed(format!("agent {name} was halted: {halt}")),
        AgentEnd::Interrupted => ToolOutput {
            content: format!("agent {name} was interrupted"),
            outcome: FinishOutcome::Aborted,
        },
    };
    if let Some(left) = left {
        output.content.push_str("\n\n");
        output.content.push_str(&left);
    }
    output
}

fn failed(content: String) -> ToolOutput {
    ToolOutput {
        content,
        outcome: FinishOutcome::Error,
    }
}
