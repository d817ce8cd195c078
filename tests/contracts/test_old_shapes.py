"""Events of older shapes are brought up to today's on reading, wherever they are read, and are never rewritten."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

import orjson
import pytest
from uuid_utils.compat import uuid7

from bus.catalogue import TODAY, Catalogue
from bus.errors import UnknownEventType
from bus.log import Log, open_log
from domain.event import Event
from tests.contracts.commits import commit, contact, renamed
from tests.contracts.conftest import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class DealShookV1(Event):
    type: ClassVar[str] = "deal.shook"
    stream: ClassVar[str] = "deal_id"
    deal_id: UUID
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DealShook(Event):
    type: ClassVar[str] = "deal.shook"
    v: ClassVar[int] = 3
    stream: ClassVar[str] = "deal_id"
    deal_id: UUID
    hands: tuple[str, ...]
    firmly: bool


def several_hands(data: dict[str, Any]) -> dict[str, Any]:
    data["hands"] = [data.pop("who")]
    return data


def limply(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "firmly": False}


OLD = Catalogue([DealShookV1])
NEW = Catalogue([DealShook], {("deal.shook", 1): several_hands, ("deal.shook", 2): limply})


@pytest.fixture
def opened(storage: Storage) -> Callable[[Catalogue], Log]:
    vault = storage.vault()
    return lambda catalogue: storage.stack.enter_context(closing(open_log(storage.log_place, vault, catalogue=catalogue)))


def append(log: Log, *events: Event) -> Sequence[UUID]:
    commits = [commit(event) for event in events]
    with log.transaction() as tx:
        tx.append(commits)
    return [each.stream_id for each in commits]


def test_an_old_event_is_read_in_todays_shape(opened: Callable[[Catalogue], Log]) -> None:
    deal, later = uuid4(), uuid4()
    append(opened(OLD), DealShookV1(deal_id=deal, who="Ada"))
    log = opened(NEW)
    append(log, DealShook(deal_id=later, hands=("Ada", "Grace"), firmly=True))
    expected = [
        {"deal_id": str(deal), "hands": ["Ada"], "firmly": False},
        {"deal_id": str(later), "hands": ["Ada", "Grace"], "firmly": True},
    ]
    assert [event.data for event in log.read(0, 10)] == expected
    assert [event.data for event in log.read_stream(deal)] == expected[:1]
    states = [orjson.loads(state) for state in log.arrow(0, 2).read_all()["state"].to_pylist()]
    assert [state["data"] for state in states] == expected
    assert [state["v"] for state in states] == [3, 3]
    with log.transaction() as tx:
        assert [event for event, _ in tx.load([deal])[deal]] == [DealShook(deal_id=deal, hands=("Ada",), firmly=False)]


def test_the_stored_event_is_not_rewritten(opened: Callable[[Catalogue], Log]) -> None:
    old = opened(OLD)
    append(old, DealShookV1(deal_id=uuid4(), who="Ada"))
    before = old.arrow(0, 1).read_all()
    opened(NEW).read(0, 10)
    assert old.arrow(0, 1).read_all() == before


def test_an_event_of_a_shape_that_is_newer_than_the_code_stops_the_reader(opened: Callable[[Catalogue], Log]) -> None:
    [deal] = append(opened(NEW), DealShook(deal_id=uuid4(), hands=(), firmly=True))
    old = opened(OLD)
    _assert_all_refuse(old, deal, "event.unknown_version")


def test_an_event_of_an_unknown_type_stops_the_reader(opened: Callable[[Catalogue], Log]) -> None:
    [deal, *_] = append(opened(NEW), DealShook(deal_id=uuid4(), hands=(), firmly=True))
    _assert_all_refuse(opened(TODAY), deal, "event.unknown_type")


def _assert_all_refuse(log: Log, stream: UUID, code: str) -> None:
    def load() -> None:
        with log.transaction() as tx:
            tx.load([stream])

    for read in (lambda: log.read(0, 10), lambda: log.read_stream(stream), lambda: log.arrow(0, 1).read_all(), load):
        with pytest.raises(UnknownEventType, match=r"deal\.shook") as refusal:
            read()
        assert refusal.value.code == code


def test_a_shape_without_a_way_up_to_it_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no upcaster"):
        Catalogue([DealShook], {("deal.shook", 2): limply})


def test_two_classes_of_one_type_are_refused() -> None:
    with pytest.raises(ValueError, match="same type"):
        Catalogue([DealShook, DealShookV1])


def test_todays_events_are_read_by_their_own_catalogue(opened: Callable[[Catalogue], Log]) -> None:
    log = opened(TODAY)
    append(log, renamed(uuid7()), contact(uuid7()))
    assert [event.type for event in log.read(0, 10)] == ["pipeline.renamed", "contact.added"]
