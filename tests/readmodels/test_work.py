"""The board, the queue and the lists show what there is, on SQLite and on PostgreSQL."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from domain.errors import NotFound
from projections.catalogue import layouts
from projections.fold import Home
from readmodels import board, queue
from readmodels.asking import Lookups
from readmodels.lists import LISTS, listed, record
from tests.commands.orders import order
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import at, ext

NOW = at(24 * 40)
STAGES = [
    {"name": "Lead", "rotting_days": 10, "probability": 10},
    {"name": "Talk", "probability": 50},
    {"name": "Won", "status": "won"},
    {"name": "Lost", "status": "lost"},
]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def firm(request: pytest.FixtureRequest) -> Iterator[Company]:
    url = request.getfixturevalue("postgres_server") if request.param == "postgres" else None
    with company(url) as opened:
        opened.give(
            order("define_pipeline", pipeline_id=ext("pipe"), name="Pipe", stages=STAGES),
            order("define_pipeline", pipeline_id=ext("other"), name="Other", stages=STAGES[:1]),
            order("register_customer", customer_id=ext("acme"), name="Acme", owner_id="ana", industry="Retail"),
            order("register_customer", customer_id=ext("ann"), kind="person", name="Ann Lee", owner_id="bo"),
            *(_deal(number) for number in range(9)),
            *(order("move_opportunity", opportunity_id=ext(number), to_stage="Talk", at=at(24 * 35)) for number in (3, 4)),
            order("win_opportunity", opportunity_id=ext(5), at=at(24 * 36)),
            order("lose_opportunity", opportunity_id=ext(6), reason="price", at=at(24 * 37)),
            *(_request(number) for number in range(9)),
            order("record_first_response", request_id=ext(1), at=at(24 * 39)),
            order("pause_request", request_id=ext(2), waiting_on="customer", at=at(24 * 37 + 3)),
            order("resolve_request", request_id=ext(3), result="done", at=at(24 * 39)),
        )
        yield opened


def _deal(number: int) -> Any:
    about = {"name": f"Deal {number}", "owner_id": "ana" if number % 2 else "bo", "team": "north", "amount": f"{number}.25"}
    keys = {"opportunity_id": ext(number), "customer_id": ext("acme" if number % 3 else "ann"), "pipeline_id": ext("pipe")}
    return order("open_opportunity", at=at(24 * (20 + number)), **about, **keys)


def _request(number: int) -> Any:
    about = {"subject": f"Question {number}", "priority": ["low", "normal", "high"][number % 3], "category": "bug", "channel": "email"}
    return order("open_request", request_id=ext(number), customer_id=ext("ann"), at=at(24 * (35 + number % 5)), **about)


def pipeline(firm: Company) -> str:
    return next(event.data["pipeline_id"] for event in firm.events if event.type == "pipeline.defined")


def ask_board(firm: Company, now: datetime = NOW, **question: Any) -> dict[str, Any]:
    """The first board's stages by name."""
    with firm.lookups() as lookups:
        asked = board.Question(pipeline_id=pipeline(firm), **question)
        [found] = board.boards(lookups, asked, decrypt=firm.books.vault.decrypt_all, now=now)
    return {stage["stage"]: stage for stage in found["stages"]}


def test_each_stage_has_its_deals_counted_and_summed_up(firm: Company) -> None:
    stages = ask_board(firm)
    assert list(stages) == ["Lead", "Talk", "Won", "Lost"]
    assert [stages[name]["count"] for name in stages] == [5, 2, 1, 1]
    assert stages["Talk"]["value"] == Decimal("7.50")
    assert [deal["name"] for deal in stages["Lead"]["deals"]] == ["Deal 0", "Deal 1", "Deal 2", "Deal 7", "Deal 8"]
    assert [deal["customer_name"] for deal in stages["Lead"]["deals"]] == ["Ann Lee", "Acme", "Acme", "Acme", "Acme"]


def test_a_deal_rots_when_it_stands_in_a_stage_for_longer_than_that_allows(firm: Company) -> None:
    lead = ask_board(firm)["Lead"]
    assert [deal["age_days"] for deal in lead["deals"]] == [20.0, 19.0, 18.0, 13.0, 12.0]
    assert all(deal["rotting"] for deal in lead["deals"])
    fresh = ask_board(firm, at(24 * 30))["Lead"]["deals"]
    assert [deal["rotting"] for deal in fresh] == [False] * 5
    assert not any(deal["rotting"] for stage in ("Talk", "Won") for deal in ask_board(firm)[stage]["deals"])


def test_a_board_can_be_narrowed_and_cut(firm: Company) -> None:
    mine = ask_board(firm, owner_id="bo", deals=1)
    assert (mine["Lead"]["count"], [deal["name"] for deal in mine["Lead"]["deals"]]) == (3, ["Deal 0"])
    assert all(stage["count"] == 0 for stage in ask_board(firm, team="south").values())


