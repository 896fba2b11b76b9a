"""The fold (authority-v1 §4, §5): which entries are lawful behind which others."""

from hashlib import sha256

from . import checkpoint, jcs, merkle, projection
from .decision import Decisions
from .errors import NotFolded
from .identity import Introductions
from .state import AMOUNTS, Call, Question, Request, Run, State
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
    "approver": set(),
}
UNJUDGED = {"peer.noted"}
# §6 F: not named behind a damaged entry, because the sums they rest on are not known there.
RESTS_ON_SUMS = {"D1", "D4a", "D4b", "D7", "G6", "G8"}


class Fold(Introductions, Decisions):
    """Applies entries in order and tells what they break."""

    def __init__(self, report, lineup):
        self.report, self.lineup, self.state = report, lineup, State()
        self.entry = None

    def breach(self, code):
        """Names a breach by the entry at hand, unless it rests on sums that are not known."""
        if code not in RESTS_ON_SUMS or not self.lineup.has_damage:
            self.report.find(code, self.entry.seq)

    def content(self):
        """Names a breach of A5 by content (§5.4)."""
        if not self.lineup.has_damage:
            self.report.find("A5", self.entry.seq)

    def unjudged(self):
        """Says U2: this version does not judge such an entry."""
        self.report.find("U2", self.entry.seq)
        raise NotFolded

    def applies(self, entry):
        """Folds one entry; tells whether it is none that §6 F calls damaged."""
        try:
            self.apply(entry)
        except NotFolded:
            return False
        return True

    def apply(self, entry):
        """Folds one entry."""
        self.entry = entry
        statement, received = entry.statement, entry.record.received
        self.state.digests[entry.seq] = statement.digest
        if statement.kind == 0:
            return self.opened(entry)
        if statement.by == entry.seq:
            return self.introduced(entry, None)
        author = self.state.instances[statement.by]
        if author.stopped:
            self.breach("A3")
        if not author.window.holds(statement.at, received):
            self.breach("A4")
        self.check_speaker(author, statement)
        run = self.state.runs.get(author.run)
        if author.role == "agent" and run and run.ended is not None and statement.name != "instance.stopped":
            self.content()
        if statement.name in UNJUDGED:
            self.unjudged()
        getattr(self, statement.name.replace(".", "_"))(entry, author)

    def check_speaker(self, author, statement):
        """Checks the table of §5.3; a decision on one's own request is D3."""
        if statement.name in SPEAKS[author.role]:
            return
        request = self.state.requests.get(statement.body.get("request")) if statement.name == "decision.made" else None
        self.breach("D3" if request and request.requester is author else "A5")
        raise NotFolded

    def identity_introduced(self, entry, author):
        """Folds an introduction by somebody else."""
        self.introduced(entry, author)

    def policy_adopted(self, entry, _author):
        """Folds a policy (§5.4)."""
        body, state = entry.body, self.state
        if body["language"] != "cedar-4":
            self.unjudged()
        if any(body[name]["class"] != "evidence" for name in ("policies", "schema", "entities")):
            self.content()
        if "order" in body:
            self.check_adoption(entry)
        elif body["layer"] in ("builtin", "organisation") and state.runs:
            self.content()
        elif body["layer"] == "builtin":
            texts = [(name, entry.payload(name)) for name in ("policies", "schema")]
            if any(text is not None and not projection.is_published(name, text) for name, text in texts):
                self.content()
        state.policies[body["layer"]] = entry

    def check_adoption(self, entry):
        """Demands that the principal ordered exactly this policy (§5.7)."""
        text, layers = entry.payload("policies"), list(CODES["layer"][1].values())
        ordered = self.directive(entry) or {}
        wanted = {"act": "adopt", "layer": layers.index(entry.body["layer"])}
        if text is None:
            self.report.unproven("A5", entry.seq)
            wanted["policies"] = ordered.get("policies")
        else:
            wanted["policies"] = sha256(text).hexdigest()
        if ordered != wanted:
            self.content()

    def payload_erased(self, entry, author):
        """Folds an erasure (§5.9)."""
        body, named = entry.body, self.lineup.entries[entry.body["entry"]]
        slots = [slot for slot in named.statement.slots if slot["commitment"] == body["commitment"]]
        if not slots:
            self.content()
            raise NotFolded
        wanted = {"act": "erase", "entry": named.statement.digest.hex(), "reason": body["ground"]}
        is_ordered = self.directive(entry) == wanted | {"payload": body["commitment"].hex()}
        if not is_ordered or any(slot["class"] != "content" for slot in slots):
            return self.content()
        self.state.erased += [(named.seq, slot.slot) for slot in slots]

    def run_started(self, entry, author):
        """Folds the beginning of a run."""
        state, lead = self.state, self.state.instances.get(entry.body["root_grant"])
        if lead is None or not lead.is_lead:
            self.content()
            raise NotFolded
        if lead.stopped or lead.run is not None or lead.parent is not author:
            self.content()
        if state.is_revoked(lead.grant):
            self.breach("G7")
        if lead.run is not None:
            raise NotFolded
        state.runs[entry.seq] = Run(entry.seq, lead, entry.body["mode"])
        lead.run = entry.seq

    def run_ended(self, entry, author):
        """Folds the end of a run."""
        run = self.state.runs.get(entry.body["run"])
        if run is None or run.ended is not None:
            self.content()
            raise NotFolded
        began = run.lead.parent
        succeeded = self.state.has_in_line(author, began) and entry.body["reason"] != "done"
        if not (began is author or succeeded):
            self.content()
        if [entry.body["spend"][name] for name in AMOUNTS] != run.lead.grant.spent:
            self.breach("G6")
        run.ended = entry.record.received

    def model_called(self, entry, author):
        """Folds a model call: it reserves from every grant of its chain (§5.5)."""
        state = self.state
        if any(call.author == author.seq and not call.is_answered for call in state.calls.values()):
            self.content()
        payer = author
        if author.role == "advisor":
            asked = [q for q in state.questions.values() if q.advisor == author.seq and not q.is_answered]
            if not asked:
                self.content()
            payer = asked[0].asker if asked else None
        if payer and state.active_run(payer) is None:
            self.content()
        if payer and state.is_revoked(payer.grant):
            self.breach("G7")
        reserve = [entry.body["reserve"][name] for name in AMOUNTS]
        grants = list(payer.grant.chain()) if payer else []
        if reserve[0] < 1 or any(take > left for g in grants for take, left in zip(reserve, g.left())):
            self.breach("G6")
        for charged in grants:
            charged.reserved = [before + take for before, take in zip(charged.reserved, reserve)]
        state.calls[entry.seq] = Call(author.seq, reserve, grants)

    def model_answered(self, entry, author):
        """Folds an answer: what was used takes the place of what was reserved."""
        body, state = entry.body, self.state
        call = state.calls.get(body["call"])
        if call is None or call.author != author.seq or call.is_answered:
            self.content()
            raise NotFolded
        tokens = body["tokens"]
        used = [call.reserve[0], tokens["input"] + tokens["cache_write"] + tokens["cache_read"], tokens["output"]]
        used.append(body["cost"])
        call.is_answered = True
        for charged in call.grants:
            charged.reserved = [before - take for before, take in zip(charged.reserved, call.reserve)]
            charged.spent = [before + take for before, take in zip(charged.spent, used)]
        sums = used + [amount for charged in call.grants for amount in charged.spent]
        if max(sums) > AMOUNT_MAX:
            self.breach("G6")
        author.last_answer = entry.seq
        author.unused_calls = self.proposed(entry)
        state.answers[entry.seq] = author

    def proposed(self, entry):
        """Returns the calls that an answer contains, or None if its bytes are absent (§5.6)."""
        if entry.body["outcome"] != "ok" or entry.body["response"] is None:
            return []
        octets = entry.payload("response")
        if octets is None:
            return None
        try:
            found = jcs.parse(octets, ANSWER_MAX)
        except jcs.Refused:
            return []
        calls = found.get("calls") if isinstance(found, dict) else None
        if not isinstance(calls, list):
            return []
        for call in calls:
            if not isinstance(call, dict) or not isinstance(call.get("tool"), str) or "arguments" not in call:
                return []
        return [(call["tool"], jcs.encode(call["arguments"])) for call in calls]

    def advice_requested(self, entry, author):
        """Folds a question to an advisor."""
        state, advisor = self.state, self.state.instances.get(entry.body["advisor"])
        if author.run is None:
            self.content()
        if advisor is None or advisor.role != "advisor":
            self.content()
            raise NotFolded
        if advisor.stopped or advisor.parent.role != "runtime" and advisor.parent is not author:
            self.content()
        action = state.permitted_action(author, "advisor", entry.record.received)
        if action is None:
            self.breach("D7")
        state.questions[entry.seq] = Question(author, advisor.seq, action)

    def advice_given(self, entry, author):
        """Folds advice."""
        state, body = self.state, entry.body
        question = state.questions.get(body["question"])
        if question is None or question.advisor != author.seq or question.is_answered:
            self.content()
            raise NotFolded
        if state.answers.get(body["answer"]) is not author or body["answer"] < body["question"]:
            self.content()
        question.is_answered = True
        state.advice[entry.seq] = (question.asker, body["form"])

    def action_requested(self, entry, author):
        """Folds a request; whatever it asks for is lawful, the rest is the decision's matter."""
        body, state = entry.body, self.state
        if "resumes" in body:
            if (body["tool"], body["resumes"]) not in state.lost:
                self.content()
            state.lost.discard((body["tool"], body["resumes"]))
        for cited in body.get("advice", []):
            asker, form = state.advice.get(cited["entry"], (None, None))
            if asker is not author or form == "opaque" and cited["relation"] != "not-assessable":
                self.breach("D8")
        self.check_cause(entry, author)
        if projection.missing_effects(body["tool"], body["effects"]):
            self.breach("D4a")
        state.requests[entry.seq] = Request(entry, author)

    def check_cause(self, entry, author):
        """Checks that the last answer of the requester contains this call, and uses it up (D10)."""
        cause, arguments = entry.body["cause"], entry.payload("arguments")
        if cause is not None and cause != author.last_answer:
            return self.breach("D10")
        if cause is None or author.unused_calls is None or arguments is None:
            return self.report.unproven("D10", entry.seq)
        call = (entry.body["tool"], arguments)
        if call not in author.unused_calls:
            return self.breach("D10")
        author.unused_calls.remove(call)

    def session_event(self, entry, author):
        """Folds a remark; only `approval-expired` changes anything."""
        if entry.body["code"] != "approval-expired":
            return
        decision = self.state.decisions.get(entry.body["about"])
        if decision is None or decision.outcome != "ask" or decision.answered:
            self.content()
            raise NotFolded
        if not self.state.has_in_line(author, decision.decider):
            self.content()
        decision.answered = "expired"

    def instance_stopped(self, entry, author):
        """Folds a stop."""
        body, instance = entry.body, self.state.instances.get(entry.body["instance"])
        if instance is None or instance.role == "approver" or instance is not author and author.role != "runtime":
            self.breach("A5")
            raise NotFolded
        if instance.stopped:
            self.content()
            raise NotFolded
        if not self.lineup.last_words_are(instance.seq, body["last_n"], body["last_seq"]):
            self.breach("I6")
        instance.stopped = "self" if instance is author else "other"

    def ledger_closed(self, entry, author):
        """Folds the end of a ledger."""
        body, lineup = entry.body, self.lineup
        root = lineup.roots.get(entry.seq)
        fits = body["size"] == entry.seq and body["open_items"] == len(self.state.open_items())
        fits = fits and entry.record.received == entry.statement.at and (body["root"] == root or lineup.has_broken_root)
        if not fits and not lineup.has_damage:
            self.breach("I7")
        author.stopped = author.stopped or "self"
        self.state.closed = entry

    def ledger_recovered(self, entry, author):
        """Folds the statement of a loss."""
        state, lineup = self.state, self.lineup
        is_next = entry.seq == author.seq + 1 and entry.statement.n == 1 and author.seq != 0
        if not is_next:
            self.content()
        if not lineup.has_damage and not (entry.body["size"] == author.seq and self.shows_loss(entry)):
            self.breach("I7")
        state.recovered.append(entry.seq)

    def shows_loss(self, entry):
        """Tells whether `lost_head` is null or shows a loss."""
        note, size = entry.body["lost_head"], entry.body["size"]
        if note is None:
            return True
        keys = self.state.body["checkpoint_keys"]
        try:
            head = checkpoint.verify(note, keys["ed25519"], keys["ml_dsa_44"])
        except merkle.Refused:
            return False
        if head.origin != self.state.body["origin"] or head.size < size:
            return False
        return head.size > size or self.lineup.has_broken_root or head.root != self.lineup.roots.get(size)
