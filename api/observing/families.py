"""Every metric that Daybook tells, declared once: its name, kind, labels, and what it says."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What can be done with a metric: Prometheus has these three."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all values of its labels. Labels take few values: never a path, an id or a text that a caller chose."""

    name: str
    kind: Kind
    says: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: from what a commit to a fast disk takes to what nobody waits for."""
SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0)

INFO: Final = Family("daybook_info", Kind.GAUGE, "1, with the version that runs and what the process does.", ("version", "role"))
SCRAPE_FAILED: Final = Family(
    "daybook_scrape_failed",
    Kind.GAUGE,
    "1 where a part could not be asked for its metrics (its other metrics are then missing).",
    ("part",),
)

HTTP_REQUESTS: Final = Family(
    "daybook_http_requests_total",
    Kind.COUNTER,
    "Requests answered, by the route's template (`none` where there is no such route) and status (`none` where the caller went away).",
    ("method", "route", "status"),
)
HTTP_SECONDS: Final = Family(
    "daybook_http_request_duration_seconds",
    Kind.HISTOGRAM,
    "How long requests took, from their first byte's arrival in the application to the answer's last; streams count when they end.",
    ("method", "route"),
    QUICK,
)
HTTP_OPEN: Final = Family("daybook_http_requests_open", Kind.GAUGE, "Requests that are being answered now, streams among them.")

COMMANDS: Final = Family(
    "daybook_commands_total",
    Kind.COUNTER,
    "Commands, by what became of them: `accepted`, `repeated` (their id had been accepted before), `refused` with the problem's code, "
    "or `failed` with the code of why nothing could be written. The name is `unknown` for what is no command.",
    ("command", "outcome", "code"),
)
EVENTS: Final = Family("daybook_events_recorded_total", Kind.COUNTER, "Events that this process wrote into the log.")
APPEND_SECONDS: Final = Family(
    "daybook_append_duration_seconds",
    Kind.HISTOGRAM,
    "How long one transaction took, from when its commands were taken together until all are durable.",
    buckets=QUICK,
)
PHASE_SECONDS: Final = Family(
    "daybook_append_phase_seconds",
    Kind.HISTOGRAM,
    "The parts of that: `wait` to be the log's only writer, `decide` and insert, `commit` until it is on the disk.",
    ("phase",),
    QUICK,
)
GROUP_SIZE: Final = Family(
    "daybook_append_commands", Kind.HISTOGRAM, "How many commands one transaction served (group commit).", buckets=SIZES
)

HEAD: Final = Family("daybook_log_head_position", Kind.GAUGE, "The last position of the log.")
HOME_POSITION: Final = Family("daybook_home_position", Kind.GAUGE, "Up to which position all healthy read models of a home are.", ("home",))
HOME_LAG: Final = Family("daybook_home_lag_events", Kind.GAUGE, "How many positions that is behind the log.", ("home",))
HOME_FAILING: Final = Family("daybook_home_failing", Kind.GAUGE, "1 while a home cannot be written (it is tried again).", ("home",))
FOLD_POSITION: Final = Family("daybook_fold_position", Kind.GAUGE, "Up to which position a read model that serves is.", ("home", "fold"))
FOLD_LAG: Final = Family("daybook_fold_lag_events", Kind.GAUGE, "How many positions that is behind the log.", ("home", "fold"))
PARTITION_LAG: Final = Family(
    "daybook_fold_partition_lag_events",
    Kind.GAUGE,
    "How many positions a read model that workers fold is behind the log in a partition.",
    ("fold", "partition"),
)
FOLD_STOPPED: Final = Family(
    "daybook_fold_stopped", Kind.GAUGE, "1 where a read model stopped at an event that it cannot take.", ("home", "fold")
)
FOLD_STALE: Final = Family(
    "daybook_fold_stale", Kind.GAUGE, "1 where a read model was folded by another declaration than today's.", ("home", "fold")
)
FOLD_SECONDS: Final = Family(
    "daybook_fold_batch_duration_seconds", Kind.HISTOGRAM, "How long one batch of events took into the tables of a home.", ("home",), QUICK
)
FOLD_EVENTS: Final = Family("daybook_fold_batch_events", Kind.HISTOGRAM, "How many events one batch had.", ("home",), SIZES)
FOLD_DELAY: Final = Family(
    "daybook_fold_delay_seconds",
    Kind.HISTOGRAM,
    "From when an event was recorded until it could be read (of each batch the event that waited longest; not of bulk loads).",
    ("home",),
    (*QUICK, 30.0, 60.0, 300.0),
)

WEBHOOKS: Final = Family("daybook_webhooks", Kind.GAUGE, "How many webhooks there are: `active`, `paused` or `off`.", ("state",))
WEBHOOKS_FAILING: Final = Family("daybook_webhooks_failing", Kind.GAUGE, "Active webhooks whose last attempt failed.")
WEBHOOK_LAG: Final = Family(
    "daybook_webhook_lag_positions", Kind.GAUGE, "How many positions the active webhook that is furthest behind is behind the log."
)
WEBHOOK_WAITING: Final = Family("daybook_webhook_waiting", Kind.GAUGE, "Events that wait to be sent to webhooks again.")
WEBHOOK_DEAD: Final = Family("daybook_webhook_dead", Kind.GAUGE, "Events that were given up for webhooks and not sent again since.")
WEBHOOK_IN_FLIGHT: Final = Family("daybook_webhook_in_flight", Kind.GAUGE, "Events that are on their way to webhooks from this process.")
STREAMS: Final = Family("daybook_feed_followers", Kind.GAUGE, "Clients that follow the feed as streams now.")
ARCHIVE_POSITION: Final = Family("daybook_archive_position", Kind.GAUGE, "Up to which position events are archived.")
ARCHIVE_LAG: Final = Family("daybook_archive_lag_events", Kind.GAUGE, "How many positions the archive is behind the log.")
ARCHIVE_FAILING: Final = Family("daybook_archive_failing", Kind.GAUGE, "1 when the archive could not be written the last time.")
AUDIT_POSITION: Final = Family("daybook_audit_position", Kind.GAUGE, "Up to which position events are hashed for the audit.")
AUDIT_LAG: Final = Family("daybook_audit_lag_events", Kind.GAUGE, "How many positions the audit is behind the log.")
AUDIT_FAILING: Final = Family("daybook_audit_failing", Kind.GAUGE, "1 while events cannot be hashed: the log may have been altered.")
BUILD_RUNNING: Final = Family("daybook_build_running", Kind.GAUGE, "1 while read models are folded from the beginning.")
BUILD_DONE: Final = Family("daybook_build_events_done", Kind.GAUGE, "Events that such a build has folded.")
BUILD_EXPECTED: Final = Family("daybook_build_events_expected", Kind.GAUGE, "Events that it has to fold.")

PUBLISHED_POSITION: Final = Family("daybook_publisher_position", Kind.GAUGE, "Up to which position events are in the Kafka topic.")
PUBLISHED_LAG: Final = Family("daybook_publisher_lag_events", Kind.GAUGE, "How many positions that is behind the log.")
PUBLISHED_EVENTS: Final = Family("daybook_publisher_events_total", Kind.COUNTER, "Events that this process published.")
PUBLISHER_OUTAGES: Final = Family(
    "daybook_publisher_outages_total", Kind.COUNTER, "How often Kafka or the log could not be reached, or publishing was begun anew."
)
PUBLISHER_ANSWERED: Final = Family("daybook_publisher_answered", Kind.GAUGE, "1 while Kafka takes what is published, 0 during an outage.")

WORKER_EVENTS: Final = Family("daybook_worker_events_total", Kind.COUNTER, "Events that this worker was delivered and has folded.")
WORKER_PARTITIONS: Final = Family("daybook_worker_partitions", Kind.GAUGE, "Partitions that this worker has.")
WORKER_FAILING: Final = Family("daybook_worker_failing", Kind.GAUGE, "1 while this worker cannot go on (it tries again).")
TAKEN: Final = Family("daybook_taker_messages_total", Kind.COUNTER, "Messages from the topic of commands that this process has done with.")
TAKER_FAILING: Final = Family("daybook_taker_failing", Kind.GAUGE, "1 while commands cannot be taken or answered (they are tried again).")

FAMILIES: Final = tuple(value for value in list(globals().values()) if isinstance(value, Family))
"""All of them, in the order in which they are told."""
