"""One history: what happens in it is drawn from its seed, and everything that must hold is held against it in the end."""

import logging
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.errors import ConcurrencyConflict, LogUnavailable
from commands.order import Job, Outcome, Receipt
from projections.catalogue import FOLDS
from projections.follower import Follower
from projections.versions import build
from readmodels.layout import Moved
from tests.simulator.checks import examine, same_beginning
from tests.simulator.clients import Asked, Broken, Clients
from tests.simulator.clock import Clock
from tests.simulator.machine import COMMITTING, Killed, Machine, PowerLost
from tests.simulator.watched import MOMENTS
from tests.simulator.world import Parts, World, shaped

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - where there is a disk in memory, histories go faster; each makes a folder of its own there
STEPS: Final = (20, 45)


@dataclass(slots=True)
class Told:
    """What happened, line by line, and how often what."""

    seed: int
    lines: list[str] = field(default_factory=list[str])
    counts: Counter[str] = field(default_factory=Counter[str])
    broken: str | None = None
    """What did not hold."""

    def __str__(self) -> str:
        ending = [f"BROKEN: {self.broken}", f"again: python -m tests.simulator --seed {self.seed}"] if self.broken else ["all holds"]
        return "\n".join([f"seed {self.seed}", *self.lines, *ending])


class Simulation:
    """A history on its way."""

    def __init__(self, seed: int, folder: Path, parts: Parts) -> None:
        self.told = Told(seed)
        self._chance = random.Random(f"daybook {seed}")
        self._clock = Clock(random.Random(f"clock {seed}"))
        self._clients = Clients(random.Random(f"clients {seed}"), self._clock)
        folder.mkdir()
        self._machine = Machine(folder, random.Random(f"machine {seed}"), synced=parts.synced)
        self._shape = shaped(FOLDS, self._chance)
        self._world = World(self._machine, self._clock, parts, self._shape)
        self._on_the_way: list[Asked] = []
        self._answers: list[tuple[Asked, Sequence[Outcome]]] = []
        self._checkpoints: list[tuple[int, bytes]] = []

    def run(self) -> Told:
        """The whole history. What does not hold is told in `broken`."""
        try:
            self._say(f"folds {', '.join(fold.name for fold in self._shape.folds)}{', facts too' if self._shape.facts else ''}")
            self._say(f"{len(self._world.reader.engines)} homes are made ready")
            self._execute([self._clients.begin()], "A", heard=1.0)
            self._answer()
            for _ in range(self._chance.randint(*STEPS)):
                self._survive(self._chance.choices([do for do, _ in self._doings], [weight for _, weight in self._doings])[0])
            self._machine.disarm()
            self._machine.full = False
            self._settle()
            examine(self._world, self._clients, self._clock, self._shape, self._chance)
            self._hold_checkpoints()
        except Broken as broken:
            self.told.broken = str(broken)
        except (PowerLost, Killed):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told with the history that led to it
            self.told.broken = f"{type(error).__name__}: {error}"
        finally:
            self._machine.disarm()
            with suppress(Exception):
                self._world.end()
        self.told.counts.update(
            commands=len(self._clients.sent), acknowledged=len(self._clients.accepted), refused=len(self._clients.refused)
        )
        self.told.counts["events"] = max((receipt.position for receipt in self._clients.accepted.values()), default=0)
        return self.told

    @property
    def _doings(self) -> Sequence[tuple[Callable[[], None], int]]:
        return (
            (self._ask, 24),
            (self._deliver, 26),
            (self._answer, 20),
            (self._ask_again, 4),
            (self._fold, 14),
            (self._hash, 3),
            (self._rebuild, 1),
            (self._hold_up, 6),
            (self._apply_late, 6),
            (self._go_by, 8),
            (self._set_clock, 3),
            (self._arm, 8),
            (self._fill_disk, 2),
            (self._restart, 2),
        )

    def _survive(self, do: Callable[[], None]) -> None:
        """Do it; whoever comes to an end in it is begun again when next needed."""
        try:
            do()
        except PowerLost as loss:
            self._say(f"POWER LOST, {loss}")
            self.told.counts["power losses"] += 1
            self._on_the_way.clear()
            self._answers.clear()
            self._world.end()
        except Killed as kill:
            self._say(f"KILLED, {kill}")
            self.told.counts["kills"] += 1
            self._world.end("reader" if str(kill).startswith(("lookups", "facts")) else self._writing)

    _writing = "A"

    def _ask(self) -> None:
        self._on_the_way.append(self._clients.ask())

    def _ask_again(self) -> None:
        """Somebody has waited long enough."""
        if waiting := self._clients.unanswered():
            self._on_the_way.append(self._chance.choice(waiting))

    def _deliver(self) -> None:
        """Some of what is on its way comes in together, in any order; it may come again later."""
        if not self._on_the_way:
            return
        group: list[Asked] = []
        for _ in range(min(len(self._on_the_way), self._chance.choice((1, 1, 1, 2, 3)))):
            place = self._chance.randrange(len(self._on_the_way))
            again = self._chance.random() < 0.15
            group.append(self._on_the_way[place] if again else self._on_the_way.pop(place))
        self._execute(group, self._chance.choice("AB"))

    def _execute(self, group: Sequence[Asked], name: str, *, heard: float = 0.8) -> None:
        """Let a writer decide what came in together; `heard` is the share of answers that are not lost."""
        self._writing = name
        names = "; ".join(f"{order.command_id} {order.name}{_expects(order.expected_version)}" for asked in group for order in asked.orders)
        self._say(f"{name} decides {names}")
        writer = self._world.writer(name)
        before = writer.log.head()
        try:
            answers = writer.dispatcher.execute_all([Job(asked.orders, asked.atomic) for asked in group])
        except (LogUnavailable, ConcurrencyConflict) as error:
            self._say(f"  503 {error.code}")
            self.told.counts["unavailable"] += 1
            if writer.log.head() != before:
                raise Broken(f"{name} answered {error.code}, and the log grew") from error
            return
        self._say(f"  {'; '.join(_outcome(outcome) for answer in answers for outcome in answer)}")
        self._grown(before, writer.log.head(), group, answers)
        for asked, answer in zip(group, answers, strict=True):
            if self._chance.random() < heard:
                self._answers.append((asked, answer))
            else:
                self._say(f"  the answer to {asked.orders[0].command_id} is lost")
                self.told.counts["answers lost"] += 1

    @staticmethod
    def _grown(before: int, after: int, group: Sequence[Asked], answers: Sequence[Sequence[Outcome]]) -> None:
        """What was refused or repeated has left nothing, and of what came together as one, all or nothing was done."""
        new = {each.command_id: each for answer in answers for each in answer if isinstance(each, Receipt) and not each.repeated}
        if after - before != sum(len(receipt.event_ids) for receipt in new.values()):
            raise Broken(f"the log grew by {after - before} events; {sum(len(receipt.event_ids) for receipt in new.values())} were told of")
        for asked, answer in zip(group, answers, strict=True):
            if asked.atomic and len({isinstance(each, Receipt) for each in answer}) > 1:
                raise Broken(f"half of {asked.orders[0].command_id} and what came with it was done")

    def _answer(self) -> None:
        """An answer comes to who asked, not always in order."""
        if self._answers:
            self._clients.told(*self._answers.pop(self._chance.randrange(len(self._answers))))

    def _fold(self) -> None:
        follower = self._chance.choice(self._world.reader.followers)
        self._step(follower)

    def _step(self, follower: Follower) -> bool:
        progressed = self._world.reader.fold(follower)
        if progressed:
            self._say(f"the {follower.engine.tables.home} are folded up to {follower.position}")
        return progressed

    def _hash(self) -> None:
        size = self._world.reader.hash()
        self._say(f"{size} events are hashed")
        self._checkpoints.append((size, self._world.reader.tree.root(size)))

    def _rebuild(self) -> None:
        reader = self._world.reader
        fold = self._chance.choice(self._shape.folds).name
        self._say(f"{fold} is rebuilt")
        wanted = {engine: [fold] for engine in reader.engines if fold in engine.plans}
        for _, checked in build(reader.engines[0].feed, wanted):
            if any(each.rows_apart for each in checked):
                raise Broken(f"the rebuild of {fold} found other rows than served")
        self.told.counts["rebuilds"] += 1

    def _hold_up(self) -> None:
        self._world.reader.delay(self._chance.choice(self._world.reader.engines))

    def _apply_late(self) -> None:
        """A process that was thought dead goes on with what it held; nothing of it may count twice."""
        reader = self._world.reader
        if reader.delayed:
            late = reader.delayed.pop()
            self._step(next(follower for follower in reader.followers if follower.engine is late.engine))
            self._say(f"a batch up to {late.upto} comes late to the {late.engine.tables.home}")
            with suppress(Moved):
                late.engine.apply(late.targets, late.events, late.upto)

    def _go_by(self) -> None:
        self._clock.pass_by()

    def _set_clock(self) -> None:
        by = self._clock.jump()
        self._say(f"the clock jumps by {by.total_seconds():+.0f} s")
        self.told.counts["clock jumps"] += 1

    def _arm(self) -> None:
        """Something will end soon."""
        moment = self._chance.choice(MOMENTS if self._shape.facts else [each for each in MOMENTS if not each.startswith("facts")])
        if self._chance.random() < 0.5:
            moment = self._chance.choice(MOMENTS[:3])
        self._machine.arm(moment, PowerLost if moment == COMMITTING or self._chance.random() < 0.6 else Killed)

    def _fill_disk(self) -> None:
        self._machine.full = not self._machine.full
        self._say("the disk is full" if self._machine.full else "there is room again")

    def _restart(self) -> None:
        name = self._chance.choice(("A", "B", "reader"))
        self._say(f"{name} is stopped")
        self._world.end(name)

    def _settle(self) -> None:
        """All goes well from now on: everybody is answered, and asks once more; all is folded."""
        self._say("all goes well from now on")
        while self._answers:
            self._answer()
        for asked in self._clients.unanswered():
            self._execute([asked], self._chance.choice("AB"))
        while self._answers or self._clients.unanswered():
            while self._answers:
                self._answer()
            for asked in self._clients.unanswered():
                self._execute([asked], self._chance.choice("AB"))
        self._once_more()
        for follower in self._world.reader.followers:
            while self._step(follower):
                pass

    def _once_more(self) -> None:
        """Whoever was acknowledged asks again and gets the same receipt, and nothing happens."""
        writer = self._world.writer("A")
        before = writer.log.head()
        requests = {asked.number: asked for asked in self._clients.sent.values()}
        for asked in requests.values():
            orders = [order for order in asked.orders if order.command_id in self._clients.accepted]
            (answer,) = writer.dispatcher.execute_all([Job(orders)])
            for outcome in answer:
                if not isinstance(outcome, Receipt) or not outcome.repeated:
                    raise Broken(f"{outcome.command_id} was accepted; asked again, it was not a repetition: {_outcome(outcome)}")
            self._clients.told(Asked(asked.number, orders, atomic=False), answer)
        if writer.log.head() != before:
            raise Broken("repeated commands have written something")

    def _hold_checkpoints(self) -> None:
        for broken in same_beginning(self._world.reader, self._checkpoints):
            raise Broken(broken)

    def _say(self, line: str) -> None:
        self.told.lines.append(f"{len(self.told.lines) + 1:3} {self._clock.now:%d %H:%M:%S} {line}")


def _expects(version: int | None) -> str:
    return "" if version is None else f" (version {version})"


def _outcome(outcome: Outcome) -> str:
    if isinstance(outcome, Receipt):
        return f"{'again ' if outcome.repeated else ''}position {outcome.position} version {outcome.version}"
    return outcome.error.code


def simulate(seed: int, parts: Parts | None = None) -> Told:
    """The history of a seed."""
    logging.disable(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix="daybook-sim-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
            return Simulation(seed, Path(folder) / "machine", parts or Parts()).run()
    finally:
        logging.disable(logging.NOTSET)
