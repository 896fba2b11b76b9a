"""Entry 0 and introductions (authority-v1 §5.1, §5.2), grants, orders and revocations (§5.4, §5.7, §5.8)."""

from hashlib import sha256

from . import credential, did, grant, jcs
from .credential import APPROVER, GRANT, HOST, INSTANCE
from .errors import NotFolded, Refused
from .state import CONTENT, Grant, Instance
from .statement import founding


class Introductions:
    """The part of the fold that says who may speak, and with what authority."""

    def party(self, text):
        """Reads a long form, else A1."""
        try:
            return did.read_long(text)
        except Refused as error:
            self.rule("A1", False)
            raise NotFolded from error

    def said(self, octets, profile, issuer):
        """Reads a credential and verifies its proof, else A2 and nothing is known of its subject."""
        found = self.document(octets, profile, issuer)
        self.need("A2", found)
        return found

    def document(self, octets, profile, issuer):
        """Reads a credential or an order; None where it is none of this issuer. What is not canonical is I1."""
        try:
            jcs.parse(octets)
        except Refused as error:
            self.rule("I1", False)
            raise NotFolded from error
        try:
            found = credential.parse(octets, profile)
            credential.verify(found, issuer)
        except Refused:
            return None
        return found

    def introduce(self, *parties):
        """Demands that DIDs and keys are new, and notes them (A1)."""
        names = [name for party in parties for name in (party.short, party.ed25519, party.mldsa44)]
        self.need("A1", len(set(names)) == len(names) and self.state.known.isdisjoint(names))
        self.state.known |= set(names)

    def opened(self, entry):
        """Folds entry 0."""
        body, state = entry.body, self.state
        parties = [self.party(text) for text in (body["principal"], *body["dids"])]
        self.introduce(*parties)
        principal, host, opener = parties
        self.rule("A2", body["origin"] == "countersign/" + body["nonce"].hex())
        first = self.said(body["credentials"][0], HOST, principal)
        second = self.said(body["credentials"][1], INSTANCE, host)
        self.rule("A2", first.subject["id"] == host.short and "instance" in first.subject["mayIssue"])
        self.check_instance(second, opener, "runtime", principal, {"founding": founding(body).hex()})
        is_valid = second.window.holds(entry.statement.at, entry.record.received)
        self.rule("A4", second.window.lies_in(first.window) and is_valid)
        state.body, state.principal, state.host = body, principal, host
        state.host_window, state.may_issue = first.window, first.subject["mayIssue"]
        state.instances[0] = Instance(0, "runtime", opener, second.window, second.subject["name"])

    def check_instance(self, found, party, role, operator, ledger):
        """Checks what an instance credential is about (A2)."""
        wanted = {"id": party.short, "role": role, "operator": operator.short, "ledger": ledger}
        self.rule("A2", wanted.items() <= found.subject.items())

    def identity_introduced(self, entry, author):
        """Folds an introduction; `author` is None where the newcomer introduces itself."""
        body, state, role = entry.body, self.state, entry.body["role"]
        self.need("A5", author is None or role != "runtime" and (role != "approver" or author.role == "runtime"))
        self.need("U2", isinstance(body["did"], str) and ("succeeds" not in body or role == "runtime"))
        party = self.party(body["did"])
        from_agent = author is not None and author.role == "agent"
        issuer = state.principal if role == "approver" else author.party if from_agent else state.host
        found = self.said(body["credential"], APPROVER if role == "approver" else INSTANCE, issuer)
        self.introduce(party)
        newcomer = Instance(entry.seq, role, party, found.window, found.subject["name"], author)
        if role == "approver":
            self.rule("A2", found.subject["id"] == party.short)
        else:
            self.check_instance(found, party, role, state.principal, {"id": state.ledger_id.hex()})
            self.check_window(newcomer, found, from_agent)
        if role == "runtime":
            self.joins(entry, newcomer)
        elif role == "agent":
            self.agent(entry, newcomer, found)
        else:
            self.without_grant(entry, newcomer)
        state.instances[entry.seq] = newcomer

    def check_window(self, newcomer, found, from_agent):
        """Checks the window against the issuer's (A4, a child's G5), and that the host may issue."""
        outer = newcomer.parent.window if from_agent else self.state.host_window
        self.rule("G5" if from_agent and newcomer.role == "agent" else "A4", found.window.lies_in(outer))
        right = "root-grant" if newcomer.role == "agent" else "instance"
        self.rule("A2", from_agent or right in self.state.may_issue)

    def joins(self, entry, newcomer):
        """Folds a later runtime."""
        body, state = entry.body, self.state
        self.rule("A4", newcomer.window.holds(entry.statement.at, entry.record.received))
        self.rule("G8", body["run"] is None)
        self.rule("A5", "parent_grant" not in body)
        running = [i for i in state.instances.values() if i.role == "runtime" and not i.stopped]
        if "succeeds" in body:
            newcomer.succeeds = body["succeeds"]
            before = state.instances.get(body["succeeds"])
            self.rule("A5", before in running)
            if before in running:
                before.stopped = "other"
        elif not running:
            state.unattended.append(entry.seq)

    def agent(self, entry, newcomer, found):
        """Folds an agent with its grant."""
        terms = found.subject.get("grant")
        self.need("A2", terms)
        newcomer.grant = Grant(entry.seq, terms, found.window, found.digest)
        if newcomer.is_lead:
            self.lead(entry, newcomer)
        else:
            self.rule("G1", entry.body.get("parent_grant") == newcomer.parent.seq)
            self.put_under(newcomer.grant, newcomer.parent.grant)
            self.belong(entry, newcomer, "agent")
        self.rule("G8", self.is_for_this_ledger(terms))

    def is_for_this_ledger(self, terms):
        """Tells whether a grant names this ledger or any."""
        return terms["ledger"] in ({"any": True}, {"id": self.state.ledger_id.hex()})

    def lead(self, entry, newcomer):
        """Checks the grant of a lead: a root grant, or one under a grant of the principal."""
        terms, body = newcomer.grant.terms, entry.body
        self.rule("G8", body["run"] is None)
        if "parent_grant" in body:
            above = self.state.issued.get(body["parent_grant"])
            self.need("G1", above)
            self.put_under(newcomer.grant, above)
        else:
            self.rule("G2", terms["parent"] is None and terms["principal"] == self.state.principal.short)

    def put_under(self, below, above):
        """Puts a grant under another, and checks G2 to G8 between them (identity-v1 §8.3)."""
        below.parent = above
        codes = grant.lineage(below.terms, above.terms, above.digest) + grant.narrowing(below.terms, above.terms)
        for code in codes:
            self.rule(code.partition(".")[0], False)
        self.rule("G5", below.window.lies_in(above.window))
        self.rule("G7", not self.state.is_revoked(above))

    def belong(self, entry, newcomer, tool):
        """Puts a newcomer of an agent into the agent's run and its action (G8, D7)."""
        author, run = newcomer.parent, self.state.active_run(newcomer.parent)
        newcomer.run = run and run.seq
        self.rule("G8", entry.body["run"] == newcomer.run)
        self.rule("D7", self.state.use_action(author, tool, entry.record.received, "introduction"))

    def without_grant(self, entry, newcomer):
        """Folds an advisor of a runtime or of an agent, or an approver."""
        self.rule("A5", "parent_grant" not in entry.body)
        if newcomer.parent.role == "agent":
            self.belong(entry, newcomer, "advisor")
        else:
            self.rule("G8", entry.body["run"] is None)

    def grant_issued(self, entry, _author):
        """Folds a grant of the principal to the host (§5.4)."""
        body, state = entry.body, self.state
        self.need("U2", body["holder"] == 0 and body["parent_grant"] == 0 and "spent_in" not in body)
        found = self.said(body["credential"], GRANT, state.principal)
        terms = found.subject["grant"]
        self.rule("A2", found.subject["id"] == state.host.short)
        self.rule("G8", self.is_for_this_ledger(terms))
        self.rule("G2", terms["principal"] == state.principal.short and terms["parent"] is None)
        self.need("G6", found.digest not in state.grants)
        state.grants.add(found.digest)
        state.issued[entry.seq] = Grant(entry.seq, terms, found.window, found.digest)

    def directive(self, entry):
        """Reads the order of the principal that an entry carries (§5.7), and notes it; None where it does not count."""
        order, state, received = entry.body["order"], self.state, entry.record.received
        self.need("U2", order["form"] == "data-integrity")
        found = self.document(order["doc"], credential.DIRECTIVE, state.principal)
        is_new = state.is_new_order(order["doc"])
        if found is None or not is_new or found.subject["ledger"] != state.ledger_id.hex():
            return None
        if not found.window.holds(received) or received > found.subject["expires"]:
            return None
        return {member: value for member, value in found.subject.items() if member not in ("ledger", "expires", "nonce")}

    def grant_revoked(self, entry, author):
        """Folds a revocation (§5.8)."""
        body, state = entry.body, self.state
        agent = state.instances.get(body["target"])
        self.need(CONTENT, body["target"] in state.issued or agent and agent.role in ("agent", "approver"))
        if body["order"]:
            wanted = {"act": "revoke", "entry": state.digests[body["target"]].hex(), "reason": body["reason"]}
            self.rule(CONTENT, self.directive(entry) == wanted and author.role == "runtime")
        else:
            self.rule(CONTENT, self.may_revoke(author, agent))
        state.revoked.add(body["target"])

    def may_revoke(self, author, agent):
        """Tells whether an agent is the author's to revoke without an order."""
        if agent is None or agent.role != "agent":
            return False
        if author.role == "runtime":
            return self.state.has_in_line(author, agent.runtime)
        return agent is not author and author.grant in agent.grant.chain()
