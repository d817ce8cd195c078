"""Histories of deals without rhyme or reason, as an import may report them: moves after closing, back, repeated, out of order."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands.order import Order
from tests.commands.orders import order

STAGES = {"Lead": "open", "Talk": "open", "Offer": "open", "Signed": "won", "Renewed": "won", "Dropped": "lost"}
OPEN = [stage for stage, status in STAGES.items() if status == "open"]
WON = [stage for stage, status in STAGES.items() if status == "won"]
START = datetime(2024, 1, 15, 8, tzinfo=UTC)
PEOPLE = [("ana", "north"), ("bo", "south"), ("cy", None)]
SOURCES = ["fair", "web", None]
PRODUCTS = ["Alpha", "Beta"]
AMOUNTS = ["0", "10", "12.5", "99999.9999"]
RATES = ["0.92", "1.0333"]
DAYS = ["2024-02-15", "2024-06-30", "2024-07-01", "2025-01-01"]
hours = st.integers(0, 24 * 500)


@dataclass(frozen=True)
class Act:
    """Something that is reported of deal number `deal`, `hour` hours after the start."""

    deal: int
    name: str
    hour: int
    said: tuple[tuple[str, Any], ...] = ()


def _act(name: str, **said: SearchStrategy[Any]) -> SearchStrategy[Act]:
    pairs = st.fixed_dictionaries(said).map(lambda given: tuple(given.items()))
    return st.builds(Act, deal=st.integers(0, 4), name=st.just(name), hour=hours, said=pairs)


ACTS = st.one_of(
    _act("move_opportunity", to_stage=st.sampled_from(OPEN)),
    _act("move_opportunity", to_stage=st.sampled_from(OPEN)),
    _act("win_opportunity", stage=st.sampled_from(WON), amount=st.sampled_from([*AMOUNTS, None])),
    _act("lose_opportunity", reason=st.sampled_from(["price", None])),
    _act("reopen_opportunity", stage=st.sampled_from([*OPEN, None])),
    _act("change_opportunity_amount", amount=st.sampled_from(AMOUNTS)),
    _act("change_opportunity_amount", amount=st.sampled_from(AMOUNTS), currency=st.just("USD"), rate=st.sampled_from(RATES)),
    _act("move_close_date", expected_close_on=st.sampled_from(DAYS)),
    _act("assign_opportunity", person=st.sampled_from(PEOPLE)),
    _act("add_opportunity_line", product=st.sampled_from(PRODUCTS)),
    _act("retire_stage", stage=st.sampled_from(["Talk", "Renewed"]), deals_go_to=st.sampled_from(["Lead", "Signed"])),
)


@dataclass(frozen=True)
class History:
    """Five deals in a pipeline whose stages stand in any order, and what is reported of them."""

    stages: list[str]
    openings: list[tuple[int, str, int, int, str]]
    acts: list[Act]

    def orders(self, tag: str) -> list[Order]:
        """The orders that tell it; records are named by `tag`."""
        told = [
            order("define_pipeline", pipeline_id=ext(tag), name=tag, stages=[{"name": s, "status": STAGES[s]} for s in self.stages]),
            *(self._customer(f"{tag}-{number}", tier, industry) for number, (tier, industry) in enumerate([("A", "Retail"), (None, None)])),
        ]
        for number, (hour, stage, person, source, amount) in enumerate(self.openings):
            owner, team = PEOPLE[person]
            about = {"owner_id": owner, "team": team, "amount": amount, "lead_source": SOURCES[source], "stage": stage, "name": "Deal"}
            about |= {"expected_close_on": (at(hour) + timedelta(days=90)).date().isoformat()} if number % 2 else {}
            keys = {"opportunity_id": ext(f"{tag}-{number}"), "customer_id": ext(f"{tag}-{number % 2}"), "pipeline_id": ext(tag)}
            told.append(order("open_opportunity", at=at(hour), report=True, **keys, **about))
        return [*told, *(_order(tag, act) for act in self.acts)]

    def _customer(self, name: str, tier: str | None, industry: str | None) -> Order:
        return order("register_customer", customer_id=ext(name), name=name, tier=tier, industry=industry)


def ext(name: object) -> dict[str, str]:
    """An external id."""
    return {"source": "test", "id": str(name)}


def at(hour: int) -> datetime:
    """That many hours after the start."""
    return START + timedelta(hours=hour)


def _order(tag: str, act: Act) -> Order:
    said = {name: value for name, value in act.said if value is not None}
    if act.name == "retire_stage":
        return order(act.name, pipeline_id=ext(tag), **said)
    if act.name == "assign_opportunity":
        owner, team = said.pop("person")
        said = {"owner_id": owner, "team": team}
    if act.name == "add_opportunity_line":
        said |= {"quantity": "2", "unit_price": "7.5"}
    return order(act.name, at=at(act.hour), report=True, opportunity_id=ext(f"{tag}-{act.deal}"), **said)


openings = st.tuples(hours, st.sampled_from(list(STAGES)), st.integers(0, 2), st.integers(0, 2), st.sampled_from(AMOUNTS))
histories = st.builds(
    History,
    stages=st.permutations(list(STAGES)),
    openings=st.lists(openings, min_size=5, max_size=5),
    acts=st.lists(ACTS, max_size=30),
)
