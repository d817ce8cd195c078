"""The stages of a pipeline under a trial: merged, renamed, put into another order, with other probabilities."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from domain.errors import NotFound
from readmodels.asking import Facts, Row
from replay.whatif.errors import TrialRefused
from replay.whatif.trial import StageChange

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Ladder:
    """A pipeline's stages in their order, as the trial has them so far."""

    pipeline_id: str
    name: str
    stages: tuple[Row, ...]
    """Rows of the read model `stages`."""
    counts_as: Mapping[str, str]
    """By the name that events have, the name that the stage has now."""
    merged: frozenset[str] = frozenset()
    """Names of stages that others were merged into."""
    reordered: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The stages' names in their order."""
        return tuple(stage["stage"] for stage in self.stages)

    def has_one_of(self, names: Iterable[str]) -> bool:
        """Whether one of these is its stage."""
        return not set(self.names).isdisjoint(names)


@dataclass(slots=True)
class Ladders:
    """All pipelines; those that a trial touched are `tried`."""

    by_id: dict[str, Ladder]
    tried: dict[str, Ladder] = field(default_factory=dict[str, Ladder])

    def change(self, change: StageChange) -> None:
        """Make a change. Raises NotFound or TrialRefused."""
        for ladder in self._meant(change):
            self.by_id[ladder.pipeline_id] = self.tried[ladder.pipeline_id] = changed(ladder, change)

    def _meant(self, change: StageChange) -> list[Ladder]:
        if change.pipeline is None:
            named = {*change.count_as, *change.probability, *(change.order or ())}
            found = [ladder for ladder in self.by_id.values() if not named or ladder.has_one_of(named)]
            if named and not found:
                raise NotFound("stage.unknown", f"no pipeline has a stage {', '.join(sorted(named))}")
            return found
        meant = [ladder for ladder in self.by_id.values() if change.pipeline in (ladder.pipeline_id, ladder.name)]
        if not meant:
            raise NotFound("pipeline.unknown", f"there is no pipeline “{change.pipeline}”; there are {', '.join(self._names)}")
        return meant

    @property
    def _names(self) -> list[str]:
        return sorted(ladder.name for ladder in self.by_id.values())


_STAGES = """
SELECT p.name AS pipeline_name, s.* REPLACE (s.pipeline_id::VARCHAR AS pipeline_id)
FROM stages s JOIN pipelines p USING (pipeline_id) ORDER BY p.name, p.pipeline_id, list_position(p.stages, s.stage)
"""


def ladders(facts: Facts) -> Ladders:
    """The pipelines of today."""
    found: dict[str, list[Row]] = {}
    for row in facts.rows(_STAGES, {}):
        found.setdefault(row["pipeline_id"], []).append(row)
    return Ladders({pipeline_id: _ladder(pipeline_id, rows) for pipeline_id, rows in found.items()})


def _ladder(pipeline_id: str, rows: Sequence[Row]) -> Ladder:
    name = rows[0]["pipeline_name"]
    stages = tuple({column: value for column, value in row.items() if column != "pipeline_name"} for row in rows)
    return Ladder(pipeline_id, name, stages, {stage["stage"]: stage["stage"] for stage in stages})


def changed(ladder: Ladder, change: StageChange) -> Ladder:
    """The ladder after a change: names first, then the order, then the probabilities. Raises NotFound or TrialRefused."""
    everywhere = change.pipeline is None
    named = _renamed(ladder, _here(ladder, change.count_as) if everywhere else change.count_as)
    ordered = _ordered(named, change.order) if change.order is not None else named
    probability = _here(ordered, change.probability) if everywhere else change.probability
    _known(ordered, probability)
    stages = tuple(stage | {"probability": probability.get(stage["stage"], stage["probability"])} for stage in ordered.stages)
    return replace(ordered, stages=stages)


def _here(ladder: Ladder, said: Mapping[str, Said]) -> Mapping[str, Said]:
    """What is said of this ladder's stages."""
    return {name: value for name, value in said.items() if name in ladder.names}


def _known(ladder: Ladder, names: Iterable[str]) -> None:
    if unknown := sorted(set(names) - set(ladder.names)):
        has = f"pipeline “{ladder.name}” has no stage {', '.join(unknown)}; it has {', '.join(ladder.names)}"
        raise NotFound("stage.unknown", has)


def _renamed(ladder: Ladder, count_as: Mapping[str, str]) -> Ladder:
    _known(ladder, count_as)
    groups: dict[str, list[Row]] = {}
    for stage in ladder.stages:
        groups.setdefault(count_as.get(stage["stage"], stage["stage"]), []).append(stage)
    kept = {_representative(name, group)["stage"]: _named(name, group) for name, group in groups.items()}
    return replace(
        ladder,
        stages=tuple(kept[stage["stage"]] for stage in ladder.stages if stage["stage"] in kept),
        counts_as={event: count_as.get(name, name) for event, name in ladder.counts_as.items()},
        merged=frozenset({count_as.get(name, name) for name in ladder.merged} | {name for name, group in groups.items() if len(group) > 1}),
    )


def _representative(name: str, group: Sequence[Row]) -> Row:
    """Whose place and terms a merged stage has: those of the stage with its name, or of the first."""
    return next((stage for stage in group if stage["stage"] == name), group[0])


def _named(name: str, group: Sequence[Row]) -> Row:
    if len({stage["status"] for stage in group}) > 1:
        meanings = ", ".join(f"“{stage['stage']}” means {stage['status']}" for stage in group)
        raise TrialRefused("whatif.stage_status", f"stages that mean different things do not count as one: {meanings}")
    stage = _representative(name, group)
    label = name if stage["label"] == stage["stage"] else stage["label"]
    return stage | {"stage": name, "label": label, "retired": all(one["retired"] for one in group)}


def _ordered(ladder: Ladder, order: Sequence[str]) -> Ladder:
    if sorted(order) != sorted(ladder.names):
        names = ", ".join(ladder.names)
        raise TrialRefused("whatif.stage_order", f"`order` of pipeline “{ladder.name}” must name each of its stages once: {names}")
    by_name = {stage["stage"]: stage for stage in ladder.stages}
    same = tuple(order) == ladder.names
    return replace(ladder, stages=tuple(by_name[name] for name in order), reordered=ladder.reordered or not same)
