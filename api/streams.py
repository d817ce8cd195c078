"""Streams of server-sent events that go on while the log grows: many clients, one thread that waits for the log, none that waits for a client.

A client that reads slowly holds up its own stream only: what is next is read from the log when the client has taken what
was before, so nothing piles up for it. One that takes nothing at all for a while is cut off; it knows where to go on.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.asking import refuse
from api.problems import Unavailable, describe, encode
from bus.errors import LogUnavailable
from domain.errors import DaybookError

log: Final = logging.getLogger(__name__)

EVENT_STREAM: Final = "text/event-stream"
HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
)
READERS: Final = 4
"""Threads that read the log for all streams."""
AT_ONCE: Final = 200
"""Events in one step."""
HEARTBEAT: Final = 15.0
"""Seconds of silence after which a client is told that the stream lives, and up to which position nothing was for it."""
STALLED: Final = 60.0
"""Seconds in which a client must take what was sent."""
_LOOK: Final = 0.5
_AGAIN: Final = 0.05


class Step(Protocol):
    """One step of a stream through the log."""

    @property
    def events(self) -> Any: ...
    @property
    def after(self) -> int: ...
    @property
    def head(self) -> int: ...


class Source(Protocol):
    """What a stream reads from; each of these may block."""

    def begin(self, after: int) -> None: ...
    def step(self, after: int, most: int, until: int | None = None) -> Step: ...


class Growing(Protocol):
    """What is waited for; the log fulfils it."""

    def head(self) -> int: ...
    def wait(self, after: int, timeout: float) -> bool: ...


class Streams:
    """The streams that one process has open, all of one event loop."""

    def __init__(self, growing: Growing, most: int) -> None:
        self._growing = growing
        self._most = most
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="feed")
        self._lock = threading.Lock()
        self._open: set[asyncio.Event] = set()
        self._watching = False
        self._head = 0
        self.ended = False

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    def admit(self) -> asyncio.Event:
        """One more stream; what it is given is set when the log has grown or streams end. Raises Unavailable `feed.too_many_streams`."""
        if self.ended:
            raise Unavailable("daybook.closing", "Daybook is shutting down")
        with self._lock:
            if len(self._open) >= self._most:
                message = f"{self._most} streams are open, and there may be no more (DAYBOOK_MAX_STREAMS); close one, or ask for pages"
                raise Unavailable("feed.too_many_streams", message)
            woken = asyncio.Event()
            self._open.add(woken)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, args=(asyncio.get_running_loop(),), name="feed-watch", daemon=True).start()
        return woken

    def leave(self, woken: asyncio.Event) -> None:
        """A stream is over."""
        with self._lock:
            self._open.discard(woken)

    def end(self) -> None:
        """End all streams after what they are sending; call it from their event loop, or when that does not run."""
        self.ended = True
        self._wake()

    def close(self) -> None:
        """Let go of the threads; no stream is open any more."""
        self.ended = True
        self._pool.shutdown()

    async def read(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """The result of what may block, from a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, step, *arguments)

    async def grown(self, woken: asyncio.Event, after: int, seconds: float) -> bool:
        """Whether the log has grown beyond `after`, at the latest after `seconds`; False too when the stream is to end."""
        until = time.monotonic() + seconds
        while self._head <= after:
            woken.clear()
            left = until - time.monotonic()
            try:
                await asyncio.wait_for(woken.wait(), max(left, 0.0))
            except TimeoutError:
                return False
            if self._head <= after:
                return False
        return True

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait for the log on behalf of all streams, as long as there are any."""
        seen = 0
        while self._goes_on():
            try:
                if not self._growing.wait(seen, _LOOK):
                    time.sleep(_AGAIN)
                    continue
                seen = self._growing.head()
            except LogUnavailable:
                time.sleep(_LOOK)
                continue
            try:
                loop.call_soon_threadsafe(self._rung, seen)
            except RuntimeError:
                # The loop is closed, and with it every stream.
                with self._lock:
                    self._watching = False
                return

    def _goes_on(self) -> bool:
        with self._lock:
            self._watching = bool(self._open) and not self.ended
            return self._watching

    def _rung(self, head: int) -> None:
        self._head = max(self._head, head)
        self._wake()

    def _wake(self) -> None:
        for woken in list(self._open):
            woken.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a stream begins, and where it ends if it ever does."""

    after: int
    until: int | None = None
    limit: int | None = None


