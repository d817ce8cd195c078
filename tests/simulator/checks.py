"""What must hold after a history, whatever happened in it."""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import duckdb

from bus.catalogue import personal_fields
from bus.cipher import Token
from bus.log import Log
from bus.vault import Vault
from commands.records import RECORDS
from domain.catalogue import EVENTS
from domain.envelope import StoredEvent
from projections.bulk import Bulk
from projections.engine import Engine
from projections.evaluate import evaluate
from projections.fold import Home
from projections.history import History
from projections.homes import FactTables
from projections.plan import Plan, Rows
from projections.rows import rows_of
from projections.sql import canonical
from readmodels.layout import State
from replay.audit.keeping import catch_up
from replay.audit.tree import Tree
from replay.moments import Moment
from replay.past import PastFacts, PastLookups, whole
from tests.projections.tables import cells
from tests.simulator.clients import Broken, Clients
from tests.simulator.clock import Clock
from tests.simulator.world import SLOWLY, Reader, Shape, World, Writer, opened_vault

ALL: Final = 10**6
PERSONAL: Final = {event.type: frozenset(personal_fields(event)) for event in EVENTS}
KINDS: Final = {event.type: event.stream.removesuffix("_id") for event in EVENTS}


def examine(world: World, clients: Clients, clock: Clock, shape: Shape, chance: random.Random) -> None:
    """Everything. Raises Broken."""
    writer, reader = world.writer("A"), world.reader
    events = list(writer.log.read(0, ALL))
    _in_order(events, clock)
    _as_told(writer.log, events, clients)
    _personal(world, events)
    for name in ("A", "B"):
        _remembered(world.writer(name))
    _folded(reader, events, shape, chance)
    if chance.random() < 0.25:
        _as_of(reader.engines[-1], events, reader.log, chance)
    _hashed(reader, world.machine.folder)


def _in_order(events: Sequence[StoredEvent], clock: Clock) -> None:
    """Positions and versions without a gap, each event once, each at a time that was."""
    versions: dict[str, int] = defaultdict(int)
    times = {f"{time:%Y-%m-%dT%H:%M:%S.%f}Z" for time in clock.seen}
    for place, event in enumerate(events, start=1):
        if event.position != place:
            raise Broken(f"the log has position {event.position} in place {place}")
        versions[event.stream_id] += 1
        if event.version != versions[event.stream_id]:
            raise Broken(f"{event.type} at {place} is version {event.version} of its stream, not {versions[event.stream_id]}")
        if event.recorded_at not in times:
            raise Broken(f"{event.type} at {place} was recorded at {event.recorded_at}, which never was")
    if len({event.id for event in events}) != len(events):
        raise Broken("an event id is in the log twice")


def _as_told(log: Log, events: Sequence[StoredEvent], clients: Clients) -> None:
    """Every acknowledged command once, where it was said to be; nothing of those that were refused."""
    by_command: dict[str, list[StoredEvent]] = defaultdict(list)
    for event in events:
        by_command[event.command_id].append(event)
    with log.transaction() as tx:
        receipts = tx.receipts(list(clients.sent))
    for command_id, told in clients.accepted.items():
        found, stored = by_command.pop(command_id, []), receipts.get(command_id)
        if tuple(UUID(event.id) for event in found) != told.event_ids:
            raise Broken(f"{command_id} was told of {len(told.event_ids)} events; the log has {len(found)}")
        if found and [event.position for event in found] != list(range(told.position - len(found) + 1, told.position + 1)):
            raise Broken(f"{command_id} was told position {told.position}; it is at {[event.position for event in found]}")
        if stored is None or (stored.position, stored.version, stored.event_ids) != (told.position, told.version, told.event_ids):
            raise Broken(f"{command_id} was told {told}; the log remembers {stored}")
        _as_expected(clients, command_id, found)
    if by_command:
        raise Broken(f"the log has events of {next(iter(by_command))}, which was refused or never sent")
    if ghosts := receipts.keys() - clients.accepted.keys():
        raise Broken(f"the log has a receipt for {next(iter(ghosts))}, which was refused")


def _as_expected(clients: Clients, command_id: str, found: Sequence[StoredEvent]) -> None:
    order = next(order for order in clients.sent[command_id].orders if order.command_id == command_id)
    about = str(clients.accepted[command_id].stream_id)
    versions = [event.version for event in found if event.stream_id == about]
    if order.expected_version is not None and versions and versions[0] != order.expected_version + 1:
        raise Broken(f"{command_id} expected version {order.expected_version} and became version {versions[0]}")


def _personal(world: World, events: Sequence[StoredEvent]) -> None:
    """Nobody's texts are lost but those of who was erased, and theirs are, for whoever opens the keys now."""
    with closing(opened_vault(world.machine)) as vault:
        _hold_texts(vault, events)


def _hold_texts(vault: Vault, events: Sequence[StoredEvent]) -> None:
    erased = {event.stream_id for event in events if event.type in {"customer.erased", "contact.erased"}}
    for event in events:
        for name in PERSONAL[event.type]:
            token = event.data[name]
            if token is None or (event.stream_id not in erased and not event.type.startswith(("customer.", "contact."))):
                continue
            if (vault.decrypt(token) is None) != (event.stream_id in erased):
                raise Broken(f"{name} of {event.type} at {event.position} can {'' if event.stream_id in erased else 'not '}be read")


def _remembered(writer: Writer) -> None:
    """What a process remembers of records is what the log says of them."""
    dispatcher = writer.dispatcher
    with writer.log.transaction() as tx:
        remembered = dict(dispatcher._up_to_date(tx).states)
        streams = [UUID(int=number) for number in remembered]
        for stream_id, history in tx.load(streams).items():
            kind = KINDS[history[0][0].type]
            version, state = RECORDS[kind].remember(history, stream_id)
            if (version, _readable(state, writer)) != (remembered[stream_id.int][0], _readable(remembered[stream_id.int][1], writer)):
                raise Broken(f"what is remembered of {kind} {stream_id} is not what the log says")


