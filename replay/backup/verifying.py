"""Whether a backup is whole and as it was made: each file by its hash, the events by their Merkle root."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bus.copying import Tools, counted, keys_in, unharmed
from bus.errors import LogUnavailable
from replay.backup import manifest
from replay.backup.errors import BackupDamaged
from replay.backup.making import KEYS_DUMP, KEYS_FILE, LOG_DUMP, LOG_FILE, Tell, root_of
from replay.backup.manifest import Manifest, Of


@dataclass(frozen=True, slots=True)
class Checked:
    """A backup, and what is wrong with it."""

    manifest: Manifest
    findings: Sequence[dict[str, str]]


def verify(folder: Path, of: Of, tools: Tools, tell: Tell) -> Checked:
    """Look at everything in a backup. Raises BackupDamaged when it says nothing of itself, BackupRefused for another kind of backup."""
    told = manifest.load(folder, of)
    findings = manifest.check(folder, told, lambda done, total: tell("hashing the files", done, total))
    if not findings:
        findings = _log(folder, told, tools, tell) if of == "log" else _keys(folder, told, tools)
    return Checked(told, findings)


def sound(folder: Path, of: Of, tools: Tools, tell: Tell) -> Manifest:
    """The manifest of a backup that nothing is wrong with. Raises BackupDamaged, which names what is."""
    checked = verify(folder, of, tools, tell)
    if checked.findings:
        named = "; ".join(f"{finding['file']}: {finding['message']}" for finding in checked.findings)
        raise BackupDamaged("backup.damaged", f"the backup in {folder} is not as it was made: {named}", tuple(checked.findings))
    return checked.manifest


def _log(folder: Path, told: Manifest, tools: Tools, tell: Tell) -> list[dict[str, str]]:
    if told.store == "postgresql":
        return _dump(folder, told.file(LOG_DUMP), LOG_DUMP, tools)
    if told.file(LOG_FILE) is None:
        return [{"file": LOG_FILE, "message": "missing"}]
    path = folder / LOG_FILE
    if (harm := unharmed(path)) is not None:
        return [{"file": LOG_FILE, "message": harm}]
    return differences(str(path), *counted(path), told, tell, LOG_FILE)


def differences(log: str, position: int, counts: dict[str, int], told: Manifest, tell: Tell, name: str) -> list[dict[str, str]]:
    """Where a log is not what its manifest says."""
    found = [
        {"file": name, "message": f"holds {counts[what]:,} {what}, not {expected:,}"}
        for what, expected in told.counts.items()
        if counts.get(what) != expected
    ]
    if position != told.position:
        return [*found, {"file": name, "message": f"ends at position {position}, not {told.position}"}]
    if root_of(log, position, tell) != told.root:
        found.append({"file": name, "message": "its events have another Merkle root"})
    return found


def _keys(folder: Path, told: Manifest, tools: Tools) -> list[dict[str, str]]:
    if told.store == "postgresql":
        return _dump(folder, told.file(KEYS_DUMP), KEYS_DUMP, tools)
    if told.file(KEYS_FILE) is None:
        return [{"file": KEYS_FILE, "message": "missing"}]
    try:
        persons = keys_in(folder / KEYS_FILE)
    except LogUnavailable as error:
        return [{"file": KEYS_FILE, "message": error.message}]
    expected = told.counts.get("persons")
    return [] if persons == expected else [{"file": KEYS_FILE, "message": f"holds the keys of {persons:,} persons, not of {expected}"}]


def _dump(folder: Path, name: str | None, expected: str, tools: Tools) -> list[dict[str, str]]:
    if name is None:
        return [{"file": expected, "message": "missing"}]
    return [] if tools.readable(folder / name) else [{"file": name, "message": "pg_restore cannot read it"}]
