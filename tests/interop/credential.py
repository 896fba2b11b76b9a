"""Credentials and their proof sets (identity-v1 §6, §7, §9)."""

from dataclasses import dataclass
from hashlib import sha256

from . import did, grant, jcs
from .errors import demand
from .keys import ed25519_holds, mldsa44_holds
from .members import DIGEST, NAME, NONCE, ascending, count, instant, ledger_binding, matches, members, one_of, short, typed
from .statement import CODES

CONTEXT = ["https://www.w3.org/ns/credentials/v2", "urn:countersign:context:v1"]
SUITES = ["eddsa-jcs-2022", "mldsa44-jcs-2024"]
MEMBERS = "@context type issuer validFrom validUntil requiredSuites credentialSubject".split()
# Members of a directive besides those of all, by act (§9.2).
DIRECTIVES = {"revoke": ["entry", "reason"], "erase": ["entry", "payload", "reason"], "adopt": ["layer", "policies"]}
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
    document = jcs.parse(octets)
    members(document, MEMBERS, ["proof"])
    demand(document["@context"] == CONTEXT and document["type"] == ["VerifiableCredential", profile])
    demand(document["requiredSuites"] == SUITES)
    window = Window(instant(document["validFrom"]), instant(document["validUntil"]))
    demand(window.start < window.end)
    subject = document["credentialSubject"]
    SUBJECTS[profile](subject)
    demand(profile not in (ORDER, DIRECTIVE) or window.start <= subject["expires"] <= window.end)
    return Credential(document, subject, short(document["issuer"]), window, sha256(octets).hexdigest())


def check_host(subject):
    """Checks §7.4."""
    members(subject, ["id", "site", "mayIssue", "mayEnrol"])
    short(subject["id"])
    matches(subject["site"], NAME)
    demand(subject["mayIssue"])
    for right in ascending(subject["mayIssue"], 2):
        one_of(right, ["instance", "root-grant"])
    one_of(subject["mayEnrol"], [False])


def check_instance(subject):
    """Checks §7.5."""
    members(subject, ["id", "role", "name", "operator", "runtime", "ledger"], ["model", "grant"])
    short(subject["id"])
    role = one_of(subject["role"], ["runtime", "agent", "advisor"])
    short(subject["operator"])
    members(subject["runtime"], ["name", "version"])
    for value in (subject["name"], *subject["runtime"].values(), subject.get("model", "none")):
        matches(value, NAME)
    demand(role != "runtime" or "model" not in subject)
    ledger_binding(subject["ledger"])
    demand("id" in subject["ledger"] or "founding" in subject["ledger"] and role == "runtime")
    demand(("grant" in subject) == (role == "agent"))
    if role == "agent":
        grant.check(subject["grant"])


def check_approver(subject):
    """Checks §7.6."""
    members(subject, ["id", "role", "name", "mayApprove"])
    short(subject["id"])
    one_of(subject["role"], ["approver"])
    matches(subject["name"], NAME)
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
        matches(subject[member], DIGEST)
    matches(subject["tool"], NAME)
    one_of(subject["verdict"], ["approve", "refuse"])
    one_of(subject["meaning"], ["approve", "review", "refuse", "own"])
    demand((subject["verdict"] == "refuse") == (subject["meaning"] == "refuse"))
    one_of(subject["presentation"], ["terminal", "unattended"])
    count(subject["expires"])
    matches(subject["nonce"], NONCE)


def check_directive(subject):
    """Checks §9.2, save that `expires` lies in the window."""
    demand("act" in typed(subject, dict))
    of_act = DIRECTIVES[one_of(subject["act"], list(DIRECTIVES))]
    members(subject, ["act", "ledger", "expires", "nonce"] + of_act)
    for member in {"ledger", "entry", "payload", "policies"} & set(subject):
        matches(subject[member], DIGEST)
    if "reason" in of_act:
        listed = "revocation reason" if subject["act"] == "revoke" else "erasure ground"
        one_of(subject["reason"], list(CODES[listed][1].values()))
    else:
        count(subject["layer"], 5)
    count(subject["expires"])
    matches(subject["nonce"], NONCE)


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
    document, proofs = credential.document, typed(credential.document.get("proof"), list)
    demand(len(proofs) == 2 and credential.issuer == issuer.short)
    for proof, suite, fragment in zip(proofs, SUITES, ("#ed25519", "#mldsa44")):
        check_proof(proof, suite, document, issuer.short + fragment)
    unsigned = sha256(jcs.encode(without(document, "proof"))).digest()
    messages = [sha256(jcs.encode(without(proof, "proofValue"))).digest() + unsigned for proof in proofs]
    values = [did.multibase(proof["proofValue"], base) for proof, base in zip(proofs, "zu")]
    demand(ed25519_holds(issuer.ed25519, values[0], messages[0]))
    demand(mldsa44_holds(issuer.mldsa44, values[1], messages[1]))


def check_proof(proof, suite, document, method):
    """Checks one proof without its signature (P2, P3, P5 to P7)."""
    wanted = {
        "@context": document["@context"],
        "created": document["validFrom"],
        "cryptosuite": suite,
        "proofPurpose": "assertionMethod",
        "type": "DataIntegrityProof",
        "verificationMethod": method,
    }
    demand(without(typed(proof, dict), "proofValue") == wanted)
    typed(proof.get("proofValue"), str)


def without(document, member):
    """Copies an object without one member."""
    return {key: value for key, value in document.items() if key != member}
