"""Another service policy: the outcomes are those that the same requests would have had under it."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from commands.order import Order
from domain.requests import policy
from domain.requests.policy import COMPLAINTS, FIRST_RESPONSE, KINDS, PRIORITIES, RESOLUTION, STANDARD, Policy
from readmodels.kept_promises import kept_promises
from replay.whatif.trial import Promise, Trial
from replay.whatif.trying import KEPT_FIGURES
from tests.commands.orders import order
from tests.readmodels.folding import company
from tests.readmodels.histories import at, ext
from tests.replay.whatif.trials import NOW, comparison, new_of

CATEGORIES = ["bug", "complaint", "Complaint"]
HOURS = [1, 3, 8, 20, 72]


@dataclass(frozen=True)
class Act:
    """Something that is reported of request number `request`."""

    request: int
    name: str
    hour: int
    said: tuple[tuple[str, Any], ...] = ()


def _act(name: str, **said: SearchStrategy[Any]) -> SearchStrategy[Act]:
    pairs = st.fixed_dictionaries(said).map(lambda given: tuple(given.items()))
    return st.builds(Act, request=st.integers(0, 3), name=st.just(name), hour=st.integers(0, 200), said=pairs)


acts = st.lists(
    st.one_of(
        _act("triage_request", category=st.sampled_from(CATEGORIES), priority=st.sampled_from(PRIORITIES)),
        _act("pause_request", waiting_on=st.just("customer")),
        _act("resume_request"),
        _act("record_first_response"),
        _act("resolve_request", result=st.just("done")),
        _act("close_request", result=st.just("done")),
        _act("reopen_request"),
    ),
    max_size=25,
)
openings = st.lists(st.tuples(st.sampled_from(CATEGORIES), st.sampled_from(PRIORITIES), st.integers(0, 100)), min_size=4, max_size=4)
promised = st.dictionaries(
    st.tuples(st.sampled_from([STANDARD.name, COMPLAINTS.name]), st.sampled_from(PRIORITIES), st.sampled_from(KINDS)),
    st.sampled_from(HOURS),
    min_size=1,
)


def orders(openings: Sequence[tuple[str, str, int]], acts: Sequence[Act]) -> list[Order]:
    told = [order("register_customer", customer_id=ext("acme"), name="Acme")]
    for number, (category, priority, hour) in enumerate(openings):
        about = {"customer_id": ext("acme"), "subject": "Help", "channel": "email", "category": category, "priority": priority}
        told.append(order("open_request", at=at(hour), report=True, request_id=ext(number), **about))
    told += [order(act.name, at=at(act.hour), report=True, request_id=ext(act.request), **dict(act.said)) for act in acts]
    return told


def with_times(before: Policy, promised: dict[tuple[str, str, str], int]) -> Policy:
    times = {
        priority: {
            kind: timedelta(hours=promised[before.name, priority, kind]) if (before.name, priority, kind) in promised else time
            for kind, time in kinds.items()
        }
        for priority, kinds in before.times.items()
    }
    return Policy(before.name, times)


@given(openings=openings, acts=acts, promised=promised)
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_the_outcomes_are_those_of_the_same_requests_under_that_policy(
    openings: list[tuple[str, str, int]], acts: list[Act], promised: dict[tuple[str, str, str], int]
) -> None:
    told = orders(openings, acts)
    with ExitStack() as closing:
        firm, other = closing.enter_context(company()), closing.enter_context(company())
        firm.try_all(told)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(policy, "STANDARD", with_times(STANDARD, promised))
            patched.setattr(policy, "COMPLAINTS", with_times(COMPLAINTS, promised))
            other.try_all(told)
        promises = [
            Promise(policy=name, priority=priority, kind=kind, seconds=hours * 3600) for (name, priority, kind), hours in promised.items()
        ]
        found = new_of(comparison(firm, Trial(promises=promises), "targets"))
        with other.facts() as facts:
            wanted = {(row.kind, row.priority): {name: asdict(row)[name] for name in KEPT_FIGURES} for row in kept_promises(facts, NOW)}
    assert {key: row for key, row in found.items() if key[1] != "all"} == wanted


def test_a_stricter_promise_breaks_what_was_met_and_all_priorities_add_up() -> None:
    told = [
        order("register_customer", customer_id=ext("acme"), name="Acme"),
        *(
            order(
                "open_request",
                at=at(0),
                report=True,
                request_id=ext(n),
                customer_id=ext("acme"),
                subject="Help",
                channel="email",
                priority=priority,
            )
            for n, priority in enumerate(["normal", "normal", "high"])
        ),
        order("record_first_response", at=at(3), report=True, request_id=ext(0)),
        order("record_first_response", at=at(5), report=True, request_id=ext(1)),
        order("record_first_response", at=at(3), report=True, request_id=ext(2)),
    ]
    with company() as firm:
        firm.give(*told)
        promise = Promise(policy="standard", priority="normal", kind=FIRST_RESPONSE, seconds=4 * 3600)
        found = comparison(firm, Trial(promises=[promise]), "targets")
    rows = {tuple(row.key): row for row in found.rows}
    first = rows[FIRST_RESPONSE, "normal"]
    assert first.old is not None
    assert first.new is not None
    assert ((first.old["met"], first.old["breached"]), (first.new["met"], first.new["breached"], first.new["met_rate"])) == (
        (2, 0),
        (1, 1, 0.5),
    )
    assert rows[FIRST_RESPONSE, "all"].difference["met"] == -1
    assert rows[RESOLUTION, "all"].difference["overdue"] == 0
