"""What is to be tried: other stages, other probabilities, other service targets, further read models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from projections.fold import Fold
from readmodels import kept_promises

OF_DEALS: Final = ("opportunities", "stage_visits", "pipelines", "stages")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChange:
    """What is to be otherwise in a pipeline; all changes of names are made at once, then the order and the probabilities."""

    pipeline: str | None = None
    """Its id or its name; None for every pipeline that has one of the stages."""
    count_as: Mapping[str, str] = field(default_factory=dict[str, str])
    """By stage, the one that it counts as: another one, into which it is merged, or a new name."""
    order: Sequence[str] | None = None
    """All stages by the names that they have then."""
    probability: Mapping[str, int] = field(default_factory=dict[str, int])
    """Per cent, by the stages' names then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How long something may take under a service policy."""

    policy: str
    priority: str
    kind: str
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Everything that is to be tried at once. `since` and `until` are of the funnels: days on which deals were opened."""

    stages: Sequence[StageChange] = ()
    promises: Sequence[Promise] = ()
    folds: Sequence[Fold] = ()
    since: date | None = None
    until: date | None = None
    rows: int = 100
    """How many rows of a further read model are shown."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Today's read models whose figures are compared; those that its stages and promises make a difference to."""
        return (*(OF_DEALS if self.stages else ()), *(kept_promises.FOLDS if self.promises else ()))
