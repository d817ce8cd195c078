"""Which part of what runs uses how much of the processors."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import perf_counter, process_time

import psutil

Reading = Mapping[str, float]
"""By part CPU seconds since its processes began; `measuring` is this process, `clock` when it was read, `all` what the whole machine has used."""


class Meter:
    """Reads the CPU seconds of parts, each one or more processes with all that they started."""

    def __init__(self, parts: Mapping[str, Iterable[int]]) -> None:
        self._parts = {name: [psutil.Process(pid) for pid in pids] for name, pids in parts.items()}

    def read(self) -> Reading:
        """How much each part has used so far."""
        machine = psutil.cpu_times()
        busy = sum(machine) - machine.idle - getattr(machine, "iowait", 0.0) - getattr(machine, "guest", 0.0)
        parts = {name: sum(_used(process) for process in processes) for name, processes in self._parts.items()}
        return {"clock": perf_counter(), "all": busy, **parts, "measuring": process_time()}


def cores(before: Reading, after: Reading) -> dict[str, float]:
    """How many cores each part kept busy between two readings; `other` is what the machine did besides."""
    seconds = after["clock"] - before["clock"]
    used = {name: (after[name] - before[name]) / seconds for name in before if name != "clock"}
    total = used.pop("all")
    return {**used, "other": max(0.0, total - sum(used.values()))}


def _used(process: psutil.Process) -> float:
    """CPU seconds of a process, of those that it started, and of those of them that have ended."""
    found = 0.0
    with suppress(psutil.NoSuchProcess):
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                found += times.user + times.system
        ended = process.cpu_times()
        found += ended.children_user + ended.children_system
    return found
