"""Records and statements (statement-v1 §2 to §8): bytes in, names and values out."""

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256

from blake3 import blake3

from .cbor import EXT_DEPTH_MAX, MAP, NEWER_DEPTH_MAX, TEXT, Cursor, Malformed, ascending, encode

RECORD_MAX = 65_535
ENVELOPE_MAX = 65_000
EXT_MAX = 4_096
ZERO = bytes(32)
NAME = re.compile(r"[A-Za-z0-9._:/@+-]{1,64}")
ORIGIN = re.compile(r"[A-Za-z0-9._/-]{1,128}")
DID = re.compile(r"did:[A-Za-z0-9._:%-]{4,8188}")

# §5.22: name and bound of each list, and its words; they count from 0, or on from a number that is given.
CODE_LISTS = """\
suites 1: table
role 3: runtime agent advisor approver
key form 2: 1=ssh webauthn
revocation reason 15: unspecified key-compromise ceased halted
layer 5: builtin organisation user project session file
run mode 7: interactive coordinator worker headless
clock 3: unknown unsynced ntp tsa
end reason 7: done failed halted-budget halted-policy interrupted environment bug other
model outcome 4: ok error timeout refused cancelled
advice form 1: readable opaque
advice relation 2: overridden followed not-assessable
decision outcome 3: deny allow ask could-not-evaluate
part outcome 4: deny allow ask could-not-evaluate neutral
check 7: grant budget permit-layers lower-layers protected-places shell-analysis second-opinion availability
approver class 1: person agent
approval verdict 1: refused given
order form 3: data-integrity sshsig webauthn cose
action outcome 4: ok error timeout aborted unknown
event 63: 1=clock-stepped instruction approval-expired append-refused handler-failed halted interrupted review warning
erasure ground 15: unspecified request retention mistake
stop reason 15: done failed halted interrupted crashed revoked 15=other
recovery reason 15: lost-tail old-copy
direction 1: out in
payload class 1: content evidence
"""


def read_codes(table):
    """Reads a table of lists; gives bound and words by number for each."""
    codes = {}
    for line in table.splitlines():
        (name, bound), words, number = line.partition(":")[0].rsplit(" ", 1), {}, 0
        for word in line.partition(":")[2].split():
            given, is_given, rest = word.partition("=")
            number, word = (int(given), rest) if is_given else (number, word)
            words[number], number = word, number + 1
        codes[name] = (int(bound), words)
    return codes


CODES = read_codes(CODE_LISTS)
EFFECTS = ["read", "write", "execute", "network", "delegate", "consult"]

