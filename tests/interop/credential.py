"""Credentials and their proof sets (identity-v1 §6, §7, §9)."""

import re
from dataclasses import dataclass
from hashlib import sha256

from . import did, grant, jcs
from .jcs import Refused
from .keys import ed25519_holds, mldsa44_holds
from .members import ascending, count, digest, instant, ledger_binding, members, name, one_of, short, wrong_type
from .statement import CODES

CONTEXT = ["https://www.w3.org/ns/credentials/v2", "urn:countersign:context:v1"]
SUITES = ["eddsa-jcs-2022", "mldsa44-jcs-2024"]
MEMBERS = "@context type issuer validFrom validUntil requiredSuites proof credentialSubject".split()
# Members of a directive besides those of all, by act (§9.2).
DIRECTIVES = {"revoke": ["entry", "reason"], "erase": ["entry", "payload", "reason"], "adopt": ["layer", "policies"]}
PROOF_MEMBERS = "@context created cryptosuite proofPurpose proofValue type verificationMethod".split()
HOST, INSTANCE, APPROVER, GRANT, ORDER, DIRECTIVE = (
    "CountersignHostCredential",
    "CountersignInstanceCredential",
    "CountersignApproverCredential",
    "CountersignGrantCredential",
    "CountersignOrder",
    "CountersignDirective",
)


@dataclass(frozen=True)
class Window:
    """Milliseconds from `start` on, before `end`."""

    start: int
    end: int

    def holds(self, *times):
        """Tells whether all times lie in the window."""
        return all(self.start <= time < self.end for time in times)

    def lies_in(self, outer):
        """Tells whether it begins no earlier and ends no later than another."""
        return outer.start <= self.start and self.end <= outer.end


@dataclass(frozen=True)
class Credential:
    """A credential of the right form. Whether its issuer said it, `verify` tells."""

    document: dict
    subject: dict
    issuer: str
    window: Window
    digest: str


def parse(octets, profile):
    """Reads a credential of this profile (V1 to V6)."""
    return read(jcs.parse(octets), profile, sha256(octets).hexdigest())


def read(document, profile, document_digest):
    """Reads what V1 accepted (V2 to V6)."""
    members(document, MEMBERS[:5] + MEMBERS[7:], MEMBERS[5:7])
    if document["@context"] != CONTEXT:
        raise Refused("context")
    if document["type"] != ["VerifiableCredential", profile]:
        raise Refused("profile")
    if document.get("requiredSuites") != SUITES:
        raise Refused("required_suites")
    short(document["issuer"])
    window = Window(instant(document["validFrom"]), instant(document["validUntil"]))
    if window.start >= window.end:
        raise Refused("window")
    subject = document["credentialSubject"]
    SUBJECTS[profile](subject)
    if profile in (ORDER, DIRECTIVE) and not window.start <= subject["expires"] <= window.end:
        raise Refused("expiry")
    return Credential(document, subject, document["issuer"], window, document_digest)


def check_host(subject):
    """Checks §7.4."""
    members(subject, ["id", "site", "mayIssue", "mayEnrol"])
    short(subject["id"])
    name(subject["site"])
    for right in ascending(subject["mayIssue"], 2):
        one_of(right, ["instance", "root-grant"])
    if not subject["mayIssue"]:
        raise Refused("wrong_value")
    one_of(subject["mayEnrol"], [False])


def check_instance(subject):
    """Checks §7.5."""
    members(subject, ["id", "role", "name", "operator", "runtime", "ledger"], ["model", "grant"])
    short(subject["id"])
    role = one_of(subject["role"], ["runtime", "agent", "advisor"])
    name(subject["name"])
    short(subject["operator"])
    members(subject["runtime"], ["name", "version"])
    for value in subject["runtime"].values():
        name(value)
    if "model" in subject:
        name(subject["model"])
        if role == "runtime":
            raise Refused("model_of_role")
    ledger_binding(subject["ledger"])
    if "any" in subject["ledger"] or "founding" in subject["ledger"] and role != "runtime":
        raise Refused("ledger_of_role")
    if ("grant" in subject) != (role == "agent"):
        raise Refused("grant_of_role")
    if role == "agent":
        grant.check(subject["grant"])


def check_approver(subject):
    """Checks §7.6."""
    members(subject, ["id", "role", "name", "mayApprove"])
    short(subject["id"])
    one_of(subject["role"], ["approver"])
    name(subject["name"])
    one_of(subject["mayApprove"], ["person"])


