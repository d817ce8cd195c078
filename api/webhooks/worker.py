"""Delivers to one subscription: a window of events on their way, what failed again when it is due, and all of it written down.

The log is the queue. What is in memory is a short stretch of it; what is stored is the position up to which every wanted event was
delivered, waits to be sent again or was given up. So a process that is killed sends a few events again, and loses none.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from opentelemetry.trace import SpanKind

from api.personal import personal_of
from api.problems import NotYet
from api.webhooks.sending import Answer, Sender
from api.webhooks.tools import Tools
from api.webhooks.wanting import holds, wanted_of
from bus.webhooks.deliveries import LeaseLostError
from bus.webhooks.model import Attempt, Claimed, Failed, Outcome, Settled
from domain.envelope import StoredEvent

log: Final = logging.getLogger(__name__)

IN_FLIGHT: Final = 8
"""Events of one subscription that are on their way at once; one, while its receiver fails or where it wants them in order."""
MOST_WAITING: Final = 500
"""Events that may wait to be sent again; when there are so many the position waits too, and the log keeps the rest."""
AT_ONCE: Final = 32
"""Events that are read ahead."""
SAVE_SECONDS: Final = 5.0
"""How often a position is stored that moved only because nothing was wanted."""
LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts while all fail, at the most; and no more than so many times the first delay of an event:"""
PAUSES: Final = 6.0
LONGEST_WISH: Final = 3600.0
"""Seconds that a receiver can have all its events held back by `Retry-After`."""
DOWN_SECONDS: Final = 600.0
"""A receiver that took nothing for so long was down: when it takes something again, what failed meanwhile is due at once."""
AGAIN_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 30.0


