"""Every fold, and every event that is in none with the reason why."""

from collections.abc import Mapping
from typing import Final

from domain.event import Event
from projections import contacts, customers, interactions, opportunities, pipelines, requests, surveys, timeline
from projections.fold import Fold, Home
from projections.plan import plans
from readmodels.layout import Layout

FOLDS: Final[tuple[Fold, ...]] = (
    *customers.FOLDS,
    *contacts.FOLDS,
    *interactions.FOLDS,
    *pipelines.FOLDS,
    *opportunities.FOLDS,
    *requests.FOLDS,
    *surveys.FOLDS,
    *timeline.FOLDS,
)

NOT_FOLDED: Final[Mapping[type[Event], str]] = {}
"""Events that no fold takes, and why none needs to."""


def layouts(home: Home) -> tuple[Layout, ...]:
    """The tables in `home`."""
    return tuple(plan.layout_in(home) for plan in plans(FOLDS, home))
