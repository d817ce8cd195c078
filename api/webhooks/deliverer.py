"""Delivers for all subscriptions whose lease this process holds: an event loop in a thread of its own, a worker for each of them."""

import asyncio
import logging
import random
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final
from uuid import uuid4

from api.observing.tracing import Tracing
from api.settings import Settings
from api.streams import Streams
from api.webhooks.addresses import Addresses, Resolve, resolve
from api.webhooks.office import Webhooks
from api.webhooks.schedule import Schedule
from api.webhooks.sending import Sender
from api.webhooks.tail import Tail
from api.webhooks.tools import Tools
from api.webhooks.worker import IN_FLIGHT, Worker
from api.wiring import Books, Daybook
from bus.webhooks.deliveries import Deliveries
from bus.webhooks.model import Claimed
from domain.errors import DaybookError

log: Final = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""How often it is looked for what other processes changed, and leases are renewed."""
MOST_WORKERS: Final = 10_000
FAREWELL_SECONDS: Final = 2.0
"""How long what is on its way may take when the process stops; what takes longer is sent again by the next one."""


class Deliverer:
    """Delivers from `start` to `stop`; nobody waits for it but who stops it."""

    def __init__(
        self,
        books: Books,
        webhooks: Webhooks,
        settings: Settings,
        *,
        tracing: Tracing | None = None,
        tls: ssl.SSLContext | None = None,
        lookup: Resolve = resolve,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._webhooks = webhooks
        self._settings = settings
        self._tls = tls or ssl.create_default_context()
        self._deliveries = Deliveries(webhooks.store, str(uuid4()))
        self._addresses = Addresses(private=settings.webhook_private, most=max(1, settings.max_webhooks), lookup=lookup)
        self._streams = Streams(books.log, MOST_WORKERS)
        self._tools = Tools(
            books=books,
            deliveries=self._deliveries,
            seals=webhooks.seals,
            tail=Tail(books.log),
            streams=self._streams,
            schedule=Schedule(settings.webhook_attempts, settings.webhook_retry_seconds),
            tracing=tracing or Tracing(),
            clock=webhooks.clock,
            random=chance,
        )
        self._workers: dict[str, tuple[Worker, asyncio.Task[None]]] = {}
        self._troubles: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._nudged = asyncio.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._webhooks.deliverer = self
        self._thread.start()

    def stop(self) -> None:
        """Wait a moment for what is on its way, and end."""
        self._stopping = True
        self.nudge()
        self._thread.join()
        self._webhooks.deliverer = None
        self._streams.close()
        self._addresses.close()

    def nudge(self) -> None:
        """Something was changed: look at once. From any thread."""
        with suppress(RuntimeError):
            # The loop may be closed already.
            self._loop.call_soon_threadsafe(self._nudged.set)

    def position(self, subscription_id: str) -> int | None:
        """Up to where a subscription is settled, None when this process does not deliver for it."""
        found = self._workers.get(subscription_id)
        return found[0].position if found else None

    def in_flight(self, subscription_id: str) -> int:
        """How many events of a subscription are on their way."""
        found = self._workers.get(subscription_id)
        return found[0].in_flight if found else 0

    def trouble(self, subscription_id: str) -> str | None:
        """What keeps this process from delivering for a subscription."""
        found = self._workers.get(subscription_id)
        return found[0].trouble if found else self._troubles.get(subscription_id)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._tend())

    async def _tend(self) -> None:
        first = True
        while not self._stopping:
            self._nudged.clear()
            try:
                claimed = await self._streams.read(partial(self._deliveries.claim, first=first))
                await self._adjust(claimed)
                first = False
            except Exception:
                # Whatever it is, it may be over next time.
                log.exception("webhooks cannot be delivered just now")
            try:
                await asyncio.wait_for(self._nudged.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue
        await self._farewell()

    async def _adjust(self, claimed: list[Claimed]) -> None:
        """Have a worker for each subscription that is held here, and no other."""
        held = {each.subscription.id: each for each in claimed}
        for key, (worker, task) in list(self._workers.items()):
            if task.done():
                del self._workers[key]
            elif key not in held:
                worker.stop()
            elif not worker.update(held[key]):
                await self._end(key)
        for key, each in held.items():
            if key not in self._workers:
                self._begin(each)
        self._troubles = {key: told for key, told in self._troubles.items() if key in held}

    def _begin(self, claimed: Claimed) -> None:
        key = claimed.subscription.id
        woken = self._streams.admit()
        sender = Sender(self._addresses, self._tls, seconds=self._settings.webhook_timeout_seconds, connections=IN_FLIGHT)
        try:
            worker = Worker(claimed, sender, self._tools, woken)
        except DaybookError as error:
            self._streams.leave(woken)
            self._troubles[key] = f"{error.code}: {error.message}"
            return
        self._troubles.pop(key, None)
        self._workers[key] = worker, self._loop.create_task(self._work(worker, woken))

    async def _work(self, worker: Worker, woken: asyncio.Event) -> None:
        try:
            await worker.run()
        finally:
            self._streams.leave(woken)
            # Released when it was paused or switched off, begun again when its position was moved.
            self._nudged.set()

    async def _end(self, key: str) -> None:
        _, task = self._workers.pop(key)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _farewell(self) -> None:
        for worker, _ in self._workers.values():
            worker.stop()
        tasks = [task for _, task in self._workers.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=FAREWELL_SECONDS)
        for key in list(self._workers):
            await self._end(key)
        self._streams.end()
        try:
            await self._streams.read(self._deliveries.release)
        except DaybookError as error:
            log.warning("the leases of webhooks could not be given back; they end by themselves: %s", error.message)


@contextmanager
def delivering(daybook: Daybook) -> Generator[Deliverer]:
    """Deliver webhooks within the context."""
    deliverer = Deliverer(daybook.books, daybook.webhooks, daybook.settings, tracing=daybook.telemetry.tracing)
    deliverer.start()
    try:
        yield deliverer
    finally:
        deliverer.stop()
