"""Entries in their order (authority-v1 §6 V1 to V6, §6.1): decoding, chain, signatures, history, payloads."""

from dataclasses import dataclass

from . import cose, did, merkle, statement
from .errors import Refused
from .law import Fold
from .state import Entry

SEEN_DISTANCE_MAX = 65_536
SEES_EVERYTHING = {"instance.stopped", "ledger.closed"}


@dataclass
class Author:
    """The last words of an author."""

    n: int
    seq: int
    at: int


class Lineup:
    """Takes rows one by one; an entry is folded when the next one was seen, which may name it (§6.1)."""

    def __init__(self, report, payloads):
        self.report, self.payloads = report, payloads
        self.fold = Fold(report, self)
        self.tree, self.roots = merkle.Tree(), {}
        self.entries, self.links, self.authors = {}, {}, {}
        self.damaged, self.broken_from = [], float("inf")
        self.due = self.last_received = 0
        self.pending = None

    @property
    def has_damage(self):
        """Tells whether an entry before the one at hand is damaged or missing."""
        return bool(self.damaged)

    @property
    def has_broken_root(self):
        """Tells whether V1 to V4 named an entry, so that no root over it can be right."""
        return self.broken_from < float("inf")

    def is_root_known(self, size):
        """Tells whether the root over so many records can be compared."""
        return size in self.roots and size <= self.broken_from

    def take(self, key, octets):
        """Takes a row."""
        if key < 0:
            return self.report.find("I4", None)
        before, is_gap = self.pending, key > self.due
        entry = self.decode(key, octets)
        misfits = not is_gap and self.misfits(before, entry)
        if misfits and before and self.attests(before, entry):
            self.fail(before, "I3")
        self.fold_pending()
        if is_gap:
            self.damaged += range(self.due, key)
            self.fail(entry, "I4", self.due)
        if self.fold.state.closed:
            self.fail(entry, "I4")
        self.entries[key], self.due, self.pending = entry, key + 1, entry
        self.links[key] = entry.link
        self.roots[self.tree.size] = self.tree.root()
        self.tree.append(octets or b"")
        self.examine(entry)
        if misfits and before and before.is_damaged:
            self.fail(before, "I3")
            self.links[before.seq] = entry.record.prev
        elif misfits:
            self.fail(entry, "I3")

    def finish(self):
        """Folds the last entry."""
        self.fold_pending()
        self.roots[self.tree.size] = self.tree.root()

    def fail(self, entry, code, broken_from=None):
        """Names an entry by V1 to V4: nothing behind that is judged of it, and no root over it can be right."""
        self.report.find(code, entry.seq)
        entry.is_damaged = entry.has_failed = True
        if code != "U2":
            self.broken_from = min(self.broken_from, entry.seq if broken_from is None else broken_from)

    def decode(self, key, octets):
        """Decodes a row (V1), as far as it goes, and checks the place inside it (V2)."""
        entry = Entry(key, statement.link(octets) if octets is not None else None)
        if octets is None:
            self.fail(entry, "I1")
            return entry
        try:
            entry.record = statement.parse_record(octets)
            if entry.record.seq != key:
                self.fail(entry, "I4")
                entry.is_out_of_place = True
            entry.envelope = cose.parse(entry.record.envelope)
            entry.statement = statement.parse(entry.envelope.statement)
        except statement.Newer:
            self.fail(entry, "U2")
        except Refused:
            self.fail(entry, "I1")
        except cose.WrongSet:
            self.fail(entry, "I2")
        if key == 0 and entry.envelope:
            self.fold.state.ledger_id = statement.sha256(entry.envelope.statement).digest()
        if entry.statement and (entry.statement.kind == 0) != (key == 0):
            self.fail(entry, "I4")
            entry.is_out_of_place = True
        return entry

    def misfits(self, before, entry):
        """Tells whether `prev` is not the link of the row before (V3), where anything is known of that."""
        if entry.record is None or entry.is_out_of_place or before and before.link is None:
            return False
        return entry.record.prev != (before.link if before else statement.ZERO)

    def attests(self, before, entry):
        """Tells whether the author of an entry signed what its record says of the one before (§6.1)."""
        found = entry.statement
        if found is None or entry.has_failed or found.seen != (before.seq + 1, entry.record.prev):
            return False
        if self.fold.state.closed or not self.is_author_known(found.by):
            return False
        party = self.party_of(entry, before)
        return party is not None and self.signatures_hold(entry, party)

    def party_of(self, entry, before=None):
        """Returns the party that must have signed an entry, or None where it is not known."""
        by = entry.statement.by
        if by in self.fold.state.instances:
            return self.fold.state.instances[by].party
        introduction = next((it.statement for it in (entry, before) if it and it.seq == by), None)
        if introduction is None or introduction.kind not in (0, 1):
            return None
        text = introduction.body["dids"][1] if introduction.kind == 0 else introduction.body["did"]
        try:
            return did.read_long(text) if isinstance(text, str) else None
        except Refused:
            return None

    def signatures_hold(self, entry, party):
        """Tells whether an entry has its signature set and all of it verifies under a party."""
        ledger_id = self.fold.state.ledger_id if entry.seq else None
        try:
            cose.verify(entry.envelope, entry.statement.is_hybrid, ledger_id, party.ed25519, party.mldsa44)
        except cose.WrongSet:
            return False
        return True

    def examine(self, entry):
        """Checks who signed (V4), and whether the entry stands on a damaged one."""
        found = entry.statement
        if entry.has_failed:
            return
        if not self.is_author_known(found.by):
            entry.stands_on_damage = True
        else:
            is_own = found.by == entry.seq != 0
            party = self.party_of(entry)
            if party is None or is_own and not (found.kind == 1 and found.body["role"] == "runtime"):
                return self.fail(entry, "A1")
            if not self.signatures_hold(entry, party):
                return self.fail(entry, "I2")
        if any(self.is_damaged(seq) for seq in found.named if seq < entry.seq):
            entry.stands_on_damage = True

    def is_damaged(self, seq):
        """Tells whether an entry is damaged or missing."""
        if seq in self.entries:
            return self.entries[seq].is_damaged
        return seq < self.due

    def is_author_known(self, by):
        """Tells whether neither the introduction of an author nor entry 0 is damaged or missing."""
        if self.pending is None:
            return True
        return not self.is_damaged(by) and not self.is_damaged(0)

    def fold_pending(self):
        """Checks V5 and V6 of the entry before and folds it."""
        entry = self.pending
        if entry is None:
            return
        if not entry.has_failed:
            self.check_history(entry)
            self.check_payloads(entry)
        entry.is_damaged |= entry.stands_on_damage
        if not entry.is_damaged:
            entry.is_damaged = not self.fold.applies(entry)
        if entry.is_damaged:
            self.damaged.append(entry.seq)
        if not entry.has_failed and entry.statement.by in self.fold.state.instances:
            self.note_author(entry)

    def check_history(self, entry):
        """Checks `seen`, `n` and times (V5); of an author that is not known, what does not need it."""
        found, received = entry.statement, entry.record.received
        author = self.authors.get(found.by)
        if not self.has_seen(entry, author):
            self.report.find("I5", entry.seq)
        if self.is_author_known(found.by) and found.by in {entry.seq, *self.fold.state.instances}:
            gap = found.n - (author.n + 1 if author else 0)
            lost = sum(1 for seq in self.damaged if seq > (author.seq if author else found.by))
            if not 0 <= gap <= lost:
                self.report.find("I6", entry.seq)
        if received < self.last_received or author and found.at < author.at:
            self.report.find("I10", entry.seq)
        self.last_received = received

    def has_seen(self, entry, author):
        """Tells whether `seen` is what I5 demands."""
        found, (size, link) = entry.statement, entry.statement.seen
        if entry.seq == 0:
            return (size, link) == (0, statement.ZERO)
        below = found.named + ([author.seq] if author else []) + ([found.by] if found.by != entry.seq else [])
        if not max(below + [entry.seq - SEEN_DISTANCE_MAX - 1, 0]) < size <= entry.seq:
            return False
        if size != entry.seq and (found.name in SEES_EVERYTHING or "succeeds" in found.body):
            return False
        return self.links.get(size - 1) in (None, link)

    def check_payloads(self, entry):
        """Compares payload rows with the references of the body (V6). A column that does not fit is None and named already."""
        slots, rows = entry.statement.slots, self.payloads.get(entry.seq, [])
        for slot, salt, content in rows:
            if salt is None or content is None:
                continue
            reference = slots[slot] if slot < len(slots) else None
            fits = reference and len(salt) == 32 and len(content) == reference["length"]
            if fits and statement.commitment(salt, content) == reference["commitment"]:
                entry.payloads[slot] = content
            else:
                self.report.find("I9", entry.seq)
        if not {slot for slot, _, _ in rows} >= set(range(len(slots))):
            self.report.unproven("I9", entry.seq)

    def note_author(self, entry):
        """Notes the last words of an author."""
        found, before = entry.statement, self.authors.get(entry.statement.by)
        self.authors[found.by] = Author(found.n, entry.seq, max(found.at, before.at if before else 0))

    def last_words_are(self, instance, n, seq):
        """Tells whether an instance's last entry is the one that its stop states (I6)."""
        author = self.authors.get(instance) or Author(0, instance, 0)
        return (n, seq) == (author.n, author.seq) or any(lost > author.seq for lost in self.damaged)
