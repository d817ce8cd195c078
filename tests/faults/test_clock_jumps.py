"""The clock jumps backwards and forwards under load: positions go on, and both clocks of every event are what the clock said."""

import random
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bus.keystore import open_vault
from bus.log import SQLiteLog
from commands.dispatch import Dispatcher
from commands.group import GroupCommit
from commands.order import Order, Outcome, Receipt, Refusal
from replay.moments import Moment
from tests.held import Held


class JumpingClock:
    """Every tenth time it is asked somebody has set it, up to two days forwards or back."""

    def __init__(self, seed: int) -> None:
        self.told: list[datetime] = []
        self._now = datetime(2026, 5, 1, 12, tzinfo=UTC)
        self._chance = random.Random(seed)

    def __call__(self) -> datetime:
        jump = self._chance.uniform(-172_800, 172_800) if self._chance.random() < 0.1 else self._chance.uniform(0, 0.01)
        self._now += timedelta(seconds=jump)
        self.told.append(self._now)
        return self._now

    @property
    def jumps_back(self) -> int:
        """How often it went backwards."""
        return sum(later < earlier for earlier, later in zip(self.told, self.told[1:], strict=False))


def customer(name: str, occurred_at: datetime | None = None) -> Order:
    return Order(name="register_customer", data={"name": name}, command_id=name, actor="user:t", source="api", occurred_at=occurred_at)


def test_positions_go_on_and_both_clocks_are_what_the_clock_said(tmp_path: Path, soak: bool, held: Held) -> None:  # noqa: FBT001
    clock, many = JumpingClock(7), 2_000 if soak else 100
    outcomes: list[Outcome] = []
    with closing(open_vault(tmp_path / "keys.db", bytes(32))) as vault, closing(SQLiteLog(tmp_path / "log.db", vault)) as log:
        group = GroupCommit(Dispatcher(log, base_currency="EUR", clock=clock))

        def ask(client: int) -> None:
            for number in range(many):
                outcomes.extend(group.submit([customer(f"{client}-{number}")]).result())

        threads = [threading.Thread(target=ask, args=(client,)) for client in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (early,) = group.submit([customer("early", clock._now + timedelta(days=3))]).result()
        group.close()
        events = log.read(0, 10**6)
    assert isinstance(early, Refusal)
    assert early.error.code == "time.in_future"
    receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    assert len(receipts) == len(outcomes) == 8 * many
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    assert {str(event_id) for receipt in receipts for event_id in receipt.event_ids} == {event.id for event in events}
    times = {f"{time:%Y-%m-%dT%H:%M:%S.%f}Z" for time in clock.told}
    assert all(event.recorded_at in times and event.occurred_at == event.recorded_at for event in events)
    moment = clock.told[len(clock.told) // 2]
    known = [event for event in events if Moment(known_at=moment).sees(event)]
    assert {event.id for event in known} == {event.id for event in events if datetime.fromisoformat(event.recorded_at) <= moment}
    held(
        f"a clock that jumped, {clock.jumps_back} times backwards, under 8 threads: {len(receipts):,} acknowledged, positions without a gap"
    )
