"""The verdict on a whole ledger (authority-v1 §6, ledger-v1 §8)."""

from . import checkpoint, did, merkle, store
from .lineup import Lineup

UNREADABLE = {"U1", "U2"}


class Report:
    """Findings and what is unproven, once each."""

    def __init__(self):
        self.findings, self.open, self.unjudged = [], [], []

    def find(self, code, entry):
        """Names a finding."""
        if (entry, code) not in self.findings:
            self.findings.append((entry, code))

    def unproven(self, code, entry):
        """Names what cannot be shown."""
        if (entry, code) not in self.open:
            self.open.append((entry, code))

    def verdict(self):
        """Returns the verdict as it is printed (§6.2)."""
        findings = sorted(self.findings, key=by_entry)
        breaches = [finding for finding in findings if finding[1] not in UNREADABLE]
        first = (breaches or findings or [(None, None)])[0]
        code = 1 if breaches else 4 if findings else 3 if self.open else 0
        return {
            "exit": code,
            "code": first[1],
            "entry": first[0],
            "unproven": [{"code": code, "entry": entry} for entry, code in sorted(self.open, key=by_entry)],
            "findings": [{"code": code, "entry": entry} for entry, code in findings],
            "unproven_by_this_reader": {"D4b": self.unjudged},
        }


def by_entry(finding):
    """Sorts by entry, what belongs to the whole first."""
    return -1 if finding[0] is None else finding[0]


def verify_file(path, anchors, heads):
    """Verifies a ledger file."""
    try:
        rows = store.read(path)
    except store.Unreadable as error:
        report = Report()
        report.find(str(error), None)
        return report.verdict()
    return Verification(rows, anchors, heads).verdict()


def verify_vector(vector, base):
    """Verifies a ledger of the golden vectors."""
    entries, notes = vector["entries"], vector.get("checkpoints", [])
    anchor = (base or vector)["anchor"]
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
    return Verification(rows, [did.read_anchor(anchor)], []).verdict()


class Verification:
    """Runs V1 to V9 over rows."""

    def __init__(self, rows, anchors, heads):
        self.rows, self.anchors, self.heads = rows, anchors, heads
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
        stored = self.check_checkpoints()
        fitting = self.check_heads()
        self.check_anchors()
        self.check_completeness(stored, fitting)
        return self.report.verdict()

    @property
    def last(self):
        """Returns the last entry, or None."""
        return max(self.lineup.entries, default=None)

    @property
    def is_founding_damaged(self):
        """Tells whether entry 0 was not folded: no checkpoint and no head is judged then (authority-v1 §6.1)."""
        return self.state.body is None

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
        if body is None:
            return None, False
        try:
            found = checkpoint.verify(note, body["checkpoint_keys"]["ed25519"], body["checkpoint_keys"]["ml_dsa_44"])
        except merkle.Refused:
            return None, False
        fits = found.origin == body["origin"] and found.size <= len(self.lineup.entries)
        if fits and self.lineup.is_root_known(found.size):
            fits = found.root == self.lineup.roots[found.size]
        return found, fits

    def check_checkpoints(self):
        """Checks stored checkpoints (V7, L9); returns the sizes of those that verify."""
        if self.is_founding_damaged:
            return set()
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
        if self.is_founding_damaged:
            return set()
        sizes, last = set(), self.last or 0
        for note in self.heads:
            found, fits = self.fitting(note)
            if fits and self.lineup.is_root_known(found.size):
                sizes.add(found.size)
            elif not fits:
                self.report.find("I8", min(found.size - 1, last) if found else last)
        return sizes

    def check_anchors(self):
        """Compares the anchors with the principal (V8)."""
        if not self.anchors:
            self.report.unproven("C4", None)
        elif self.state.principal and self.state.principal.short not in self.anchors:
            self.report.find("A2", 0)

    def check_completeness(self, stored, fitting):
        """Tells what is unproven at the end (V9)."""
        state, closed = self.state, self.state.closed
        ends_well = closed and state.instances[closed.statement.by].succeeds is None
        if self.last is not None and not (ends_well and len(self.lineup.entries) in stored):
            self.report.unproven("C1", closed.seq if closed else self.last)
        if self.rows.has_lost:
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
