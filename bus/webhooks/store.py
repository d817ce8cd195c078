"""Subscriptions as they are stored: made, looked at, paused, rotated, moved and removed by whoever asks."""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from bus.webhooks.model import Attempt, Counts, Failed, New, Secret, State, Subscription
from bus.webhooks.tables import ATTEMPTS, DEAD, PARTS, SECRETS, SUBSCRIPTIONS, WAITING, available, open_tables
from domain.errors import NotFound, RuleViolation

_SHOWN: Final = tuple(column for column in SUBSCRIPTIONS.c if column.name not in ("holder", "held_until"))


class WebhookStore:
    """What is known of webhooks, in SQLite or PostgreSQL; for any number of threads. Everything raises LogUnavailable."""

    def __init__(self, place: str | Path) -> None:
        self._engine = open_tables(place)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @property
    def alone(self) -> bool:
        """Whether only one process at a time can deliver from it: the holder of the data folder."""
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A connection whose questions all see the same state."""
        with available(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Generator[Connection]:
        """A transaction; leaving the context commits."""
        options = {"writing": True, "durable": durable}
        with available(), self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def add(self, new: New, most: int, now: float) -> Subscription:
        """Make a subscription. Raises RuleViolation `webhook.too_many`."""
        with self.writing() as connection:
            if connection.execute(select(func.count()).select_from(SUBSCRIPTIONS)).scalar_one() >= most:
                raise RuleViolation(
                    "webhook.too_many", f"there are {most} webhooks already, and there may be no more (DAYBOOK_MAX_WEBHOOKS)"
                )
            connection.execute(
                insert(SUBSCRIPTIONS).values(
                    id=new.id,
                    url=new.url,
                    description=new.description,
                    wanted=dict(new.wanted),
                    ordered=new.ordered,
                    state=State.ACTIVE,
                    made_at=now,
                    position=new.after,
                    generation=0,
                    attempts=0,
                    delivered=0,
                    failures=0,
                )
            )
            connection.execute(insert(SECRETS).values(subscription_id=new.id, number=1, sealed=new.sealed, made_at=now))
            return _found(connection, new.id)

    def all(self) -> list[Subscription]:
        """Every subscription, the oldest first."""
        with self.reading() as connection:
            return [
                told(row) for row in connection.execute(select(*_SHOWN).order_by(SUBSCRIPTIONS.c.made_at, SUBSCRIPTIONS.c.id)).mappings()
            ]

    def get(self, subscription_id: str) -> Subscription:
        """One subscription. Raises NotFound `webhook.unknown`."""
        with self.reading() as connection:
            return _found(connection, subscription_id)

    def counts(self) -> Mapping[str, Counts]:
        """How much waits and was given up, by subscription; only those of which something did."""
        waits = select(WAITING.c.subscription_id, func.count(), func.min(WAITING.c.due_at)).group_by(WAITING.c.subscription_id)
        with self.reading() as connection:
            waiting = {row[0]: (int(row[1]), row[2]) for row in connection.execute(waits)}
            gone = connection.execute(select(DEAD.c.subscription_id, func.count()).group_by(DEAD.c.subscription_id))
            dead = {row[0]: int(row[1]) for row in gone}
        return {key: Counts(waiting.get(key, (0, None))[0], dead.get(key, 0), waiting.get(key, (0, None))[1]) for key in waiting | dead}

    def secrets(self, subscription_id: str, now: float) -> list[Secret]:
        """The secrets that sign now, the newest first."""
        with self.reading() as connection:
            return secrets_of(connection, subscription_id, now)

    def remove(self, subscription_id: str) -> None:
        """Forget a subscription and all that belongs to it. Raises NotFound `webhook.unknown`."""
        with self.writing() as connection:
            _found(connection, subscription_id)
            for table in PARTS:
                connection.execute(delete(table).where(table.c.subscription_id == subscription_id))
            connection.execute(delete(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == subscription_id))

    def pause(self, subscription_id: str) -> Subscription:
        """Deliver nothing until it is resumed; the position waits. Raises NotFound `webhook.unknown`."""
        return self._change(subscription_id, state=State.PAUSED, why=None)

    def resume(self, subscription_id: str, now: float) -> Subscription:
        """Deliver again, what waits at once. Raises NotFound `webhook.unknown`."""
        with self.writing() as connection:
            _found(connection, subscription_id)
            mine = WAITING.c.subscription_id == subscription_id
            connection.execute(update(WAITING).where(mine, WAITING.c.due_at > now).values(due_at=now))
            return _changed(connection, subscription_id, state=State.ACTIVE, why=None, failures=0)

    def rotate(self, subscription_id: str, sealed: bytes, now: float, until: float) -> Subscription:
        """Sign with a new secret, and until then with the one before as well; older ones are forgotten. Raises NotFound `webhook.unknown`."""
        with self.writing() as connection:
            found = _found(connection, subscription_id)
            mine = SECRETS.c.subscription_id == subscription_id
            last = connection.execute(select(func.max(SECRETS.c.number)).where(mine)).scalar_one()
            connection.execute(delete(SECRETS).where(mine, SECRETS.c.number < last))
            connection.execute(update(SECRETS).where(mine).values(expires_at=until))
            connection.execute(insert(SECRETS).values(subscription_id=subscription_id, number=last + 1, sealed=sealed, made_at=now))
            return found

    def replay(self, subscription_id: str, after: int) -> Subscription:
        """Send every wanted event after a position, again; what of them waits or was given up is sent among them."""
        with self.writing() as connection:
            found = _found(connection, subscription_id)
            for table in (WAITING, DEAD):
                connection.execute(delete(table).where(table.c.subscription_id == subscription_id, table.c.position > after))
            return _changed(connection, subscription_id, position=after, generation=found.generation + 1)

    def redeliver(self, subscription_id: str, positions: Sequence[int] | None, now: float) -> int:
        """Send what was given up again, all of it unless positions are named; how many. Raises NotFound `webhook.not_dead`."""
        with self.writing() as connection:
            _found(connection, subscription_id)
            mine = DEAD.c.subscription_id == subscription_id
            chosen = mine if positions is None else mine & DEAD.c.position.in_(positions)
            rows = [dict(row) for row in connection.execute(select(DEAD).where(chosen)).mappings()]
            missing = sorted(set(positions or ()) - {row["position"] for row in rows})
            if missing:
                raise NotFound("webhook.not_dead", f"the event at position {missing[0]} is not among those that were given up")
            if rows:
                connection.execute(delete(DEAD).where(chosen))
                connection.execute(insert(WAITING), [{**row, "attempts": 0, "due_at": now} for row in rows])
            return len(rows)

    def dead(self, subscription_id: str, after: int, limit: int) -> list[Failed]:
        """What was given up, by position. Raises NotFound `webhook.unknown`."""
        mine = select(DEAD).where(DEAD.c.subscription_id == subscription_id, DEAD.c.position > after)
        return self._failed(subscription_id, mine.order_by(DEAD.c.position).limit(limit))

    def waiting(self, subscription_id: str, limit: int) -> list[Failed]:
        """What waits to be sent again, what is due first first. Raises NotFound `webhook.unknown`."""
        mine = select(WAITING).where(WAITING.c.subscription_id == subscription_id)
        return self._failed(subscription_id, mine.order_by(WAITING.c.due_at, WAITING.c.position).limit(limit))

    def _failed(self, subscription_id: str, query: Select[Any]) -> list[Failed]:
        with self.reading() as connection:
            _found(connection, subscription_id)
            return [failed(row) for row in connection.execute(query).mappings()]

    def attempts(self, subscription_id: str, limit: int) -> list[Attempt]:
        """The last attempts, the newest first. Raises NotFound `webhook.unknown`."""
        mine = select(ATTEMPTS).where(ATTEMPTS.c.subscription_id == subscription_id)
        with self.reading() as connection:
            _found(connection, subscription_id)
            rows = connection.execute(mine.order_by(ATTEMPTS.c.number.desc()).limit(limit)).mappings()
            return [Attempt(**{name: row[name] for name in Attempt.__dataclass_fields__}) for row in rows]

    def _change(self, subscription_id: str, **values: Any) -> Subscription:
        with self.writing() as connection:
            _found(connection, subscription_id)
            return _changed(connection, subscription_id, **values)

    def now(self, connection: Connection) -> float:
        """The time by the clock that all processes share: the database server's."""
        if self.alone:
            return time.time()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def told(row: RowMapping) -> Subscription:
    """A subscription from its row."""
    values: dict[str, Any] = {name: row[name] for name in Subscription.__dataclass_fields__}
    values["state"] = State(values["state"])
    return Subscription(**values)


def failed(row: RowMapping) -> Failed:
    """What failed, from its row."""
    return Failed(**{name: row[name] for name in Failed.__dataclass_fields__})


def secrets_of(connection: Connection, subscription_id: str, now: float) -> list[Secret]:
    """The secrets that sign at a time, the newest first."""
    good = SECRETS.c.expires_at.is_(None) | (SECRETS.c.expires_at > now)
    rows = connection.execute(select(SECRETS).where(SECRETS.c.subscription_id == subscription_id, good).order_by(SECRETS.c.number.desc()))
    return [Secret(number=row.number, sealed=row.sealed, made_at=row.made_at, expires_at=row.expires_at) for row in rows]


def _found(connection: Connection, subscription_id: str) -> Subscription:
    row = connection.execute(select(*_SHOWN).where(SUBSCRIPTIONS.c.id == subscription_id)).mappings().one_or_none()
    if row is None:
        raise NotFound("webhook.unknown", f"there is no webhook {subscription_id}")
    return told(row)


def _changed(connection: Connection, subscription_id: str, **values: Any) -> Subscription:
    connection.execute(update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == subscription_id).values(**values))
    return _found(connection, subscription_id)
