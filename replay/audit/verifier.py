"""Verifies an exported history of a Daybook customer. Needs Python 3.9 or later and nothing else.

    python3 verify.py history.json --key KEY [--checkpoint OLDER_NOTE]...

KEY is the log's public key, and an OLDER_NOTE a file with a signed checkpoint, both as you received them earlier, not with the
history. Shown are: that the checkpoint in the history is signed by that key; that every event is in the log that this
checkpoint is of, in exactly the stored bytes (RFC 9162); that what is told of each event is what those bytes say; and that the
log still begins with what an older checkpoint was of. Exit code 0: all of it holds; 1: something does not; 2: it cannot be read.

What cannot be shown: that the plain text of personal fields, which are stored encrypted, is what was encrypted; and
that no event was left out, except that the versions of each record's events show gaps.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

FORMAT = "daybook-customer-history/1"
ENVELOPE = ("id", "occurred_at", "recorded_at", "actor", "source", "command_id", "correlation_id", "causation_id", "irregular")


class Failed(Exception):
    """Something does not hold."""


# Ed25519, RFC 8032 §5.1; points are in extended homogeneous coordinates.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]


def add(p: Point, q: Point) -> Point:
    """The sum of two points."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar: int, point: Point) -> Point:
    """A multiple of a point."""
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def equal(p: Point, q: Point) -> bool:
    """Whether two points are the same."""
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def decompress(encoded: bytes) -> Point:
    """The point in 32 bytes."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        raise Failed("a point is not on the curve")
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (v * x * x - u) % P or (x == 0 and sign):
        raise Failed("a point is not on the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = decompress(bytes([0x58] + [0x66] * 31))


def ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is that of a message under a public key."""
    if len(public) != 32 or len(signature) != 64:
        return False
    try:
        key, r = decompress(public), decompress(signature[:32])
    except Failed:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    return equal(times(s, BASE), add(r, times(k, key)))


# The Merkle tree, RFC 9162 §2.1.


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


