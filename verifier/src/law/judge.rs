//! The parts of a decision that anybody can recompute (authority-v1 §7, §8.4).

use std::sync::Arc;

use countersign_schemas::body::{Check, Outcome, Part, PartOutcome};
use countersign_schemas::digest::Digest;
use countersign_schemas::list::List;
use countersign_schemas::number::Seq;
use countersign_schemas::text::Name;
use thiserror::Error;

use super::Law;
use super::action::Request;
use super::foreseen::PolicyQuestion;
use super::instance::Instance;
use super::run::RunTerms;
use crate::code::Code;
use crate::policy::{self, LoadedLayer, PartResult, PolicyParts};
use crate::projection::{CedarRequest, Circumstances, Observed, PROJECTION_DIGEST, Principal, Resource};

/// The recomputable parts of the decision on one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Checks 0 to 3, ascending.
    pub parts: Vec<Part>,
    /// The Cedar request; `None` where the arguments are not those of the tool.
    pub cedar_request: Option<Vec<u8>>,
    /// The `policy.adopted` in force, ascending.
    pub policies: Vec<Seq>,
    /// Names the projection.
    pub projection: Digest,
}

/// Why nothing can be said about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// No such request, or it is decided already.
    #[error("entry {0} is no request that waits for a decision")]
    NotOpen(Seq),
    /// The requester is not known, or holds no grant: only in a ledger that is broken already.
    #[error("the requester of entry {0} holds no grant")]
    NoGrant(Seq),
    /// The argument bytes are absent.
    #[error("the arguments of entry {0} are absent")]
    ArgumentsAbsent(Seq),
    /// The texts of a policy layer are absent.
    #[error("the texts of the policy adopted at entry {0} are absent")]
    PolicyAbsent(Seq),
}

/// Combines parts into an outcome: could-not-evaluate, deny, ask, allow, whichever comes first; all neutral is deny.
#[must_use]
pub fn outcome(parts: &[Part]) -> Outcome {
    let gives = |outcome| parts.iter().any(|part| part.outcome == outcome);
    if gives(PartOutcome::CouldNotEvaluate) {
        Outcome::CouldNotEvaluate
    } else if gives(PartOutcome::Deny) {
        Outcome::Deny
    } else if gives(PartOutcome::Ask) {
        Outcome::Ask
    } else if gives(PartOutcome::Allow) {
        Outcome::Allow
    } else {
        Outcome::Deny
    }
}

/// The digest that names the projection of this version.
#[must_use]
pub fn projection_digest() -> Digest {
    Digest::from_bytes(PROJECTION_DIGEST)
}

impl Law {
    /// Recomputes what state and policies in force say about an undecided request.
    ///
    /// `observed` is the gatekeeper's word; everything else follows from the ledger.
    ///
    /// # Errors
    /// [`JudgeError`]; a runtime that has just entered the request meets none of them.
    pub fn judge(&self, request: Seq, observed: Observed) -> Result<Judgement, JudgeError> {
        let (open, requester) = self.open_request(request)?;
        let projected = self.project(request, open, requester, &observed)?;
        let mut parts = vec![
            self.grant_part(request, open, projected.as_ref(), &observed)?,
            self.budget_part(request, open)?,
        ];
        match &projected {
            Some(projected) => {
                let PolicyParts { permit, lower } = self.policy_parts(projected)?;
                parts.push(part_of(Check::PermitLayers, permit));
                parts.extend(lower.map(|lower| part_of(Check::LowerLayers, lower)));
            }
            None => parts.push(part(
                Check::PermitLayers,
                PartOutcome::CouldNotEvaluate,
                &["projection"],
            )),
        }
        Ok(Judgement {
            parts,
            cedar_request: projected.map(|projected| self.document_of(&projected)),
            policies: self.policies_in_force(),
            projection: projection_digest(),
        })
    }

    /// What the layers in force are asked about an undecided request; `None` where its arguments are not those of the
    /// tool. To be answered while others use the state, and handed back with [`Law::foresee`].
    ///
    /// # Errors
    /// As [`Law::judge`].
    pub fn policy_question(&self, request: Seq, observed: &Observed) -> Result<Option<PolicyQuestion>, JudgeError> {
        let (open, requester) = self.open_request(request)?;
        let projected = self.project(request, open, requester, observed)?;
        let layers = self.loaded_layers()?.into_iter().cloned().collect();
        Ok(projected.map(|request| PolicyQuestion::new(request, layers, self.owner())))
    }