# §5: per kind its name, whether both signatures are required, and the fields `key name type`; `?` marks an optional key.
# A type is `code LIST`, `null TYPE`, `bytes N`, or a method of `Body`; `seq` is a `seq` that counts for I5.
KINDS = [
    ("ledger.opened", True, "1 nonce bytes 16;2 origin origin;3 principal did;4 dids dids;5 credentials credentials;"
     "6 checkpoint_keys checkpoint_keys;7 suites code suites;8 build h32;?9 predecessor predecessor"),
    ("identity.introduced", False, "1 did newcomer;2 role code role;3 credential doc;4 run null seq;"
     "?5 succeeds seq;?6 parent_grant seq"),
    ("grant.issued", False, "1 holder seq;2 credential doc;3 parent_grant seq;?4 spent_in h32"),
    ("grant.revoked", True, "1 target seq;2 reason code revocation reason;3 order null order;?4 suspected_since uint"),
    ("policy.adopted", True, "1 layer code layer;2 policies payload;3 schema payload;4 entities payload;"
     "5 language name;?6 order order"),
    ("run.started", False, "1 run_id bytes 16;2 task payload;3 asked_by null did;4 root_grant seq;"
     "5 mode code run mode;6 config h32;7 clock code clock"),
    ("run.ended", False, "1 run seq;2 reason code end reason;3 result null payload;4 spend spend"),
    ("model.called", False, "1 provider name;2 model name;3 request payload;4 reserve spend;5 system_prompt h32;"
     "6 toolset h32;7 price_table h32"),
    ("model.answered", False, "1 call seq;2 outcome code model outcome;3 response null payload;4 tokens tokens;5 cost uint"),
    ("advice.requested", False, "1 advisor seq;2 question payload"),
    ("advice.given", False, "1 question seq;2 answer seq;3 form code advice form;4 content payload"),
    ("action.requested", False, "1 tool name;2 descriptor h32;3 arguments payload;4 effects effects;5 grant seq;"
     "6 cause null seq;?7 advice relations;?8 resumes seq"),
    ("decision.made", False, "1 request seq;2 outcome code decision outcome;3 parts parts;4 policies policies;"
     "5 cedar_request null payload;6 projection h32;7 expires uint;?8 ask ask;?9 advice cited;?10 status_lists lists"),
    ("approval.entered", False, "1 decision seq;2 approver seq;3 verdict code approval verdict;4 order order;5 text payload"),
    ("action.finished", False, "1 decision seq;2 outcome code action outcome;3 result null payload;4 started null uint;"
     "5 duration null uint;6 sandbox uint"),
    ("session.event", False, "1 code code event;2 about null seq;?3 detail payload"),
    ("payload.erased", False, "1 entry seq;2 commitment h32;3 ground code erasure ground;4 order order"),
    ("instance.stopped", True, "1 instance seq;2 reason code stop reason;3 last_n uint;4 last_seq seq"),
    ("ledger.closed", True, "1 size uint;2 root h32;3 open_items uint"),
    ("ledger.recovered", True, "1 size uint;2 lost_head null doc;3 reason code recovery reason"),
    ("peer.noted", False, "1 exchange bytes 16;2 direction code direction;3 ledger h32;4 entry h32;5 checkpoint doc;"
     "6 own_entry null seq"),
]  # fmt: skip


class Newer(Exception):
    """The bytes may be of a later version (§2.3)."""


class Doc(bytes):
    """A document whose bytes are not looked into here."""


class Payload(dict):
    """A payload reference: commitment, length and class."""


@dataclass
class Statement:
    """A statement, and what of its body other documents ask for."""

    octets: bytes
    kind: int = 0
    by: int = 0
    n: int = 0
    at: int = 0
    seen: tuple = (0, ZERO)
    body: dict = field(default_factory=dict)
    ext: dict | None = None
    named: list = field(default_factory=list)
    slots: list = field(default_factory=list)

    @property
    def name(self):
        """Names the kind."""
        return KINDS[self.kind][0]

    @property
    def is_hybrid(self):
        """Tells which of the two signature sets the kind has."""
        return KINDS[self.kind][1]

    @property
    def digest(self):
        """Returns the digest of the entry (§1)."""
        return sha256(self.octets).digest()


@dataclass
class Record:
    """A record: the place of a statement."""

    seq: int
    received: int
    prev: bytes
    envelope: bytes


def link(octets):
    """Returns the link of record bytes (§3)."""
    return blake3(octets, derive_key_context="countersign/1 chain").digest()


def commitment(salt, octets):
    """Returns the commitment of a payload (§6)."""
    return sha256(b"countersign/1 payload\x00" + salt + octets).digest()


def founding(body):
    """Returns the founding digest of a genesis body (§8)."""
    terms = [body[name] for name in ("nonce", "origin", "principal")]
    terms += [list(body["checkpoint_keys"].values()), 0, body["build"]]
    before = body.get("predecessor")
    terms.append(before and list(before.values()))
    return sha256(b"countersign/1 founding\x00" + encode(terms)).digest()


