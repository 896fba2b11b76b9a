"""The verdict on a whole ledger (authority-v1 §6, ledger-v1 §8)."""

from . import anchors, checkpoint, store, trust
from .errors import Refused
from .lineup import Lineup

UNREADABLE = {"U1", "U2"}


class Report:
    """Findings and what is unproven, once each."""

    def __init__(self):
        self.findings, self.open, self.unjudged = set(), set(), []

    def find(self, code, entry):
        """Names a finding."""
        self.findings.add((code, entry))

    def unproven(self, code, entry):
        """Names what cannot be shown."""
        self.open.add((code, entry))

    def verdict(self):
        """Returns the verdict as it is printed (§6.2)."""
        breaches = {code for code, _ in self.findings} - UNREADABLE
        return {
            "exit": 1 if breaches else 4 if self.findings else 3 if self.open else 0,
            "findings": by_entry(self.findings),
            "unproven": by_entry(self.open),
            "unproven_by_this_reader": {"D4b": self.unjudged},
        }


def by_entry(pairs):
    """Lists codes by entry, what belongs to the whole first."""
    ordered = sorted(pairs, key=lambda pair: (pair[1] is not None, pair[1] or 0, pair[0]))
    return [{"code": code, "entry": entry} for code, entry in ordered]


def verify_file(path, trusted, heads, required=()):
    """Verifies a ledger file; `required` are words of §6.4."""
    try:
        rows = store.read(path)
    except store.Unreadable as error:
        report = Report()
        report.find(str(error), None)
        return report.verdict()
    return Verification(rows, trusted, heads, required).verdict()


def verify_vector(vector, base):
    """Verifies a ledger of the golden vectors."""
    entries, notes = vector["entries"], vector.get("checkpoints", [])
    trusted = trust.read_file((base or vector)["anchor"].encode())
    if base:
        entries = base["entries"][: vector["keep"]] + entries
        notes = base["checkpoints"][:notes]
    rows = store.Rows()
    for entry in entries:
        rows.record.append((entry["seq"], bytes.fromhex(entry["record"])))
        for payload in entry["payloads"]:
            place = entry["seq"] * 8 + payload["slot"]
            rows.payload.append((place, bytes.fromhex(payload["salt"]), payload["content"].encode()))
    rows.checkpoint = [(note["size"], note["note"].encode()) for note in notes]
    return Verification(rows, trusted).verdict()


class Verification:
    """Runs V1 to V9 over rows."""

    def __init__(self, rows, trusted, heads=(), required=()):
        self.rows, self.trusted, self.heads, self.required = rows, trusted, heads, required
        self.report = Report()
        payloads = {}
        for place, salt, content in rows.payload:
            payloads.setdefault(place // 8, []).append((place % 8, salt, content))
        self.lineup = Lineup(self.report, payloads)
        self.state = self.lineup.fold.state

    def verdict(self):
        """Runs all steps and returns the verdict."""
        for key, octets in self.rows.record:
            self.lineup.take(key, octets)
        self.lineup.finish()
        self.check_ends_of_tables()
        # Where entry 0 was not folded nobody knows the keys, and no checkpoint and no head is judged (authority-v1 §6.1).
        stored, fitting = (self.check_checkpoints(), self.check_heads()) if self.state.body else (set(), set())
        self.check_anchors(fitting)
        self.check_completeness(stored, fitting)
        return self.report.verdict()

    @property
    def last(self):
        """Returns the last entry, or None."""
        return max(self.lineup.entries, default=None)

    def check_ends_of_tables(self):
        """Names what of the tables cannot be read, and payloads of no entry (L3, L7)."""
        cut_off, entries = self.rows.cut_off, self.lineup.entries
        if "record" in cut_off:
            self.report.find("I4", cut_off["record"] or 0)
        elif not entries:
            self.report.find("I4", None)
        for owner, rows in self.lineup.payloads.items():
            is_unfit = any(column is None for row in rows for column in row)
            if owner < 0 or is_unfit or owner not in entries and "record" not in cut_off:
                self.report.find("I9", owner if owner >= 0 else None)
        if "payload" in cut_off:
            self.report.find("I9", (cut_off["payload"] or 0) // 8)
        if "checkpoint" in cut_off:
            self.report.find("I7", None)

    def fitting(self, note):
        """Returns the checkpoint of a note that verifies under the keys of this ledger, and whether it fits."""
        body = self.state.body
        try:
            found = checkpoint.verify(note, *body["checkpoint_keys"].values())
        except Refused:
            return None, False
        fits = found.origin == body["origin"] and found.size <= len(self.lineup.entries)
        if fits and self.lineup.is_root_known(found.size):
            fits = found.root == self.lineup.roots[found.size]
        return found, fits

    def check_checkpoints(self):
        """Checks stored checkpoints (V7, L9); returns the sizes of those that verify."""
        sizes = set()
        for key, note in self.rows.checkpoint:
            found, fits = self.fitting(note) if note is not None else (None, False)
            if not fits or found.size != key:
                size = found.size if found else key
                self.report.find("I7", (self.last or 0) if size < 0 else max(size - 1, 0))
            if found:
                sizes.add(found.size)
        return sizes

    def check_heads(self):
        """Checks given heads (V8, L10); returns the sizes of those that fit."""
        sizes, last = set(), self.last or 0
        for note in self.heads:
            found, fits = self.fitting(note)
            if fits and self.lineup.is_root_known(found.size):
                sizes.add(found.size)
            elif not fits:
                self.report.find("I8", min(found.size - 1, last) if found else last)
        return sizes

    def check_anchors(self, fitting):
        """Compares the anchors with the principal (V8)."""
        if not self.trusted:
            return self.report.unproven("C4", None)
        if self.state.principal is None:
            return None  # entry 0 was not folded
        same = [anchor for anchor in self.trusted if anchor["did"] == self.state.principal.short]
        if not same:
            return self.report.find("A2", 0)
        folded = [entry for entry in self.lineup.entries.values() if not entry.is_damaged]
        for anchor in same:
            anchors.check(anchor, self.state, folded, fitting, self.report)

    def check_completeness(self, stored, fitting):
        """Tells what is unproven at the end (V9)."""
        state, closed = self.state, self.state.closed
        ends_well = closed and state.instances[closed.statement.by].succeeds is None
        if self.last is not None and not (ends_well and len(self.lineup.entries) in stored):
            self.report.unproven("C1", closed.seq if closed else self.last)
        if self.rows.has_lost or "witness" in self.required or "head" in self.required and not fitting:
            self.report.unproven("C1", None)
        for seq, slot in state.erased:
            if any(stored == slot for stored, _, _ in self.lineup.payloads.get(seq, [])):
                self.report.unproven("I9", seq)
        for seq in state.recovered:
            self.report.unproven("C1", seq)
        for seq in state.unattended:
            if not any(size >= seq for size in fitting):
                self.report.unproven("C1", seq)
        for instance in state.instances.values():
            if instance.role != "approver" and instance.stopped != "self":
                self.report.unproven("C2", instance.seq)
        for seq in state.open_items() + state.unknown:
            self.report.unproven("C3", seq)
