"""Several processes append to one folder at once, and one of them is killed."""

import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from api.settings import load_settings
from api.wiring import open_books
from tests.faults import history, readmodels
from tests.faults.clients import Crowd, talking
from tests.faults.commands import Forked, start
from tests.faults.files import write_stories
from tests.faults.server import Server

ROWS = 300


class Command:
    """A command that is run until it is through, however often it is killed before."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self._data = data
        self._arguments = arguments
        self.output = data.with_name(f"{data.name}.{arguments[0]}.txt")
        self._running = self._start()

    def _start(self) -> Forked:
        return start(self._data, *self._arguments, output=self.output)

    def kill(self) -> None:
        """kill -9, and again from the beginning."""
        self._running.kill()
        self._running.wait()
        self._running = self._start()

    def finish(self, patience: float) -> int:
        """Its exit code."""
        try:
            return self._running.wait(patience)
        except subprocess.TimeoutExpired:
            self._running.kill()
            raise


@pytest.fixture
def sales(tmp_path: Path, shared_data: Path) -> Path:
    """The sales files with their first opportunities."""
    folder = tmp_path / "sales"
    folder.mkdir()
    for file in (shared_data / "crm_sales").glob("*.csv"):
        lines = file.read_text().splitlines(keepends=True)
        (folder / file.name).write_text("".join(lines[: ROWS + 1]))
    return folder


def importing(data: Path, sales: Path) -> Command:
    return Command(data, "import", "--mapping", "crm_sales", "--refused", str(data.with_name("refused.csv")), str(sales))


def came_by(data: Path, source: str) -> Counter[tuple[str, str]]:
    """How many events of each type each command has brought, of those that came by a door whose name begins so."""
    with open_books(load_settings({}, data=data)) as books:
        return Counter((event.command_id, event.type) for event in history.events_of(books) if event.source.startswith(source))


@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_server_ingest_and_import_share_a_folder_though_one_or_another_is_killed(
    tmp_path: Path,
    data_folder: Path,
    sales: Path,
    soak: bool,  # noqa: FBT001
) -> None:
    clean = {"ingest": tmp_path / "ingest" / "data", "import": tmp_path / "import" / "data"}
    stories = write_stories(tmp_path / "stories.ndjson", 2_500 if soak else 300, name="stories")
    server = Server(data_folder)
    crowd = Crowd(server.port, 16, seed=2)
    moments = random.Random(5)
    commands: dict[str, Command] = {}
    server.start()
    try:
        with talking(crowd) as ledger:
            server.wait_ready()
            commands = {"ingest": Command(data_folder, "ingest", str(stories)), "import": importing(data_folder, sales)}
            for victim in ("ingest", "serve", "import") * (10 if soak else 1):
                time.sleep(moments.uniform(0.1, 0.6))
                if victim == "serve":
                    server.kill()
                    server.start()
                    server.wait_ready()
                else:
                    commands[victim].kill()
            codes = {name: command.finish(300) for name, command in commands.items()}
            time.sleep(0.2)
        readmodels.caught_up(server)
        assert not history.asked_again(server, ledger)
        assert server.stop() == 0
    finally:
        server.kill()
    assert codes == {"ingest": 1, "import": 0}, [command.output.read_text() for command in commands.values()]
    for folder in clean.values():
        folder.parent.mkdir()
    alone = {"ingest": Command(clean["ingest"], "ingest", str(stories)), "import": importing(clean["import"], sales)}
    assert {name: command.finish(300) for name, command in alone.items()} == codes
    for name, source in (("ingest", "cli"), ("import", "import")):
        assert came_by(data_folder, source) == came_by(clean[name], source) != Counter()
    others = {command_id for folder in clean.values() for command_id, _ in came_by(folder, "")}
    findings = history.examine(data_folder, ledger, others=others)
    assert not str(findings)
    assert not readmodels.differences(data_folder)
    assert not ledger.faults
    assert not ledger.contradictions
    assert not ledger.unanswered
    assert not server.complaints()
