"""Runs the golden vectors of schemas/vectors: what is accepted says what is written there, the rest is refused."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from . import checkpoint, cose, credential, did, grant, jcs, merkle, projection, statement, trust
from .cbor import Malformed
from .decision import strictest

REFUSALS = (Malformed, cose.WrongSet, merkle.Refused, jcs.Refused)


class Disagreement(Exception):
    """This reader and a vector do not say the same."""


class Skipped(Exception):
    """This reader does not judge what the vector is about."""


def run(folder):
    """Runs every vector below a folder; returns counts, disagreements, and refusals under another word."""
    counts, disagreements, other_words = Counter(), [], []
    for path in sorted(Path(folder).glob("**/*.json")):
        vector = json.loads(path.read_text())
        subject = vector.get("subject") or vector.get("kind")
        topic = f"{path.parent.name}/{subject}"
        try:
            word = RUNNERS[subject](vector, path)
            counts[topic] += 1
            if word:
                other_words.append(f"{path.parent.name}/{path.stem}: {word}")
        except Skipped:
            counts[topic + " (not judged)"] += 1
        except Disagreement as error:
            disagreements.append(f"{path.parent.name}/{path.stem}: {error}")
    return counts, disagreements, other_words


def same(what, expected, found):
    """Demands that two values are equal."""
    if expected != found:
        raise Disagreement(f"{what}: vector {expected!r}, reader {found!r}")


def attempt(action):
    """Returns what an action gives, and the word of its refusal."""
    try:
        return action(), None
    except statement.Newer as error:
        return None, ("newer", str(error))
    except REFUSALS as error:
        return None, ("malformed", str(error))


def refused(vector, refusal, binding=False):
    """Compares a refusal; where the word does not bind it is returned if it is another."""
    if refusal is None:
        raise Disagreement(f"accepted, vector {vector['expect']} {vector.get('code')}")
    expected = vector.get("code", vector["expect"])
    if binding:
        same("code", expected, refusal[1])
    return None if refusal[1] == expected else f"vector {expected}, reader {refusal[1]}"


def of_statement(vector, _path):
    """Runs a vector of statement bytes."""
    octets = bytes.fromhex(vector["input_hex"])
    found, refusal = attempt(lambda: statement.parse(octets))
    if vector["expect"] != "ok":
        word = refused(vector, refusal)
        same("refusal", vector["expect"], refusal[0])
        return word
    if refusal:
        raise Disagreement(f"refused: {refusal[1]}")
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
    found, refusal = attempt(lambda: statement.parse_record(octets))
    if vector["expect"] != "ok":
        return refused(vector, refusal)
    if refusal:
        raise Disagreement(f"refused: {refusal[1]}")
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
    return [bytes.fromhex(vector.get(name, "")) for name in ("ed25519_public", "mldsa44_public")]


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


def of_proof(vector, _path):
    """Runs a vector of an inclusion or consistency proof, whose words bind."""
    proof = [bytes.fromhex(text) for text in vector["proof"]]
    root, size = bytes.fromhex(vector["root"]), vector["size"]
    if vector["subject"] == "inclusion":
        check = lambda: merkle.check_inclusion(bytes.fromhex(vector["leaf_hash"]), vector["index"], size, proof, root)
    else:
        old_root = bytes.fromhex(vector["old_root"])
        check = lambda: merkle.check_consistency(vector["old_size"], old_root, size, root, proof)
    _, refusal = attempt(check)
    return accept_or_refuse(vector, refusal, binding=True)


def accept_or_refuse(vector, refusal, binding=False):
    """Compares the yes or no of a vector."""
    if vector["expect"] in ("ok", "valid"):
        if refusal:
            raise Disagreement(f"refused: {refusal[1]}")
        return None
    return refused(vector, refusal, binding)


def of_checkpoint(vector, _path):
    """Runs a vector of a note, whose words bind."""
    keys = public_keys(vector)
    found, refusal = attempt(lambda: checkpoint.verify(bytes.fromhex(vector["input_hex"]), *keys))
    if found and vector["expect"] == "ok":
        same("checkpoint", {name: vector[name] for name in ("origin", "size", "root", "time")},
             asdict(found) | {"root": found.root.hex()})  # fmt: skip
        ids = [checkpoint.key_id(found.origin, code, key).hex() for code, key in zip((1, 6), keys)]
        same("key ids", vector["key_ids"], ids)
    return accept_or_refuse(vector, refusal, binding=True)


def of_envelope(vector, _path):
    """Runs a vector of an envelope."""

    def check():
        envelope = cose.parse(bytes.fromhex(vector["input_hex"]))
        ledger_id = bytes.fromhex(vector["ledger_id"] or "")
        cose.verify(envelope, vector["signatures"] == "hybrid", ledger_id, *public_keys(vector))
        return envelope.statement.hex()

    found, refusal = attempt(check)
    if found:
        same("statement", vector.get("statement_hex"), found)
    return accept_or_refuse(vector, refusal)


def of_did(vector, _path):
    """Runs a vector of a long form."""
    found, refusal = attempt(lambda: did.read_long(vector["did"]))
    if found and vector["expect"] == "valid":
        same("party", [vector[name] for name in ("short", "ed25519", "mldsa44")],
             [found.short, found.ed25519.hex(), found.mldsa44.hex()])  # fmt: skip
    return accept_or_refuse(vector, refusal)


def of_credential(vector, _path):
    """Runs a vector of a credential."""
    octets = bytes.fromhex(vector["document_hex"]) if "document_hex" in vector else vector["document"].encode()
    issuer = did.read_long(vector["issuer"])
    _, refusal = attempt(lambda: credential.verify(credential.parse(octets, vector["profile"]), issuer))
    return accept_or_refuse(vector, refusal)


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
    found, refusal = attempt(lambda: trust.read_file(octets))
    if vector["expect"] != "valid":
        return refused(vector, refusal)
    if refusal:
        raise Disagreement(f"refused: {refusal[1]}")
    same("anchors", vector["anchors"], found)


def of_projection(vector, _path):
    """Runs a vector of the Cedar request."""
    given = vector["input"]
    names = ("id", "agent_name", "root", "depth_left", "workspace", "mode", "calls_left")
    asker = projection.Asker(*(given[name] for name in names))
    arguments = projection.parse_arguments(given["arguments"].encode())
    about = projection.resource(given["tool"], arguments, given["workspace"])
    found = about and projection.cedar_request(
        asker, given["tool"], about, given["effects"], given["time_ms"], given["advised"], given["observed"]
    )
    same("cedar_request", vector["cedar_request"], found and found.decode())


def of_outcome(vector, _path):
    """Runs a vector of the strictest part."""
    for case in vector["cases"]:
        same(str(case["parts"]), case["outcome"], strictest(case["parts"]))


def of_policy(_vector, _path):
    """Leaves what Cedar says to others."""
    raise Skipped


def of_ledger(vector, path):
    """Runs a whole ledger."""
    from .verify import verify_vector

    base = json.loads(path.with_name(vector["base"] + ".json").read_text()) if "base" in vector else None
    expected = {name: sorted_findings(vector["expect"][name]) for name in ("findings", "unproven")}
    verdict = verify_vector(vector, base)
    found = {name: sorted_findings(verdict[name]) for name in ("findings", "unproven")}
    same("ledger", expected, found)
    exits = {"verified": 0, "rejected": 1, "incomplete": 3, "unreadable": 4}
    same("exit", exits[vector["expect"]["verdict"]], verdict["exit"])


def sorted_findings(findings):
    """Sorts findings by entry and code, once each."""
    return sorted({(-1 if finding["entry"] is None else finding["entry"], finding["code"]) for finding in findings})


RUNNERS = {
    "statement": of_statement,
    "record": of_record,
    "signed": of_signed,
    "payload": of_payload,
    "founding": of_founding,
    "tree": of_tree,
    "inclusion": of_proof,
    "consistency": of_proof,
    "checkpoint": of_checkpoint,
    "envelope": of_envelope,
    "did": of_did,
    "credential": of_credential,
    "narrowing": of_narrowing,
    "lineage": of_lineage,
    "request": of_request,
    "trust": of_trust,
    "projection": of_projection,
    "outcome": of_outcome,
    "policy": of_policy,
    "ledger": of_ledger,
}
