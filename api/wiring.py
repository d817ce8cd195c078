"""Where the parts of one Daybook are put together."""

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from api.archiving import open_archive
from api.auditing import open_auditor
from api.folder import Folder, settle
from api.observing.deciding import Watched
from api.observing.states import watch_all
from api.observing.telemetry import SERVE, Telemetry, open_telemetry
from api.problems import NotYet, Unavailable
from api.settings import InvalidSettings, Settings
from api.streams import Streams
from api.tables import Tables, open_tables
from api.webhooks.office import Webhooks, open_webhooks
from bus.erasures import ErasureList
from bus.keystore import open_vault
from bus.log import Log, open_log
from bus.vault import Vault, master_key, master_key_of
from commands.dispatch import Dispatcher
from commands.group import GroupCommit
from commands.log import EventLog
from commands.order import Order, Outcome
from projections.build import Progress
from projections.fold import Home
from projections.history import History
from replay.archive.archive import Archive
from replay.audit.auditor import Auditor
from replay.excerpts import Excerpts
from replay.past import Pasts
from replay.persons.replaying import erase_again

HOMES: Final = (Home.LOOKUPS, Home.FACTS)


@dataclass(frozen=True, slots=True)
class Books:
    """The log with the keys to it: what it takes to write."""

    vault: Vault
    log: Log
    decides_on: Callable[[EventLog], Dispatcher]
    """A dispatcher over this log, or over a rehearsal of it."""
    dispatcher: Dispatcher


@dataclass(frozen=True, slots=True)
class Daybook:
    """An open Daybook."""

    settings: Settings
    books: Books
    group: GroupCommit
    tables: Tables
    auditor: Auditor
    streams: Streams
    archive: Archive
    history: History
    pasts: Pasts
    excerpts: Excerpts
    telemetry: Telemetry
    webhooks: Webhooks

    def submit(self, orders: Sequence[Order], *, atomic: bool = False) -> Awaitable[list[Outcome]]:
        """Hand orders to the dispatcher from an event loop. Raises Unavailable while closing."""
        try:
            return self.group.submit_async(orders, atomic=atomic)
        except RuntimeError:
            raise Unavailable("daybook.closing", "Daybook is shutting down") from None

    def execute(self, orders: Sequence[Order]) -> list[Outcome]:
        """Hand orders to the dispatcher from a thread, and wait until they are durable. Raises Unavailable while closing."""
        try:
            return self.group.submit(orders).result()
        except RuntimeError:
            raise Unavailable("daybook.closing", "Daybook is shutting down") from None

    def reach(self, position: int, *homes: Home) -> None:
        """Wait until the read models of `homes` (all, unless said) hold everything up to `position`.

        Raises NotYet `position.unwritten` when the log has not come so far, Unavailable `position.not_reached` in the end.
        """
        if not position:
            return
        self.written(position)
        if not self.tables.reach(position, homes or HOMES, self.settings.max_wait_seconds):
            message = f"the read models have not come to position {position} within {self.settings.max_wait_seconds:g} seconds"
            raise Unavailable("position.not_reached", message)

    def written(self, position: int) -> int:
        """The last position that is written, which is not before `position`. Raises NotYet `position.unwritten`."""
        head = self.books.log.head()
        if position > head:
            raise NotYet("position.unwritten", f"nothing has been written at position {position} yet; the last is {head}")
        return head


@contextmanager
def open_books(settings: Settings) -> Generator[Books]:
    """The log, for as many processes as there are. Raises LogUnavailable, ForeignLog, WrongMasterKey or InvalidSettings."""
    folder = Folder(settings.data)
    folder.make()
    with ExitStack() as closing:
        key = master_key_of(settings.master_key.get_secret_value()) if settings.master_key else master_key(folder.master_key)
        erasures = ErasureList(folder.erasures)
        vault = open_vault(_place(settings.keys_url, folder.keys), key, erasures=erasures)
        closing.callback(vault.close)
        log = open_log(_place(settings.log_url, folder.log), vault)
        closing.callback(log.close)
        settle(folder, base_currency=settings.base_currency, begun=log.head() > 0)
        if (held_to := log.settled("base_currency", settings.base_currency)) != settings.base_currency:
            raise InvalidSettings(f"amounts in this log are kept in {held_to}: set DAYBOOK_BASE_CURRENCY={held_to}")
        decides_on = partial(Dispatcher, base_currency=settings.base_currency, fingerprint_key=vault.secret("fingerprints"))
        dispatcher = decides_on(log)
        erase_again(erasures.read(), log, dispatcher)
        yield Books(vault, log, decides_on, dispatcher)


@contextmanager
def open_daybook(
    settings: Settings, *, follow: bool = False, progress: Progress | None = None, telemetry: Telemetry | None = None
) -> Generator[Daybook]:
    """Everything, for one process at a time: the holder of the folder's lock. Its parts tell `telemetry`, or one of their own.

    With `follow` the read models are kept up to date from now on, without it they are up to date now; `progress` is told
    how many events of how many are folded. Raises what `open_books` raises, FactsInUse or BuildFailed.
    """
    folder = Folder(settings.data)
    with open_books(settings) as books, ExitStack() as closing:
        url = settings.lookups_url.get_secret_value() if settings.lookups_url else None
        telemetry = telemetry or closing.enter_context(open_telemetry(settings, SERVE))
        archive = closing.enter_context(open_archive(settings, books.log, follow=follow))
        tables = closing.enter_context(
            open_tables(
                books.log,
                url or folder.lookups,
                folder.facts,
                follow=follow,
                progress=progress,
                archive=archive,
                watch=telemetry,
                workers_fold=settings.workers_fold,
            )
        )
        auditor = closing.enter_context(open_auditor(settings, books.log, follow=follow))
        group = GroupCommit(Watched(books.decides_on, books.log, telemetry))
        closing.callback(group.close)
        streams = Streams(books.log, settings.max_streams)
        closing.callback(streams.close)
        history = History(books.log, archive)
        pasts = Pasts(history)
        closing.callback(pasts.close)
        excerpts = Excerpts()
        closing.callback(excerpts.close)
        webhooks = closing.enter_context(open_webhooks(_place(settings.log_url, folder.webhooks), books.vault, books.log.head))
        watch_all(telemetry.metrics, books.log, tables, streams, archive, auditor, webhooks)
        yield Daybook(settings, books, group, tables, auditor, streams, archive, history, pasts, excerpts, telemetry, webhooks)


def _place(url: SecretStr | None, file: Path) -> str | Path:
    return url.get_secret_value() if url else file
