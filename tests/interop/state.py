"""What the fold keeps (authority-v1 §3): instances, grants, runs and what is open."""

from dataclasses import dataclass, field
from hashlib import sha256

from .credential import Window
from .did import Party
from .grant import BUDGET
from .statement import Payload, Record, Statement

# A5 by content (authority-v1 §5.4), which is not named behind a damaged entry.
CONTENT = "content"
AMOUNTS = ("calls", "tokens_in", "tokens_out", "cost_micro_usd")


@dataclass
class Entry:
    """One row, as far as it could be read."""

    seq: int
    link: bytes | None
    record: Record | None = None
    envelope: object = None
    statement: Statement | None = None
    is_damaged: bool = False
    has_failed: bool = False
    is_out_of_place: bool = False
    stands_on_damage: bool = False
    payloads: dict = field(default_factory=dict)

    @property
    def body(self):
        """Returns the body of the statement."""
        return self.statement.body

    def payload(self, name):
        """Returns the bytes of the payload a field refers to, or None if they are absent."""
        reference = self.body[name]
        return self.payloads.get(reference.slot) if isinstance(reference, Payload) else None


@dataclass
class Grant:
    """A grant, what is spent of it, and the grant above it."""

    seq: int
    terms: dict
    window: Window
    digest: str
    parent: "Grant | None" = None
    spent: list = field(default_factory=lambda: [0, 0, 0, 0])
    reserved: list = field(default_factory=lambda: [0, 0, 0, 0])

    def chain(self):
        """Yields this grant and those above it, up to the one of the principal."""
        grant = self
        while grant:
            yield grant
            grant = grant.parent

    def left(self):
        """Returns what is left of the four amounts, negative where more was spent."""
        budget = [self.terms["budget"][name] for name in BUDGET]
        return [most - spent - reserved for most, spent, reserved in zip(budget, self.spent, self.reserved)]


@dataclass
class Instance:
    """An instance or an approver, named by the seq of its introduction."""

    seq: int
    role: str
    party: Party
    window: Window
    name: str = ""
    parent: "Instance | None" = None
    grant: Grant | None = None
    run: int | None = None
    succeeds: int | None = None
    stopped: str | None = None
    is_calling: bool = False
    last_answer: int | None = None
    unused_calls: list | None = None

    @property
    def runtime(self):
        """Returns the runtime instance under which it was introduced."""
        return self if self.role == "runtime" else self.parent.runtime

    @property
    def is_lead(self):
        """Tells a lead from a child."""
        return self.role == "agent" and self.parent.role == "runtime"


@dataclass
class Run:
    """A run; `ended` is the `received` of its end."""

    seq: int
    lead: Instance
    mode: str
    ended: int | None = None


@dataclass
class Call:
    """A model call and the grants it is charged to."""

    author: int
    reserve: list
    grants: list
    is_answered: bool = False


@dataclass
class Question:
    """A question to an advisor, and the action it was asked in."""

    asker: Instance
    advisor: int
    action: "Decision | None"
    is_answered: bool = False

    @property
    def is_open(self):
        """Tells whether it has no answer, and its action no outcome."""
        return not self.is_answered and not (self.action and self.action.is_finished)


@dataclass
class Request:
    """An action that was requested."""

    entry: Entry
    requester: Instance
    is_decided: bool = False


@dataclass
class Decision:
    """A decision; `permitted` is the `received` of what permitted the action."""

    entry: Entry
    request: Request
    decider: Instance
    outcome: str
    expires: int
    permitted: int | None = None
    answered: str | None = None
    is_finished: bool = False
    uses: set = field(default_factory=set)

    @property
    def is_open(self):
        """Tells an ask without answer and a permit without outcome."""
        if self.is_finished or self.answered in ("refused", "expired"):
            return False
        return self.permitted is not None or self.outcome == "ask"


class State:
    """Everything that later entries are judged by."""

    def __init__(self):
        self.ledger_id = self.body = self.principal = self.host = self.host_window = None
        self.may_issue = []
        self.instances, self.issued, self.runs = {}, {}, {}
        self.requests, self.decisions, self.calls, self.questions, self.advice = {}, {}, {}, {}, {}
        self.answers = {}
        self.policies, self.digests = {}, {}
        self.known, self.orders, self.grants, self.revoked, self.lost = set(), set(), set(), set(), set()
        self.closed = None
        self.recovered, self.unattended, self.unknown, self.erased = [], [], [], []

    def line(self, instance):
        """Yields an instance and those it took over from, one after the other; a succession that runs forward ends it."""
        while instance:
            yield instance
            is_older = instance.succeeds is not None and instance.succeeds < instance.seq
            instance = self.instances.get(instance.succeeds) if is_older else None

    def has_in_line(self, author, instance):
        """Tells whether an instance stands in the line of an author."""
        return any(member is instance for member in self.line(author))

    def is_revoked(self, grant):
        """Tells whether a revocation names a grant or one above it (§5.8)."""
        return any(above.seq in self.revoked for above in grant.chain())

    def active_run(self, instance):
        """Returns the run of an instance if it is active."""
        run = self.runs.get(instance.run)
        return run if run and run.ended is None else None

    def use_action(self, author, tool, received, use):
        """Uses the permitted, unfinished action of an author that was requested first and not used so yet (§5.2), if any."""
        found = [
            decision
            for decision in self.decisions.values()
            if decision.request.requester is author
            and decision.request.entry.body["tool"] == tool
            and decision.permitted is not None
            and not decision.is_finished
            and received <= decision.expires
            and use not in decision.uses
        ]
        action = min(found, key=lambda decision: decision.request.entry.seq, default=None)
        if action:
            action.uses.add(use)
        return action

    def is_new_order(self, document):
        """Tells whether an order was not entered before, and notes it."""
        digest = sha256(document).digest()
        is_new = digest not in self.orders
        self.orders.add(digest)
        return is_new

    def in_force(self):
        """Returns the seqs of the policies in force, ascending."""
        return sorted(entry.seq for entry in self.policies.values())

    def open_items(self):
        """Returns the entry of each open item (§3)."""
        found = [seq for seq, request in self.requests.items() if not request.is_decided]
        found += [seq for seq, decision in self.decisions.items() if decision.is_open]
        found += [seq for seq, call in self.calls.items() if not call.is_answered]
        found += [seq for seq, question in self.questions.items() if question.is_open]
        return sorted(found)
