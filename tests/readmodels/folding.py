"""A Daybook of a test's own, without a server: orders go through the dispatcher into a log, and the real engine folds it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from api.settings import load_settings
from api.wiring import Books, open_books
from commands.order import Order, Receipt
from domain.envelope import StoredEvent
from projections.catalogue import FOLDS, layouts
from projections.engine import Engine
from projections.fold import Home
from projections.homes import FactTables, LookupTables
from projections.versions import start
from readmodels.asking import Facts, LookupReader, Lookups, LookupSource, asked
from readmodels.facts import FactStore
from readmodels.lookups import LookupStore
from readmodels.quick import reader_of
from tests.commands.orders import receipt


@dataclass(slots=True)
class Company:
    """Its books and the read models of them."""

    books: Books
    engines: Sequence[Engine]
    fact_store: FactStore
    lookup_store: LookupStore
    quick: LookupSource
    """The quickest reader of the lookups."""

    def give(self, *orders: Order) -> list[Receipt]:
        """Execute orders that must all be accepted, and fold what they did."""
        receipts = [receipt(outcome) for outcome in self.books.dispatcher.execute(orders)]
        self.fold()
        return receipts

    def try_all(self, orders: Iterable[Order]) -> None:
        """Execute orders whether they are refused or not, and fold what they did."""
        self.books.dispatcher.execute(list(orders))
        self.fold()

    def fold(self) -> None:
        """Bring the read models up to date."""
        for engine in self.engines:
            engine.catch_up()

    @property
    def events(self) -> list[StoredEvent]:
        """The whole log."""
        return self.books.log.read(0, 1_000_000)

    @contextmanager
    def facts(self) -> Iterator[Facts]:
        """A snapshot of the facts."""
        with asked(self.fact_store) as facts:
            yield facts

    @contextmanager
    def lookups(self) -> Iterator[Lookups]:
        """A snapshot of the lookups."""
        with LookupReader(self.lookup_store).snapshot() as lookups:
            yield lookups


@contextmanager
def company(lookups_url: str | None = None) -> Iterator[Company]:
    """A new Daybook in a folder that goes away; its lookups in SQLite unless an address of PostgreSQL is given."""
    with TemporaryDirectory() as folder, ExitStack() as closing:
        books = closing.enter_context(open_books(load_settings({}, data=Path(folder))))
        facts = FactStore(None, layouts(Home.FACTS), threads=1)
        closing.callback(facts.close)
        shapes = layouts(Home.LOOKUPS)
        lookups = (
            LookupStore.postgres(lookups_url, shapes, schema=f"lookups_{uuid4().hex}")
            if lookups_url
            else LookupStore.sqlite(Path(folder) / "lookups.db", shapes)
        )
        closing.callback(lookups.close)
        engines = [Engine(LookupTables(lookups), FOLDS, books.log), Engine(FactTables(facts), FOLDS, books.log)]
        start(books.log, engines)
        reader = reader_of(lookups)
        closing.callback(reader.close)
        yield Company(books, engines, facts, lookups, reader)
