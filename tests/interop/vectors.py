"""Runs the golden vectors of schemas/vectors: what is accepted says what is written there, the rest is refused."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from . import checkpoint, cose, credential, did, grant, merkle, projection, statement, trust
from .decision import strictest
from .errors import Refused
from .verify import verify_vector

NEEDS_CEDAR = "policy"
ACCEPTED = ("ok", "valid")


class Disagreement(Exception):
    """This reader and a vector do not say the same."""


def run(folder):
    """Runs every vector below a folder; returns counts and disagreements."""
    counts, disagreements = Counter(), []
    for path in sorted(Path(folder).glob("**/*.json")):
        vector = json.loads(path.read_text())
        subject = vector.get("subject") or vector.get("kind")
        topic = f"{path.parent.name}/{subject}"
        if subject == NEEDS_CEDAR:
            counts[topic + " (not judged)"] += 1
            continue
        try:
            RUNNERS[subject](vector, path)
            counts[topic] += 1
        except Disagreement as error:
            disagreements.append(f"{path.parent.name}/{path.stem}: {error}")
    return counts, disagreements


def same(what, expected, found):
    """Demands that two values are equal."""
    if expected != found:
        raise Disagreement(f"{what}: vector {expected!r}, reader {found!r}")


def outcome(vector, action, words_bind=False):
    """Returns what an action gives where it is to be accepted; None where it is refused, as it is to be."""
    try:
        found, refusal = action(), None
    except (Refused, cose.WrongSet) as error:
        found, refusal = None, error
    is_accepted = vector["expect"] in ACCEPTED
    if is_accepted != (refusal is None):
        raise Disagreement(f"vector {vector['expect']}, reader {refusal or 'accepted'}")
    if not is_accepted:
        same("newer", vector["expect"] == "newer", isinstance(refusal, statement.Newer))
    if words_bind and not is_accepted:
        same("word", vector["code"], str(refusal))
    return found


def of_statement(vector, _path):
    """Runs a vector of statement bytes."""
    found = outcome(vector, lambda: statement.parse(bytes.fromhex(vector["input_hex"])))
    if found:
        same("statement", vector["statement"], shown(found))
        same("digest", vector["digest"], found.digest.hex())
        same("named", vector["named"], found.named)
        same("slots", vector["slots"], [slot["commitment"].hex() for slot in found.slots])
        same("signatures", vector["signatures"], "hybrid" if found.is_hybrid else "ed25519")


def shown(found):
    """Shows a statement as the vectors do."""
    size, link = found.seen
    shape = {"kind": found.name, "by": found.by, "n": found.n, "at": found.at}
    shape |= {"seen": {"size": size, "link": link.hex()}, "body": statement.project(found.body)}
    return shape | ({"ext": statement.project(found.ext)} if found.ext else {})


def of_record(vector, _path):
    """Runs a vector of record bytes."""
    octets = bytes.fromhex(vector["input_hex"])
    found = outcome(vector, lambda: statement.parse_record(octets))
    if found:
        fields = {"seq": found.seq, "received": found.received, "prev": found.prev.hex()}
        same("record", vector["record"], fields | {"envelope_length": len(found.envelope)})
        same("link", vector["link"], statement.link(octets).hex())


def of_signed(vector, _path):
    """Runs a vector of a record with a real envelope."""
    octets = bytes.fromhex(vector["input_hex"])
    record = statement.parse_record(octets)
    envelope = cose.parse(record.envelope)
    found = statement.parse(envelope.statement)
    ledger_id = bytes.fromhex(vector["aad_hex"])[13:]
    structures = cose.sig_structures(envelope.statement, found.is_hybrid, ledger_id)
    same("link", vector["link"], statement.link(octets).hex())
    same("digest", vector["digest"], found.digest.hex())
    same("statement", vector["statement_hex"], envelope.statement.hex())
    same("envelope", vector["envelope_hex"], record.envelope.hex())
    same("structures", vector["sig_structures_hex"], [structure.hex() for structure in structures])
    same("signatures", vector["signatures_hex"], [signature.hex() for signature in envelope.signatures])
    cose.verify(envelope, found.is_hybrid, ledger_id, *public_keys(vector))


def public_keys(vector):
    """Returns both public keys of a vector, empty where it has none."""
    return octets_of(vector.get("ed25519_public", ""), vector.get("mldsa44_public", ""))


def of_payload(vector, _path):
    """Runs a vector of a commitment."""
    found = statement.commitment(bytes.fromhex(vector["salt"]), bytes.fromhex(vector["input_hex"]))
    same("commitment", vector["commitment"], found.hex())


def of_founding(vector, _path):
    """Runs a vector of a founding digest."""
    body = statement.parse(bytes.fromhex(vector["input_hex"])).body
    same("founding", vector["founding"], statement.founding(body).hex())


def of_tree(vector, _path):
    """Runs a vector of a tree."""
    tree, roots, leaves = merkle.Tree(), [merkle.Tree().root().hex()], []
    for text in vector["records_hex"]:
        tree.append(bytes.fromhex(text))
        leaves.append(merkle.leaf(bytes.fromhex(text)).hex())
        roots.append(tree.root().hex())
    same("leaves", vector["leaf_hashes"], leaves)
    same("roots", vector["roots"], roots)
    same("root", vector["root"], roots[-1])


def of_inclusion(vector, _path):
    """Runs a vector of an inclusion proof, whose words bind."""
    leaf_hash, root, *proof = octets_of(vector["leaf_hash"], vector["root"], *vector["proof"])
    check = lambda: merkle.check_inclusion(leaf_hash, vector["index"], vector["size"], proof, root)
    outcome(vector, check, words_bind=True)


def of_consistency(vector, _path):
    """Runs a vector of a consistency proof, whose words bind."""
    old_root, root, *proof = octets_of(vector["old_root"], vector["root"], *vector["proof"])
    check = lambda: merkle.check_consistency(vector["old_size"], old_root, vector["size"], root, proof)
    outcome(vector, check, words_bind=True)


def octets_of(*texts):
    """Decodes hexadecimal texts."""
    return [bytes.fromhex(text) for text in texts]


def of_checkpoint(vector, _path):
    """Runs a vector of a note, whose words bind."""
    note, keys = bytes.fromhex(vector["input_hex"]), public_keys(vector)
    found = outcome(vector, lambda: checkpoint.verify(note, *keys), words_bind=True)
    if found:
        shape = asdict(found) | {"root": found.root.hex()}
        same("checkpoint", {name: vector[name] for name in shape}, shape)
        ids = [checkpoint.key_id(found.origin, code, key).hex() for code, key in zip((1, 6), keys)]
        same("key ids", vector["key_ids"], ids)


def of_envelope(vector, _path):
    """Runs a vector of an envelope."""

    def check():
        envelope = cose.parse(bytes.fromhex(vector["input_hex"]))
        ledger_id = bytes.fromhex(vector["ledger_id"] or "")
        cose.verify(envelope, vector["signatures"] == "hybrid", ledger_id, *public_keys(vector))
        return envelope.statement.hex()

    same("statement", vector.get("statement_hex"), outcome(vector, check))


def of_did(vector, _path):
    """Runs a vector of a long form."""
    found = outcome(vector, lambda: did.read_long(vector["did"]))
    if found:
        expected = [vector[name] for name in ("short", "ed25519", "mldsa44")]
        same("party", expected, [found.short, found.ed25519.hex(), found.mldsa44.hex()])


def of_credential(vector, _path):
    """Runs a vector of a credential."""
    octets = bytes.fromhex(vector["document_hex"]) if "document_hex" in vector else vector["document"].encode()
    issuer = did.read_long(vector["issuer"])
    outcome(vector, lambda: credential.verify(credential.parse(octets, vector["profile"]), issuer))


def of_narrowing(vector, _path):
    """Runs a vector of a child's limits."""
    same("codes", vector["expect"], grant.narrowing(vector["child"], vector["parent"]))