def test_without_a_pipeline_there_is_a_board_for_each(firm: Company) -> None:
    with firm.lookups() as lookups:
        found = board.boards(lookups, board.Question(), decrypt=firm.books.vault.decrypt_all, now=NOW)
        assert [each["name"] for each in found] == ["Other", "Pipe"]
        with pytest.raises(NotFound):
            board.boards(lookups, board.Question(pipeline_id=str(uuid4())), decrypt=list, now=NOW)


def ask_queue(firm: Company, limit: int = 500, after: Any = None, **question: Any) -> list[dict[str, Any]]:
    with firm.lookups() as lookups:
        asked = queue.Question(**question)
        return queue.queue(lookups, asked, limit=limit, decrypt=firm.books.vault.decrypt_all, now=NOW, after=after)


def test_the_queue_is_in_the_order_of_what_is_due_next(firm: Company) -> None:
    rows = ask_queue(firm)
    dues = [row["due_at"] for row in rows]
    assert len(rows) == 8
    assert dues == sorted(dues)
    for row in rows:
        pending = [row[kind] for kind in ("first_response", "resolution") if row[kind]["outcome"] is None]
        assert row["due_at"] == min(target["due_at"] for target in pending)
        at_ = datetime.fromisoformat(row["waiting_since"]) if row["paused"] else NOW
        assert timedelta(seconds=row["seconds_left"]) == datetime.fromisoformat(row["due_at"]) - at_
        assert row["overdue"] == (row["seconds_left"] < 0)
        assert row["customer_name"] == "Ann Lee"
        assert row["subject"].startswith("Question")


def test_a_first_response_settles_its_target(firm: Company) -> None:
    [answered] = [row for row in ask_queue(firm) if row["subject"] == "Question 1"]
    assert (answered["first_response"]["outcome"], answered["first_response"]["seconds_left"]) == ("breached", None)
    assert answered["due_at"] == answered["resolution"]["due_at"]


def test_the_clock_of_a_waiting_request_stands(firm: Company) -> None:
    [waiting] = ask_queue(firm, status="waiting")
    assert (waiting["paused"], waiting["first_response"]["seconds_left"]) == (True, 3600)


def test_the_queue_comes_in_pages_and_parts(firm: Company) -> None:
    everything = ask_queue(firm)
    paged: list[Any] = []
    while page := ask_queue(firm, limit=3, after=queue.place(paged[-1]) if paged else None):
        paged += page
    assert paged == everything
    assert [row["subject"] for row in ask_queue(firm, priority="high")] == [
        row["subject"] for row in everything if row["priority"] == "high"
    ]
    assert ask_queue(firm, agent="nobody") == []


LAYOUTS = {layout.name: layout for layout in layouts(Home.LOOKUPS)}


def in_snapshot(firm: Company, ask: Callable[[Lookups], Any]) -> Any:
    with firm.lookups() as lookups:
        return ask(lookups)


@pytest.mark.parametrize("what", LISTS, ids=lambda what: what.name)
def test_every_list_is_whole_in_pages_and_each_record_can_be_asked_for(firm: Company, what: Any) -> None:
    decrypt, layout = firm.books.vault.decrypt_all, LAYOUTS[what.fold]

    def ask(limit: int, after: Any = None, **equal: Any) -> list[dict[str, Any]]:
        return in_snapshot(firm, lambda lookups: listed(lookups, what, layout, equal, limit=limit, decrypt=decrypt, after=after))

    everything = ask(500)
    counted = {event.data.get(what.key) for event in firm.events if event.data.get(what.key)}
    assert {row[what.key] for row in everything} == counted
    paged: list[Any] = []
    while page := ask(2, [paged[-1][what.key]] if paged else None):
        paged += page
    assert paged == everything
    for row in everything:
        assert in_snapshot(firm, lambda lookups: record(lookups, what, layout, row[what.key], decrypt=decrypt)) == row  # noqa: B023
        assert not any(isinstance(value, str) and value.startswith("~") for value in row.values())
    by_value: dict[tuple[str, Any], list[Any]] = defaultdict(list)
    for row in everything:
        for name in what.filters:
            if row[name] is not None:
                by_value[name, row[name]].append(row)
    for (name, value), rows in by_value.items():
        assert ask(500, **{name: value}) == rows


@pytest.mark.parametrize("what", LISTS, ids=lambda what: what.name)
def test_an_unknown_record_is_not_found(firm: Company, what: Any) -> None:
    with firm.lookups() as lookups, pytest.raises(NotFound) as caught:
        record(lookups, what, LAYOUTS[what.fold], str(uuid4()), decrypt=list)
    assert caught.value.code == f"{what.record}.unknown"


def test_a_pipeline_comes_with_its_stages_in_order(firm: Company) -> None:
    pipelines = next(what for what in LISTS if what.name == "pipelines")
    with firm.lookups() as lookups:
        found = record(lookups, pipelines, LAYOUTS["pipelines"], pipeline(firm), decrypt=list)
    assert [(stage["stage"], stage["status"], stage["probability"]) for stage in found["stages"]] == [
        ("Lead", "open", 10),
        ("Talk", "open", 50),
        ("Won", "won", 100),
        ("Lost", "lost", 0),
    ]
