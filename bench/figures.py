"""A measured figure beside its baseline, and how they are printed."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

ROUNDS = 3
"""How often each figure and its baseline are measured in turn; medians are printed."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured: `value` in `unit`, `baseline` likewise (None where there is none), and what is aimed at."""

    name: str
    value: float
    unit: str
    against: str = ""
    baseline: float | None = None
    goal: str = ""


def side_by_side(ours: Callable[[], float], theirs: Callable[[], float], *, rounds: int = ROUNDS) -> tuple[float, float]:
    """The medians of both, measured in turn so that both meet the same weather."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def show(figures: Sequence[Figure]) -> None:
    """Print a table of figures."""
    table = Table(title="Daybook, measured beside its baselines in this run")
    for column in ("figure", "measured", "baseline", "ratio", "goal"):
        table.add_column(column, justify="left" if column in ("figure", "goal") else "right")
    for figure in figures:
        baseline = "" if figure.baseline is None else f"{_number(figure.baseline)} ({figure.against})"
        ratio = "" if not figure.baseline else f"{figure.value / figure.baseline:.2f} ×"
        table.add_row(figure.name, f"{_number(figure.value)} {figure.unit}", baseline, ratio, figure.goal)
    Console(width=160).print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
