"""Workers in threads of their own of which only one goes on at a time, until it asks for records or is about to write."""

import random
from collections.abc import Callable
from threading import Event, Semaphore, Thread
from typing import Final

from projections.engine import Engine
from projections.worker import Worker
from tests.simulator.memory_broker import MemoryBroker, MemoryReader
from tests.simulator.watched_lookups import SharedLookups

PATIENCE: Final = 60.0


class Gone(BaseException):
    """The process has ended."""


class Waiting(Event):
    """Nobody stops; whoever waits lets others go on instead."""

    def __init__(self, asked: Callable[[str], None]) -> None:
        super().__init__()
        self._asked = asked

    def wait(self, timeout: float | None = None) -> bool:
        """Have others go on."""
        self._asked(f"waits for {timeout} s")
        return False


class OneWorker(Worker):
    """Reads from a broker in memory."""

    def __init__(self, engine: Engine, reader: Callable[[], MemoryReader], stopping: Event, clock: Callable[[], float]) -> None:
        super().__init__(engine, None, stopping=stopping, clock=clock)  # pyright: ignore[reportArgumentType]
        self._reader = reader

    def _joined(self) -> MemoryReader:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._reader()


class Workplace:
    """Where one worker after the other is begun under a name; what one that was killed was about to do is not done."""

    def __init__(self, name: str, opened: Callable[[], Engine], broker: MemoryBroker, chance: random.Random) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self._opened = opened
        self._broker = broker
        self._chance = chance
        self._kind = False
        self._thread: Thread | None = None
        self._go, self._paused = Semaphore(0), Semaphore(0)
        self._doomed = False
        self._at = "has begun"
        self._time = 0.0

    @property
    def running(self) -> bool:
        """Whether there is one."""
        return self._thread is not None

    def begin(self, *, kind: bool = False) -> None:
        """Begin one; with `kind` it is never held up or ended by itself. It joins the group at once."""
        self._doomed, self._kind = False, kind
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()
        self.turn()

    def turn(self) -> str:
        """Let it go on for a while; where it is then."""
        self._time += self._chance.choice((0.0, 0.1, 0.5, 2.0, 6.0))
        self._go.release()
        if not self._paused.acquire(timeout=PATIENCE):
            raise AssertionError(f"worker {self.name} does not come back")
        return self._at

    def end(self) -> None:
        """kill -9, wherever it is."""
        if self._thread is not None:
            self._doomed = True
            self.turn()
            self._thread.join(PATIENCE)
            self._thread = None

    def _work(self) -> None:
        self._go.acquire()
        engine = self._opened()
        assert isinstance(engine.tables, SharedLookups)
        engine.tables.asked, engine.tables.committing = self._held_up, self._cut_short
        try:
            OneWorker(engine, lambda: MemoryReader(self._broker, self.name, self._pause), Waiting(self._pause), lambda: self._time).run()
        except Gone:
            self._at = "is gone"
        except BaseException as failure:  # noqa: BLE001 - told by whoever has it go on
            self.failure = failure
        finally:
            engine.tables.store.close()
            self._paused.release()

    def _pause(self, where: str) -> None:
        self._at = where
        self._paused.release()
        self._go.acquire()
        if self._doomed:
            raise Gone

    def _held_up(self, where: str) -> None:
        if not self._kind and self._chance.random() < 0.4:
            self._pause(where)

    def _cut_short(self) -> None:
        """A connection breaks just before the commit: nothing of it is written."""
        if self._doomed:
            raise Gone
