"""Given a history, when a decision is taken, then there are events, a refusal or silence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.errors import DaybookError
from domain.event import Event
from domain.rules import Rules

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
"""When everything in a history happened unless it is said."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event with when it happened."""

    event: Event
    at: datetime


def at(when: datetime, event: Event) -> Told:
    """`event`, which happened at `when` instead of AT."""
    return Told(event, when)


class Outcome:
    """What a decision came to; each of its questions fails the test when the answer is another."""

    def __init__(self, decided: list[Event] | None, error: DaybookError | None, broken: tuple[str, ...]) -> None:
        self.decided = decided
        self.error = error
        self.broken = broken

    @property
    def events(self) -> list[Event]:
        """The events that were decided."""
        if self.error is not None:
            pytest.fail(f"refused with {self.error.code}: {self.error.message}")
        assert self.decided is not None
        return self.decided

    def then(self, *expected: Event) -> None:
        """Exactly these events, and no rule broken."""
        assert self.events == list(expected)
        assert self.broken == ()

    def irregular(self, *codes: str) -> "Outcome":
        """Something was decided although these rules, and only these, were broken."""
        assert self.events
        assert self.broken == codes
        return self

    def has(self, kind: type[Event], /, **fields: object) -> "Outcome":
        """Among the events one of this class with these fields."""
        found = [event for event in self.events if isinstance(event, kind)]
        assert any(all(getattr(event, name) == value for name, value in fields.items()) for event in found), self.events
        return self

    def types(self, *expected: str) -> "Outcome":
        """Events of exactly these types in this order."""
        assert [event.type for event in self.events] == list(expected)
        return self

    def nothing(self) -> None:
        """No event, no refusal."""
        assert self.events == []

    def refused(self, code: str) -> None:
        """A refusal with this code."""
        assert self.error is not None, f"not refused: {self.decided}"
        assert self.error.code == code


class History:
    """What happened so far to one record."""

    def __init__(self, evolve: Callable[..., Any], told: tuple[Event | Told, ...]) -> None:
        self.state: Any = None
        for each in told:
            fact = each if isinstance(each, Told) else Told(each, AT)
            self.state = evolve(self.state, fact.event, fact.at)

    def when(self, decide: Callable[..., list[Event]], /, **values: object) -> Outcome:
        """Ask for a decision that has no rules a report may break."""
        return _outcome(lambda: decide(self.state, **values), Rules())

    def asked(self, decide: Callable[..., list[Event]], /, **values: object) -> Outcome:
        """Ask for a decision under its rules."""
        rules = Rules()
        return _outcome(lambda: decide(self.state, rules, **values), rules)

    def reported(self, decide: Callable[..., list[Event]], /, **values: object) -> Outcome:
        """Report that it happened, rules or not."""
        rules = Rules(reporting=True)
        return _outcome(lambda: decide(self.state, rules, **values), rules)


def _outcome(decide: Callable[[], list[Event]], rules: Rules) -> Outcome:
    try:
        decided = decide()
    except DaybookError as error:
        return Outcome(None, error, tuple(rules.broken))
    return Outcome(decided, None, tuple(rules.broken))


def given(evolve: Callable[..., Any], *told: Event | Told) -> History:
    """A record's history under its `evolve`; empty for a record that does not exist."""
    return History(evolve, told)
