//! Kinds 11 to 14: request, decision, approval, outcome.

use serde_json::Value;

use crate::cbor::{DecodeError, Decoder, Encoder, Problem};
use crate::code::codes;
use crate::digest::Digest;
use crate::field::{Field, array_struct, map_struct};
use crate::list::{Doc, List};
use crate::number::{Count, Millis, Seq};
use crate::payload::PayloadRef;
use crate::text::Name;

/// What an action can do to the world, as a set of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Effects(u64);

impl Effects {
    /// Touches nothing.
    pub const NONE: Self = Self(0);
    /// Reads files.
    pub const READ: Self = Self(1);
    /// Changes files.
    pub const WRITE: Self = Self(2);
    /// Runs programs.
    pub const EXECUTE: Self = Self(4);
    /// Uses the network.
    pub const NETWORK: Self = Self(8);
    /// Gives authority to another agent.
    pub const DELEGATE: Self = Self(16);
    /// Asks an advisor.
    pub const CONSULT: Self = Self(32);

    /// Bit and word of every effect, ascending.
    pub const WORDS: [(Self, &'static str); 6] = [
        (Self::READ, "read"),
        (Self::WRITE, "write"),
        (Self::EXECUTE, "execute"),
        (Self::NETWORK, "network"),
        (Self::DELEGATE, "delegate"),
        (Self::CONSULT, "consult"),
    ];

    const ASSIGNED: u64 = 63;
    const MAX: u64 = 255;

    /// The set with these bits, if all are assigned.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits & !Self::ASSIGNED == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every effect of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The words of the set, in the order of the bits.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS
            .into_iter()
            .filter(move |(bit, _)| self.contains(*bit))
            .map(|(_, word)| word)
    }

    /// The effect with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS
            .into_iter()
            .find(|(_, name)| *name == word)
            .map(|(bit, _)| bit)
    }
}

impl Field for Effects {
    fn encode(&self, to: &mut Encoder) {
        to.uint(self.0);
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let offset = from.offset();
        let bits = from.uint53()?;
        let problem = match Self::from_bits(bits) {
            Some(effects) => return Ok(effects),
            None if bits > Self::MAX => Problem::Range("Effects"),
            None => Problem::NewerCode {
                list: "Effects",
                code: bits,
            },
        };
        Err(DecodeError { offset, problem })
    }
    fn to_json(&self) -> Value {
        self.words().collect()
    }
}

codes! {
    /// What an agent says it did with advice.
    AdviceRelation 2 {
        /// Went another way.
        Overridden = 0 "overridden",
        /// Followed it.
        Followed = 1 "followed",
        /// It did not say, or the advice is opaque.
        NotAssessable = 2 "not-assessable",
    }
}

array_struct! {
    /// Advice an agent had when it asked to act.
    AdviceCited {
        entry: Seq ["The advice.given."];
        relation: AdviceRelation ["What the agent says it did with it."];
    }
}

map_struct! {
    /// `action.requested`
    ActionRequested {
        1 tool: Name ["The tool."];
        2 descriptor: Digest ["Digest of the tool's descriptor, unsalted."];
        3 arguments: PayloadRef ["The exact argument bytes."];
        4 effects: Effects ["The widest effect the call can have."];
        5 grant: Seq ["The entry that carries the requester's grant."];
        6 cause: Option<Seq> ["The model.answered that proposed it; null for a person's direct command."];
        ? 7 advice: List<AdviceCited, 1, 16> ["Advice it had."];
        ? 8 resumes: Seq ["The request of a crashed predecessor that this one repeats."];
    }
}

codes! {
    /// What was decided on a request.
    Outcome 3 {
        /// No.
        Deny = 0 "deny",
        /// Yes.
        Allow = 1 "allow",
        /// A person decides.
        Ask = 2 "ask",
        /// It could not be evaluated; counts as no.
        CouldNotEvaluate = 3 "could-not-evaluate",
    }
}

codes! {
    /// What one part says.
    PartOutcome 4 {
        /// No.
        Deny = 0 "deny",
        /// Yes.
        Allow = 1 "allow",
        /// A person decides.
        Ask = 2 "ask",
        /// It could not be evaluated.
        CouldNotEvaluate = 3 "could-not-evaluate",
        /// It has nothing to say.
        Neutral = 4 "neutral",
    }
}

