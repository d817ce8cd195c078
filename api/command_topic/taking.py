"""Taking commands from their topic, for as long as the process runs: each is decided once, and answered before it is let go."""

import logging
from collections.abc import Callable, Sequence
from threading import Event
from typing import Final, Protocol

from api.command_topic.answering import answer_of, refused
from api.command_topic.reading import NoOrder, order_of
from bus.kafka.messages import Message, Reply
from commands.order import Order, Outcome, Refusal

log = logging.getLogger(__name__)

AT_ONCE: Final = 500
"""Commands that one transaction decides."""
POLL_SECONDS: Final = 0.5
RETRY_SECONDS: Final = (0.1, 0.3, 1.0, 3.0, 10.0)


class Topic(Protocol):
    """The topic of commands, and those of what became of them."""

    @property
    def outages(self) -> tuple[type[Exception], ...]:
        """Errors that are worth another try later."""
        ...

    def left(self) -> int | None:
        """How many messages have not been taken yet; None while it is not known which are ours."""
        ...

    def take(self, most: int, seconds: float) -> Sequence[Message]:
        """The next messages, waited for at most so long; the same again after `again`."""
        ...

    def send(self, messages: Sequence[Reply]) -> None:
        """Send all of them; they are durable by the time of return."""
        ...

    def done(self) -> None:
        """What was taken need not be given to anybody any more."""
        ...

    def again(self) -> None:
        """Let go of what was taken and not done, and give it again."""
        ...


Execute = Callable[[Sequence[Order]], Sequence[Outcome]]
"""Decides orders, each for itself; raises when nothing of them was written."""


class Taking:
    """Takes commands until `stopping` is set; what is at hand is finished.

    A command is decided by its id once for ever, so that one which comes twice (a process was killed before it could say
    that it was done) gets its first receipt again and does nothing.
    """

    def __init__(
        self,
        topic: Topic,
        execute: Execute,
        *,
        stopping: Event,
        receipts: str,
        refusals: str,
        largest: int,
        outages: tuple[type[Exception], ...],
    ) -> None:
        self._topic = topic
        self._execute = execute
        self._receipts, self._refusals = receipts, refusals
        self._largest = largest
        self._outages = (*topic.outages, *outages)
        self._stopping = stopping
        self.taken = 0
        """How many messages were taken and done with."""
        self.refused = 0
        """How many of them were refused."""
        self.trouble: str | None = None
        """What keeps commands from being taken just now; None when all is well."""

    def run(self, *, once: bool = False) -> None:
        """Take commands until stopping; with `once` until there are none."""
        failures = 0
        while not self._stopping.is_set():
            try:
                found = self.step()
                failures, self.trouble = 0, None
            except self._outages as error:
                self.trouble = f"{type(error).__name__}: {error}"
                log.warning("commands cannot be taken now (%s); trying again", type(error).__name__)
                self._stopping.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
                continue
            if once and not found and self._topic.left() == 0:
                return

    def step(self) -> int:
        """Take what there is, decide it, answer, and let go of it; how many messages that were. Raises an outage; then all come again."""
        messages = self._topic.take(AT_ONCE, POLL_SECONDS)
        if not messages:
            return 0
        try:
            answers, refusals = self._answers(messages)
            self._topic.send(answers)
            self._topic.done()
        except BaseException:
            self._topic.again()
            raise
        self.taken += len(messages)
        self.refused += refusals
        return len(messages)

    def _answers(self, messages: Sequence[Message]) -> tuple[list[Reply], int]:
        """What is to be sent, and how many commands are refused."""
        found = [order_of(message, largest=self._largest) for message in messages]
        orders = [order for order in found if isinstance(order, Order)]
        outcomes = iter(self._execute(orders) if orders else ())
        answers: list[Reply] = []
        refusals = 0
        for message, order in zip(messages, found, strict=True):
            if isinstance(order, NoOrder):
                if not order.readable:
                    answers.append(refused(message, order, self._refusals))
                command_id, outcome = order.command_id, Refusal(order.command_id, order.error)
            else:
                command_id, outcome = order.command_id, next(outcomes)
            if command_id is not None:
                answers.append(answer_of(message, command_id, outcome, self._receipts))
            refusals += isinstance(outcome, Refusal)
        return answers, refusals
