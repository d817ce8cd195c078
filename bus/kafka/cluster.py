"""Which Kafka, how to get in, and what our topics are called there."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    InvalidConfigurationError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    KafkaConfigurationError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)
from kafka.structs import TopicPartition

from bus.errors import KafkaRefused, KafkaUnavailable

BOOTSTRAP_MS: Final = 5_000
"""How long a client tries to reach the first broker."""
RECONNECT_MS: Final = 1_000
"""How long a client waits at most before it tries again to reach a broker."""
REFUSALS: Final = (
    AuthorizationError,
    IllegalSaslStateError,
    InvalidConfigurationError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    KafkaConfigurationError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka cluster and how to get in; printing it shows no password."""

    servers: str
    """`host:port,host:port`: some of its brokers; the others are learnt from them."""
    prefix: str = "daybook"
    """What the names of our topics begin with."""
    access: "Access | None" = None

    def topic(self, name: str) -> str:
        """The name of one of our topics."""
        return f"{self.prefix}.{name}"

    @property
    def events(self) -> str:
        """The topic of events."""
        return self.topic("events")

    def options(self, **more: Any) -> dict[str, Any]:
        """What every client of the library is made with."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers.split(","),
            "bootstrap_timeout_ms": BOOTSTRAP_MS,
            "reconnect_backoff_max_ms": RECONNECT_MS,
        }
        return {**options, **(self.access.options() if self.access else {}), **more}


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """How a cluster is got into that does not let everybody in."""

    protocol: str = "PLAINTEXT"
    """`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."""
    mechanism: str | None = None
    username: str | None = None
    password: str | None = None
    cafile: str | None = None
    """A file with the certificates to trust; those of the system, unless given."""

    def options(self) -> Mapping[str, Any]:
        """As the library calls them."""
        named = {
            "security_protocol": self.protocol,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
            "ssl_cafile": self.cafile,
        }
        return {name: value for name, value in named.items() if value is not None}

    def __repr__(self) -> str:
        """Without the password."""
        return f"Access(protocol={self.protocol!r}, mechanism={self.mechanism!r}, username={self.username!r})"


class Partition(Protocol):
    """A partition of a topic, as the library wants it named; may be a key."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...


def partition(topic: str, number: int) -> Partition:
    """A partition by its name."""
    return cast("Partition", TopicPartition(topic, number))


@contextmanager
def translated(servers: str) -> Generator[None]:
    """Raises KafkaUnavailable or KafkaRefused instead of what the library raises."""
    try:
        yield
    except REFUSALS as error:
        raise KafkaRefused("kafka.refused", f"Kafka at {servers} refuses what we ask ({_said(error)})") from error
    except (KafkaError, OSError) as error:
        raise KafkaUnavailable("kafka.unavailable", f"Kafka at {servers} cannot be reached or does not answer ({_said(error)})") from error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
