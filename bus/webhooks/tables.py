"""The tables of webhooks, in a file of their own or in the schema `webhooks` of a PostgreSQL database."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from bus.errors import ForeignLog, LogUnavailable
from bus.stamp import Stamp
from bus.webhooks.model import State

SCHEMA_VERSION: Final = 1
SCHEMA: Final = "webhooks"
STAMP: Final = Stamp(b"DBWH", SCHEMA_VERSION, "webhook store")
BUSY_SECONDS: Final = 30.0
_ADVISORY_LOCK: Final = int.from_bytes(STAMP.letters, "big")
_METADATA: Final = MetaData()
_MOMENT: Final = Double[float]()


def _of_a_subscription(name: str, *columns: Column[Any]) -> Table:
    return Table(name, _METADATA, Column("subscription_id", Text(), primary_key=True), *columns)


def _failed(name: str) -> Table:
    return _of_a_subscription(
        name,
        Column("position", BigInteger(), primary_key=True, autoincrement=False),
        Column("event_id", Text(), nullable=False),
        Column("type", Text(), nullable=False),
        Column("attempts", Integer(), nullable=False),
        Column("first_at", _MOMENT, nullable=False),
        Column("last_at", _MOMENT, nullable=False),
        Column("reason", Text(), nullable=False),
        Column("status", Integer()),
        Column("excerpt", Text()),
        Column("due_at", _MOMENT, nullable=False),
    )


VERSION: Final = Table("version", _METADATA, Column("schema_version", Integer(), nullable=False))
SUBSCRIPTIONS: Final = Table(
    "subscriptions",
    _METADATA,
    Column("id", Text(), primary_key=True),
    Column("url", Text(), nullable=False),
    Column("description", Text()),
    Column("wanted", JSON(), nullable=False),
    Column("ordered", Boolean(), nullable=False),
    Column("state", Text(), nullable=False),
    Column("why", Text()),
    Column("made_at", _MOMENT, nullable=False),
    Column("position", BigInteger(), nullable=False),
    Column("generation", Integer(), nullable=False),
    Column("attempts", BigInteger(), nullable=False),
    Column("delivered", BigInteger(), nullable=False),
    Column("failures", Integer(), nullable=False),
    Column("failing_since", _MOMENT),
    Column("last_attempt_at", _MOMENT),
    Column("last_success_at", _MOMENT),
    Column("last_reason", Text()),
    Column("holder", Text()),
    Column("held_until", _MOMENT),
)
SECRETS: Final = _of_a_subscription(
    "secrets",
    Column("number", Integer(), primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary(), nullable=False),
    Column("made_at", _MOMENT, nullable=False),
    Column("expires_at", _MOMENT),
)
WAITING: Final = _failed("waiting")
DEAD: Final = _failed("dead")
ATTEMPTS: Final = _of_a_subscription(
    "attempts",
    Column("number", BigInteger(), primary_key=True, autoincrement=False),
    Column("position", BigInteger(), nullable=False),
    Column("event_id", Text(), nullable=False),
    Column("type", Text(), nullable=False),
    Column("attempt", Integer(), nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("milliseconds", Integer(), nullable=False),
    Column("status", Integer()),
    Column("reason", Text(), nullable=False),
)
PARTS: Final = (SECRETS, WAITING, DEAD, ATTEMPTS)
"""What goes when a subscription goes."""
Index("waiting_due", WAITING.c.subscription_id, WAITING.c.due_at)


@contextmanager
def available() -> Generator[None]:
    """Raises LogUnavailable `webhooks.unavailable` instead of what the database libraries raise."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise LogUnavailable("webhooks.unavailable", f"what is known of webhooks could not be read or written ({error})") from error


def open_tables(place: str | Path) -> Engine:
    """The tables at a path (SQLite file) or `postgresql://…` address, made when there are none. Raises ForeignLog or LogUnavailable."""
    address = str(place)
    with available():
        return _postgres(address) if address.startswith(("postgresql://", "postgres://")) else _sqlite(address)


def _sqlite(path: str) -> Engine:
    STAMP.check_file(path)
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
        json_serializer=_json,
        json_deserializer=orjson.loads,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    with engine.connect().execution_options(writing=True, durable=True) as connection, connection.begin():
        _METADATA.create_all(connection)
        driver: Any = connection.connection.driver_connection
        STAMP.put(driver)
    return engine


def _postgres(url: str) -> Engine:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        connect_args={"options": f"-csearch_path={SCHEMA}"},
        json_serializer=_json,
        json_deserializer=orjson.loads,
        pool_pre_ping=True,
    )
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        _METADATA.create_all(connection)
        version = connection.execute(select(VERSION.c.schema_version)).scalar()
        if version is None:
            connection.execute(insert(VERSION).values(schema_version=SCHEMA_VERSION))
        elif version > SCHEMA_VERSION:
            raise ForeignLog("log.newer", "this webhook store was written by a newer version of Daybook; run that one")
    return engine


def pause_all(place: str | Path, why: str) -> int:
    """Pause every subscription of a store that is not in use, for a reason; how many were not paused before. Raises LogUnavailable."""
    engine = open_tables(place)
    active = SUBSCRIPTIONS.update().where(SUBSCRIPTIONS.c.state == State.ACTIVE)
    try:
        with available(), engine.connect().execution_options(writing=True, durable=True) as connection, connection.begin():
            return connection.execute(active.values(state=State.PAUSED, why=why, holder=None, held_until=None)).rowcount
    finally:
        engine.dispose()


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    # What was told to somebody must be durable; how far deliveries have come may fall back, and they are made again.
    connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get('durable') else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writing") else "BEGIN")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
