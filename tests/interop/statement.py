"""Records and statements (statement-v1 §2 to §8): bytes in, names and values out."""

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256

from blake3 import blake3

from .cbor import EXT_DEPTH_MAX, MAP, NEWER_DEPTH_MAX, TEXT, Cursor, encode
from .errors import Refused, demand, remembered

RECORD_MAX = 65_535
ENVELOPE_MAX = 65_000
EXT_MAX = 4_096
ZERO = bytes(32)
TEXTS = {
    "name": re.compile(r"[A-Za-z0-9._:/@+-]{1,64}"),
    "origin": re.compile(r"[A-Za-z0-9._/-]{1,128}"),
    "did": re.compile(r"did:[A-Za-z0-9._:%-]{4,8188}"),
}

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
        title, _, listed = line.partition(":")
        (name, bound), words, number = title.rsplit(" ", 1), {}, 0
        for word in listed.split():
            given, is_given, rest = word.partition("=")
            number, word = (int(given), rest) if is_given else (number, word)
            words[number], number = word, number + 1
        codes[name] = (int(bound), words)
    return codes


CODES = read_codes(CODE_LISTS)
EFFECTS = ["read", "write", "execute", "network", "delegate", "consult"]

# §5: per kind its name, whether both signatures are required, and the fields `key name type`; `?` marks an optional key.
# A type is `code LIST`, `null TYPE`, `bytes N`, `list LOW HIGH TYPE`, one of TEXTS or RECORDS, or a method of `Body`.
KINDS = [
    ("ledger.opened", True, "1 nonce bytes 16;2 origin origin;3 principal did;4 dids list 2 2 did;5 credentials list 2 2 doc;"
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
     "6 cause null seq;?7 advice list 1 16 relation;?8 resumes seq"),
    ("decision.made", False, "1 request seq;2 outcome code decision outcome;3 parts list 1 8 part;4 policies list 1 6 seq;"
     "5 cedar_request null payload;6 projection h32;7 expires uint;?8 ask ask;?9 advice list 1 16 seq;?10 status_lists list 1 16 status"),
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

# Arrays of fixed length, and what their items are called.
RECORDS = {
    "spend": "calls uint;tokens_in uint;tokens_out uint;cost_micro_usd uint",
    "tokens": "input uint;output uint;cache_write uint;cache_read uint",
    "payload_reference": "commitment h32;length uint;class code payload class",
    "order": "form code order form;doc doc",
    "checkpoint_keys": "ed25519 h32;ml_dsa_44 bytes 1312",
    "predecessor": "ledger h32;size uint;link h32;root h32",
    "bare_key": "form code key form;key doc",
    "relation": "entry seq;relation code advice relation",
    "part": "check code check;outcome code part outcome;rules list 0 16 name",
    "ask": "need need;class code approver class;eligible list 1 64 seq",
    "status": "list h32;as_of uint",
}


class Newer(Refused):
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


@remembered
def parse_record(octets):
    """Reads the bytes of one row (§3)."""
    demand(len(octets) <= RECORD_MAX)
    cursor = Cursor(octets)
    cursor.array(5, 5)
    demand(cursor.uint() == 1)
    record = Record(cursor.uint(), cursor.uint(), cursor.octet_string(32, 32), cursor.octet_string(1, ENVELOPE_MAX))
    cursor.end()
    return record


@remembered
def parse(octets):
    """Reads statement bytes (§4.1); `Newer` stands for canonical bytes whose first strange thing is one of §2.3."""
    statement, cursor = Statement(octets), Cursor(octets)
    try:
        read_statement(statement, cursor)
    except Newer:
        check_newer(octets)
        raise
    return statement


def read_statement(statement, cursor):
    """Reads the statement map, key by key."""
    due, before = 1, b""
    pairs = cursor.expect(MAP)
    demand(pairs <= 16)
    for _ in range(pairs):
        before, key = read_key(cursor, before)
        demand(due == 7 or key == due or not 1 <= key <= 7)
        if not 1 <= key <= 7:
            raise Newer("key")
        due = min(key + 1, 7)
        read_member(statement, cursor, key)
    demand(due == 7)
    cursor.end()


def read_key(cursor, before):
    """Reads an integer key ≥ 0 that stands behind the one before."""
    start = cursor.at
    key = cursor.uint()
    encoded = cursor.octets[start : cursor.at]
    demand(before < encoded)
    return encoded, key


def read_member(statement, cursor, key):
    """Reads the value of one key of the statement map."""
    if key == 1:
        statement.kind = cursor.uint()
        if statement.kind >= len(KINDS):
            raise Newer("kind")
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
    ext = cursor.pairs(pairs, 1, EXT_DEPTH_MAX, text_keys=True)
    demand(pairs > 0 and cursor.at - start <= EXT_MAX)
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
        fields = [field.split(" ", 2) for field in table.split(";")]
        types = {int(key.lstrip("?")): (name, kind) for key, name, kind in fields}
        required = {name for key, name, _ in fields if not key.startswith("?")}
        pairs = self.cursor.expect(MAP)
        demand(pairs <= 32)
        body, before = {}, b""
        for _ in range(pairs):
            before, key = read_key(self.cursor, before)
            if key not in types:
                raise Newer("key")
            name, kind = types[key]
            body[name] = self.value(kind)
        demand(required <= set(body))
        return body

    def value(self, kind):
        """Reads a value of a type."""
        word, _, rest = kind.partition(" ")
        if word == "null":
            return None if self.cursor.is_null() else self.value(rest)
        if word == "code":
            return self.code(*CODES[rest])
        if word == "bytes":
            return self.cursor.octet_string(int(rest), int(rest))
        if word == "list":
            low, high, item = rest.split(" ", 2)
            return [self.value(item) for _ in range(self.cursor.array(int(low), int(high)))]
        if word in TEXTS:
            found = self.cursor.text()
            demand(TEXTS[word].fullmatch(found))
            return found
        return self.record(RECORDS[word]) if word in RECORDS else getattr(self, word)()

    def record(self, table):
        """Reads an array of fixed length."""
        fields = [field.split(" ", 1) for field in table.split(";")]
        self.cursor.array(len(fields), len(fields))
        return {name: self.value(kind) for name, kind in fields}

    def code(self, bound, words):
        """Reads a number of a list (§5.22)."""
        value = self.cursor.uint()
        demand(value <= bound)
        if value not in words:
            raise Newer("code")
        return words[value]

    def effects(self):
        """Reads the bits of §5.12."""
        value = self.cursor.uint()
        demand(value <= 255)
        if value > 63:
            raise Newer("code")
        return [word for bit, word in enumerate(EFFECTS) if value >> bit & 1]

    def payload(self):
        """Reads a payload reference, which takes the next slot."""
        found = Payload(self.value("payload_reference"))
        found.slot = len(self.slots)
        self.slots.append(found)
        return found

    def newcomer(self):
        """Reads who is introduced: a DID, or a bare key."""
        return self.value("did" if self.cursor.major() == TEXT else "bare_key")

    def need(self):
        """Reads how many approvals are needed."""
        value = self.cursor.uint()
        demand(1 <= value <= 9)
        return value

    def seq(self):
        """Reads a `seq`, which counts for I5."""
        self.named.append(self.cursor.uint())
        return self.named[-1]

    def uint(self):
        """Reads a number."""
        return self.cursor.uint()

    def h32(self):
        """Reads a hash."""
        return self.cursor.octet_string(32, 32)

    def doc(self):
        """Reads a document."""
        return Doc(self.cursor.octet_string(1, 16_384))


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
