"""What group commit promises: everybody is answered, in one transaction where they came together, and nobody before it is durable."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from commands.dispatch import Dispatcher
from commands.group import GroupCommit
from tests.commands.orders import CUSTOMER, PIPELINE, deal, ext, order, receipt, refusal
from tests.memory_log import MemoryLog, MemoryTransaction


class SlowLog(MemoryLog):
    """Counts its transactions; each waits until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go = Event()
        self.go.set()
        self.transactions = 0
        self.error: OSError | None = None

    @contextmanager
    def transaction(self) -> Generator[MemoryTransaction]:
        self.go.wait()
        self.transactions += 1
        with super().transaction() as tx:
            yield tx
            if self.error is not None:
                raise self.error


@pytest.fixture
def log() -> SlowLog:
    return SlowLog()


@pytest.fixture
def group(log: SlowLog) -> Generator[GroupCommit]:
    group = GroupCommit(Dispatcher(log, base_currency="EUR"))
    group.submit([PIPELINE, CUSTOMER]).result()
    yield group
    log.go.set()
    group.close()


def test_what_waits_together_is_committed_together(group: GroupCommit, log: SlowLog) -> None:
    log.go.clear()
    before = log.transactions
    answers = [group.submit([deal(number)]) for number in range(50)]
    assert not any(answer.done() for answer in answers)
    log.go.set()
    assert {receipt(answer.result()[0]).position for answer in answers} == {answer.result()[0].position for answer in answers}  # type: ignore[union-attr]
    assert log.transactions - before <= 2


def test_one_callers_refusal_is_nobody_elses(group: GroupCommit, log: SlowLog) -> None:
    log.go.clear()
    first, second, third = group.submit([deal(1)]), group.submit([deal(1)]), group.submit([deal(2), order("nope")], atomic=True)
    log.go.set()
    assert receipt(first.result()[0]).version == 1
    assert refusal(second.result()[0]) == "opportunity.exists"
    assert [refusal(outcome) for outcome in third.result()] == ["batch.not_applied", "command.unknown"]


def test_everybody_hears_when_the_log_cannot_write_and_the_next_ones_go_on(group: GroupCommit, log: SlowLog) -> None:
    log.error = OSError("no space left on device")
    with pytest.raises(OSError, match="no space"):
        group.submit([deal(1)]).result()
    log.error = None
    assert receipt(group.submit([deal(1)]).result()[0]).version == 1


def test_many_threads_are_all_answered(group: GroupCommit) -> None:
    answered: list[int] = []

    def work(worker: int) -> None:
        answered.extend(receipt(group.submit([deal(f"{worker}-{number}")]).result()[0]).position for number in range(20))

    threads = [Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answered)) == 160


def test_an_event_loop_awaits_its_answers(group: GroupCommit) -> None:
    async def work() -> list[str]:
        outcomes = await asyncio.gather(*(group.submit_async([order("open_opportunity", **deal(1).data)]) for _ in range(3)))
        return [type(outcome[0]).__name__ for outcome in outcomes]

    assert sorted(asyncio.run(work())) == ["Receipt", "Refusal", "Refusal"]


def test_a_caller_that_went_away_disturbs_nobody(group: GroupCommit, log: SlowLog) -> None:
    async def work() -> None:
        log.go.clear()
        gone, staying = group.submit_async([deal(1)]), group.submit_async([deal(2)])
        gone.cancel()
        log.go.set()
        assert receipt((await staying)[0]).version == 1

    asyncio.run(work())


def test_closing_answers_everything_that_was_queued(log: SlowLog) -> None:
    group = GroupCommit(Dispatcher(log, base_currency="EUR"))
    log.go.clear()
    answers = [group.submit([PIPELINE]), group.submit([CUSTOMER]), group.submit([deal(1)])]
    log.go.set()
    group.close()
    assert [receipt(answer.result()[0]).version for answer in answers] == [5, 1, 1]
    with pytest.raises(RuntimeError):
        group.submit([order("win_opportunity", opportunity_id=ext(1))])