codes! {
    /// Which check a part belongs to.
    Check 7 {
        /// The requester's grant.
        Grant = 0 "grant",
        /// The budgets along the grant chain.
        Budget = 1 "budget",
        /// Policy layers 0 and 1.
        PermitLayers = 2 "permit-layers",
        /// Policy layers 2 to 5.
        LowerLayers = 3 "lower-layers",
        /// Protected places.
        ProtectedPlaces = 4 "protected-places",
        /// Shell analysis.
        ShellAnalysis = 5 "shell-analysis",
        /// A second opinion.
        SecondOpinion = 6 "second-opinion",
        /// Whether everything needed to decide was there.
        Availability = 7 "availability",
    }
}

array_struct! {
    /// One part of a decision.
    Part {
        check: Check ["Which check."];
        outcome: PartOutcome ["What it says."];
        rules: List<Name, 0, 16> ["The rules behind it."];
    }
}

codes! {
    /// Who may answer an ask.
    ApproverClass 1 {
        /// A person.
        Person = 0 "person",
        /// An agent, where a person is not wanted.
        Agent = 1 "agent",
    }
}

/// How many approvals an ask needs: 1 to 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need(u64);

impl Need {
    /// One approval.
    pub const ONE: Self = Self(1);

    /// Checks the bounds.
    #[must_use]
    pub const fn new(count: u64) -> Option<Self> {
        if count >= 1 && count <= 9 {
            Some(Self(count))
        } else {
            None
        }
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Field for Need {
    fn encode(&self, to: &mut Encoder) {
        to.uint(self.0);
    }
    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let offset = from.offset();
        Self::new(from.uint53()?).ok_or(DecodeError {
            offset,
            problem: Problem::Range("Need"),
        })
    }
    fn to_json(&self) -> Value {
        self.0.into()
    }
}

array_struct! {
    /// Who is asked.
    Ask {
        need: Need ["How many approvals are needed."];
        class: ApproverClass ["Who may answer."];
        eligible: List<Seq, 1, 64> ["Introductions of those who may answer."];
    }
}

array_struct! {
    /// A status list the decision rests on.
    StatusListRead {
        list: Digest ["Digest of the list."];
        as_of: Millis ["Its date."];
    }
}

map_struct! {
    /// `decision.made`
    DecisionMade {
        1 request: Seq ["The action.requested."];
        2 outcome: Outcome ["The strictest of the parts."];
        3 parts: List<Part, 1, 8> ["What each check says, ascending by check."];
        4 policies: List<Seq, 1, 6> ["The policy.adopted in force, ascending."];
        5 cedar_request: Option<PayloadRef> ["The request as policy saw it."];
        6 projection: Digest ["Digest that names projection and analyser."];
        7 expires: Millis ["End of the permit or of the question; 0 for a no."];
        ? 8 ask: Ask ["Who is asked."];
        ? 9 advice: List<Seq, 1, 16> ["Advice the decision rests on."];
        ? 10 status_lists: List<StatusListRead, 1, 16> ["Status lists it rests on."];
    }
}

codes! {
    /// What a person's order says.
    Verdict 1 {
        /// No.
        Refused = 0 "refused",
        /// Yes.
        Given = 1 "given",
    }
}

codes! {
    /// The form of a person's order.
    OrderForm 3 {
        /// A credential with a Data Integrity proof set.
        DataIntegrity = 0 "data-integrity",
        /// An SSHSIG over the context.
        SshSig = 1 "sshsig",
        /// A WebAuthn assertion over the context.
        WebAuthn = 2 "webauthn",
        /// A COSE message.
        Cose = 3 "cose",
    }
}

array_struct! {
    /// A person's signed order.
    Order {
        form: OrderForm ["Its form."];
        doc: Doc ["Its bytes."];
    }
}

map_struct! {
    /// `approval.entered`
    ApprovalEntered {
        1 decision: Seq ["The decision.made that asks."];
        2 approver: Seq ["Introduction of the approver."];
        3 verdict: Verdict ["The answer."];
        4 order: Order ["The order over this decision's context."];
        5 text: PayloadRef ["The text shown."];
    }
}

codes! {
    /// What became of an action.
    FinishOutcome 4 {
        /// It did what it should.
        Ok = 0 "ok",
        /// It ran and failed.
        Error = 1 "error",
        /// It took too long and was stopped.
        Timeout = 2 "timeout",
        /// It was not run, or stopped by a person.
        Aborted = 3 "aborted",
        /// Nobody knows.
        Unknown = 4 "unknown",
    }
}

map_struct! {
    /// `action.finished`
    ActionFinished {
        1 decision: Seq ["The decision.made it was run under."];
        2 outcome: FinishOutcome ["What became of it."];
        3 result: Option<PayloadRef> ["What it returned."];
        4 started: Option<Millis> ["When it began; null if it never did."];
        5 duration: Option<Count> ["How long it took, in milliseconds."];
        6 sandbox: Count ["What was enforced around it, as bits; 0 is nothing."];
    }
}
