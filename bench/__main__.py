"""`python -m bench [http] [bulk] [rebuild] [archive] [moments] [explain] [audit] [webhooks] [postgres] [scale]`: measure, and print each figure beside its baseline of the same run."""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from bench import archive, audit, bulk, explain, http, moments, postgres, rebuild, scale, webhooks
from bench.figures import Figure, show

MEASUREMENTS: Mapping[str, Callable[[Path], list[Figure]]] = {
    "http": http.measure,
    "bulk": bulk.measure,
    "rebuild": rebuild.measure,
    "archive": archive.measure,
    "moments": moments.measure,
    "explain": explain.measure,
    "audit": audit.measure,
    "webhooks": webhooks.measure,
    "postgres": postgres.measure,
    "scale": scale.measure,
}


def main(names: list[str]) -> None:
    """Measure what is named, everything when nothing is."""
    if unknown := set(names) - set(MEASUREMENTS):
        sys.exit(f"there is no measurement {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    figures: list[Figure] = []
    for name in names or MEASUREMENTS:
        with Console(stderr=True).status(f"measuring {name}"), tempfile.TemporaryDirectory(prefix="daybook-bench-") as folder:
            figures += MEASUREMENTS[name](Path(folder))
    show(figures)


main(sys.argv[1:])
