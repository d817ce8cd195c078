"""What commands rely on in a log, held against every log there is."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from bus.cipher import Token
from bus.errors import ConcurrencyConflict
from commands.log import EventLog
from domain.commit import Claim, Commit, Link
from tests.contracts.commits import FINGERPRINT, NOON, commit, contact, renamed, stream_of


def written(log: EventLog, *commits: Commit) -> list[int]:
    with log.transaction() as tx:
        return list(tx.append(commits))


def refused(log: EventLog, commit: Commit) -> str:
    with pytest.raises(ConcurrencyConflict) as refusal:
        written(log, commit)
    return refusal.value.code


def give_up(log: EventLog, commit: Commit) -> None:
    """Appends and fails before the end of the transaction."""
    with log.transaction() as tx:
        tx.append([commit])
        raise ZeroDivisionError


def test_an_empty_log_has_its_head_at_zero(any_log: EventLog) -> None:
    with any_log.transaction() as tx:
        assert tx.head == 0
        assert tx.streams_since(0) == set()
        assert tx.load([uuid4()]) == {}


def test_positions_count_the_events_of_all_streams_without_gaps(any_log: EventLog) -> None:
    assert written(any_log, stream_of(2), stream_of(1)) == [2, 3]
    assert written(any_log, stream_of(4)) == [7]
    with any_log.transaction() as tx:
        assert tx.head == 7


def test_a_stream_is_loaded_as_it_was_written_with_when_it_happened(any_log: EventLog) -> None:
    first, second = stream_of(3), stream_of(2)
    written(any_log, first, second)
    with any_log.transaction() as tx:
        streams = tx.load([first.stream_id, uuid4(), second.stream_id])
    assert streams == {each.stream_id: [(new.event, new.occurred_at) for new in each.events] for each in (first, second)}


def test_thousands_of_streams_are_loaded_at_once(any_log: EventLog) -> None:
    commits = [stream_of(1) for _ in range(3000)]
    written(any_log, *commits)
    with any_log.transaction() as tx:
        assert len(tx.load([each.stream_id for each in commits])) == 3000
        assert len(tx.receipts([each.command_id for each in commits])) == 3000


def test_a_transaction_sees_what_it_appended_itself(any_log: EventLog) -> None:
    pipeline_id = uuid7()
    with any_log.transaction() as tx:
        tx.append([commit(renamed(pipeline_id), claims=(Claim("name", "a", pipeline_id),), links=(Link("all", "", pipeline_id),))])
        assert tx.head == 1
        assert len(tx.load([pipeline_id])[pipeline_id]) == 1
        assert tx.claimed([("name", "a")]) == {("name", "a"): pipeline_id}
        assert list(tx.linked("all", "")) == [pipeline_id]
        assert list(tx.append([commit(renamed(pipeline_id, 2), after=1)])) == [2]


def test_personal_fields_come_as_tokens_and_are_carried_on_as_they_are(any_log: EventLog) -> None:
    contact_id = uuid7()
    written(any_log, commit(contact(contact_id)))
    with any_log.transaction() as tx:
        [(event, _)] = tx.load([contact_id])[contact_id]
        name = getattr(event, "name")  # noqa: B009 - events of one stream differ in their fields
        assert isinstance(name, Token)
        assert "Ada" not in name
        tx.append([commit(contact(contact_id, name=name), after=1)])
        assert [getattr(event, "name") for event, _ in tx.load([contact_id])[contact_id]] == [name, name]  # noqa: B009


@pytest.mark.parametrize(("after", "why"), [(0, "older"), (1, "older"), (3, "ahead"), (7, "ahead")])
def test_a_stream_that_is_not_at_the_version_before_is_a_conflict(any_log: EventLog, after: int, why: str) -> None:
    pipeline_id = uuid7()
    written(any_log, commit(renamed(pipeline_id), renamed(pipeline_id, 1)))
    assert refused(any_log, commit(renamed(pipeline_id, 2), after=after)) == "conflict.version", why
    assert written(any_log, commit(renamed(pipeline_id, 2), after=2)) == [3]


def test_a_stream_that_was_loaded_in_the_transaction_is_held_to_its_version_too(any_log: EventLog) -> None:
    pipeline_id = uuid7()
    written(any_log, commit(renamed(pipeline_id)))
    with any_log.transaction() as tx:
        tx.load([pipeline_id])
        with pytest.raises(ConcurrencyConflict):
            tx.append([commit(renamed(pipeline_id, 2), after=2)])


def test_a_command_is_accepted_once_and_remembered_with_its_receipt(any_log: EventLog) -> None:
    once = stream_of(3)
    written(any_log, stream_of(2), once)
    assert refused(any_log, commit(renamed(uuid7()), command_id=once.command_id)) == "conflict.command"
    with any_log.transaction() as tx:
        receipts = tx.receipts([once.command_id, "never seen"])
    assert list(receipts) == [once.command_id]
    receipt = receipts[once.command_id]
    assert (receipt.fingerprint, receipt.stream_id, receipt.version, receipt.position) == (FINGERPRINT, once.stream_id, 3, 5)
    assert receipt.event_ids == tuple(new.id for new in once.events)


def test_a_command_that_changed_nothing_has_a_receipt_at_the_head_of_its_time(any_log: EventLog) -> None:
    nothing = commit(stream_id=uuid4(), after=4)
    assert written(any_log, stream_of(2), nothing, stream_of(1)) == [2, 2, 3]
    with any_log.transaction() as tx:
        receipt = tx.receipts([nothing.command_id])[nothing.command_id]
    assert (receipt.version, receipt.position, receipt.event_ids) == (4, 2, ())


def test_what_is_claimed_belongs_to_one(any_log: EventLog) -> None:
    holder, other = uuid7(), uuid7()
    written(any_log, commit(renamed(holder), claims=(Claim("name", "north", holder), Claim("code", "north", holder))))
    assert refused(any_log, commit(renamed(other), claims=(Claim("name", "north", other),))) == "conflict.claim"
    with any_log.transaction() as tx:
        asked = [("name", "north"), ("name", "south"), ("code", "north"), ("other", "north")]
        assert tx.claimed(asked) == {("name", "north"): holder, ("code", "north"): holder}
        assert tx.load([other]) == {}


def test_two_claims_of_one_transaction_on_the_same_key_conflict(any_log: EventLog) -> None:
    one, two = (commit(renamed(each), claims=(Claim("name", "north", each),)) for each in (uuid7(), uuid7()))
    with pytest.raises(ConcurrencyConflict):
        written(any_log, one, two)
    with any_log.transaction() as tx:
        assert tx.head == 0
        assert tx.claimed([("name", "north")]) == {}


def test_links_are_kept_once_each_and_oldest_first(any_log: EventLog) -> None:
    streams = [uuid4() for _ in range(20)]
    for stream in streams:
        written(any_log, commit(renamed(stream), links=(Link("stage", "a", stream), Link("stage", "b", stream))))
    written(any_log, commit(renamed(streams[3]), after=1, links=(Link("stage", "a", streams[3]),)))
    with any_log.transaction() as tx:
        assert list(tx.linked("stage", "a")) == streams
        assert list(tx.linked("stage", "c")) == []


def test_streams_since_a_position_are_those_with_events_after_it(any_log: EventLog) -> None:
    first, second = stream_of(2), stream_of(2)
    written(any_log, first, second)
    with any_log.transaction() as tx:
        assert tx.streams_since(0) == {first.stream_id, second.stream_id}
        assert tx.streams_since(2) == {second.stream_id}
        assert tx.streams_since(4) == set()


def test_an_exception_leaves_nothing_behind(any_log: EventLog) -> None:
    kept, lost = stream_of(1), stream_of(2)
    written(any_log, kept)
    stream: UUID = lost.stream_id
    lost = replace(lost, claims=(Claim("name", "a", stream),), links=(Link("stage", "a", stream),))
    with pytest.raises(ZeroDivisionError):
        give_up(any_log, lost)
    with any_log.transaction() as tx:
        assert tx.head == 1
        assert tx.load([stream]) == {}
        assert tx.receipts([lost.command_id]) == {}
        assert tx.claimed([("name", "a")]) == {}
        assert list(tx.linked("stage", "a")) == []
    assert written(any_log, lost) == [3]


def test_a_conflict_takes_back_everything_else_of_its_transaction(any_log: EventLog) -> None:
    good, bad = stream_of(1), commit(renamed(uuid7()), after=5)
    with pytest.raises(ConcurrencyConflict):
        written(any_log, good, bad)
    with any_log.transaction() as tx:
        assert tx.head == 0
        assert tx.receipts([good.command_id]) == {}


def test_times_are_read_as_they_were_written_to_the_microsecond(any_log: EventLog) -> None:
    pipeline_id = uuid7()
    exact = NOON.replace(microsecond=7)
    written(any_log, commit(renamed(pipeline_id), at=exact), commit(renamed(pipeline_id, 1), after=1, at=NOON))
    with any_log.transaction() as tx:
        times = [at for _, at in tx.load([pipeline_id])[pipeline_id]]
    assert [at.microsecond for at in times] == [7, 0]
