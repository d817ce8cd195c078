"""The shipped mappings bring in exactly what `data/README.md` says is in the files."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from statistics import fmean, median

import pytest

from domain.envelope import StoredEvent
from tests.api.imports.importing import Books, History, write


@pytest.fixture(scope="module")
def deals(history: History) -> list[StoredEvent]:
    return history.events_of("crm_sales")


@pytest.fixture(scope="module")
def tickets(history: History) -> list[StoredEvent]:
    return history.events_of("helpdesk")


@pytest.fixture(scope="module")
def shop(history: History) -> list[StoredEvent]:
    return history.events_of("olist_orders")


@pytest.mark.parametrize("mapping", ["crm_sales", "helpdesk", "olist_orders"])
def test_running_it_again_adds_nothing(history: History, mapping: str) -> None:
    first, second = history.first[mapping], history.second[mapping]
    assert (first.refused, second.refused) == (0, 0)
    assert first.events == len(history.events_of(mapping)) > 0
    assert (second.events, second.accepted, second.repeated) == (0, 0, first.accepted)


def of(events: list[StoredEvent], name: str) -> list[StoredEvent]:
    return [event for event in events if event.type == name]


def days(later: str, earlier: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds() / 86_400


def test_every_deal_is_in_the_stage_that_the_file_says(deals: list[StoredEvent]) -> None:
    stages = {
        event.stream_id: event.data.get("to_stage") or event.data["stage"]
        for event in deals
        if "stage" in event.data or "to_stage" in event.data
    }
    opened = {event.stream_id for event in of(deals, "opportunity.opened")}
    assert Counter(stages[stream] for stream in opened) == {"Won": 4238, "Lost": 2473, "Engaging": 1589, "Prospecting": 500}


def test_won_value_is_right_by_quarter_and_region(deals: list[StoredEvent]) -> None:
    won = of(deals, "opportunity.won")
    by_quarter: Counter[str] = Counter()
    by_region: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for event in won:
        quarter, value = f"Q{(int(event.occurred_at[5:7]) + 2) // 3}", int(Decimal(event.data["base_amount"]))
        by_quarter[quarter] += value
        by_region[event.data["team"]] += value
        count.update((quarter, event.data["team"]))
    assert by_quarter == {"Q1": 1_134_672, "Q2": 3_086_111, "Q3": 2_982_255, "Q4": 2_802_496}
    assert by_region == {"Central": 3_346_293, "East": 3_090_594, "West": 3_568_647}
    assert count == {"Q1": 531, "Q2": 1254, "Q3": 1257, "Q4": 1196, "Central": 1629, "East": 1171, "West": 1438}
    assert sum(Decimal(event.data["base_amount"]) for event in won) == 10_005_534
    best = sum(Decimal(event.data["base_amount"]) for event in won if event.data["owner_id"] == "darcel.schlecht")
    assert best == 1_153_214


def test_days_from_engaging_to_closing_are_right(deals: list[StoredEvent]) -> None:
    won = [days(event.occurred_at, event.data["entered_from_stage_at"]) for event in of(deals, "opportunity.won")]
    lost = [days(event.occurred_at, event.data["entered_from_stage_at"]) for event in of(deals, "opportunity.lost")]
    assert (median(won + lost), median(won), median(lost)) == (45, 57, 14)
    assert round(fmean(won + lost), 2) == 47.99
    assert max(won + lost) == 138


def test_misspellings_are_mended_and_deals_without_account_have_a_placeholder(deals: list[StoredEvent]) -> None:
    assert "GTXPro" not in {event.data["product"] for event in of(deals, "opportunity.line_added")}
    assert "technolgy" not in {event.data["industry"] for event in of(deals, "customer.classified")}
    placeholder = next(event.stream_id for event in of(deals, "customer.registered") if event.data["external_id"] == "no account")
    assert sum(event.data["customer_id"] == placeholder for event in of(deals, "opportunity.opened")) == 1425
    assert len(of(deals, "customer.parent_set")) == 15


def test_every_activity_has_its_events_and_cases(tickets: list[StoredEvent]) -> None:
    named = [(event.data["activity"], event.stream_id) for event in tickets if event.data.get("activity")]
    events, cases = Counter(name for name, _ in named), Counter(name for name, _ in set(named))
    assert {name: (events[name], cases[name]) for name in events} == {
        "Take in charge ticket": (5060, 4285),
        "Resolve ticket": (4983, 4569),
        "Assign seriousness": (4938, 4495),
        "Closed": (4574, 4559),
        "Wait": (1463, 1236),
        "Require upgrade": (119, 102),
        "Insert ticket": (118, 118),
        "Create SW anomaly": (67, 58),
        "Resolve SW anomaly": (13, 8),
        "Schedule intervention": (5, 5),
        "VERIFIED": (3, 3),
        "INVALID": (2, 2),
        "RESOLVED": (2, 2),
        "DUPLICATE": (1, 1),
    }
    assert len(of(tickets, "request.opened")) == 4580
    assert len({event.data["by"] for event in tickets if event.data.get("activity")}) == 22


def test_cases_last_as_long_and_end_as_the_log_says(tickets: list[StoredEvent]) -> None:
    told = sorted((event for event in tickets if event.data.get("activity")), key=lambda event: event.stream_id)
    paths = [
        [(event.occurred_at, event.data["activity"]) for event in events] for _, events in groupby(told, key=lambda event: event.stream_id)
    ]
    lengths = [days(path[-1][0], path[0][0]) for path in paths]
    assert (round(median(lengths), 3), round(fmean(lengths), 3), round(max(lengths), 3)) == (39.859, 40.858, 59.995)
    assert sum(path[-1][1] == "Closed" for path in paths) == 4557
    ((common, count),) = Counter(tuple(name for _, name in path) for path in paths).most_common(1)
    assert (common, count) == (("Assign seriousness", "Take in charge ticket", "Resolve ticket", "Closed"), 2366)
    assert (min(path[0][0] for path in paths), max(path[-1][0] for path in paths)) == (
        "2010-01-13T06:40:25.000000Z",
        "2014-01-03T11:20:58.000000Z",
    )


def test_requests_that_were_worked_on_after_closing_are_reopened(tickets: list[StoredEvent]) -> None:
    reopened = {event.stream_id for event in of(tickets, "request.reopened") if event.data["previous_status"] == "closed"}
    cases = {event.stream_id: event.data["external_id"] for event in of(tickets, "request.opened")}
    # The third case with another event after its first Closed is Case1345: its anomaly was VERIFIED, which is no work on the ticket.
    assert {cases[stream] for stream in reopened} == {"Case192", "Case2436"}


def test_people_orders_and_reviews_are_all_there(shop: list[StoredEvent]) -> None:
    assert len(of(shop, "customer.registered")) == 2995
    assert len({event.data["external_id"] for event in of(shop, "customer.external_id_linked")}) == 3000
    orders = of(shop, "interaction.logged")
    assert len(orders) == 3000
    # Local time: the first order was at 2016-10-04 … in São Paulo, three hours behind UTC.
    assert (min(each.occurred_at for each in orders)[:10], max(each.occurred_at for each in orders)[:10]) == ("2016-10-04", "2018-09-03")
    answers = of(shop, "survey.answered")
    assert Counter(each.data["score"] for each in answers) == {1: 355, 2: 98, 3: 247, 4: 576, 5: 1717}
    assert round(fmean(each.data["score"] for each in answers), 4) == 4.0698
    assert len({each.data["order_ref"] for each in answers}) == 2979
    assert sum(each.data["comment"] is not None for each in answers) >= 1252


@pytest.mark.parametrize(
    "log",
    [
        "Case ID,Activity,Resource,Complete Timestamp,Variant\nA,Register,Pete,2010/12/30 11:02:00.000,1\nA,Pay,Sue,2010/12/31 10:06,1\n",
        "case:concept:name,concept:name,time:timestamp,lifecycle:transition\nA,Register,2010-12-30 11:02:00+00:00,complete\nA,Pay,2010-12-31,\n",
        "case_id,activity,timestamp\nA,Pay,31/12/2010 10:06:00\nA,Register,30/12/2010 11:02:00\n",
    ],
)
def test_event_logs_nobody_has_seen_are_taken_by_the_usual_column_names(tmp_path: Path, log: str) -> None:
    books = Books(tmp_path / "data")
    summary = books.run("event_log", write(tmp_path / "a log.csv", log))
    noted = of(books.events(), "request.activity_noted")
    books.close()
    assert summary.refused == 0
    assert [(each.occurred_at[:10], each.data["activity"]) for each in noted] == [("2010-12-30", "Register"), ("2010-12-31", "Pay")]


def test_the_real_log_can_be_taken_without_a_mapping_of_its_own(tmp_path: Path, shared_data: Path) -> None:
    books = Books(tmp_path / "data")
    summary = books.run("event_log", shared_data / "helpdesk" / "helpdesk.xes.gz", dry_run=True)
    books.close()
    assert (summary.refused, summary.accepted) == (0, 1 + 4580 + 21_348)
