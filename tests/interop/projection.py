"""From a request to the Cedar request (authority-v1 §7). What the policies then say is not judged here."""

import re
from hashlib import sha256
from pathlib import Path

from . import jcs
from .errors import Refused
from .grant import path_contains
from .members import HOST
from .statement import EFFECTS

ARGUMENTS_MAX = 1_048_576
DIGEST = sha256(b"countersign/1 projection 1; analyser paths 1; urls 1").digest()
PUBLISHED = {"policies": "layer0-v1.cedar", "schema": "countersign-v1.cedarschema"}
PUBLISHED_DIGESTS = Path(__file__).resolve().parents[2] / "schemas" / "policy" / "digests.txt"
SCHEMA = "countersign.cedar-request/v1"

# tool: arguments, effect bits, what the resource is made of
TOOLS = {
    "read": ("path", 1, "path"),
    "list": ("path", 1, "path"),
    "glob": ("pattern", 1, "workspace"),
    "grep": ("pattern path", 1, "path"),
    "write": ("path content", 2, "path"),
    "edit": ("path old new", 3, "path"),
    "bash": ("command", 15, "command"),
    "agent": ("type name task", 16, "agent"),
    "advisor": ("question", 32, "advisor"),
    "web_fetch": ("url", 9, "url"),
    "bash_start": ("command", 15, "command"),
    "bash_read": ("job", 1, "tool"),
    "bash_stop": ("job", 4, "tool"),
    "merge": ("branch", 7, "workspace"),
    "todo": ("items", 0, "tool"),
    "ask_user": ("question", 32, "tool"),
    "tool_schema": ("tool", 0, "tool"),
}
SECRET_NAMES = set(
    ".env .git .ssh .gnupg .aws .azure .kube .docker .netrc .npmrc .pypirc .bashrc .bash_profile .profile .zshrc "
    ".gitconfig".split()
)
PLACES = {"inside", "outside", "secret", "own", "unknown", "none"}
SECRET_STARTS = (".env.", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa")
SECRET_ENDS = (".pem", ".key", ".p12", ".pfx", ".age")

PORT = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
TAKEN = r"[!$-;=?-\[\]_a-z~]"
DOTS = r"(?![^?]*%2[eE])(?![^?]*(?:/|%2[fF]|%5[cC])\.\.?(?:/|%2[fF]|%5[cC]|\?|$))"
URL = rf"(?=.{{1,2048}}$)(https?)://({HOST})(?::({PORT}))?(?:{DOTS}([/?]{TAKEN}*))?"


def parse_arguments(octets):
    """Reads argument bytes; None where they are not an object in JCS form."""
    try:
        found = jcs.parse(octets, ARGUMENTS_MAX)
    except Refused:
        return None
    return found if isinstance(found, dict) else None


def resource(tool, arguments, workspace):
    """Returns the resource of a request, or None where there is no projection (§7, 4)."""
    if arguments is None:
        return None
    names, _, made_of = TOOLS.get(tool, (None, 0, "tool"))
    is_text = all(isinstance(value, str) for value in arguments.values())
    if names is not None and not (is_text and set(arguments) == set(names.split())):
        return None
    return RESOURCES[made_of](tool, arguments, workspace)


def absolute(path, workspace):
    """Makes a path argument absolute, as text."""
    kept = []
    for segment in (path if path.startswith("/") else workspace + "/" + path).split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept)


def file(path, workspace):
    """Makes the resource of a path."""
    relative = path
    if path == workspace:
        relative = ""
    elif path_contains(workspace, path):
        relative = path[len(workspace.rstrip("/")) + 1 :]
    return {"type": "File", "id": path, "path": path, "name": path.rpartition("/")[2], "relative": relative}


def command(text):
    """Makes the resource of a command."""
    return {"type": "Command", "id": sha256(text.encode()).hexdigest(), "command": text}


def url(text):
    """Makes the resource of a web address (§7.10)."""
    found = re.fullmatch(URL, text)
    if not found:
        return None
    scheme, host, port, rest = found.groups()
    path = (rest or "").partition("?")[0] or "/"
    number = int(port) if port else {"http": 80, "https": 443}[scheme]
    return {"type": "Url", "id": text, "url": text, "scheme": scheme, "host": host, "port": number, "path": path}


RESOURCES = {
    "path": lambda _, arguments, workspace: file(absolute(arguments["path"], workspace), workspace),
    "workspace": lambda _, arguments, workspace: file(workspace, workspace),
    "command": lambda _, arguments, workspace: command(arguments["command"]),
    "agent": lambda _, arguments, workspace: {"type": "AgentType", "id": arguments["type"], "name": arguments["name"]},
    "advisor": lambda _, arguments, workspace: {"type": "Advisor", "id": "advisor"},
    "url": lambda _, arguments, workspace: url(arguments["url"]),
    "tool": lambda tool, arguments, workspace: {"type": "Tool", "id": tool},
}


def cedar_request(principal, tool, about, effects, context):
    """Builds the document of §7 in JCS form."""
    words = [effect for effect in EFFECTS if effect in effects]
    action = tool if tool in TOOLS else "other"
    document = {"action": action, "principal": principal, "resource": about, "schema": SCHEMA}
    return jcs.encode(document | {"context": context | {"effects": words}})


def missing_effects(tool, effects):
    """Returns the effects of the table that a request does not claim (§7, 5)."""
    bits = TOOLS[tool][1] if tool in TOOLS else 0
    return [effect for bit, effect in enumerate(EFFECTS) if bits >> bit & 1 and effect not in effects]


def is_secret(path):
    """Tells whether a real path holds a secret name (§7, 7)."""
    for segment in path.split("/"):
        folded = "".join(c.lower() if c.isascii() else c for c in segment)
        if folded in SECRET_NAMES or folded.startswith(SECRET_STARTS) or folded.endswith(SECRET_ENDS):
            return True
    return False


def place_fits(observed, kind, workspace):
    """Tells whether `place` fits `real_path` and the resource (§7, 9)."""
    place, path = observed["place"], observed["real_path"]
    allowed = {"File": PLACES - {"none"}, "Command": {"unknown"}}.get(kind, {"none"})
    if place not in allowed:
        return False
    if place in ("unknown", "none"):
        return path == ""
    if path == "":
        return False
    inside = path_contains(workspace, path)
    return {
        "inside": inside and not is_secret(path),
        "outside": not inside and not is_secret(path),
        "secret": is_secret(path),
        "own": True,
    }[place]


def is_published(name, text):
    """Tells whether a text of layer 0 is the published one (§8.1); one that is absent breaks nothing."""
    digests = dict(reversed(line.split()) for line in PUBLISHED_DIGESTS.read_text().splitlines())
    return text is None or sha256(text).hexdigest() == digests[PUBLISHED[name]]
