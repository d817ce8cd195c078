"""Events travel as Kafka records and are the same afterwards; whoever knows CloudEvents can read them without us."""

from dataclasses import dataclass

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from bus.codec import Codec, Keys
from bus.errors import TopicBroken, UnknownEventType
from bus.kafka.chain import Chain
from bus.kafka.records import Incoming, Link, Outgoing, event_record, partition_of, read, settled_record
from bus.stored_text import StoredText
from domain.envelope import NewEvent
from domain.errors import CorruptHistory
from tests.strategies import new_events

CODEC = Codec()
positions = st.integers(1, 2**62)


@dataclass
class Got:
    """A record as the client library hands it out."""

    partition: int
    offset: int
    value: bytes | None
    headers: list[tuple[str, bytes]]


def got(record: Outgoing, *, partition: int = 3, offset: int = 17) -> Got:
    return Got(partition, offset, record.value, record.headers)


class AnyKey(dict[bytes, object]):
    """A key for everybody."""

    def __missing__(self, person: bytes) -> object:
        return AESGCM(bytes(16) + person)


def stored(new: NewEvent, position: int) -> StoredText:
    keys: Keys = AnyKey()  # type: ignore[assignment]
    return StoredText(position, str(new.stream_id), new.version, new.event.type, CODEC.encode(new, keys))


def link(text: StoredText, *, previous: int = 0, settled: int = 0, epoch: int = 1) -> Link:
    return Link(previous, max(settled, text.position), "other", epoch)


@given(new_events(), positions, st.data())
def test_every_event_is_the_same_after_the_journey(new: NewEvent, position: int, data: st.DataObject) -> None:
    text = stored(new, position)
    previous, ahead, epoch = data.draw(st.integers(0, position - 1)), data.draw(st.integers(0, 1000)), data.draw(positions)
    own_id = str(new.id)
    record = event_record(text, Link(previous, position + ahead, "last" if ahead else own_id, epoch))
    incoming = read(got(record), CODEC)
    assert incoming.event == CODEC.stored(*text)
    assert (incoming.partition, incoming.offset, incoming.position, incoming.previous) == (3, 17, position, previous)
    assert (incoming.settled, incoming.settled_id, incoming.epoch) == (position + ahead, "last" if ahead else own_id, epoch)
    assert incoming.upto == position + ahead


@given(new_events(), positions)
def test_whoever_knows_cloudevents_can_read_them(new: NewEvent, position: int) -> None:
    text = stored(new, position)
    record = event_record(text, link(text))
    event = from_binary(KafkaMessage(dict(record.headers), record.key, record.value or b""), JSONFormat())
    assert (event.get_id(), event.get_source(), event.get_type(), event.get_subject()) == (
        str(new.id),
        "daybook",
        text.type,
        text.stream_id,
    )
    assert (event.get_specversion(), event.get_datacontenttype()) == ("1.0", "application/json")
    assert event.get_time() == new.occurred_at
    assert event.get_extension("position") == str(position)
    body = event.get_data()
    assert isinstance(body, dict)
    known = CODEC.stored(*text)
    assert body["data"] == known.data
    assert event.get_extension("partitionkey") == (known.data.get("customer_id") or text.stream_id)


def test_a_partition_without_events_is_told_how_far_it_is_complete() -> None:
    incoming = read(got(settled_record(3, Link(12, 40, "id-of-40", 2))), CODEC)
    assert incoming == Incoming(3, 17, 12, 40, "id-of-40", 2, 12, None)
    assert incoming.upto == 40


@pytest.mark.parametrize("header", ["ce_type", "ce_position", "ce_previous", "ce_epoch", "ce_subject"])
@given(new=new_events())
def test_a_record_that_is_not_ours_is_refused(header: str, new: NewEvent) -> None:
    text = stored(new, 5)
    record = event_record(text, link(text))
    record.headers[:] = [each for each in record.headers if each[0] != header]
    with pytest.raises(CorruptHistory, match="offset 17 of partition 3"):
        read(got(record), CODEC)


def test_a_type_that_this_version_does_not_know_is_not_passed_over() -> None:
    text = StoredText(5, "s", 1, "moon.landed", '{"id":"i","v":1,"occurred_at":"2026-03-01T12:00:00.000000Z","data":{}}')
    with pytest.raises(UnknownEventType):
        read(got(event_record(text, link(text))), CODEC)


@pytest.mark.parametrize(
    ("key", "hashed"), [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536), ("abc", 479470107)]
)
def test_keys_go_where_other_clients_send_them(key: str, hashed: int) -> None:
    """The hashes are those that Apache Kafka's own tests hold its clients to."""
    assert partition_of(key, 6) == (hashed & 0x7FFFFFFF) % 6


def record_of(position: int, previous: int, settled: int = 0, offset: int = 0, epoch: int = 1) -> Incoming:
    text = StoredText(position, "0192d3c4-0000-7000-8000-000000000000", 1, "pipeline.renamed", "")
    event = None if position == previous else object()
    return Incoming(0, offset, previous, settled, "", epoch, text.position, event)  # type: ignore[arg-type]


def test_a_chain_admits_what_is_new_in_order() -> None:
    chain = Chain(0)
    records = [record_of(2, 0), record_of(5, 2, 8), record_of(5, 5, 11), record_of(12, 5)]
    assert [chain.admit(each) for each in records] == records
    assert chain.upto == 12


def test_a_chain_drops_what_was_seen_and_keeps_what_is_said_besides() -> None:
    chain = Chain(15)
    assert chain.admit(record_of(12, 11)) is None
    again = chain.admit(record_of(12, 11, settled=20))
    assert again is not None
    assert again.event is None
    assert chain.upto == 20


def test_a_chain_tells_of_a_gap_and_stays_where_it_is() -> None:
    chain = Chain(15)
    with pytest.raises(TopicBroken) as raised:
        chain.admit(record_of(20, 17))
    assert raised.value.code == "topic.gap"
    assert chain.upto == 15


@given(st.lists(st.integers(1, 30), unique=True).map(sorted), st.data())
def test_whatever_publishers_ship_the_same_twice_a_chain_has_each_event_once_and_in_order(own: list[int], data: st.DataObject) -> None:
    """Several runs over one partition's events, each beginning at or before what the ones before it have shipped by then."""
    shipped: list[Incoming] = []
    reached = 0
    for epoch in range(1, 5):
        begin = data.draw(st.integers(0, reached))
        mine = [position for position in own if position > begin]
        run = mine[: data.draw(st.integers(0, len(mine)))]
        before = [0, *own]
        records = [record_of(each, before[before.index(each) - 1], epoch=epoch) for each in run]
        # An older publisher's last batch may come in between; each batch stands together.
        place = data.draw(st.integers(0, len(records)))
        late = shipped[data.draw(st.integers(0, len(shipped))) :]
        shipped += [*records[:place], *late, *records[place:]]
        reached = max([reached, *run])
    chain = Chain(0)
    admitted = [new for each in shipped if (new := chain.admit(each)) is not None]
    assert [each.position for each in admitted] == [position for position in own if position <= reached]