def included(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that a proof of inclusion leads to (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        raise Failed("an event lies beyond the checkpoint")
    at, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise Failed("a proof is too long")
        if at & 1 or at == last:
            root = node_hash(sibling, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise Failed("a proof is too short")
    return root


def consistent(older: int, size: int, older_root: bytes, root: bytes, proof: list[bytes]) -> bool:
    """Whether a tree begins with an older one (RFC 9162 §2.1.4.2)."""
    if older in (0, size):
        return older <= size and not proof and (older == 0 or older_root == root)
    path = [older_root, *proof] if older & (older - 1) == 0 else list(proof)
    if older > size or not path:
        return False
    at, last = older - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == older_root and after == root


# Signed notes, C2SP.


def checkpoint(note: str, key: str) -> tuple[int, bytes]:
    """Size and root of a signed checkpoint. Raises Failed unless it is signed by the key."""
    name, _, encoded = key.strip().split("+", 2)
    public = base64.b64decode(encoded, validate=True)
    key_hash = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    body, _, signatures = note.partition("\n\n")
    lines = body.split("\n")
    if lines[0] != name or public[:1] != b"\1":
        raise Failed(f"a checkpoint is of the log {lines[0]}, the key is of {name}")
    for line in signatures.split("\n"):
        parts = line.split(" ")
        if len(parts) == 3 and parts[0] == "\u2014" and parts[1] == name:
            raw = base64.b64decode(parts[2], validate=True)
            if raw[:4] == key_hash and ed25519(public[1:], f"{body}\n".encode(), raw[4:]):
                return int(lines[1]), base64.b64decode(lines[2], validate=True)
    raise Failed(f"a checkpoint is not signed by the key of {name}")


# The history.


def check_event(event: dict[str, Any], size: int, root: bytes) -> tuple[str, int, int]:
    """Hold an event against its stored bytes and those against the root; its stream, version and number of personal values."""
    position = event["position"]
    entry = event["entry"].encode()
    proof = [base64.b64decode(each, validate=True) for each in event["proof"]]
    if included(leaf_hash(entry), position - 1, size, proof) != root:
        raise Failed(f"the event at position {position} is not in the log that the checkpoint is of")
    lines = event["entry"].split("\n")
    if len(lines) != 5:
        raise Failed(f"what is stored at position {position} is no event")
    state = json.loads(lines[4])
    told = (str(position), event["stream_id"], str(event["version"]), event["type"])
    if tuple(lines[:4]) != told or any(state[name] != event[name] for name in ENVELOPE):
        raise Failed(f"what is told of the event at position {position} is not what is stored")
    personal = set(event["personal"])
    encrypted = {name for name, value in state["data"].items() if name in personal and isinstance(value, str) and value.startswith("~")}
    stored = {name: value for name, value in state["data"].items() if name not in personal}
    if encrypted != personal or {name: value for name, value in event["data"].items() if name not in personal} != stored:
        raise Failed(f"the fields of the event at position {position} are not those that are stored")
    return event["stream_id"], event["version"], len(personal)


def gaps(versions: dict[str, list[int]]) -> list[str]:
    """Records of which some events are not in this history."""
    found: list[str] = []
    for stream, there in sorted(versions.items()):
        missing = sorted(set(range(1, max(there) + 1)) - set(there))
        if missing:
            found.append(f"record {stream}: {len(missing)} of its first {max(there)} events are not in this history")
    return found


def verify(history: dict[str, Any], key: str, older_notes: list[str]) -> list[str]:
    """Hold a history against its proofs; what was shown, line by line. Raises Failed."""
    if history["format"] != FORMAT:
        raise Failed(f"this verifier reads {FORMAT}")
    size, root = checkpoint(history["checkpoint"], key)
    shown = [f"checkpoint of {size} events: signed by {key.strip().split('+')[0]}"]
    versions: dict[str, list[int]] = {}
    personal = last = 0
    for event in history["events"]:
        if event["position"] <= last:
            raise Failed(f"the event at position {event['position']} does not follow on the one before")
        last = event["position"]
        stream, version, hidden = check_event(event, size, root)
        versions.setdefault(stream, []).append(version)
        personal += hidden
    shown.append(f"{len(history['events'])} events: each is in that log, and told as it is stored")
    proofs = {each["from"]: [base64.b64decode(one, validate=True) for one in each["proof"]] for each in history["consistency"]}
    for note in older_notes:
        older, older_root = checkpoint(note, key)
        if older not in proofs and older not in (0, size):
            raise Failed(f"the history has no proof for your checkpoint of {older} events; ask for it with --older")
        if not consistent(older, size, older_root, root, proofs.get(older, [])):
            raise Failed(f"the log does not begin with the {older} events of your older checkpoint: history was rewritten")
        shown.append(f"checkpoint of {older} events: the log still begins with them")
    if personal:
        shown.append(f"note: {personal} personal values are stored encrypted; their plain text is as told, not proven")
    return shown + [f"note: {gap}" for gap in gaps(versions)]


def main(arguments: list[str]) -> int:
    """Verify the files that are named."""
    parser = argparse.ArgumentParser(description="Verify an exported history of a Daybook customer.")
    parser.add_argument("history", type=Path)
    parser.add_argument("--key", help="the log's public key, or a file that holds it")
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, help="an older signed checkpoint; may be repeated")
    given = parser.parse_args(arguments)
    try:
        history = json.loads(given.history.read_text(encoding="utf-8"))
        key = given.key or history["key"]
        key = key if "+" in key else Path(key).read_text(encoding="utf-8")
        lines = verify(history, key, [path.read_text(encoding="utf-8") for path in given.checkpoint])
    except Failed as failed:
        sys.stdout.write(f"FAILED: {failed}\n")
        return 1
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        sys.stdout.write(f"cannot be read: {type(error).__name__}: {error}\n")
        return 2
    if not given.key:
        lines.append("note: the key came with the history; compare it with the one you received before: " + key)
    sys.stdout.write("\n".join([*lines, "all of this holds", ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