class EventStream(Response):
    """A response that sends what a source has, and goes on as long as the client listens."""

    def __init__(self, streams: Streams, source: Source, course: Course) -> None:
        super().__init__(media_type=EVENT_STREAM)
        self._streams = streams
        self._source = source
        self._course = course

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the interface of an application
        """Answer one request; what can be refused is refused before the stream begins."""
        try:
            woken = self._streams.admit()
        except DaybookError as error:
            return await refuse(send, describe(error))
        gone = asyncio.ensure_future(_gone(receive))
        gone.add_done_callback(lambda _: woken.set())
        try:
            await self._answer(send, woken, gone)
        finally:
            self._streams.leave(woken)
            gone.cancel()

    async def _answer(self, send: Send, woken: asyncio.Event, gone: "asyncio.Future[None]") -> None:
        course = self._course
        try:
            await self._streams.read(self._source.begin, course.after)
            step = await self._next(course.after, 0)
        except DaybookError as error:
            return await refuse(send, describe(error))
        if not step.events and _done(course, step.after, 0):
            # A browser's EventSource asks no more after this.
            return await send_empty(send)
        await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS]})
        try:
            await self._pour(_Outlet(send), step, woken, gone)
        except TimeoutError:
            log.warning("a stream was cut off: its client took nothing for %g seconds", STALLED)
            return None
        return await send({"type": "http.response.body", "body": b""})

    async def _pour(self, outlet: "_Outlet", step: Step, woken: asyncio.Event, gone: "asyncio.Future[None]") -> None:
        """Send step after step until the course is done, the client is gone or streams end."""
        course, sent = self._course, 0
        await outlet.put(b"retry: 1000\n: daybook\n\n")
        while True:
            await outlet.events(step)
            sent += len(step.events)
            if _done(course, step.after, sent) or gone.done() or self._streams.ended:
                return None
            if step.after >= step.head and not await self._streams.grown(woken, step.after, outlet.patience):
                await outlet.beat(step.after)
            if gone.done() or self._streams.ended:
                return None
            try:
                step = await self._next(step.after, sent)
            except DaybookError as error:
                # What was sent stands; the client asks again from there.
                return await outlet.problem(describe(error))

    async def _next(self, after: int, sent: int) -> Step:
        course = self._course
        most = AT_ONCE if course.limit is None else min(AT_ONCE, course.limit - sent)
        return await self._streams.read(self._source.step, after, most, course.until)


class _Outlet:
    """What a client is sent; it is waited for until it has taken it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._told = time.monotonic()

    @property
    def patience(self) -> float:
        """Seconds until something must be said."""
        return max(0.0, self._told + HEARTBEAT - time.monotonic())

    async def put(self, text: bytes) -> None:
        """Send. Raises TimeoutError when the client takes nothing."""
        async with asyncio.timeout(STALLED):
            await self._send({"type": "http.response.body", "body": text, "more_body": True})
        self._told = time.monotonic()

    async def events(self, step: Step) -> None:
        """Send events; where the log was gone through beyond the last one for long enough, how far."""
        text = b"".join(b"id: %d\ndata: %b\n\n" % (event["position"], encode(event)) for event in step.events)
        if text:
            await self.put(text)
        elif not self.patience:
            await self.beat(step.after)

    async def beat(self, position: int) -> None:
        """A sign of life: a comment, and the position without an event."""
        if not self.patience:
            await self.put(b": still here\nid: %d\n\n" % position)

    async def problem(self, described: Mapping[str, Any]) -> None:
        """The last thing that is sent: why the stream ends."""
        await self.put(b"event: problem\ndata: %b\n\n" % encode(described))


async def send_empty(send: Send) -> None:
    """Answer that there is nothing, and will not be."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _done(course: Course, after: int, sent: int) -> bool:
    return (course.until is not None and after >= course.until) or (course.limit is not None and sent >= course.limit)


async def _gone(receive: Receive) -> None:
    """Returns when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        continue
