"""What the log adds to the error tree of the domain.

DaybookError
├── ConcurrencyConflict   somebody else wrote first: load again, decide again
├── UnknownEventType      the log holds a type or shape that this code does not know: it is older than the log
├── LogUnavailable        the log cannot be reached or written now; nothing was acknowledged, trying again is safe
│   └── LogFull           because the disk is full
├── ForeignLog            the file or database is not a log of this version of Daybook
├── KafkaUnavailable      Kafka cannot be reached now; nothing is lost, trying again is safe
├── KafkaRefused          Kafka does not let us do it, or lacks what we need; somebody has to change something there
├── PublisherRunning      another process publishes this log
└── TopicBroken           the topic does not hold what it must: another log's events, or not all of this one's
"""

from domain.errors import DaybookError


class ConcurrencyConflict(DaybookError):
    """A stream is not at the expected version (`conflict.version`), or a claim (`conflict.claim`) or command id (`conflict.command`) is taken."""


class UnknownEventType(DaybookError):
    """An event of a type (`event.unknown_type`) or shape (`event.unknown_version`) that this code does not know."""


class LogUnavailable(DaybookError):
    """The log could not be read or written: `log.locked`, `log.unavailable` or `log.closed`. Trying again is safe."""


class LogFull(LogUnavailable):
    """There is no room on the disk of the log (`log.full`). Trying again is safe, and of use when there is."""

    def __init__(self, message: str) -> None:
        super().__init__("log.full", message)


class ForeignLog(DaybookError):
    """What was to be opened is no log (`log.foreign`), or one written by a newer Daybook (`log.newer`)."""


class KafkaUnavailable(DaybookError):
    """Kafka cannot be reached or does not answer (`kafka.unavailable`), or the topic is not there yet (`kafka.no_topic`). Trying again is safe."""


class KafkaRefused(DaybookError):
    """Kafka refuses our credentials, or what we ask (`kafka.refused`)."""


class PublisherRunning(DaybookError):
    """Another process publishes this log (`publisher.running`), or took over from this one (`publisher.replaced`)."""


class TopicBroken(DaybookError):
    """A topic holds another log's events (`topic.foreign`), is ahead of the log (`topic.ahead`), or lacks events (`topic.gap`)."""
