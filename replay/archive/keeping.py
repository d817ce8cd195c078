"""A thread that writes what has settled into the archive, so quietly that commands and read models do not feel it."""

import logging
import os
from contextlib import suppress
from threading import Event, Thread, get_native_id
from typing import Final

from replay.archive.archive import Archive

log = logging.getLogger(__name__)

LOOK: Final = 5.0
"""Seconds between two looks at whether there is a whole segment to write."""
RETRY: Final = 60.0
NICE: Final = 15
"""How far behind others its thread stands when the processor is wanted."""


class Stopped(Exception):
    """The thread is to end while it writes a segment."""


class Keeper:
    """A thread that keeps an archive up with its log."""

    def __init__(self, archive: Archive, *, look: float = LOOK) -> None:
        self._archive = archive
        self._look = look
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="archive", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End; a segment that is not whole yet is left out, and written next time."""
        self._stopping.set()
        self._thread.join()

    def _go_on(self, _done: int, _of: int) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # not every system has priorities of threads
            os.setpriority(os.PRIO_PROCESS, get_native_id(), NICE)
        while not self._stopping.is_set():
            try:
                for written in self._archive.keep_up(progress=self._go_on):
                    log.info("archived the events after position %s up to %s", written.after, written.upto)
                    if self._stopping.is_set():
                        return
                self._archive.failure = None
                self._stopping.wait(self._look)
            except Stopped:
                return
            except Exception as error:
                if self._archive.failure is None:
                    log.exception("the archive cannot be written; trying again")
                self._archive.failure = f"{type(error).__name__}: {error}"
                self._stopping.wait(RETRY)