def of_lineage(vector, _path):
    """Runs a vector of a child's ancestry."""
    same("codes", vector["expect"], grant.lineage(vector["child"], vector["parent"], vector["parent_digest"]))


def of_request(vector, _path):
    """Runs a vector of a request under a grant."""
    paths, hosts = ([vector[name]] if vector[name] is not None else [] for name in ("path", "host"))
    found = grant.request(vector["grant"], vector["tool"], vector["effects"], paths, hosts)
    same("codes", vector["expect"], found)


def of_trust(vector, _path):
    """Runs a file of trust anchors."""
    octets = bytes.fromhex(vector["file_hex"]) if "file_hex" in vector else vector["file"].encode()
    same("anchors", vector.get("anchors"), outcome(vector, lambda: trust.read_file(octets)))


def of_projection(vector, _path):
    """Runs a vector of the Cedar request."""
    given = vector["input"]
    principal = {name: given[name] for name in ("id", "root", "depth_left")} | {"name": given["agent_name"]}
    names = ("workspace", "mode", "calls_left", "time_ms", "advised", "observed")
    context = {name: given[name] for name in names}
    arguments = projection.parse_arguments(given["arguments"].encode())
    about = projection.resource(given["tool"], arguments, given["workspace"])
    found = about and projection.cedar_request(principal, given["tool"], about, given["effects"], context)
    same("cedar_request", vector["cedar_request"], found and found.decode())


def of_outcome(vector, _path):
    """Runs a vector of the strictest part."""
    for case in vector["cases"]:
        same(str(case["parts"]), case["outcome"], strictest(case["parts"]))


def of_ledger(vector, path):
    """Runs a whole ledger."""
    base = json.loads(path.with_name(vector["base"] + ".json").read_text()) if "base" in vector else None
    verdict = verify_vector(vector, base)
    for name in ("findings", "unproven"):
        expected, found = ({(it["entry"], it["code"]) for it in said[name]} for said in (vector["expect"], verdict))
        same(name, expected, found)
    exits = {"verified": 0, "rejected": 1, "incomplete": 3, "unreadable": 4}
    same("exit", exits[vector["expect"]["verdict"]], verdict["exit"])


# By the subject that each is named after.
RUNNERS = {name.removeprefix("of_"): run for name, run in globals().items() if name.startswith("of_")}