def _readable(value: Any, writer: Writer) -> Any:
    """A state with personal fields readable: what was just decided has them plain, what was loaded sealed."""
    if isinstance(value, Token):
        return writer.vault.decrypt(value)
    if is_dataclass(value):
        return {each.name: _readable(getattr(value, each.name), writer) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _readable(each, writer) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each, writer) for each in value]
    return value


def _folded(reader: Reader, events: Sequence[StoredEvent], shape: Shape, chance: random.Random) -> None:
    """The tables are what folding from the beginning gives, by the evaluator that did not fold them."""
    for engine in reader.engines:
        for version in engine.tables.versions():
            if version.error or version.state is State.BUILDING:
                raise Broken(f"{version.fold} in the {engine.tables.home} is {version.state}: {version.error}")
            if version.state is State.SERVING and version.position != len(events):
                raise Broken(f"{version.fold} in the {engine.tables.home} is at {version.position} of {len(events)}")
        names = list(engine.plans)
        by_duckdb = set(chance.sample(names, min(1, len(names)))) if shape.bulk_lag == SLOWLY else set[str]()
        for name, plan in engine.plans.items():
            rows = in_sql(plan, reader.log, len(events)) if name in by_duckdb else evaluate(plan, events)
            compare(engine, plan, rows)


def in_sql(plan: Plan, log: Log, upto: int) -> Rows:
    """A fold's rows by DuckDB."""
    table = log.arrow(0, upto).read_all()
    with duckdb.connect(config={"threads": 1}) as connection, Bulk(connection, [(plan, plan.lanes)]).typed(table) as types:
        query = rows_of(plan, plan.lanes, types)
        found = connection.execute(canonical(plan.layout, f"({query})")).fetchall() if query else []
    width = len(plan.layout.key)
    plain = [[_plain(cell) for cell in row] for row in found]
    return {tuple(row[:width]): row[width:] for row in plain}


def compare(engine: Engine, plan: Plan, rows: Rows) -> None:
    """Whether a serving table has these rows. Raises Broken."""
    layout = plan.layout_in(engine.tables.home)
    everything = {key: dict(zip(plan.layout.names, [*key, *row], strict=True)) for key, row in rows.items()}
    wanted = {key: {name: row[name] for name in layout.names} for key, row in everything.items()}
    found = cells(engine, plan.name) if engine.tables.home is Home.LOOKUPS else _facts(engine, plan)
    if found != wanted:
        apart = [key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)]
        raise Broken(
            f"{plan.name} in the {engine.tables.home}: {len(apart)} rows apart, {_apart(found.get(apart[0]), wanted.get(apart[0]))}"
        )


def _facts(engine: Engine, plan: Plan) -> dict[tuple[Any, ...], dict[str, Any]]:
    assert isinstance(engine.tables, FactTables)
    layout = plan.layout_in(Home.FACTS)
    (number,) = [each.number for each in engine.tables.versions() if each.fold == plan.name and each.state is State.SERVING]
    found = engine.tables.store.query(canonical(layout, f'"{layout.physical(number)}"'))
    rows = [dict(zip(layout.names, map(_plain, row), strict=True)) for row in found]
    if len(rows) != len({tuple(row[name] for name in layout.key) for row in rows}):
        raise Broken(f"{plan.name} in the facts has two rows under one key")
    return {tuple(row[name] for name in layout.key): row for row in rows}


def _plain(cell: Any) -> Any:
    return tuple(cell) if isinstance(cell, list) else cell


def _apart(found: dict[str, Any] | None, wanted: dict[str, Any] | None) -> str:
    if found is None or wanted is None:
        return f"one of them {'is not there' if found is None else 'should not be'}"
    return ", ".join(f"{name} is {cell!r}, not {wanted[name]!r}" for name, cell in found.items() if cell != wanted[name])


def _as_of(engine: Engine, events: Sequence[StoredEvent], log: Log, chance: random.Random) -> None:
    """What is answered as of a moment is a fold of the events of that moment."""
    at = chance.choice(events)
    seen = _moment(at, chance)
    name = chance.choice(list(engine.plans))
    make = PastLookups if engine.tables.home is Home.LOOKUPS else PastFacts
    with closing(make(seen, History(log), whole([name]))) as past:
        past.fold()
        assert past._engine is not None
        plan = past._engine.plans[name]
        compare(past._engine, plan, evaluate(plan, [event for event in events if seen.sees(event)]))


def _moment(event: StoredEvent, chance: random.Random) -> Moment:
    known, happened = datetime.fromisoformat(event.recorded_at), datetime.fromisoformat(event.occurred_at)
    return chance.choice((Moment(known_at=known), Moment(as_of=happened), Moment(known_at=known, as_of=happened)))


def _hashed(reader: Reader, folder: Path) -> None:
    """The tree that was kept up through everything is the one that the whole log makes."""
    fresh_file = folder / "fresh.db"
    with closing(Tree(fresh_file)) as fresh:
        catch_up(fresh, reader.stored)
        size = reader.hash()
        if (size, reader.tree.root(size)) != (fresh.size, fresh.root(fresh.size)):
            raise Broken("the audit tree is not the tree of this log")


def same_beginning(reader: Reader, checkpoints: Sequence[tuple[int, bytes]]) -> Iterator[str]:
    """Checkpoints that the log no longer begins with."""
    for size, root in checkpoints:
        if reader.tree.size < size or reader.tree.root(size) != root:
            yield f"the log no longer begins with the {size} events that a checkpoint was made of"
