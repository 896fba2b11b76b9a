"""Decisions, approvals and outcomes (authority-v1 §8.4, §9, §10), without asking Cedar."""

from hashlib import sha256

from . import credential, grant, jcs, projection
from .errors import NotFolded
from .state import Decision
from .statement import CODES

STRICTEST = ["could-not-evaluate", "deny", "ask", "allow"]
CHECKS = list(CODES["check"][1].values())
GATEKEEPERS_WORD = {"deny", "ask", "could-not-evaluate", "neutral"}
LOWER_LAYERS = {"user", "project", "session", "file"}
LAYER_NAMES = list(CODES["layer"][1].values())


def strictest(parts):
    """Returns the outcome that parts give together; all neutral is deny."""
    given = {part["outcome"] for part in parts}
    return next((outcome for outcome in STRICTEST if outcome in given), "deny")


class Decisions:
    """The part of the fold that judges what was allowed and what came of it."""

    def decision_made(self, entry, author):
        """Folds a decision."""
        body, state = entry.body, self.state
        request = state.requests.get(body["request"])
        if request is None or request.is_decided:
            self.breach("D2")
            raise NotFolded
        if "ask" in body and (body["ask"]["need"] != 1 or body["ask"]["class"] != "person"):
            self.unjudged()
        if request.requester.runtime is not author:
            self.breach("D2")
        if any(cited not in state.advice for cited in body.get("advice", [])):
            self.breach("D8")
        self.judge(entry, request)
        request.is_decided = True
        found = Decision(entry, request, author, body["outcome"], body["expires"])
        state.decisions[entry.seq] = found
        if found.outcome == "allow":
            self.permit(found, entry)

    def permit(self, decision, entry):
        """Notes since when an action is permitted, and charges its call."""
        decision.permitted = entry.record.received
        for charged in decision.request.requester.grant.chain():
            charged.spent[0] += 1

    def judge(self, entry, request):
        """Recomputes what can be recomputed without policies (D1, D4a, and D4b as far as it goes)."""
        body, asked = entry.body, request.entry
        self.report.unjudged.append(entry.seq)
        adopted = self.state.policies.values()
        texts = [policy.payload(name) for policy in adopted for name in ("policies", "schema", "entities")]
        arguments = asked.payload("arguments")
        is_known = body["projection"] == projection.DIGEST and arguments is not None
        about, observed = None, None
        if is_known:
            workspace = request.requester.grant.terms["workspace"]
            about = projection.resource(asked.body["tool"], projection.parse_arguments(arguments), workspace)
            observed, is_known = self.check_cedar_request(entry, request, about)
        if not is_known:
            self.report.unproven("D4a", entry.seq)
        elif None in texts:
            self.report.unproven("D4b", entry.seq)
        rules, is_pinned_known = self.grant_rules(request, about, observed)
        permits = body["outcome"] in ("allow", "ask")
        if permits and rules:
            self.breach(rules[0] if rules in (["G7"], ["G8"]) else "D1")
        budget = self.budget_rules(request)
        if permits and budget:
            self.breach("G6")
        fits = self.form_fits(entry) and self.end_fits(entry, request)
        if not (permits and (rules or budget)) and is_known:
            recomputed = {"budget": budget} | ({"grant": rules} if is_pinned_known else {})
            fits = fits and self.parts_fit(entry, recomputed, about)
        if not fits:
            self.breach("D4b")

    def check_cedar_request(self, entry, request, about):
        """Compares the Cedar request with the projection (D4a); returns `observed`, and whether it could be compared."""
        body, asked = entry.body, request.entry
        run = self.state.runs.get(request.requester.run)
        if about is None or body["cedar_request"] is None:
            if about is not None or body["cedar_request"] is not None:
                self.breach("D4a")
            return None, True
        octets = entry.payload("cedar_request")
        if octets is None:
            return None, False
        observed = observed_of(octets)
        if observed is None:
            self.breach("D4a")
        if observed is None:
            return None, True
        requester = request.requester
        terms = requester.grant.terms
        calls_left = max(0, min(charged.left()[0] for charged in requester.grant.chain()))
        asker = projection.Asker(
            requester.party.short, requester.name, requester.is_lead, terms["depth"], terms["workspace"], run.mode if run else "headless", calls_left
        )
        advised = any(cited["relation"] == "followed" for cited in asked.body.get("advice", []))
        tool, effects = asked.body["tool"], asked.body["effects"]
        found = projection.cedar_request(asker, tool, about, effects, asked.record.received, advised, observed)
        if found != octets or not projection.place_fits(observed, about["type"], terms["workspace"]):
            self.breach("D4a")
        return observed, True

    def grant_rules(self, request, about, observed):
        """Returns the rules that part 0 finds broken, and whether the pins could be compared."""
        requester, asked = request.requester, request.entry
        paths, hosts = [], []
        if about and about["type"] == "File":
            paths = [about["path"]] + ([observed["real_path"]] if observed and observed["real_path"] else [])
        if about and about["type"] == "Url":
            hosts = [about["host"]]
        body = asked.body
        rules = set(grant.request(requester.grant.terms, body["tool"], body["effects"], paths, hosts))
        if body["grant"] != requester.seq:
            rules.add("G1")
        if not windows_hold(requester, asked.record.received):
            rules.add("G5")
        if self.state.is_revoked(requester.grant):
            rules.add("G7")
        pins = self.pins_hold(requester)
        if pins is False:
            rules.add("G8")
        return sorted(rules), pins is not None

    def budget_rules(self, request):
        """Returns the rules that part 1 finds broken."""
        left = [charged.left() for charged in request.requester.grant.chain()]
        rules = {"G6.calls"} if any(amounts[0] < 1 for amounts in left) else set()
        rules |= {"G6.tokens"} if any(min(amounts[1:3]) < 0 for amounts in left) else set()
        return sorted(rules | ({"G6.cost"} if any(amounts[3] < 0 for amounts in left) else set()))

    def pins_hold(self, requester):
        """Tells whether the run is active and the policies its root grant pins are in force; None if a text is absent."""
        run = self.state.active_run(requester)
        if run is None:
            return False
        pinned, policies = run.lead.grant.terms["policy"], self.state.policies
        if not pinned["adopt"] and "organisation" in policies and "1" not in pinned["floor"]:
            return False
        answers = []
        for layer, wanted in pinned["floor"].items():
            adopted = policies.get(LAYER_NAMES[int(layer)])
            text = adopted.payload("policies") if adopted else b""
            if text is None:
                answers.append(None)
            else:
                answers.append(adopted is not None and sha256(text).hexdigest() == wanted)
        return False if False in answers else None if None in answers else True

    def parts_fit(self, entry, recomputed, about):
        """Checks which parts are there and what can be recomputed of them without policies (D4b)."""
        by_check = {part["check"]: part for part in entry.body["parts"]}
        if not set(CHECKS[:3]) <= set(by_check):
            return False
        for check, rules in recomputed.items():
            if by_check[check]["outcome"] != ("deny" if rules else "allow") or by_check[check]["rules"] != rules:
                return False
        has_lower = about is not None and bool(set(self.state.policies) & LOWER_LAYERS)
        return ("lower-layers" in by_check) == has_lower

    def form_fits(self, entry):
        """Checks what holds of parts and outcome whatever they rest on (D4b)."""
        parts = entry.body["parts"]
        places = [CHECKS.index(part["check"]) for part in parts]
        if places != sorted(set(places)):
            return False
        if any(part["outcome"] not in GATEKEEPERS_WORD for part in parts if CHECKS.index(part["check"]) > 3):
            return False
        return strictest(parts) == entry.body["outcome"]

    def end_fits(self, entry, request):
        """Checks `policies`, `expires` and `ask` (D4b)."""
        body, instances = entry.body, self.state.instances
        if body["policies"] != self.state.in_force():
            return False
        if ("ask" in body) != (body["outcome"] == "ask"):
            return False
        if (body["expires"] > 0) != (body["outcome"] in ("allow", "ask")):
            return False
        for seq in body.get("ask", {}).get("eligible", []):
            if seq not in instances or instances[seq].role != "approver" or seq > request.entry.seq:
                return False
            if seq in self.state.revoked:
                return False
        return True

    def approval_entered(self, entry, author):
        """Folds an approval (§9)."""
        body, state = entry.body, self.state
        decision = state.decisions.get(body["decision"])
        if body["order"]["form"] != "data-integrity":
            self.unjudged()
        if decision is None or decision.outcome != "ask" or not decision.is_open or decision.answered:
            self.breach("D5")
            raise NotFolded
        digest = sha256(body["order"]["doc"]).digest()
        if not self.order_fits(entry, decision, author) or digest in state.orders:
            self.breach("D5")
        state.orders.add(digest)
        decision.answered = body["verdict"]
        if body["verdict"] == "given":
            self.check_given(entry, decision)
            self.permit(decision, entry)

    def order_fits(self, entry, decision, author):
        """Tells whether an order answers exactly this decision, in time and by an eligible approver."""
        body, state, received = entry.body, self.state, entry.record.received
        approver, asked = state.instances.get(body["approver"]), decision.request.entry
        if approver is None or approver.seq not in decision.entry.body["ask"]["eligible"] or approver.seq > asked.seq:
            return False
        if not approver.window.holds(received):
            self.breach("A4")
        order = self.document(body["order"]["doc"], credential.ORDER, approver.party)
        if order is None or approver.seq in state.revoked:
            return False
        wanted = {
            "ledger": state.ledger_id.hex(),
            "request": asked.statement.digest.hex(),
            "decision": decision.entry.statement.digest.hex(),
            "tool": asked.body["tool"],
            "arguments": asked.body["arguments"]["commitment"].hex(),
            "verdict": {"given": "approve", "refused": "refuse"}[body["verdict"]],
        }
        text = entry.payload("text")
        if text is None:
            self.report.unproven("D5", entry.seq)
        else:
            wanted["text"] = sha256(text).hexdigest()
        arguments = asked.payload("arguments")
        if text is not None and arguments is None:
            self.report.unproven("D5", entry.seq)
        elif text is not None and text != rendering(asked.body["tool"], decision.request.requester, arguments):
            return False
        in_time = order.window.holds(received) and received <= min(order.subject["expires"], decision.expires)
        is_ours = all(order.subject[member] == value for member, value in wanted.items())
        return is_ours and in_time and decision.decider is author and decision.entry.body["policies"] == state.in_force()

    def check_given(self, entry, decision):
        """Checks what parts 0 and 1 judged once more, at the position of the approval."""
        requester = decision.request.requester
        if not windows_hold(requester, entry.record.received):
            self.breach("D1")
        pins = self.pins_hold(requester)
        if pins is False:
            self.breach("G8")
        if self.state.is_revoked(requester.grant):
            self.breach("G7")
        elif pins is None:
            self.report.unproven("G8", entry.seq)
        if self.budget_rules(decision.request):
            self.breach("G6")

    def action_finished(self, entry, author):
        """Folds an outcome (§10)."""
        body, state, received = entry.body, self.state, entry.record.received
        decision = state.decisions.get(body["decision"])
        if decision is None or decision.is_finished:
            self.breach("D6" if decision else "D7")
            raise NotFolded
        is_nobodys = body["outcome"] == "unknown" and body["started"] is None
        is_entitled = decision.decider is author or is_nobodys and state.has_in_line(author, decision.decider)
        if decision.is_open and not is_entitled:
            self.breach("D6")
        started = body["started"]
        if decision.permitted is None:
            self.breach("D7")
        elif started is None:
            if body["outcome"] not in ("aborted", "unknown"):
                self.breach("D7")
        else:
            run = state.runs.get(decision.request.requester.run)
            ended = run.ended if run and run.ended is not None else received
            if not decision.permitted <= started <= min(decision.expires, ended, received):
                self.breach("D7")
        decision.is_finished = True
        if body["outcome"] == "unknown":
            state.unknown.append(entry.seq)
            asked = decision.request.entry
            state.lost.add((asked.body["tool"], asked.seq))


def rendering(tool, requester, arguments):
    """Returns the text that an approver is shown (§9)."""
    workspace = requester.grant.terms["workspace"]
    return f"tool: {tool}\nworkspace: {workspace}\narguments:\n".encode() + arguments


def windows_hold(requester, time):
    """Tells whether a time lies in every window along the chain of grants."""
    return all(charged.window.holds(time) for charged in requester.grant.chain())


def observed_of(octets):
    """Returns the gatekeeper's word out of a Cedar request, or None if it is not of its form."""
    try:
        observed = jcs.parse(octets, projection.ARGUMENTS_MAX * 8)["context"]["observed"]
        fits = set(observed) == {"place", "real_path"} and observed["place"] in projection.PLACES
        return observed if fits and isinstance(observed["real_path"], str) else None
    except (jcs.Refused, KeyError, TypeError):
        return None