def parse_record(octets):
    """Reads the bytes of one row (§3)."""
    if len(octets) > RECORD_MAX:
        raise Malformed("length")
    cursor = Cursor(octets)
    cursor.array(5, 5)
    if cursor.uint() != 1:
        raise Malformed("constant")
    record = Record(cursor.uint(), cursor.uint(), cursor.octet_string(32, 32), cursor.octet_string(1, ENVELOPE_MAX))
    cursor.end()
    return record


def parse(octets):
    """Reads statement bytes (§4.1).

    Raises `Malformed`, or `Newer` for canonical bytes whose first strange thing is one of §2.3.
    """
    statement, cursor = Statement(octets), Cursor(octets)
    try:
        read_statement(statement, cursor)
    except Newer:
        check_newer(octets)
        raise
    return statement


def read_statement(statement, cursor):
    """Reads the statement map, key by key."""
    due, before = 1, None
    pairs = cursor.expect(MAP)
    if pairs > 16:
        raise Malformed("length")
    for _ in range(pairs):
        before, key = read_key(cursor, before)
        if due < 7 and key != due and 1 <= key <= 7:
            raise Malformed("missing-key")
        if key == 0 or key > 7:
            raise Newer("newer-key")
        due = key + 1
        read_member(statement, cursor, key)
    if due < 7:
        raise Malformed("missing-key")
    cursor.end()


def read_key(cursor, before):
    """Reads an integer key ≥ 0 that stands behind the one before."""
    start = cursor.at
    key = cursor.uint()
    return ascending(before, cursor.octets[start : cursor.at]), key


def read_member(statement, cursor, key):
    """Reads the value of one key of the statement map."""
    if key == 1:
        statement.kind = cursor.uint()
        if statement.kind >= len(KINDS):
            raise Newer("newer-kind")
    elif key == 5:
        cursor.array(2, 2)
        statement.seen = (cursor.uint(), cursor.octet_string(32, 32))
    elif key == 6:
        statement.body = Body(cursor, statement).read(KINDS[statement.kind][2])
    elif key == 7:
        statement.ext = read_ext(cursor)
    else:
        setattr(statement, {2: "by", 3: "n", 4: "at"}[key], cursor.uint())


def read_ext(cursor):
    """Reads extensions (§7)."""
    start = cursor.at
    pairs = cursor.expect(MAP)
    if pairs == 0:
        raise Malformed("length")
    ext = cursor.pairs(pairs, 1, EXT_DEPTH_MAX, text_keys=True)
    if cursor.at - start > EXT_MAX:
        raise Malformed("length")
    return ext


def check_newer(octets):
    """Checks the whole of a newer statement for §2.1 alone, with the relaxations of §2.3."""
    cursor = Cursor(octets)
    cursor.pairs(cursor.expect(MAP), 1, NEWER_DEPTH_MAX, text_keys=False)
    cursor.end()


