"""A stream lives as long as its client listens: it gives signs of life, ends when it is told to, and cuts off who takes nothing."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from api import streams as timing
from api.streams import Course, EventStream, Streams
from bus.errors import LogUnavailable


@dataclass
class Passage:
    """One step: the even positions are wanted."""

    events: list[dict[str, Any]]
    after: int
    head: int


@dataclass
class Numbers:
    """A log of numbers, which grows; reading it beyond `broken_at` fails."""

    last: int = 0
    broken_at: int | None = None
    grown: threading.Condition = field(default_factory=threading.Condition)

    def head(self) -> int:
        return self.last

    def grow(self, count: int) -> None:
        with self.grown:
            self.last += count
            self.grown.notify_all()

    def wait(self, after: int, timeout: float) -> bool:
        with self.grown:
            return self.grown.wait_for(lambda: self.last > after, timeout)

    def begin(self, after: int) -> None:
        assert after >= 0

    def step(self, after: int, most: int, until: int | None = None) -> Passage:
        if self.broken_at is not None and after >= self.broken_at:
            raise LogUnavailable("log.unavailable", "the log could not be read")
        last = self.last if until is None else min(self.last, until)
        wanted = [number for number in range(after + 1, last + 1) if number % 2 == 0][:most]
        reached = wanted[-1] if len(wanted) == most else last
        return Passage([{"position": number} for number in wanted], max(after, reached), self.last)


@dataclass
class Client:
    """What a client of a stream is sent; while `deaf` it takes nothing."""

    sent: list[bytes] = field(default_factory=list[bytes])
    deaf: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    whole: bool = False

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if self.deaf:
            await asyncio.Event().wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.sent.append(message["body"])
            self.whole = not message.get("more_body", False)

    @property
    def text(self) -> str:
        return b"".join(self.sent).decode()


Story = Callable[[Numbers, Streams, Client], Awaitable[None]]


@asynccontextmanager
async def listening(numbers: Numbers, streams: Streams, client: Client) -> AsyncIterator["asyncio.Task[None]"]:
    answer = EventStream(streams, numbers, Course(after=0))
    task = asyncio.ensure_future(answer({"type": "http"}, client.receive, client.send))
    try:
        yield task
        await asyncio.wait_for(task, 20)
    finally:
        task.cancel()
    assert streams.count == 0


async def until(true: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come so far")


def tell(story: Story, *, most: int = 3, **numbers: Any) -> Client:
    """Play a story, and give the client as it is in the end."""

    async def play() -> Client:
        log = Numbers(**numbers)
        streams, client = Streams(log, most), Client()
        try:
            await story(log, streams, client)
        finally:
            streams.end()
            streams.close()
        return client

    return asyncio.run(play())


def test_events_come_as_they_are_recorded_until_streams_end() -> None:
    async def story(numbers: Numbers, streams: Streams, client: Client) -> None:
        async with listening(numbers, streams, client):
            await until(lambda: "id: 2" in client.text)
            numbers.grow(2)
            await until(lambda: "id: 4" in client.text)
            streams.end()

    client = tell(story, last=2)
    assert client.whole
    assert client.text.count("data: ") == 2


def test_where_nothing_is_wanted_a_sign_of_life_carries_the_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "HEARTBEAT", 0.1)

    async def story(numbers: Numbers, streams: Streams, client: Client) -> None:
        async with listening(numbers, streams, client):
            numbers.grow(1)
            await until(lambda: client.text.endswith("id: 1\n\n"))
            client.gone.set()

    assert "data: " not in tell(story).text


def test_a_client_that_takes_nothing_is_cut_off_and_its_place_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "STALLED", 0.1)

    async def story(numbers: Numbers, streams: Streams, client: Client) -> None:
        async with listening(numbers, streams, client):
            await until(lambda: "id: 2" in client.text)
            client.deaf = True
            numbers.grow(2)

    client = tell(story, last=2)
    assert not client.whole


def test_what_goes_wrong_in_the_middle_is_the_last_thing_that_is_told() -> None:
    async def story(numbers: Numbers, streams: Streams, client: Client) -> None:
        async with listening(numbers, streams, client):
            await until(lambda: "id: 2" in client.text)
            numbers.broken_at = 2
            numbers.grow(2)

    client = tell(story, last=2)
    assert client.whole
    assert client.text.split("\n\n")[-2].startswith('event: problem\ndata: {"type":"urn:daybook:problem:log.unavailable"')


def test_what_goes_wrong_before_is_a_refusal() -> None:
    async def story(numbers: Numbers, streams: Streams, client: Client) -> None:
        async with listening(numbers, streams, client):
            pass

    assert tell(story, broken_at=0).status == 503


def test_a_client_too_many_is_refused_and_the_others_go_on() -> None:
    async def story(numbers: Numbers, streams: Streams, client: Client) -> None:
        first = asyncio.ensure_future(
            EventStream(streams, numbers, Course(after=0))({"type": "http"}, (late := Client()).receive, late.send)
        )
        await until(lambda: "id: 2" in late.text)
        await EventStream(streams, numbers, Course(after=0))({"type": "http"}, client.receive, client.send)
        numbers.grow(2)
        await until(lambda: "id: 4" in late.text)
        late.gone.set()
        await first

    client = tell(story, most=1, last=2)
    assert client.status == 503
    assert "feed.too_many_streams" in client.text
