"""Decisions, approvals and outcomes (authority-v1 §8.4, §9, §10), without asking Cedar."""

from hashlib import sha256

from . import credential, grant, jcs, projection
from .errors import Refused
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
        self.need("D2", request and not request.is_decided)
        self.need("U2", "ask" not in body or body["ask"]["need"] == 1 and body["ask"]["class"] == "person")
        self.rule("D2", request.requester.runtime is author)
        self.rule("D8", all(cited in state.advice for cited in body.get("advice", [])))
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
            self.unproven("D4a")
        elif None in texts:
            self.unproven("D4b")
        rules, is_pinned_known = self.grant_rules(request, about, observed)
        permits = body["outcome"] in ("allow", "ask")
        only = rules[0] if rules in (["G7"], ["G8"]) else "D1"
        self.rule(only, not (permits and rules))
        budget = self.budget_rules(request)
        self.rule("G6", not (permits and budget))
        self.rule("D4b", self.form_fits(entry) and self.end_fits(entry, request))
        if is_known and not (permits and (rules or budget)):
            recomputed = {"budget": budget} | ({"grant": rules} if is_pinned_known else {})
            self.rule("D4b", self.parts_fit(entry, recomputed, about))

    def check_cedar_request(self, entry, request, about):
        """Compares the Cedar request with the projection (D4a); returns `observed`, and whether it could be compared."""
        is_stated = entry.body["cedar_request"] is not None
        self.rule("D4a", is_stated == (about is not None))
        if about is None or not is_stated:
            return None, True
        octets = entry.payload("cedar_request")
        if octets is None:
            return None, False
        observed = observed_of(octets)
        terms = request.requester.grant.terms
        fits = observed and projection.place_fits(observed, about["type"], terms["workspace"])
        self.rule("D4a", fits and octets == self.projected(request, about, observed))
        return observed, True

    def projected(self, request, about, observed):
        """Returns the Cedar request of §7."""
        requester, asked = request.requester, request.entry
        terms, run = requester.grant.terms, self.state.runs.get(requester.run)
        principal = {
            "depth_left": terms["depth"],
            "id": requester.party.short,
            "name": requester.name,
            "root": requester.is_lead,
        }
        context = {
            "advised": any(cited["relation"] == "followed" for cited in asked.body.get("advice", [])),
            "calls_left": max(0, min(charged.left()[0] for charged in requester.grant.chain())),
            "mode": run.mode if run else "headless",
            "observed": observed,
            "time_ms": asked.record.received,
            "workspace": terms["workspace"],
        }
        return projection.cedar_request(principal, asked.body["tool"], about, asked.body["effects"], context)

    def grant_rules(self, request, about, observed):
        """Returns the rules that part 0 finds broken, and whether the pins could be compared."""
        requester, asked, body = request.requester, request.entry, request.entry.body
        kind = about["type"] if about else None
        paths = [about["path"], observed and observed["real_path"]] if kind == "File" else []
        hosts = [about["host"]] if kind == "Url" else []
        rules = set(grant.request(requester.grant.terms, body["tool"], body["effects"], filter(None, paths), hosts))
        pins = self.pins_hold(requester)
        further = {
            "G1": body["grant"] != requester.seq,
            "G5": not windows_hold(requester, asked.record.received),
            "G7": self.state.is_revoked(requester.grant),
            "G8": pins is False,
        }
        return sorted(rules | {code for code, is_broken in further.items() if is_broken}), pins is not None

    def budget_rules(self, request):
        """Returns the rules that part 1 finds broken."""
        left = [charged.left() for charged in request.requester.grant.chain()]
        rules = {
            "G6.calls": any(amounts[0] < 1 for amounts in left),
            "G6.cost": any(amounts[3] < 0 for amounts in left),
            "G6.tokens": any(min(amounts[1:3]) < 0 for amounts in left),
        }
        return [rule for rule, is_broken in rules.items() if is_broken]

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
            answers.append(None if text is None else adopted is not None and sha256(text).hexdigest() == wanted)
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
        is_word = all(place < 4 or part["outcome"] in GATEKEEPERS_WORD for place, part in zip(places, parts))
        return places == sorted(set(places)) and is_word and strictest(parts) == entry.body["outcome"]

    def end_fits(self, entry, request):
        """Checks `policies`, `expires` and `ask` (D4b)."""
        body, state = entry.body, self.state
        if body["policies"] != state.in_force() or ("ask" in body) != (body["outcome"] == "ask"):
            return False
        if (body["expires"] > 0) != (body["outcome"] in ("allow", "ask")):
            return False
        asked = [(seq, state.instances.get(seq)) for seq in body.get("ask", {}).get("eligible", [])]
        return all(
            approver and approver.role == "approver" and seq <= request.entry.seq and seq not in state.revoked
            for seq, approver in asked
        )

    def approval_entered(self, entry, author):
        """Folds an approval (§9)."""
        body, state = entry.body, self.state
        decision = state.decisions.get(body["decision"])
        self.need("U2", body["order"]["form"] == "data-integrity")
        self.need("D5", decision and decision.outcome == "ask" and decision.is_open and not decision.answered)
        fits = self.order_fits(entry, decision, author)
        self.rule("D5", state.is_new_order(body["order"]["doc"]) and fits)
        decision.answered = body["verdict"]
        if body["verdict"] == "given":
            self.check_given(decision, entry.record.received)
            self.permit(decision, entry)

    def order_fits(self, entry, decision, author):
        """Tells whether an order answers exactly this decision, in time and by an eligible approver."""
        body, state, received = entry.body, self.state, entry.record.received
        approver, asked = state.instances.get(body["approver"]), decision.request.entry
        if approver is None or approver.seq not in decision.entry.body["ask"]["eligible"] or approver.seq > asked.seq:
            return False
        self.rule("A4", approver.window.holds(received))
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
        text, arguments = entry.payload("text"), asked.payload("arguments")
        if text is not None:
            wanted["text"] = sha256(text).hexdigest()
        if text is None or arguments is None:
            self.unproven("D5")
        elif text != rendering(asked.body["tool"], decision.request.requester, arguments):
            return False
        in_time = order.window.holds(received) and received <= min(order.subject["expires"], decision.expires)
        is_ours = wanted.items() <= order.subject.items()
        return is_ours and in_time and decision.decider is author and decision.entry.body["policies"] == state.in_force()

    def check_given(self, decision, received):
        """Checks what parts 0 and 1 judged once more, at the position of the approval."""
        requester = decision.request.requester
        is_revoked, pins = self.state.is_revoked(requester.grant), self.pins_hold(requester)
        self.rule("D1", windows_hold(requester, received))
        self.rule("G8", pins is not False)
        self.rule("G7", not is_revoked)
        self.rule("G6", not self.budget_rules(decision.request))
        if pins is None and not is_revoked:
            self.unproven("G8")

    def action_finished(self, entry, author):
        """Folds an outcome (§10)."""
        body, state, received = entry.body, self.state, entry.record.received
        decision, started = state.decisions.get(body["decision"]), body["started"]
        self.need("D7", decision)
        self.need("D6", not decision.is_finished)
        is_nobodys = body["outcome"] == "unknown" and started is None
        is_entitled = decision.decider is author or is_nobodys and state.has_in_line(author, decision.decider)
        self.rule("D6", is_entitled or not decision.is_open)
        self.rule("D7", decision.permitted is not None)
        if started is None:
            self.rule("D7", body["outcome"] in ("aborted", "unknown"))
        elif decision.permitted is not None:
            run = state.runs.get(decision.request.requester.run)
            ended = run.ended if run and run.ended is not None else received
            self.rule("D7", decision.permitted <= started <= min(decision.expires, ended, received))
        decision.is_finished = True
        if body["outcome"] == "unknown":
            state.unknown.append(entry.seq)
            state.lost.add((decision.request.entry.body["tool"], decision.request.entry.seq))


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
    except (Refused, KeyError, TypeError):
        return None
