"""A broker process: started, stopped, killed and started again where it was, on the same port."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from tests.faults.server import free_port
from tests.kafka_broker.programs import Place, Program

START_SECONDS: Final = 60
STOP_SECONDS: Final = 20


@dataclass
class Broker:
    """A broker of one's own; whoever has it may break it."""

    program: Program
    place: Place
    process: "subprocess.Popen[bytes] | None" = None
    shared: bool = False
    """Whether other processes of the same run use it: then it must not be broken."""

    @property
    def address(self) -> str:
        """What clients are told: `host:port`."""
        return f"127.0.0.1:{self.place.port}"

    @property
    def kind(self) -> str:
        """Its name."""
        return self.program.kind

    @property
    def durable(self) -> bool:
        """Whether it has its data again after it was killed and started."""
        return self.program.durable

    def start(self) -> None:
        """Start it, with the data it had, and wait until it answers."""
        assert self.process is None
        with (self.place.folder / "broker.log").open("ab") as output:
            self.process = subprocess.Popen(self.program.command(self.place), cwd=self.place.folder, stdout=output, stderr=output)
        self._answers()

    def stop(self) -> None:
        """Let it end by itself."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (kill -9)."""
        self._end(signal.SIGKILL)

    def wipe(self) -> None:
        """Let it forget everything; it must have ended."""
        assert self.process is None
        shutil.rmtree(self.place.folder / "data", ignore_errors=True)
        self.program.prepare(self.place)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It neither answers nor closes connections meanwhile."""
        assert not self.shared
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        assert not self.shared, "other tests use this broker: mark the test `alone`, or ask for `own_kafka_server`"
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _answers(self) -> None:
        until = time.monotonic() + START_SECONDS
        while not answers(self.address):
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > until:
                said = (self.place.folder / "broker.log").read_text(errors="replace")[-3000:]
                self.kill()
                raise RuntimeError(f"{self.kind} does not answer; it said: {said}")
            time.sleep(0.1)


def answers(address: str) -> bool:
    """Whether a broker at an address says which brokers there are."""
    host, _, port = address.partition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            pass
        client = KafkaAdminClient(bootstrap_servers=address, bootstrap_timeout_ms=2000, request_timeout_ms=2000)
    except (OSError, KafkaError):
        return False
    try:
        return bool(client.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        client.close()


def begun(program: Program) -> Broker:
    """A new broker in a folder of its own; whoever asked has to end it and take the folder away."""
    folder = Path(tempfile.mkdtemp(prefix="daybook-kafka-"))
    broker = Broker(program, Place(folder, free_port(), free_port()))
    try:
        program.prepare(broker.place)
        broker.start()
    except BaseException:
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return broker


@contextmanager
def running(program: Program) -> Iterator[Broker]:
    """A broker that ends with the context."""
    broker = begun(program)
    try:
        yield broker
    finally:
        broker.kill()
        shutil.rmtree(broker.place.folder, ignore_errors=True)
