"""What a log really holds, held against what clients were told: the checks that every fault test ends with."""

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from api.feed.reading import told
from api.settings import load_settings
from api.wiring import Books, open_books
from domain.envelope import StoredEvent
from tests.faults.clients import Ledger, Receipt, receipt_of
from tests.faults.server import Server

PAGE: Final = 10_000
NO_URLS: Final[Mapping[str, str]] = {}
"""All lies in files of the data folder; else settings such as `log_url`."""
RANDOM: Final = frozenset({"id", "recorded_at", "position"})
UUIDS: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


@dataclass(slots=True)
class Findings:
    """What is wrong, in words; nothing when all is well."""

    lost: list[str] = field(default_factory=list[str])
    """Acknowledged, and not in the log as acknowledged."""
    twice: list[str] = field(default_factory=list[str])
    """Applied more than once."""
    ghosts: list[str] = field(default_factory=list[str])
    """In the log, and refused or never sent."""
    broken: list[str] = field(default_factory=list[str])
    """The log itself is not in order."""
    events: int = 0

    def __str__(self) -> str:
        kinds = ("lost", "twice", "ghosts", "broken")
        return "; ".join(f"{len(found)} {kind}, first {found[0]}" for kind in kinds if (found := getattr(self, kind)))


def events_of(books: Books) -> Iterator[StoredEvent]:
    """All events in order."""
    after = 0
    while page := books.log.read(after, PAGE):
        yield from page
        after = page[-1].position


def examine(
    data: Path,
    ledger: Ledger,
    *,
    others: Collection[str] = (),
    unanswered_may_have_happened: bool = True,
    urls: Mapping[str, str] = NO_URLS,
) -> Findings:
    """Whether the log in a data folder holds what was acknowledged, once, and nothing else.

    `others` are the ids of commands that came in by another way than these clients. Commands that nobody got an
    answer to may be in the log or not, unless told otherwise.
    """
    findings = Findings()
    by_command: dict[str, list[StoredEvent]] = defaultdict(list)
    with open_books(load_settings({}, data=data, **urls)) as books:
        events = list(events_of(books))
        receipts = _receipts(books, ledger)
        findings.broken += _unreadable(books, events)
    findings.events = len(events)
    for event in events:
        by_command[event.command_id].append(event)
    findings.broken += _out_of_order(events)
    findings.broken += _file_damage(data)
    for command_id, receipt in ledger.accepted.items():
        _compare(command_id, receipt, by_command.get(command_id, ()), receipts.get(command_id), findings)
    known = ledger.accepted.keys() | (ledger.unanswered if unanswered_may_have_happened else set[str]())
    for command_id in (by_command.keys() | receipts.keys()) - known - set(others):
        findings.ghosts.append(f"{command_id} ({ledger.refused.get(command_id, 'never sent')})")
    return findings


def _compare(command_id: str, receipt: Receipt, events: Sequence[StoredEvent], stored: Receipt | None, findings: Findings) -> None:
    ids = tuple(event.id for event in events)
    if len(ids) > len(receipt.event_ids):
        findings.twice.append(f"{command_id}: {receipt} but {len(ids)} events")
    elif ids != receipt.event_ids:
        findings.lost.append(f"{command_id}: {receipt} but {ids}")
    elif events and [event.position for event in events] != list(range(receipt.position - len(ids) + 1, receipt.position + 1)):
        findings.lost.append(f"{command_id}: {receipt} but at {[event.position for event in events]}")
    if stored != receipt:
        findings.lost.append(f"{command_id}: {receipt} but the stored receipt is {stored}")
    versions = [event.version for event in events if event.stream_id == receipt.stream_id]
    if versions and versions[-1] != receipt.version:
        findings.lost.append(f"{command_id}: {receipt} but its stream is at {versions[-1]}")


def _out_of_order(events: Sequence[StoredEvent]) -> Iterator[str]:
    """Positions and versions that leave a gap or come twice."""
    if [event.position for event in events] != list(range(1, len(events) + 1)):
        yield "positions are not 1, 2, 3, …"
    versions: Counter[str] = Counter()
    for event in events:
        versions[event.stream_id] += 1
        if event.version != versions[event.stream_id]:
            yield f"stream {event.stream_id} has version {event.version} after {versions[event.stream_id] - 1}"
    repeated = [event_id for event_id, times in Counter(event.id for event in events).items() if times > 1]
    if repeated:
        yield f"event id {repeated[0]} comes twice"


def _unreadable(books: Books, events: Sequence[StoredEvent]) -> Iterator[str]:
    """Personal fields whose key was lost; nobody is forgotten in these tests."""
    for start in range(0, len(events), PAGE):
        page = events[start : start + PAGE]
        for event, body in zip(page, told(books, page), strict=True):
            gone = [name for name, value in event.data.items() if value is not None and body["data"][name] is None]
            if gone:
                yield f"{event.type} at {event.position} has lost {gone}"


def _file_damage(data: Path) -> Iterator[str]:
    for name in ("log.db", "keys.db"):
        if not (data / name).exists():
            continue
        with closing(sqlite3.connect(data / name)) as connection:
            ((answer,), *_) = connection.execute("PRAGMA integrity_check").fetchall()
            if answer != "ok":
                yield f"{name}: {answer}"


def _receipts(books: Books, ledger: Ledger) -> Mapping[str, Receipt]:
    """The stored receipts of all commands that were sent."""
    with books.log.transaction() as tx:
        stored = tx.receipts(list(ledger.sent))
    return {
        command_id: Receipt(str(found.stream_id), found.version, found.position, tuple(map(str, found.event_ids)))
        for command_id, found in stored.items()
    }


def asked_again(server: Server, ledger: Ledger, *, at_once: int = 5_000) -> list[str]:
    """Ask for every accepted command once more; the answers that differ from the first."""
    differing: list[str] = []
    ids = list(ledger.accepted)
    for start in range(0, len(ids), at_once):
        chunk = ids[start : start + at_once]
        body = b"".join(orjson.dumps(ledger.sent[command_id].line) + b"\n" for command_id in chunk)
        status, answer = server.ask("POST", "/v1/commands", body, {"Content-Type": "application/x-ndjson"})
        assert status == 200, answer[:1000]
        for command_id, line in zip(chunk, answer.splitlines(), strict=True):
            result: dict[str, Any] = orjson.loads(line)
            again = result.get("receipt")
            if again is None or not again["repeated"] or receipt_of(again) != ledger.accepted[command_id]:
                differing.append(f"{command_id}: told {ledger.accepted[command_id]}, then {result}")
    return differing


def streams(data: Path) -> Mapping[str, list[str]]:
    """Every stream's events as JSON, personal fields readable, without what is random or says when we learnt it.

    Records that have an id of another system are named by that instead of by their own random one.
    """
    with open_books(load_settings({}, data=data)) as books:
        events = list(events_of(books))
        bodies = [body for start in range(0, len(events), PAGE) for body in told(books, events[start : start + PAGE])]
    names = {
        str(body["stream_id"]): f"{body['data']['external_source']} {body['data']['external_id']}"
        for body in bodies
        if body["version"] == 1 and body["data"].get("external_id")
    }
    found: dict[str, list[str]] = defaultdict(list)
    for body in bodies:
        text = orjson.dumps({name: value for name, value in body.items() if name not in RANDOM}).decode()
        stream = str(body["stream_id"])
        found[names.get(stream, stream)].append(UUIDS.sub(lambda match: names.get(match[0], match[0]), text))
    return found