class Body:
    """Reads a body by its table and notes what is named and which payloads it refers to."""

    def __init__(self, cursor, statement):
        self.cursor, self.named, self.slots = cursor, statement.named, statement.slots

    def read(self, table):
        """Reads the body map of one kind."""
        fields = [entry.lstrip("?").split(" ", 2) for entry in table.split(";")]
        types = {int(key): (name, kind) for key, name, kind in fields}
        optional = {int(key) for entry, (key, _, _) in zip(table.split(";"), fields) if entry.startswith("?")}
        pairs = self.cursor.expect(MAP)
        if pairs > 32:
            raise Malformed("length")
        body, found, before = {}, set(), None
        for _ in range(pairs):
            before, key = read_key(self.cursor, before)
            if key not in types:
                raise Newer("newer-key")
            name, kind = types[key]
            found.add(key)
            body[name] = self.value(kind)
        if set(types) - optional - found:
            raise Malformed("missing-key")
        return body

    def value(self, kind):
        """Reads a value of a type."""
        word, _, rest = kind.partition(" ")
        if word == "null":
            return None if self.cursor.is_null() else self.value(rest)
        if word == "code":
            return self.code(rest)
        if word == "bytes":
            return self.cursor.octet_string(int(rest), int(rest))
        return getattr(self, word)()

    def uint(self):
        return self.cursor.uint()

    def h32(self):
        return self.cursor.octet_string(32, 32)

    def doc(self):
        return Doc(self.cursor.octet_string(1, 16_384))

    def text(self, pattern, longest):
        found = self.cursor.text()
        if len(found) > longest:
            raise Malformed("length")
        if not pattern.fullmatch(found):
            raise Malformed("text")
        return found

    def name(self):
        return self.text(NAME, 64)

    def origin(self):
        return self.text(ORIGIN, 128)

    def did(self):
        return self.text(DID, 8192)

    def code(self, listed):
        bound, words = CODES[listed]
        value = self.cursor.uint()
        if value > bound:
            raise Malformed("range")
        if value not in words:
            raise Newer("newer-code")
        return words[value]

    def effects(self):
        value = self.cursor.uint()
        if value > 255:
            raise Malformed("range")
        if value > 63:
            raise Newer("newer-code")
        return [word for bit, word in enumerate(EFFECTS) if value >> bit & 1]

    def array(self, low, high, item):
        return [item() for _ in range(self.cursor.array(low, high))]

    def numbers(self, *names):
        self.cursor.array(len(names), len(names))
        return {name: self.cursor.uint() for name in names}

    def payload(self):
        self.cursor.array(3, 3)
        found = Payload(commitment=self.h32(), length=self.uint())
        found["class"] = self.code("payload class")
        found.slot = len(self.slots)
        self.slots.append(found)
        return found

    def spend(self):
        return self.numbers("calls", "tokens_in", "tokens_out", "cost_micro_usd")

    def tokens(self):
        return self.numbers("input", "output", "cache_write", "cache_read")

    def order(self):
        self.cursor.array(2, 2)
        return {"form": self.code("order form"), "doc": self.doc()}

    def dids(self):
        return self.array(2, 2, self.did)

    def credentials(self):
        return self.array(2, 2, self.doc)

    def checkpoint_keys(self):
        self.cursor.array(2, 2)
        return {"ed25519": self.h32(), "ml_dsa_44": self.cursor.octet_string(1312, 1312)}

    def predecessor(self):
        self.cursor.array(4, 4)
        return {"ledger": self.h32(), "size": self.uint(), "link": self.h32(), "root": self.h32()}

    def newcomer(self):
        if self.cursor.major() == TEXT:
            return self.did()
        self.cursor.array(2, 2)
        return {"form": self.code("key form"), "key": self.doc()}

    def relation(self):
        self.cursor.array(2, 2)
        return {"entry": self.seq(), "relation": self.code("advice relation")}

    def relations(self):
        return self.array(1, 16, self.relation)

    def part(self):
        self.cursor.array(3, 3)
        return {
            "check": self.code("check"),
            "outcome": self.code("part outcome"),
            "rules": self.array(0, 16, self.name),
        }

    def parts(self):
        return self.array(1, 8, self.part)

    def policies(self):
        return self.array(1, 6, self.seq)

    def ask(self):
        self.cursor.array(3, 3)
        need = self.cursor.uint()
        if not 1 <= need <= 9:
            raise Malformed("range")
        return {"need": need, "class": self.code("approver class"), "eligible": self.array(1, 64, self.seq)}

    def cited(self):
        return self.array(1, 16, self.seq)

    def status(self):
        self.cursor.array(2, 2)
        return {"list": self.h32(), "as_of": self.uint()}

    def lists(self):
        return self.array(1, 16, self.status)

    def seq(self):
        value = self.cursor.uint()
        self.named.append(value)
        return value


def project(value):
    """Shows a value in the JSON projection of §9."""
    if isinstance(value, Doc):
        try:
            return json.loads(value)
        except ValueError:
            return value.hex()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: project(item) for name, item in value.items()}
    return [project(item) for item in value] if isinstance(value, list) else value
