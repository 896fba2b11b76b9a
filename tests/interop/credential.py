"""Credentials and their proof sets (identity-v1 §6, §7, §9)."""

from dataclasses import dataclass
from hashlib import sha256

from . import did, grant, jcs
from .errors import demand, remembered
from .keys import ed25519_holds, mldsa44_holds
from .members import ascending, choice, count, digest, equal, instant, ledger_binding, members, name, nonce, short, typed
from .statement import CODES

CONTEXT = ["https://www.w3.org/ns/credentials/v2", "urn:countersign:context:v1"]
SUITES = ["eddsa-jcs-2022", "mldsa44-jcs-2024"]
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


@remembered
def parse(octets, profile):
    """Reads a credential of this profile (V1 to V6)."""
    document = jcs.parse(octets)
    form = {
        "@context": equal(CONTEXT),
        "type": equal(["VerifiableCredential", profile]),
        "issuer": short,
        "validFrom": instant,
        "validUntil": instant,
        "requiredSuites": equal(SUITES),
        "credentialSubject": SUBJECTS[profile],
    }
    members(document, form, {"proof": lambda _: None})
    subject, window = document["credentialSubject"], Window(instant(document["validFrom"]), instant(document["validUntil"]))
    demand(window.start < window.end)
    demand(profile not in (ORDER, DIRECTIVE) or window.start <= subject["expires"] <= window.end)
    return Credential(document, subject, document["issuer"], window, sha256(octets).hexdigest())


def check_instance(subject):
    """Checks §7.5."""
    members(subject, INSTANCE_FORM, {"model": name, "grant": grant.check})
    role, ledger = subject["role"], subject["ledger"]
    demand(role != "runtime" or "model" not in subject)
    demand("id" in ledger or "founding" in ledger and role == "runtime")
    demand(("grant" in subject) == (role == "agent"))


def check_order(subject):
    """Checks §9, save that `expires` lies in the window."""
    members(subject, ORDER_FORM)
    demand((subject["verdict"] == "refuse") == (subject["meaning"] == "refuse"))


def check_directive(subject):
    """Checks §9.2, save that `expires` lies in the window."""
    act = typed(subject, dict).get("act")
    choice(*DIRECTIVE_FORMS)(act)
    members(subject, {"act": choice(act), "ledger": digest, "expires": count(), "nonce": nonce} | DIRECTIVE_FORMS[act])


INSTANCE_FORM = {
    "id": short,
    "role": choice("runtime", "agent", "advisor"),
    "name": name,
    "operator": short,
    "runtime": lambda value: members(value, {"name": name, "version": name}),
    "ledger": ledger_binding,
}
ORDER_FORM = dict.fromkeys(["ledger", "request", "decision", "arguments", "text"], digest) | {
    "tool": name,
    "verdict": choice("approve", "refuse"),
    "meaning": choice("approve", "review", "refuse", "own"),
    "presentation": choice("terminal", "unattended"),
    "expires": count(),
    "nonce": nonce,
}
# Members of a directive besides those of all, by act (§9.2).
DIRECTIVE_FORMS = {
    "revoke": {"entry": digest, "reason": choice(*CODES["revocation reason"][1].values())},
    "erase": {"entry": digest, "payload": digest, "reason": choice(*CODES["erasure ground"][1].values())},
    "adopt": {"layer": count(5), "policies": digest},
}
HOST_FORM = {
    "id": short,
    "site": name,
    "mayIssue": ascending(1, 2, choice("instance", "root-grant")),
    "mayEnrol": choice(False),
}
APPROVER_FORM = {"id": short, "role": choice("approver"), "name": name, "mayApprove": choice("person")}
SUBJECTS = {
    HOST: lambda subject: members(subject, HOST_FORM),
    INSTANCE: check_instance,
    APPROVER: lambda subject: members(subject, APPROVER_FORM),
    GRANT: lambda subject: members(subject, {"id": short, "grant": grant.check}),
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