def check_grant(subject):
    """Checks §7.7."""
    members(subject, ["id", "grant"])
    short(subject["id"])
    grant.check(subject["grant"])


def check_order(subject):
    """Checks §9, save that `expires` lies in the window."""
    digests = ["ledger", "request", "decision", "arguments", "text"]
    members(subject, digests + ["tool", "verdict", "meaning", "presentation", "expires", "nonce"])
    for member in digests:
        digest(subject[member])
    name(subject["tool"])
    one_of(subject["verdict"], ["approve", "refuse"])
    one_of(subject["meaning"], ["approve", "review", "refuse", "own"])
    if (subject["verdict"] == "refuse") != (subject["meaning"] == "refuse"):
        raise Refused("meaning_of_verdict")
    one_of(subject["presentation"], ["terminal", "unattended"])
    count(subject["expires"])
    check_nonce(subject["nonce"])


def check_directive(subject):
    """Checks §9.2, save that `expires` lies in the window."""
    wrong_type(subject, dict, "not_an_object")
    if "act" not in subject:
        raise Refused("missing_member")
    of_act = DIRECTIVES[one_of(subject["act"], list(DIRECTIVES))]
    members(subject, ["act", "ledger", "expires", "nonce"] + of_act)
    for member in {"ledger", "entry", "payload", "policies"} & set(subject):
        digest(subject[member])
    if "reason" in of_act:
        listed = "revocation reason" if subject["act"] == "revoke" else "erasure ground"
        one_of(subject["reason"], list(CODES[listed][1].values()))
    if "layer" in of_act and count(subject["layer"]) > 5:
        raise Refused("out_of_range")
    count(subject["expires"])
    check_nonce(subject["nonce"])


def check_nonce(value):
    """Demands 32 hex digits."""
    if not re.fullmatch("[0-9a-f]{32}", wrong_type(value, str)):
        raise Refused("wrong_value")


SUBJECTS = {
    HOST: check_host,
    INSTANCE: check_instance,
    APPROVER: check_approver,
    GRANT: check_grant,
    ORDER: check_order,
    DIRECTIVE: check_directive,
}


def verify(credential, issuer):
    """Verifies the proof set under the party that issued (P1 to P9)."""
    document = credential.document
    if "proof" not in document:
        raise Refused("unsigned")
    proofs = document["proof"]
    wrong_type(proofs, list, "not_a_proof_set")
    suites = [proof.get("cryptosuite") if isinstance(proof, dict) else None for proof in proofs]
    if any(suite not in suites for suite in SUITES):
        raise Refused("downgraded")
    if len(proofs) != 2:
        raise Refused("proof_count")
    if suites != SUITES:
        raise Refused("proof_order")
    if credential.issuer != issuer.short:
        raise Refused("issuer")
    for proof, fragment in zip(proofs, ("#ed25519", "#mldsa44")):
        check_proof(proof, document, issuer.short + fragment)
    unsigned = sha256(jcs.encode(without(document, "proof"))).digest()
    messages = [sha256(jcs.encode(without(proof, "proofValue"))).digest() + unsigned for proof in proofs]
    values = [proof_value(proof, base) for proof, base in zip(proofs, "zu")]
    if not ed25519_holds(issuer.ed25519, values[0], messages[0]):
        raise Refused("signature")
    if not mldsa44_holds(issuer.mldsa44, values[1], messages[1]):
        raise Refused("signature")


def check_proof(proof, document, method):
    """Checks one proof without its signature (P5 to P7)."""
    members(proof, PROOF_MEMBERS)
    for member in ("created", "proofValue", "verificationMethod"):
        wrong_type(proof[member], str)
    if proof["type"] != "DataIntegrityProof" or proof["proofPurpose"] != "assertionMethod":
        raise Refused("wrong_value")
    if proof["@context"] != document["@context"]:
        raise Refused("proof_context")
    if proof["created"] != document["validFrom"]:
        raise Refused("proof_created")
    if proof["verificationMethod"] != method:
        raise Refused("proof_method")


def proof_value(proof, base):
    """Decodes a signature (P9)."""
    try:
        return did.multibase(proof["proofValue"], base)
    except Refused as error:
        raise Refused("proof_encoding") from error


def without(document, member):
    """Copies an object without one member."""
    return {key: value for key, value in document.items() if key != member}