    fn open_request(&self, request: Seq) -> Result<(&Request, &Instance), JudgeError> {
        let undecided = self
            .actions
            .requests
            .get(&request)
            .filter(|request| request.decision.is_none());
        let open = undecided.ok_or(JudgeError::NotOpen(request))?;
        let requester = self.instances.get(&open.author).ok_or(JudgeError::NoGrant(request))?;
        Ok((open, requester))
    }

    fn document_of(&self, request: &CedarRequest) -> Vec<u8> {
        let foreseen = self.foreseen.document_of(request);
        foreseen.map_or_else(|| request.to_jcs(), <[u8]>::to_vec)
    }

    /// Short DID of the principal, who owns every agent.
    fn owner(&self) -> &str {
        self.opening.as_ref().map_or("", |opening| opening.principal.short())
    }

    fn project(
        &self,
        seq: Seq,
        request: &Request,
        requester: &Instance,
        observed: &Observed,
    ) -> Result<Option<CedarRequest>, JudgeError> {
        let grant = self.grants.at(request.author).ok_or(JudgeError::NoGrant(seq))?;
        let left = self.grants.left(request.author).ok_or(JudgeError::NoGrant(seq))?;
        let arguments = request.arguments.as_deref().ok_or(JudgeError::ArgumentsAbsent(seq))?;
        let workspace = grant.grant.workspace.as_str();
        let Some(subject) = request.subject.of(request.tool.as_str(), arguments, workspace) else {
            return Ok(None);
        };
        Ok(Some(subject.project(Circumstances {
            effects: request.effects,
            principal: Principal {
                depth_left: grant.grant.depth.into(),
                id: requester.did.short().to_owned(),
                name: requester.name.clone(),
                root: self.is_lead(requester),
            },
            mode: self.mode_of(requester),
            calls_left: left.0[0],
            time_ms: request.received.get(),
            advised: request.advised,
            observed: observed.clone(),
        })))
    }

    /// Part 0: the requester's own grant, along its whole chain.
    fn grant_part(
        &self,
        seq: Seq,
        request: &Request,
        projected: Option<&CedarRequest>,
        observed: &Observed,
    ) -> Result<Part, JudgeError> {
        let state = self.grants.at(request.author).ok_or(JudgeError::NoGrant(seq))?;
        let touched: Vec<(Option<&str>, Option<&str>)> = match projected.map(|projected| &projected.resource) {
            Some(Resource::File { path, .. }) if observed.real_path.is_empty() => vec![(Some(path), None)],
            Some(Resource::File { path, .. }) => vec![(Some(path), None), (Some(&observed.real_path), None)],
            Some(Resource::Url(url)) => vec![(None, Some(url.host()))],
            _ => vec![(None, None)],
        };
        let covers = |(path, host)| state.grant.covers(&request.tool, request.effects, path, host);
        let wide = touched.into_iter().filter_map(|place| covers(place).err());
        let mut broken: Vec<&str> = wide.flatten().map(|wide| wide.code()).collect();
        broken.extend(self.broken_terms(request));
        match self.run_terms(request.author) {
            RunTerms::Hold => {}
            RunTerms::Broken => broken.push("G8"),
            RunTerms::Unknown(seq) => return Err(JudgeError::PolicyAbsent(seq)),
        }
        Ok(allow_unless(Check::Grant, broken))
    }

