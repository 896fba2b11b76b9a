"""The fold (authority-v1 §4, §5): which entries are lawful behind which others."""

from hashlib import sha256

from . import checkpoint, jcs, projection
from .decision import Decisions
from .errors import NotFolded, Refused
from .identity import Introductions
from .state import AMOUNTS, CONTENT, Call, Question, Request, Run, State
from .statement import CODES, KINDS

ANSWER_MAX = 16_777_216
AMOUNT_MAX = 2**53 - 1
SPEAKS = {
    "runtime": {name for name, _, _ in KINDS}
    - {"model.called", "model.answered", "advice.requested", "advice.given", "action.requested"},
    "agent": set(
        "identity.introduced grant.revoked model.called model.answered advice.requested action.requested session.event "
        "instance.stopped".split()
    ),
    "advisor": set("model.called model.answered advice.given session.event instance.stopped".split()),
}
# §6.1: not named behind a damaged entry, because the sums they rest on are not known there.
RESTS_ON_SUMS = {CONTENT, "D1", "D4a", "D4b", "D7", "G6", "G8", "I7"}


class Fold(Introductions, Decisions):
    """Applies entries in order and tells what they break."""

    def __init__(self, report, lineup):
        self.report, self.lineup, self.state = report, lineup, State()
        self.entry = None

    def rule(self, code, holds):
        """Names a breach by the entry at hand where a rule does not hold, unless it rests on sums that are not known."""
        if not holds and not (code in RESTS_ON_SUMS and self.lineup.has_damage):
            self.report.find("A5" if code == CONTENT else code, self.entry.seq)

    def need(self, code, holds):
        """The same, and does not fold the entry."""
        self.rule(code, holds)
        if not holds:
            raise NotFolded

    def unproven(self, code):
        """Says that a rule cannot be shown to hold."""
        self.report.unproven(code, self.entry.seq)

    def applies(self, entry):
        """Folds one entry; tells whether it is none that §6.1 calls damaged."""
        self.entry = entry
        self.state.digests[entry.seq] = entry.statement.digest
        try:
            self.apply(entry)
        except NotFolded:
            return False
        return True

    def apply(self, entry):
        """Folds one entry."""
        statement, received = entry.statement, entry.record.received
        if statement.kind == 0:
            return self.opened(entry)
        if statement.by == entry.seq:
            return self.identity_introduced(entry, None)
        author = self.state.instances[statement.by]
        self.rule("A3", not author.stopped)
        self.rule("A4", author.window.holds(statement.at, received))
        self.check_speaker(author, statement)
        run = self.state.runs.get(author.run)
        has_ended = author.role == "agent" and run and run.ended is not None
        self.rule(CONTENT, not has_ended or statement.name == "instance.stopped")
        getattr(self, statement.name.replace(".", "_"))(entry, author)

    def check_speaker(self, author, statement):
        """Checks the table of §5.3; a decision on one's own request is D3."""
        request = self.state.requests.get(statement.body.get("request")) if statement.name == "decision.made" else None
        code = "D3" if request and request.requester is author else "A5"
        self.need(code, statement.name in SPEAKS.get(author.role, ()))

    def peer_noted(self, _entry, _author):
        """Leaves to later versions what another ledger says."""
        self.need("U2", False)

    def policy_adopted(self, entry, _author):
        """Folds a policy (§5.4)."""
        body, state = entry.body, self.state
        self.need("U2", body["language"] == "cedar-4")
        self.rule(CONTENT, all(body[name]["class"] == "evidence" for name in ("policies", "schema", "entities")))
        if "order" in body:
            self.check_adoption(entry)
        else:
            self.rule(CONTENT, body["layer"] not in ("builtin", "organisation") or not state.runs)
            if body["layer"] == "builtin":
                for name in ("policies", "schema"):
                    self.rule(CONTENT, projection.is_published(name, entry.payload(name)))
        state.policies[body["layer"]] = entry

    def check_adoption(self, entry):
        """Demands that the principal ordered exactly this policy (§5.7)."""
        text, layers = entry.payload("policies"), list(CODES["layer"][1].values())
        ordered = self.directive(entry) or {}
        wanted = {"act": "adopt", "layer": layers.index(entry.body["layer"])}
        if text is None:
            self.unproven("A5")
        wanted["policies"] = ordered.get("policies") if text is None else sha256(text).hexdigest()
        self.rule(CONTENT, ordered == wanted)

    def payload_erased(self, entry, _author):
        """Folds an erasure (§5.9)."""
        body, named = entry.body, self.lineup.entries[entry.body["entry"]]
        slots = [slot for slot in named.statement.slots if slot["commitment"] == body["commitment"]]
        self.need(CONTENT, slots)
        wanted = {"act": "erase", "entry": named.statement.digest.hex(), "reason": body["ground"]}
        is_ordered = self.directive(entry) == wanted | {"payload": body["commitment"].hex()}
        is_lawful = is_ordered and all(slot["class"] == "content" for slot in slots)
        self.rule(CONTENT, is_lawful)
        self.state.erased += [(named.seq, slot.slot) for slot in slots if is_lawful]

    def run_started(self, entry, author):
        """Folds the beginning of a run."""
        state, lead = self.state, self.state.instances.get(entry.body["root_grant"])
        self.need(CONTENT, lead and lead.is_lead)
        self.rule(CONTENT, not lead.stopped and lead.run is None and lead.parent is author)
        self.rule("G7", not state.is_revoked(lead.grant))
        self.need(CONTENT, lead.run is None)
        state.runs[entry.seq] = Run(entry.seq, lead, entry.body["mode"])
        lead.run = entry.seq

    def run_ended(self, entry, author):
        """Folds the end of a run."""
        run = self.state.runs.get(entry.body["run"])
        self.need(CONTENT, run and run.ended is None)
        began = run.lead.parent
        succeeded = self.state.has_in_line(author, began) and entry.body["reason"] != "done"
        self.rule(CONTENT, began is author or succeeded)
        self.rule("G6", [entry.body["spend"][name] for name in AMOUNTS] == run.lead.grant.spent)
        run.ended = entry.record.received

    def model_called(self, entry, author):
        """Folds a model call: it reserves from every grant of its chain (§5.5)."""
        state, payer = self.state, author
        self.rule(CONTENT, not author.is_calling)
        if author.role == "advisor":
            asked = [q for q in state.questions.values() if q.advisor == author.seq and q.is_open]
            self.rule(CONTENT, asked)
            payer = asked[0].asker if asked else None
        self.rule(CONTENT, payer is None or state.active_run(payer))
        self.rule("G7", payer is None or not state.is_revoked(payer.grant))
        reserve = [entry.body["reserve"][name] for name in AMOUNTS]
        grants = list(payer.grant.chain()) if payer else []
        self.rule("G6", reserve[0] >= 1 and all(take <= left for g in grants for take, left in zip(reserve, g.left())))
        for charged in grants:
            charged.reserved = [before + take for before, take in zip(charged.reserved, reserve)]
        author.is_calling = True
        state.calls[entry.seq] = Call(author.seq, reserve, grants)

    def model_answered(self, entry, author):
        """Folds an answer: what was used takes the place of what was reserved."""
        body, call = entry.body, self.state.calls.get(entry.body["call"])
        self.need(CONTENT, call and call.author == author.seq and not call.is_answered)
        tokens = body["tokens"]
        read = tokens["input"] + tokens["cache_write"] + tokens["cache_read"]
        used = [call.reserve[0], read, tokens["output"], body["cost"]]
        call.is_answered, author.is_calling = True, False
        for charged in call.grants:
            charged.reserved = [before - take for before, take in zip(charged.reserved, call.reserve)]
            charged.spent = [before + take for before, take in zip(charged.spent, used)]
        sums = used + [amount for charged in call.grants for amount in charged.spent]
        self.rule("G6", max(sums) <= AMOUNT_MAX)
        author.last_answer, author.unused_calls = entry.seq, self.proposed(entry)
        self.state.answers[entry.seq] = author

    def proposed(self, entry):
        """Returns the calls that an answer contains, or None if its bytes are absent (§5.6)."""
        if entry.body["outcome"] != "ok" or entry.body["response"] is None:
            return []
        octets = entry.payload("response")
        if octets is None:
            return None
        try:
            calls = jcs.parse(octets, ANSWER_MAX)["calls"]
            is_list = isinstance(calls, list) and all(isinstance(call["tool"], str) for call in calls)
            return [(call["tool"], jcs.encode(call["arguments"])) for call in calls] if is_list else []
        except (Refused, KeyError, TypeError):
            return []

    def advice_requested(self, entry, author):
        """Folds a question to an advisor."""
        state, advisor = self.state, self.state.instances.get(entry.body["advisor"])
        self.rule(CONTENT, author.run is not None)
        self.need(CONTENT, advisor and advisor.role == "advisor")
        self.rule(CONTENT, not advisor.stopped and (advisor.parent.role == "runtime" or advisor.parent is author))
        action = state.use_action(author, "advisor", entry.record.received, "question")
        self.rule("D7", action)
        state.questions[entry.seq] = Question(author, advisor.seq, action)

    def advice_given(self, entry, author):
        """Folds advice."""
        state, body = self.state, entry.body
        question = state.questions.get(body["question"])
        self.need(CONTENT, question and question.advisor == author.seq and question.is_open)
        self.rule(CONTENT, state.answers.get(body["answer"]) is author and body["answer"] >= body["question"])
        question.is_answered = True
        state.advice[entry.seq] = (question.asker, body["form"])

    def action_requested(self, entry, author):
        """Folds a request; whatever it asks for is lawful, the rest is the decision's matter."""
        body, state = entry.body, self.state
        if "resumes" in body:
            lost = (body["tool"], body["resumes"])
            self.rule(CONTENT, lost in state.lost)
            state.lost.discard(lost)
        for cited in body.get("advice", []):
            asker, form = state.advice.get(cited["entry"], (None, None))
            self.rule("D8", asker is author and (form != "opaque" or cited["relation"] == "not-assessable"))
        self.check_cause(entry, author)
        self.rule("D4a", not projection.missing_effects(body["tool"], body["effects"]))
        state.requests[entry.seq] = Request(entry, author)

    def check_cause(self, entry, author):
        """Checks that the last answer of the requester contains this call, and uses it up (D10)."""
        cause, arguments = entry.body["cause"], entry.payload("arguments")
        if cause is not None and cause != author.last_answer:
            return self.rule("D10", False)
        if cause is None or author.unused_calls is None or arguments is None:
            return self.unproven("D10")
        call = (entry.body["tool"], arguments)
        self.rule("D10", call in author.unused_calls)
        if call in author.unused_calls:
            author.unused_calls.remove(call)

    def session_event(self, entry, author):
        """Folds a remark; only `approval-expired` changes anything."""
        if entry.body["code"] != "approval-expired":
            return
        decision = self.state.decisions.get(entry.body["about"])
        self.need(CONTENT, decision and decision.outcome == "ask" and not decision.answered)
        self.rule(CONTENT, self.state.has_in_line(author, decision.decider))
        decision.answered = "expired"

    def instance_stopped(self, entry, author):
        """Folds a stop."""
        body, instance = entry.body, self.state.instances.get(entry.body["instance"])
        may_stop = instance and instance.role != "approver" and (instance is author or author.role == "runtime")
        self.need("A5", may_stop)
        self.need(CONTENT, not instance.stopped)
        self.rule("I6", self.lineup.last_words_are(instance.seq, body["last_n"], body["last_seq"]))
        instance.stopped = "self" if instance is author else "other"

    def ledger_closed(self, entry, author):
        """Folds the end of a ledger."""
        body, lineup = entry.body, self.lineup
        self.rule("I7", body["size"] == entry.seq and body["open_items"] == len(self.state.open_items()))
        self.rule("I7", entry.record.received == entry.statement.at)
        self.rule("I7", body["root"] == lineup.roots.get(entry.seq) or lineup.has_broken_root)
        author.stopped = author.stopped or "self"
        self.state.closed = entry

    def ledger_recovered(self, entry, author):
        """Folds the statement of a loss."""
        self.rule(CONTENT, entry.seq == author.seq + 1 and entry.statement.n == 1 and author.seq != 0)
        self.rule("I7", entry.body["size"] == author.seq and self.shows_loss(entry))
        self.state.recovered.append(entry.seq)

    def shows_loss(self, entry):
        """Tells whether `lost_head` is null or shows a loss."""
        note, size, opening = entry.body["lost_head"], entry.body["size"], self.state.body
        if note is None:
            return True
        try:
            head = checkpoint.verify(note, *opening["checkpoint_keys"].values())
        except Refused:
            return False
        is_other = self.lineup.has_broken_root or head.root != self.lineup.roots.get(size)
        return head.origin == opening["origin"] and (head.size > size or head.size == size and is_other)