class Worker:
    """Delivers to one subscription for as long as this process holds its lease."""

    def __init__(self, claimed: Claimed, sender: Sender, tools: Tools, woken: asyncio.Event) -> None:
        self.subscription = claimed.subscription
        self.trouble: str | None = None
        """What keeps this process from delivering, apart from the receiver."""
        self._sender = sender
        self._tools = tools
        self._woken = woken
        self._secrets = tools.secrets(claimed)
        self._wanted = wanted_of(self.subscription.wanted)
        self._holds = holds(self._wanted)
        self._settled = claimed.settled
        self._next_due = claimed.settled.next_due
        """When something that is not on its way is to be sent again; None for never."""
        self._stale = False
        self._known: set[int] | None = None
        """Positions after the stored one that failed before; they are sent when they are due."""
        self._read_to = self._stored = self.subscription.position
        self._stored_at = tools.clock()
        self._queue: deque[StoredEvent] = deque()
        self._open: dict[int, None] = {}
        """Positions that were read from the log and are not settled, in order."""
        self._busy: set[int] = set()
        self._flying: dict[int, asyncio.Task[None]] = {}
        self._outcomes: list[Outcome] = []
        self._failing_since = self.subscription.failing_since
        self._rounds = 0
        """Times in a row that only failures were written down."""
        self._held_until = 0.0
        self._off: str | None = None
        self._stopping = False

    @property
    def position(self) -> int:
        """Up to where everything is settled, or about to be written down as settled."""
        return self._position(self._open)

    @property
    def in_flight(self) -> int:
        """How many events are on their way."""
        return len(self._flying)

    def update(self, claimed: Claimed) -> bool:
        """Take notice of what was changed in what is stored; False when this worker has to begin again."""
        if claimed.subscription.generation != self.subscription.generation:
            return False
        self._secrets = self._tools.secrets(claimed)
        if claimed.settled != self._settled:
            due, ours = claimed.settled.next_due, self._settled.next_due
            if due is not None and (ours is None or due < ours):
                # Somebody wants it sent now.
                self._held_until = 0.0
            self._stale = True
            self._woken.set()
        return True

    def stop(self) -> None:
        """Begin nothing any more; what is on its way is waited for."""
        self._stopping = True
        self._woken.set()

    async def abandon(self) -> None:
        """Let go of what is on its way; it is sent again."""
        for task in list(self._flying.values()):
            task.cancel()
        await asyncio.gather(*self._flying.values(), return_exceptions=True)
        self._flying.clear()

    async def run(self) -> None:
        """Deliver until told to stop, or until another process does."""
        try:
            while True:
                try:
                    await self._deliver()
                except LeaseLostError:
                    return
                except Exception as error:
                    self.trouble = f"{type(error).__name__}: {error}"
                    log.exception("webhook %s cannot be delivered to just now", self.subscription.id)
                    await asyncio.sleep(AGAIN_SECONDS)
                else:
                    return
        finally:
            await self.abandon()
            await self._sender.close()

    async def _deliver(self) -> None:
        if self._known is None:
            self._known = await self._tools.read(self._tools.deliveries.waiting_after, self.subscription.id, self._stored)
        while True:
            self._woken.clear()
            last = self._stopping and not self._flying
            if self._outcomes or self._stale or last or self._save_due():
                await self._settle(last=last)
            if last and not self._outcomes:
                return
            if not self._stopping:
                await self._launch()
                self.trouble = None
            if not self._outcomes:
                await self._rest()

    def _save_due(self) -> bool:
        return self.position > self._stored and self._tools.clock() - self._stored_at >= SAVE_SECONDS

    async def _rest(self) -> None:
        """Wait until the log has grown, an attempt is over, something is due, or somebody changed something."""
        now = self._tools.clock()
        moments = [now + IDLE_SECONDS]
        if self._next_due is not None and len(self._flying) < self._window:
            moments.append(max(self._next_due, self._held_until))
        if self._held_until > now:
            moments.append(self._held_until)
        if self.position > self._stored:
            moments.append(self._stored_at + SAVE_SECONDS)
        try:
            await asyncio.wait_for(self._woken.wait(), max(0.01, min(moments) - now))
        except TimeoutError:
            return

    @property
    def _window(self) -> int:
        return 1 if self.subscription.ordered or self._rounds else IN_FLIGHT

    async def _launch(self) -> None:
        """Send what is due again, then what comes next in the log, as far as there is room."""
        now = self._tools.clock()
        if now < self._held_until:
            return
        if self._next_due is not None and self._next_due <= now and len(self._flying) < self._window:
            await self._launch_due(now)
        most = 1 if self.subscription.ordered else MOST_WAITING
        while len(self._flying) < self._window and self._settled.waiting + len(self._busy) < most:
            if not self._queue and not await self._read():
                return
            if self._queue:
                self._send(self._queue.popleft(), None)

    async def _launch_due(self, now: float) -> None:
        """Send what is due again, as far as there is room."""
        due, later = await self._tools.read(self._due, now, IN_FLIGHT + len(self._busy))
        for before, event in due:
            if before.position in self._busy:
                continue
            if len(self._flying) >= self._window:
                return
            self._send(event, before)
        self._next_due = later

    def _due(self, now: float, limit: int) -> tuple[list[tuple[Failed, StoredEvent]], float | None]:
        due, later = self._tools.deliveries.due(self.subscription.id, now, limit)
        events = self._tools.books.log.read_at([failed.position for failed in due])
        return list(zip(due, events, strict=True)), later

    async def _read(self) -> bool:
        """Read on in the log; whether there was more."""
        if self._stopping:
            return False
        found, reached = await self._tools.read(self._tools.tail.find, self._wanted, self._holds, self._read_to, AT_ONCE)
        if reached < self._read_to:
            message = f"it has come to position {self._read_to}, and the log ends at {reached}: another log, or an older copy; replay it from where it is to begin"
            raise NotYet("position.unwritten", message)
        known = self._known or set[int]()
        fresh = [event for event in found if event.position not in known]
        self._queue.extend(fresh)
        self._open.update((event.position, None) for event in fresh)
        moved, self._read_to = reached > self._read_to, reached
        return moved

    def _send(self, event: StoredEvent, before: Failed | None) -> None:
        self._busy.add(event.position)
        task = asyncio.get_running_loop().create_task(self._attempt(event, before))
        self._flying[event.position] = task

        def over(_: "asyncio.Task[None]") -> None:
            self._flying.pop(event.position, None)
            self._woken.set()

        task.add_done_callback(over)

    async def _attempt(self, event: StoredEvent, before: Failed | None) -> None:
        at = self._tools.clock()
        try:
            message = await self._tools.read(self._tools.message, event)
            secrets = [secret for secret, until in self._secrets if until is None or until > at]
            with self._tools.tracing.over("deliver to webhook", [event], kind=SpanKind.CLIENT):
                answer = await self._sender.send(self.subscription.url, message, secrets)
            answered = self._tools.clock()
            outcome = await self._tools.read(self._outcome, event, before, answer, at, answered)
        except Exception as error:
            # Not the receiver's fault: it is as if it had not been tried.
            self.trouble = f"{type(error).__name__}: {error}"
            log.exception("the event at position %d cannot be sent to webhook %s", event.position, self.subscription.id)
            self._busy.discard(event.position)
            if before is None:
                self._queue.appendleft(event)
            self._held_until = at + AGAIN_SECONDS
            return
        self._outcomes.append(outcome)
        if answer.gone:
            self._off, self._stopping = "its receiver answered 410 Gone", True
        elif answer.wish is not None and not answer.delivered:
            self._held_until = max(self._held_until, answered + min(answer.wish, LONGEST_WISH))

    def _outcome(self, event: StoredEvent, before: Failed | None, answer: Answer, at: float, answered: float) -> Outcome:
        attempts = 1 + (before.attempts if before else 0)
        attempt = Attempt(
            position=event.position,
            event_id=event.id,
            type=event.type,
            attempt=attempts,
            at=at,
            milliseconds=answer.milliseconds,
            status=answer.status,
            reason=answer.reason,
        )
        if answer.delivered:
            return Outcome(attempt)
        schedule = self._tools.schedule
        given_up = not answer.gone and (schedule.over(attempts) or answer.reason == "too_large")
        excerpt = answer.excerpt
        if excerpt is not None and answer.status is not None:
            tokens = [event.data[name] for name in personal_of(event.type) if event.data.get(name) is not None]
            excerpt = self._tools.seals.seal_answer(excerpt, tokens, event.id)
        failed = Failed(
            position=event.position,
            event_id=event.id,
            type=event.type,
            attempts=attempts,
            first_at=before.first_at if before else at,
            last_at=at,
            reason=answer.reason,
            status=answer.status,
            excerpt=excerpt,
            due_at=answered if given_up or answer.gone else answered + schedule.delay(attempts, self._tools.random, answer.wish),
        )
        return Outcome(attempt, failed, given_up=given_up)

    async def _settle(self, *, last: bool) -> None:
        """Write down what attempts came to, and how far everything is settled."""
        outcomes, self._outcomes, self._stale = self._outcomes, [], False
        done = {outcome.attempt.position for outcome in outcomes}
        position = self._position(place for place in self._open if place not in done)
        settle: Callable[..., Settled] = self._tools.deliveries.settle
        now = self._tools.clock()
        more: dict[str, Any] = {"off": self._off if last else None, "sooner": now if self._is_back(outcomes, now) else None}
        try:
            self._settled = await self._tools.read(lambda: settle(self.subscription, position, outcomes, **more))
        except BaseException:
            self._outcomes = outcomes + self._outcomes
            raise
        self._stored, self._stored_at, self._next_due = position, now, self._settled.next_due
        self._busy -= done
        for place in done:
            self._open.pop(place, None)
        self._count(outcomes, now)

    def _position(self, unsettled: Any) -> int:
        first = next(iter(unsettled), None)
        return self._read_to if first is None else first - 1

    def _is_back(self, outcomes: list[Outcome], now: float) -> bool:
        """Whether the receiver takes something again after it was down."""
        taken = any(outcome.failed is None for outcome in outcomes)
        return taken and self._failing_since is not None and now - self._failing_since >= DOWN_SECONDS

    def _count(self, outcomes: list[Outcome], now: float) -> None:
        """While all fails, wait longer and longer between attempts, so that not all events use theirs up."""
        if not outcomes:
            return
        for outcome in outcomes:
            self._failing_since = None if outcome.failed is None else (self._failing_since or outcome.attempt.at)
        if any(outcome.failed is None for outcome in outcomes):
            self._rounds = 0
            return
        self._rounds += 1
        first = self._tools.schedule.first
        pause = min(first / 10 * 2.0 ** min(self._rounds, 30), PAUSES * first, LONGEST_PAUSE)
        self._held_until = max(self._held_until, now + pause)
