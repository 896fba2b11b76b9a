"""Entry 0 and introductions (authority-v1 §5.1, §5.2), and grants of the principal (§5.4)."""

from hashlib import sha256

from . import credential, did, grant, jcs
from .credential import APPROVER, GRANT, HOST, INSTANCE
from .errors import NotFolded
from .state import Grant, Instance
from .statement import founding


class Introductions:
    """The part of the fold that says who may speak."""

    def party(self, text):
        """Reads a long form, else A1."""
        try:
            return did.read_long(text)
        except jcs.Refused as error:
            self.breach("A1")
            raise NotFolded from error

    def said(self, octets, profile, issuer):
        """Reads a credential and verifies its proof, else A2 and nothing is known of its subject."""
        found = self.document(octets, profile, issuer)
        if found is None:
            self.breach("A2")
            raise NotFolded
        return found

    def document(self, octets, profile, issuer):
        """Reads a credential or an order; None where it is none of this issuer. What is not canonical is I1."""
        try:
            jcs.parse(octets)
        except jcs.Refused as error:
            self.breach("I1")
            raise NotFolded from error
        try:
            found = credential.parse(octets, profile)
            credential.verify(found, issuer)
        except jcs.Refused:
            return None
        return found

    def introduce(self, *parties):
        """Demands that DIDs and keys are new, and notes them (A1)."""
        names = [name for party in parties for name in (party.short, party.ed25519, party.mldsa44)]
        if len(set(names)) < len(names) or self.state.known & set(names):
            self.breach("A1")
            raise NotFolded
        self.state.known |= set(names)

    def opened(self, entry):
        """Folds entry 0."""
        body, state = entry.body, self.state
        parties = [self.party(text) for text in (body["principal"], *body["dids"])]
        self.introduce(*parties)
        principal, host, opener = parties
        if body["origin"] != "countersign/" + body["nonce"].hex():
            self.breach("A2")
        first = self.said(body["credentials"][0], HOST, principal)
        second = self.said(body["credentials"][1], INSTANCE, host)
        if first.subject["id"] != host.short or "instance" not in first.subject["mayIssue"]:
            self.breach("A2")
        self.check_instance(second, opener, "runtime", principal, {"founding": founding(body).hex()})
        times = (entry.statement.at, entry.record.received)
        if not second.window.lies_in(first.window) or not second.window.holds(*times):
            self.breach("A4")
        state.body, state.principal, state.host = body, principal, host
        state.host_window, state.may_issue = first.window, first.subject["mayIssue"]
        state.instances[0] = Instance(0, "runtime", opener, second.window, second.subject["name"])

    def check_instance(self, found, party, role, operator, ledger):
        """Checks what an instance credential is about (A2)."""
        subject = found.subject
        wanted = (party.short, role, operator.short, ledger)
        if (subject["id"], subject["role"], subject["operator"], subject["ledger"]) != wanted:
            self.breach("A2")

    def introduced(self, entry, author):
        """Folds an introduction; `author` is None where the newcomer introduces itself."""
        body, state, role = entry.body, self.state, entry.body["role"]
        if author and (role == "runtime" or role == "approver" and author.role != "runtime"):
            self.breach("A5")
            raise NotFolded
        if not isinstance(body["did"], str) or "succeeds" in body and role != "runtime":
            self.unjudged()
        party = self.party(body["did"])
        from_agent = author is not None and author.role == "agent"
        issuer = state.principal if role == "approver" else author.party if from_agent else state.host
        found = self.said(body["credential"], APPROVER if role == "approver" else INSTANCE, issuer)
        self.introduce(party)
        newcomer = Instance(entry.seq, role, party, found.window, found.subject["name"], author)
        if role == "approver":
            if found.subject["id"] != party.short:
                self.breach("A2")
        else:
            ledger = {"id": state.ledger_id.hex()}
            self.check_instance(found, party, role, state.principal, ledger)
            self.check_window(newcomer, found, from_agent)
        {"runtime": self.joins, "agent": self.agent, "advisor": self.advisor, "approver": self.approver}[role](
            entry, newcomer, found
        )
        state.instances[entry.seq] = newcomer

    def check_window(self, newcomer, found, from_agent):
        """Checks the window against the issuer's (A4, a child's G5), and that the host may issue."""
        state = self.state
        outer = newcomer.parent.window if from_agent else state.host_window
        if not found.window.lies_in(outer):
            self.breach("G5" if from_agent and newcomer.role == "agent" else "A4")
        right = "root-grant" if newcomer.role == "agent" else "instance"
        if not from_agent and right not in state.may_issue:
            self.breach("A2")

    def joins(self, entry, newcomer, _found):
        """Folds a later runtime."""
        body, state = entry.body, self.state
        if not newcomer.window.holds(entry.statement.at, entry.record.received):
            self.breach("A4")
        if body["run"] is not None:
            self.breach("G8")
        if "parent_grant" in body:
            self.breach("A5")
        running = [i for i in state.instances.values() if i.role == "runtime" and not i.stopped]
        if "succeeds" not in body:
            if not running:
                state.unattended.append(entry.seq)
            return
        newcomer.succeeds = body["succeeds"]
        before = state.instances.get(body["succeeds"])
        if before not in running:
            self.breach("A5")
        else:
            before.stopped = "other"

    def agent(self, entry, newcomer, found):
        """Folds an agent with its grant."""
        terms = found.subject.get("grant")
        if terms is None:
            raise NotFolded
        newcomer.grant = Grant(entry.seq, terms, found.window, found.digest)
        if newcomer.is_lead:
            self.lead(entry, newcomer)
        else:
            self.child(entry, newcomer)
        if terms["ledger"] not in ({"any": True}, {"id": self.state.ledger_id.hex()}):
            self.breach("G8")

    def lead(self, entry, newcomer):
        """Checks the grant of a lead: a root grant, or one under a grant of the principal."""
        terms, body = newcomer.grant.terms, entry.body
        if body["run"] is not None:
            self.breach("G8")
        if "parent_grant" not in body:
            if terms["parent"] is not None or terms["principal"] != self.state.principal.short:
                self.breach("G2")
            return
        above = self.state.issued.get(body["parent_grant"])
        if above is None:
            self.breach("G1")
            raise NotFolded
        self.check_narrower(newcomer.grant, above)
        newcomer.grant.parent = above

    def child(self, entry, newcomer):
        """Checks the grant of a child against its author's, and that it is introduced in an action."""
        body, author = entry.body, newcomer.parent
        if body.get("parent_grant") != author.seq:
            self.breach("G1")
        self.check_narrower(newcomer.grant, author.grant)
        newcomer.grant.parent = author.grant
        self.belong(entry, newcomer, "agent")

    def belong(self, entry, newcomer, tool):
        """Puts a newcomer of an agent into the agent's run and its action (G8, D7)."""
        author, run = newcomer.parent, self.state.active_run(newcomer.parent)
        newcomer.run = run and run.seq
        if entry.body["run"] != newcomer.run:
            self.breach("G8")
        action = self.state.permitted_action(author, tool, entry.record.received, is_free=True)
        if action is None:
            self.breach("D7")
        else:
            action.introduced = entry.seq

    def check_narrower(self, below, above):
        """Checks G2 to G8 between two grants (identity-v1 §8.3)."""
        codes = grant.lineage(below.terms, above.terms, above.digest) + grant.narrowing(below.terms, above.terms)
        if not below.window.lies_in(above.window):
            codes.append("G5")
        for code in codes:
            self.breach(code.partition(".")[0])
        if self.state.is_revoked(above):
            self.breach("G7")

    def advisor(self, entry, newcomer, _found):
        """Folds an advisor of a runtime or of an agent."""
        if "parent_grant" in entry.body:
            self.breach("A5")
        if newcomer.parent.role == "agent":
            self.belong(entry, newcomer, "advisor")
        elif entry.body["run"] is not None:
            self.breach("G8")

    def approver(self, entry, _newcomer, _found):
        """Folds an approver."""
        if "parent_grant" in entry.body:
            self.breach("A5")
        if entry.body["run"] is not None:
            self.breach("G8")

    def grant_issued(self, entry, _author):
        """Folds a grant of the principal to the host (§5.4)."""
        body, state = entry.body, self.state
        if body["holder"] != 0 or body["parent_grant"] != 0 or "spent_in" in body:
            self.unjudged()
        found = self.said(body["credential"], GRANT, state.principal)
        terms = found.subject["grant"]
        if found.subject["id"] != state.host.short:
            self.breach("A2")
        if terms["ledger"] not in ({"any": True}, {"id": state.ledger_id.hex()}):
            self.breach("G8")
        if terms["principal"] != state.principal.short or terms["parent"] is not None:
            self.breach("G2")
        if found.digest in state.grants:
            self.breach("G6")
            raise NotFolded
        state.grants.add(found.digest)
        state.issued[entry.seq] = Grant(entry.seq, terms, found.window, found.digest)

    def directive(self, entry):
        """Reads the order of the principal that an entry carries (§5.7), and notes it; None where it does not count."""
        order, state, received = entry.body["order"], self.state, entry.record.received
        if order["form"] != "data-integrity":
            self.unjudged()
        found = self.document(order["doc"], credential.DIRECTIVE, state.principal)
        digest = sha256(order["doc"]).digest()
        is_new = digest not in state.orders
        state.orders.add(digest)
        if found is None or not is_new or found.subject["ledger"] != state.ledger_id.hex():
            return None
        if not found.window.holds(received) or received > found.subject["expires"]:
            return None
        return {member: value for member, value in found.subject.items() if member not in ("ledger", "expires", "nonce")}

    def grant_revoked(self, entry, author):
        """Folds a revocation (§5.8)."""
        body, state = entry.body, self.state
        agent = state.instances.get(body["target"])
        if body["target"] not in state.issued and (agent is None or agent.role not in ("agent", "approver")):
            self.content()
            raise NotFolded
        if body["order"]:
            target = {"entry": state.digests[body["target"]].hex(), "reason": body["reason"]}
            is_ordered = self.directive(entry) == {"act": "revoke"} | target
            if author.role != "runtime" or not is_ordered:
                self.content()
        elif not self.may_revoke(author, agent):
            self.content()
        state.revoked.add(body["target"])

    def may_revoke(self, author, agent):
        """Tells whether an agent is the author's to revoke without an order."""
        if agent is None or agent.role != "agent":
            return False
        if author.role == "runtime":
            return self.state.has_in_line(author, agent.runtime)
        return agent is not author and author.grant in agent.grant.chain()
