"""Whatever is done to the log behind our back is found, and where; in either database."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from replay.audit.findings import Kind
from replay.audit.notes import SigningKey, parse
from tests.commands.orders import order
from tests.replay.audit.ledger import Ledger

PUSH_ON = (
    "UPDATE stored_events SET position = -position - 1 WHERE position >= :at",
    "UPDATE stored_events SET position = -position WHERE position < 0",
)
MOVE_UP = (
    "UPDATE stored_events SET position = -position + 1 WHERE position > :at",
    "UPDATE stored_events SET position = -position WHERE position < 0",
)
FORGED = (
    "INSERT INTO stored_events (position, originator_id, originator_version, topic, state) VALUES (:at, "
    "'00000000-0000-4000-8000-000000000001', 1, 'opportunity.won', (SELECT state FROM stored_events WHERE topic = 'opportunity.won' LIMIT 1))"
)
SWAP = (
    "UPDATE stored_events SET position = 0 WHERE position = :one",
    "UPDATE stored_events SET position = :one WHERE position = :other",
    "UPDATE stored_events SET position = :other WHERE position = 0",
)


def register(ledger: Ledger, *names: str) -> None:
    with ledger.books() as books:
        books.dispatcher.execute([order("register_customer", kind="company", name=name) for name in names])


def test_a_history_that_nobody_touched_is_sound(ledger: Ledger, size: int, receipts: list[dict[str, object]]) -> None:
    verification = ledger.verify(receipts=receipts)
    assert verification.sound
    assert (verification.events, verification.hashed) == (size, size)
    assert sorted(set(verification.confirmed)) == sorted(parse(note).size for note in ledger.checkpoints.values())


def test_events_that_were_not_hashed_yet_are_no_finding(ledger: Ledger, size: int) -> None:
    register(ledger, "New", "Newer")
    verification = ledger.verify()
    assert verification.sound
    assert (verification.events, verification.hashed) == (size + 2, size)


EDITS = {
    "state": 'UPDATE stored_events SET state = replace(state, \'"actor":"\', \'"actor":"x\') WHERE position = 700',
    "one digit of a time": 'UPDATE stored_events SET state = replace(state, \'"occurred_at":"20\', \'"occurred_at":"21\') WHERE position = 700',
    "type": "UPDATE stored_events SET topic = 'opportunity.won' WHERE position = 700",
    "version": "UPDATE stored_events SET originator_version = 99 WHERE position = 700",
    "stream": "UPDATE stored_events SET originator_id = '00000000-0000-4000-8000-000000000001' WHERE position = 700",
    "no state": "UPDATE stored_events SET state = '' WHERE position = 700",
}


@pytest.mark.parametrize("statement", EDITS.values(), ids=EDITS.keys())
def test_an_edited_event_is_found_where_it_is(ledger: Ledger, statement: str) -> None:
    ledger.sql(statement)
    found = ledger.found(outside=False)
    assert (Kind.EDITED, 700, 700) in found
    assert {kind for kind, _, _ in found} == {Kind.EDITED, Kind.REWRITTEN}


def test_a_state_that_is_no_text_any_more_is_found(ledger: Ledger) -> None:
    ledger.sql(ledger.no_text())
    assert (Kind.EDITED, 700, 700) in ledger.found(outside=False)


def test_every_edited_event_is_found(ledger: Ledger, size: int) -> None:
    ledger.sql("UPDATE stored_events SET state = state || ' ' WHERE position IN (1, 256, 257, 258, 1000, :last)", last=size)
    found = [each for each in ledger.found() if each[0] is Kind.EDITED]
    assert found == [(Kind.EDITED, first, last) for first, last in ((1, 1), (256, 258), (1000, 1000), (size, size))]


@pytest.mark.parametrize("at", [1, 255, 256, 257, 700])
def test_a_deleted_event_is_missed(ledger: Ledger, at: int) -> None:
    ledger.sql("DELETE FROM stored_events WHERE position = :at", at=at)
    assert [each for each in ledger.found(outside=False) if each[0] is not Kind.REWRITTEN] == [(Kind.MISSING, at, at)]


def test_a_deleted_stretch_is_missed_as_one(ledger: Ledger) -> None:
    ledger.sql("DELETE FROM stored_events WHERE position BETWEEN 250 AND 530")
    assert (Kind.MISSING, 250, 530) in ledger.found(outside=False)


@pytest.mark.parametrize("at", [1, 256, 700])
def test_a_deleted_event_is_missed_though_those_after_it_moved_up(ledger: Ledger, size: int, at: int) -> None:
    ledger.sql("DELETE FROM stored_events WHERE position = :at", *MOVE_UP, at=at)
    found = ledger.found(outside=False)
    assert (Kind.MISSING, at, at) in found
    assert (Kind.TRUNCATED, size, size) in found
    assert not {kind for kind, _, _ in found} & {Kind.EDITED, Kind.INSERTED, Kind.SWAPPED}


@pytest.mark.parametrize("at", [1, 256, 700])
def test_an_inserted_event_is_found_though_those_after_it_were_pushed_on(ledger: Ledger, at: int) -> None:
    ledger.sql(*PUSH_ON, FORGED, at=at)
    found = ledger.found(outside=False)
    assert (Kind.INSERTED, at, at) in found
    assert not {kind for kind, _, _ in found} & {Kind.EDITED, Kind.MISSING, Kind.SWAPPED}


def test_an_event_that_was_put_behind_the_last_one_has_no_receipt(ledger: Ledger, size: int) -> None:
    ledger.sql(FORGED, at=size + 1)
    assert ledger.found() == [(Kind.RECEIPT, size + 1, size + 1)]


@pytest.mark.parametrize("at", [0, -7])
def test_an_event_below_the_first_position_is_found(ledger: Ledger, at: int) -> None:
    ledger.sql(FORGED, at=at)
    assert ledger.found() == [(Kind.INSERTED, at, at)]


def test_an_event_far_beyond_the_end_is_found(ledger: Ledger, size: int) -> None:
    ledger.sql(FORGED, at=2**62)
    assert ledger.found() == [(Kind.INSERTED, size + 1, 2**62)]


@pytest.mark.parametrize(("one", "other"), [(700, 701), (3, 1200)])
def test_events_that_were_swapped_are_found(ledger: Ledger, one: int, other: int) -> None:
    ledger.sql(*SWAP, one=one, other=other)
    assert [each for each in ledger.found(outside=False) if each[0] is not Kind.REWRITTEN] == [(Kind.SWAPPED, one, other)]


def test_events_whose_states_were_swapped_are_found(ledger: Ledger) -> None:
    states = [ledger.one(f"SELECT state FROM stored_events WHERE position = {position}") for position in (300, 900)]
    ledger.sql("UPDATE stored_events SET state = :there WHERE position = 300", there=states[1])
    ledger.sql("UPDATE stored_events SET state = :there WHERE position = 900", there=states[0])
    assert (Kind.SWAPPED, 300, 900) in ledger.found(outside=False)


def test_a_log_that_was_cut_is_found(ledger: Ledger, size: int) -> None:
    ledger.sql("DELETE FROM stored_events WHERE position > :at", at=size - 40)
    found = ledger.found(outside=False)
    assert (Kind.TRUNCATED, size - 39, size) in found
    assert (Kind.RECEIPT, size - 39, size) in found


def test_a_log_that_was_cut_with_its_receipts_and_hashes_is_found_by_a_checkpoint_outside(ledger: Ledger, size: int) -> None:
    ledger.sql("DELETE FROM stored_events WHERE position > :at", "DELETE FROM receipts WHERE position > :at", at=size - 40)
    ledger.tree.unlink()
    assert ledger.found() == [(Kind.TRUNCATED, size - 39, size)]


@pytest.fixture
def older(ledger: Ledger, tmp_path: Path) -> Callable[[], None]:
    """Puts everything back as it is now: the log, and the whole folder."""
    put_log_back = ledger.kept()
    shutil.copytree(ledger.folder, tmp_path / "backup")

    def put_back() -> None:
        shutil.rmtree(ledger.folder)
        shutil.copytree(tmp_path / "backup", ledger.folder)
        put_log_back()

    return put_back


def test_a_folder_that_was_rolled_back_is_found(ledger: Ledger, size: int, older: Callable[[], None]) -> None:
    register(ledger, "A", "B", "C")
    ledger.checkpoint("third")
    older()
    assert ledger.found() == [(Kind.TRUNCATED, size + 1, size + 3)]


def test_a_log_that_was_rolled_back_without_its_tree_is_found_without_anything_from_outside(ledger: Ledger, size: int) -> None:
    put_log_back = ledger.kept()
    register(ledger, "A", "B", "C")
    ledger.checkpoint("third")
    put_log_back()
    found = ledger.found(outside=False)
    assert (Kind.TRUNCATED, size + 1, size + 3) in found
    assert {kind for kind, _, _ in found} == {Kind.TRUNCATED}


def test_a_history_that_was_rolled_back_and_written_anew_is_found(ledger: Ledger, size: int, older: Callable[[], None]) -> None:
    register(ledger, "A", "B", "C")
    ledger.checkpoint("third")
    older()
    register(ledger, "A", "Other", "C", "D")
    ledger.checkpoint("fourth")
    assert ledger.found() == [(Kind.REWRITTEN, size + 1, size + 3)]


def test_two_checkpoints_of_one_size_are_found_to_fork(ledger: Ledger, size: int, older: Callable[[], None]) -> None:
    register(ledger, "A", "B", "C")
    ledger.checkpoint("shown to one")
    older()
    register(ledger, "A", "Other", "C")
    ledger.checkpoint("shown to another")
    found = ledger.found()
    assert (Kind.FORKED, 1, size + 3) in found
    assert (Kind.REWRITTEN, size + 1, size + 3) in found


def test_an_edit_with_all_hashes_made_anew_is_found_by_checkpoints_outside_and_between_them(ledger: Ledger, size: int) -> None:
    first = parse(ledger.checkpoints["first"]).size
    ledger.sql("UPDATE stored_events SET state = replace(state, 'Customer', 'Customs') WHERE position = :at", at=first + 9)
    ledger.tree.unlink()
    kept = dict(ledger.checkpoints)
    ledger.checkpoint("forged")
    ledger.checkpoints = kept
    found = ledger.found()
    assert (Kind.REWRITTEN, first + 1, size) in found
    assert (Kind.FORKED, 1, size) in found


def test_receipts_outside_tell_which_event_was_replaced(ledger: Ledger, size: int, receipts: list[dict[str, object]]) -> None:
    ledger.sql('UPDATE stored_events SET state = replace(state, \'{"id":"\', \'{"id":"f\') WHERE position = :at', at=size - 5)
    ledger.tree.unlink()
    ledger.checkpoints = {}
    assert ledger.found(receipts=receipts) == [(Kind.RECEIPT, size - 5, size - 5)]


def test_a_removed_receipt_is_missed(ledger: Ledger, size: int) -> None:
    ledger.sql("DELETE FROM receipts WHERE position = :at", at=size)
    assert ledger.found() == [(Kind.RECEIPT, size, size)]


@pytest.mark.parametrize("file", ["leaf", "inner"])
def test_hashes_that_were_altered_are_told_from_an_altered_log(ledger: Ledger, file: str) -> None:
    level, kind = (0, Kind.TREE) if file == "leaf" else (1, Kind.TREE)
    ledger.alter_hashes("UPDATE tiles SET hashes = zeroblob(32) || substr(hashes, 33) WHERE level = :level AND number = 0", level=level)
    assert ledger.found() == [(kind, 1, 256)]


def test_a_checkpoint_that_somebody_else_signed_is_not_taken(ledger: Ledger, size: int) -> None:
    checkpoint = parse(ledger.checkpoints["second"])
    ledger.checkpoints["forged"] = SigningKey(checkpoint.origin, bytes(32)).sign(checkpoint.size, checkpoint.root)
    assert ledger.found() == [(Kind.SIGNATURE, 0, size)]


def test_what_is_no_checkpoint_is_told(ledger: Ledger) -> None:
    ledger.checkpoints["a letter"] = "Dear auditor,\n"
    assert ledger.found() == [(Kind.SIGNATURE, 0, 0)]


def test_without_a_tree_checkpoints_are_enough_to_know_that_nothing_changed(ledger: Ledger) -> None:
    ledger.tree.unlink()
    verification = ledger.verify()
    assert verification.sound
    assert verification.hashed == 0
    assert len(verification.confirmed) == 2
