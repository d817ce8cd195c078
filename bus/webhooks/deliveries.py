"""How deliveries are written down: who delivers for a subscription, how far they have come, what failed and when it is due again.

One process at a time delivers for a subscription: the one that holds its lease, which ends by itself when it is not renewed.
Whatever is written down is compared with lease and generation in the same transaction, so a process that lost a lease, or has not
heard that the position was moved, changes nothing.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from bus.webhooks.model import Claimed, Failed, Outcome, Settled, State, Subscription
from bus.webhooks.store import WebhookStore, failed, secrets_of, told
from bus.webhooks.tables import ATTEMPTS, DEAD, SUBSCRIPTIONS, WAITING

LEASE_SECONDS: Final = 30.0
RENEWED_AFTER: Final = 8.0
"""Seconds after which a lease is renewed."""
ATTEMPTS_KEPT: Final = 500
"""Attempts of each subscription that are kept in the list of the last ones."""
MOST_DEAD: Final = 10_000
"""Events that are given up for a subscription until it is switched off."""


class LeaseLostError(Exception):
    """Another process delivers now, or the position was moved meanwhile: begin again from what is stored."""


class Deliveries:
    """One process's share in delivering, under the name `holder`."""

    def __init__(self, store: WebhookStore, holder: str) -> None:
        self._store = store
        self._holder = holder

    def claim(self, *, first: bool = False) -> list[Claimed]:
        """Take or renew the leases of all active subscriptions that nobody else holds; those that are held here.

        The `first` time, in a file, what a killed process held is taken at once: nobody else can be there.
        """
        columns = SUBSCRIPTIONS.c
        with self._store.reading() as connection:
            takes = self._to_take(self._store.now(connection), first=first)
            any_to_take = connection.execute(select(columns.id).where(takes).limit(1)).first() is not None
        with self._store.writing(durable=False) if any_to_take else self._store.reading() as connection:
            now = self._store.now(connection)
            if any_to_take:
                values = {"holder": self._holder, "held_until": now + LEASE_SECONDS}
                connection.execute(update(SUBSCRIPTIONS).where(self._to_take(now, first=first)).values(**values))
            held = (columns.holder == self._holder) & (columns.state == State.ACTIVE) & (columns.held_until > now)
            rows = connection.execute(select(SUBSCRIPTIONS).where(held)).mappings().all()
            return [self._claimed(connection, told(row), now) for row in rows]

    def _to_take(self, now: float, *, first: bool) -> ColumnElement[bool]:
        """Active subscriptions whose lease is free or over, or ours and to be renewed."""
        columns = SUBSCRIPTIONS.c
        active = columns.state == State.ACTIVE
        if first and self._store.alone:
            return active
        ours = (columns.holder == self._holder) & (columns.held_until < now + LEASE_SECONDS - RENEWED_AFTER)
        return active & or_(columns.holder.is_(None), columns.held_until < now, ours)

    @staticmethod
    def _claimed(connection: Connection, subscription: Subscription, now: float) -> Claimed:
        return Claimed(subscription, secrets_of(connection, subscription.id, now), _waits(connection, subscription.id))

    def release(self, subscription_id: str | None = None) -> None:
        """Let others deliver for a subscription, or for all that are held here."""
        mine = SUBSCRIPTIONS.c.holder == self._holder
        if subscription_id is not None:
            mine &= SUBSCRIPTIONS.c.id == subscription_id
        with self._store.writing(durable=False) as connection:
            connection.execute(update(SUBSCRIPTIONS).where(mine).values(holder=None, held_until=None))

    def due(self, subscription_id: str, now: float, limit: int) -> tuple[list[Failed], float | None]:
        """What is to be sent again by now, what has waited longest first; and when the next is due after that."""
        mine = WAITING.c.subscription_id == subscription_id
        by_now = select(WAITING).where(mine, WAITING.c.due_at <= now).order_by(WAITING.c.due_at, WAITING.c.position).limit(limit)
        later = select(func.min(WAITING.c.due_at)).where(mine, WAITING.c.due_at > now)
        with self._store.reading() as connection:
            return [failed(row) for row in connection.execute(by_now).mappings()], connection.execute(later).scalar()

    def waiting_after(self, subscription_id: str, position: int) -> set[int]:
        """The positions after the cursor that wait already: they failed before all that is before them was done."""
        mine = select(WAITING.c.position).where(WAITING.c.subscription_id == subscription_id, WAITING.c.position > position)
        gone = select(DEAD.c.position).where(DEAD.c.subscription_id == subscription_id, DEAD.c.position > position)
        with self._store.reading() as connection:
            return {*connection.execute(mine).scalars(), *connection.execute(gone).scalars()}

    def settle(
        self, subscription: Subscription, position: int, outcomes: Sequence[Outcome], *, off: str | None = None, sooner: float | None = None
    ) -> Settled:
        """Write outcomes down, and that everything up to `position` is done; all at once or not at all.

        With `off` the subscription is switched off for that reason; with `sooner` what failed because the receiver was down is due by then.
        Raises LeaseLostError.
        """
        with self._store.writing(durable=False) as connection:
            now = self._store.now(connection)
            mine = (SUBSCRIPTIONS.c.id == subscription.id) & (SUBSCRIPTIONS.c.holder == self._holder)
            still = mine & (SUBSCRIPTIONS.c.generation == subscription.generation) & (SUBSCRIPTIONS.c.held_until > now)
            row = connection.execute(select(SUBSCRIPTIONS).where(still).with_for_update()).mappings().one_or_none()
            if row is None:
                raise LeaseLostError(subscription.id)
            before = told(row)
            values = {"position": position, **_totals(before, outcomes)}
            self._write(connection, before, outcomes)
            if any(outcome.given_up for outcome in outcomes) and _many_dead(connection, before.id):
                off = f"{MOST_DEAD:,} events were given up"
            if off is not None:
                values |= {"state": State.OFF, "why": off, "holder": None, "held_until": None}
            if sooner is not None:
                down = or_(WAITING.c.status.is_(None), WAITING.c.status >= 500, WAITING.c.status == 429)
                waits = (WAITING.c.subscription_id == before.id) & (WAITING.c.due_at > sooner) & down
                connection.execute(update(WAITING).where(waits).values(due_at=sooner))
            connection.execute(update(SUBSCRIPTIONS).where(mine).values(**values))
            return _waits(connection, before.id)

    @staticmethod
    def _write(connection: Connection, before: Subscription, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        done = [outcome.attempt.position for outcome in outcomes]
        connection.execute(delete(WAITING).where(WAITING.c.subscription_id == before.id, WAITING.c.position.in_(done)))
        for table, given_up in ((WAITING, False), (DEAD, True)):
            rows = [_row(before.id, o.failed) for o in outcomes if o.failed is not None and o.given_up is given_up]
            if rows:
                connection.execute(insert(table), rows)
        tried = [_row(before.id, outcome.attempt) | {"number": before.attempts + n} for n, outcome in enumerate(outcomes, 1)]
        connection.execute(insert(ATTEMPTS), tried)
        last = before.attempts + len(outcomes) - ATTEMPTS_KEPT
        connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.subscription_id == before.id, ATTEMPTS.c.number <= last))


