"""Group commit: commands that arrive while one transaction is being written share the next one, so that one fsync serves many."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol, cast

from commands.order import Job, Order, Outcome

LARGEST_GROUP = 512
"""Jobs that one transaction takes at the most."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    job: Job
    answer: "Future[list[Outcome]] | asyncio.Future[list[Outcome]]"


class Deciding(Protocol):
    """What decides and appends several jobs in one transaction: the dispatcher, or whoever watches it."""

    def execute_all(self, jobs: Sequence[Job]) -> list[list[Outcome]]: ...


class GroupCommit:
    """Shares one dispatcher among threads and event loops; nothing is answered before it is durable."""

    def __init__(self, dispatcher: Deciding) -> None:
        self._dispatcher = dispatcher
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._closed = False
        self._thread = Thread(target=self._work, name="group-commit", daemon=True)
        self._thread.start()

    def submit(self, orders: Sequence[Order], *, atomic: bool = False) -> Future[list[Outcome]]:
        """Queue orders; the future gets one outcome per order, or the log's error when nothing was written."""
        answer: Future[list[Outcome]] = Future()
        self._put(_Waiting(Job(orders, atomic), answer))
        return answer

    def submit_async(self, orders: Sequence[Order], *, atomic: bool = False) -> asyncio.Future[list[Outcome]]:
        """The same for a running event loop; the answers of one group wake each loop once."""
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._put(_Waiting(Job(orders, atomic), answer))
        return answer

    def _put(self, waiting: _Waiting) -> None:
        if self._closed:
            raise RuntimeError("the group commit is closed")
        self._queue.put(waiting)

    def close(self) -> None:
        """Answer everything queued, then stop."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        going_on = True
        while going_on:
            group, going_on = self._take()
            if group:
                self._serve(group)

    def _take(self) -> tuple[list[_Waiting], bool]:
        """Everything that waits now, at least one; False with it when the queue was closed."""
        group: list[_Waiting] = []
        waiting = self._queue.get()
        try:
            while waiting is not None:
                group.append(waiting)
                if len(group) == LARGEST_GROUP:
                    return group, True
                waiting = self._queue.get_nowait()
        except Empty:
            return group, True
        return group, False

    def _serve(self, group: Sequence[_Waiting]) -> None:
        results: Sequence[list[Outcome] | BaseException]
        try:
            results = self._dispatcher.execute_all([waiting.job for waiting in group])
        except BaseException as error:  # noqa: BLE001 - whatever went wrong belongs to those who wait, not to this thread
            results = [error] * len(group)
        loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[list[Outcome]], list[Outcome] | BaseException]]] = {}
        for waiting, result in zip(group, results, strict=True):
            if isinstance(waiting.answer, asyncio.Future):
                loops.setdefault(waiting.answer.get_loop(), []).append((waiting.answer, result))
            elif isinstance(result, BaseException):
                waiting.answer.set_exception(result)
            else:
                waiting.answer.set_result(result)
        for loop, answers in loops.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer_all, answers)


def _answer_all(answers: Sequence[tuple[asyncio.Future[list[Outcome]], list[Outcome] | BaseException]]) -> None:
    for answer, result in answers:
        if answer.done():
            continue
        if isinstance(result, BaseException):
            answer.set_exception(cast("Exception", result))
        else:
            answer.set_result(result)
