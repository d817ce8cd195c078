"""The page of all metrics, written from where they are declared."""

from typing import Final

from api.observing.families import FAMILIES, Family

HEAD: Final = """# Metrics

Every metric that `/metrics` tells ([observing](observing.md)). This page is written from the code by `python -m api.reference`; a test holds it
current. Positions count from 1 in the log; a lag is a number of positions. Labels take few values: a route is its template, never a path, and no
label says anything that a caller made up. A server tells all of these; `daybook publish` and `daybook work` those of what they do.

| metric | kind | labels | says |
|---|---|---|---|
"""

FOOT: Final = """
Besides, of the process itself: `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`,
`process_open_fds`, `process_max_fds`, `process_start_time_seconds`, `python_info` and `python_gc_…`, as every Prometheus client tells them.
Histograms have `…_bucket`, `…_sum` and `…_count`; the upper bounds of their buckets:

"""


def metrics_page() -> str:
    """The whole page."""
    return HEAD + "".join(_row(family) for family in FAMILIES) + FOOT + "".join(_bounds(family) for family in FAMILIES if family.buckets)


def _row(family: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in family.labels)
    return f"| `{family.name}` | {family.kind} | {labels} | {family.says} |\n"


def _bounds(family: Family) -> str:
    return f"- `{family.name}`: {', '.join(f'{bound:g}' for bound in family.buckets)}\n"