    /// What is wrong with a request whatever it is about and whatever the policies say.
    fn broken_terms(&self, request: &Request) -> Vec<&'static str> {
        let mut broken = Vec::new();
        if request.grant != request.author {
            broken.push("G1");
        }
        if !self
            .grants
            .chain(request.author)
            .all(|state| state.window.contains(request.received))
        {
            broken.push("G5");
        }
        broken.extend(self.revocation_of(request.author).map(|_| "G7"));
        broken
    }

    /// Parts 0 and 1 as far as they need neither arguments nor policy texts: what they deny cannot be hidden by
    /// withholding bytes or by naming another projection.
    pub(super) fn denials(&self, request: Seq) -> Vec<Part> {
        let Some(open) = self.actions.requests.get(&request) else {
            return Vec::new();
        };
        let Some(state) = self.grants.at(open.author) else {
            return Vec::new();
        };
        let wide = state
            .grant
            .covers(&open.tool, open.effects, None, None)
            .err()
            .unwrap_or_default();
        let mut broken: Vec<&str> = wide.iter().map(|wide| wide.code()).collect();
        broken.extend(self.broken_terms(open));
        if self.run_terms(open.author) == RunTerms::Broken {
            broken.push("G8");
        }
        let grant = allow_unless(Check::Grant, broken);
        std::iter::once(grant).chain(self.budget_part(request, open)).collect()
    }

    /// Part 1: what is left along the chain.
    fn budget_part(&self, seq: Seq, request: &Request) -> Result<Part, JudgeError> {
        self.grants.at(request.author).ok_or(JudgeError::NoGrant(seq))?;
        let mut broken = Vec::new();
        for state in self.grants.chain(request.author) {
            let account = &state.account;
            broken.extend(account.is_without_calls().then_some("G6.calls"));
            broken.extend(account.tokens_are_overspent().then_some("G6.tokens"));
            broken.extend(account.cost_is_overspent().then_some("G6.cost"));
        }
        Ok(allow_unless(Check::Budget, broken))
    }

    /// The layers in force, by layer.
    fn loaded_layers(&self) -> Result<Vec<&Arc<LoadedLayer>>, JudgeError> {
        let mut layers = Vec::new();
        for adopted in self.policies.in_force() {
            layers.push(adopted.loaded.as_ref().ok_or(JudgeError::PolicyAbsent(adopted.seq))?);
        }
        Ok(layers)
    }

    fn policy_parts(&self, projected: &CedarRequest) -> Result<PolicyParts, JudgeError> {
        let layers = self.loaded_layers()?;
        if let Some(parts) = self.foreseen.parts_for(projected, &layers, self.owner()) {
            return Ok(parts.clone());
        }
        let layers: Vec<&LoadedLayer> = layers.into_iter().map(|layer| &**layer).collect();
        Ok(policy::evaluate(&layers, projected, self.owner()))
    }
}

/// Allow, or deny with the broken rules.
fn allow_unless(check: Check, mut broken: Vec<&str>) -> Part {
    broken.sort_unstable();
    broken.dedup();
    let outcome = if broken.is_empty() {
        PartOutcome::Allow
    } else {
        PartOutcome::Deny
    };
    part(check, outcome, &broken)
}

fn part_of(check: Check, result: PartResult) -> Part {
    let rules: Vec<&str> = result.rules.iter().map(String::as_str).collect();
    part(check, result.outcome, &rules)
}

/// Rules are made of fixed words and of policy ids that [`policy`] has checked, so each is a name and they are few.
fn part(check: Check, outcome: PartOutcome, rules: &[&str]) -> Part {
    let names: Vec<Name> = rules.iter().filter_map(|rule| Name::new(*rule).ok()).collect();
    debug_assert_eq!(names.len(), rules.len());
    Part {
        check,
        outcome,
        rules: List::new(names).expect("at most 16 rules"),
    }
}

/// The code of a decision that lets pass what part 0 or 1 denies: D1, or the one rule that was broken.
pub(super) fn code_of_denial(part: &Part) -> Code {
    let rules: Vec<&str> = part.rules.iter().map(Name::as_str).collect();
    match (part.check, rules.as_slice()) {
        (Check::Budget, _) => Code::G6,
        (_, ["G7"]) => Code::G7,
        (_, ["G8"]) => Code::G8,
        _ => Code::D1,
    }
}

/// The text an approver is shown for an action (authority-v1 §9).
#[must_use]
pub fn approval_text(tool: &str, workspace: &str, arguments: &[u8]) -> Vec<u8> {
    let mut text = format!("tool: {tool}\nworkspace: {workspace}\narguments:\n").into_bytes();
    text.extend_from_slice(arguments);
    text
}