def _row(subscription_id: str, value: Any) -> dict[str, Any]:
    return {"subscription_id": subscription_id, **{name: getattr(value, name) for name in value.__dataclass_fields__}}


def _totals(before: Subscription, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The subscription's totals after outcomes, in the order in which they came."""
    failures, since, success = before.failures, before.failing_since, before.last_success_at
    for outcome in outcomes:
        if outcome.failed is None:
            failures, since, success = 0, None, outcome.attempt.at
        else:
            failures, since = failures + 1, since if since is not None else outcome.attempt.at
    last = outcomes[-1].attempt if outcomes else None
    return {
        "attempts": before.attempts + len(outcomes),
        "delivered": before.delivered + sum(outcome.failed is None for outcome in outcomes),
        "failures": failures,
        "failing_since": since,
        "last_success_at": success,
        "last_attempt_at": last.at if last else before.last_attempt_at,
        "last_reason": last.reason if last else before.last_reason,
    }


def _many_dead(connection: Connection, subscription_id: str) -> bool:
    count = connection.execute(select(func.count()).select_from(DEAD).where(DEAD.c.subscription_id == subscription_id)).scalar_one()
    return count >= MOST_DEAD


def _waits(connection: Connection, subscription_id: str) -> Settled:
    row = connection.execute(select(func.count(), func.min(WAITING.c.due_at)).where(WAITING.c.subscription_id == subscription_id)).one()
    return Settled(int(row[0]), row[1])
