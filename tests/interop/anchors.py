"""What an anchor says of the principal and its hosts, held against the entries (authority-v1 §6.4)."""

from . import jcs
from .errors import Refused


def check(anchor, state, entries, heads, report):
    """Checks the anchor that is the principal; `entries` were folded, `heads` are the sizes of given heads that fit."""
    principal, host = state.principal.short, state.host.short
    hosts = {it["did"]: it["compromised"] for it in anchor["hosts"] or [{"did": host, "compromised": None}]}
    if host not in hosts:
        report.find("A2", 0)
    start, end = anchor["from"] or 0, anchor["until"] or float("inf")
    for entry in entries:
        if principal in issuers(entry) and not start <= entry.record.received < end:
            report.find("A4", entry.seq)
    for party, since in ((principal, anchor["compromised"]), (host, hosts.get(host))):
        if since is not None:
            check_theft(since, [entry for entry in entries if party in issuers(entry)], heads, report)


def check_theft(since, entries, heads, report):
    """Checks what a party signed whose key somebody else may have since then."""
    late = [entry.seq for entry in entries if entry.record.received >= since]
    for seq in late:
        report.find("A2", seq)
    if not late and max(heads, default=0) <= entries[-1].seq:
        report.unproven("C4", None)


def issuers(entry):
    """Returns who signed the documents that an entry carries."""
    body = entry.body
    documents = [*body.get("credentials", []), body.get("credential")]
    if body.get("order") and body["order"]["form"] == "data-integrity":
        documents.append(body["order"]["doc"])
    return {issuer_of(document) for document in documents if document}


def issuer_of(document):
    """Returns the issuer that a document names, if it is one."""
    try:
        return jcs.parse(bytes(document))["issuer"]
    except (Refused, KeyError, TypeError):
        return None
