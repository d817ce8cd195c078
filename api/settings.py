"""Everything an operator may set, from `DAYBOOK_…` environment variables or a `.env` file; an unknown name is refused."""

import os
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.errors import DaybookError

PREFIX = "DAYBOOK_"
MEBIBYTE = 1024 * 1024
SECRETS = ("master_key", "audit_key", "kafka_password")


class InvalidSettings(DaybookError):
    """A setting is unknown or has a value that cannot be."""

    def __init__(self, message: str) -> None:
        super().__init__("settings.invalid", message)


class Settings(BaseSettings):
    """How one Daybook is set up. Printing it hides every secret."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="forbid", frozen=True)

    data: Path = Field(Path("data"), description="the data folder; made when it is missing")
    log_url: SecretStr | None = Field(None, description="postgresql://… of the log; without it the log is `log.db` in the data folder")
    lookups_url: SecretStr | None = Field(
        None, description="postgresql://… of the lookups; without it they are `lookups.db` in the data folder"
    )
    keys_url: SecretStr | None = Field(
        None, description="postgresql://… of people's keys; without it they are `keys.db` in the data folder"
    )
    master_key: SecretStr | None = Field(
        None, description="the key that wraps people's keys, 64 hexadecimal digits; without it `master.key` in the data folder"
    )
    audit_key: SecretStr | None = Field(
        None, description="the key that signs the audit's checkpoints, as `audit.key` in the data folder holds it; without it that file"
    )
    postgres_tools: Path | None = Field(
        None, description="the folder with PostgreSQL's `pg_dump` and `pg_restore`, for backups; without it they are looked for on PATH"
    )
    kafka: Annotated[str, StringConstraints(pattern=r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$")] | None = Field(
        None,
        description="the Kafka brokers that events travel through, `host:port,host:port`; without them everything stays in one process",
    )
    topics_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = Field(
        "daybook", description="what the names of the Kafka topics and groups begin with"
    )
    host: str = Field("127.0.0.1", description="the address to serve on; loopback only, until access control exists")
    port: int = Field(8400, ge=0, le=65535, description="the port to serve on; 0 takes a free one")
    base_currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        "EUR", description="ISO 4217 code that amounts are converted to"
    )
    kafka_partitions: int = Field(6, ge=1, le=1000, description="how many partitions a topic gets that is made; it keeps them")
    kafka_replication: int = Field(
        1, ge=1, le=9, description="how many brokers keep a copy of a topic that is made; 3 where there are three"
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how Kafka's brokers are spoken to"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how Kafka is shown who we are, with a SASL_ protocol"
    )
    kafka_username: str | None = Field(None, description="as whom we come to Kafka")
    kafka_password: SecretStr | None = Field(None, description="the password that belongs to it")
    kafka_cafile: Path | None = Field(None, description="a file with the certificates to trust; without it those of the system")
    archive: bool = Field(default=True, description="whether a server writes settled events into `archive/` by itself")
    max_body_bytes: int = Field(64 * MEBIBYTE, ge=1024, description="the largest request body, in bytes")
    max_command_bytes: int = Field(MEBIBYTE, ge=1024, description="the largest body of a single command, in bytes")
    max_bulk_commands: int = Field(100_000, ge=1, description="the most commands in one bulk request")
    max_streams: int = Field(100, ge=0, description="the most clients that may follow the feed as streams at the same time")
    max_wait_seconds: float = Field(30.0, gt=0, le=300, description="the longest that `at_least=` may wait")
    sql_seconds: float = Field(10.0, gt=0, description="the longest that one SQL query may run")
    whatif_seconds: float = Field(60.0, gt=0, description="the longest that one trial (what if) may run")
    max_webhooks: int = Field(50, ge=0, le=1000, description="the most webhooks there may be")
    webhook_private: bool = Field(
        default=False, description="whether webhooks may be sent to private networks, to this machine, and by http: for trying them out"
    )
    webhook_attempts: int = Field(10, ge=1, le=100, description="how often an event is sent to a webhook before it is given up")
    webhook_retry_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="the time until an event is sent again after a failure; four times as long each time, up to 12 hours",
    )
    webhook_timeout_seconds: float = Field(15.0, gt=0, le=120, description="how long a webhook's receiver may take to answer")
    sql_rows: int = Field(100_000, ge=1, description="the most rows that one SQL query may return")
    ready_lag: int = Field(100_000, ge=0, description="how many events read models may be behind the log while `/health/ready` says ready")
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="the port, on loopback, where `publish` and `work` serve `/metrics`; 0 takes a free one; a server has them at its own address",
    )
    traces: str | None = Field(
        None, description="where OpenTelemetry spans go by OTLP/HTTP, such as http://127.0.0.1:4318; without it nothing is traced"
    )
    traces_ratio: float = Field(1.0, ge=0, le=1, description="the share of traces that are sent")
    log: Literal["auto", "json", "text"] = Field(
        "auto", description="how lines of the log look: `json`, `text`, or `auto`: JSON unless standard error is a terminal"
    )
    log_level: Literal["debug", "info", "warning", "error"] | None = Field(
        None, description="from which level on lines are written; without it `info` for processes that go on, `warning` for other commands"
    )

    @field_validator("log_url", "lookups_url", "keys_url")
    @classmethod
    def _postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and urlsplit(url.get_secret_value()).scheme not in ("postgresql", "postgres"):
            raise ValueError("give a postgresql:// address, or leave it out for a file in the data folder")
        return url

    @field_validator("traces")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in ("http", "https") or urlsplit(url).username is not None):
            raise ValueError("give an http:// or https:// address without a password")
        return url

    @property
    def workers_fold(self) -> bool:
        """Whether the lookups are folded by workers (`daybook work`), and not by who serves."""
        return self.kafka is not None and self.lookups_url is not None

    @model_validator(mode="after")
    def _keys_travel_too(self) -> Self:
        if self.workers_fold and self.log_url is not None and self.keys_url is None:
            raise ValueError("several processes share the log, so they must share people's keys: set DAYBOOK_KEYS_URL")
        return self

    def shown(self) -> dict[str, Any]:
        """The settings as they may be printed: addresses without passwords, keys not at all."""
        shown = self.model_dump(mode="json", exclude=set(SECRETS))
        shown |= {name: _without_password(getattr(self, name)) for name in ("log_url", "lookups_url", "keys_url")}
        return {**shown, **{name: "set" if getattr(self, name) else None for name in SECRETS}}


def load_settings(environment: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings from the environment, where `given` (None: not given) has the last word. Raises InvalidSettings."""
    names = os.environ if environment is None else environment
    unknown = sorted(name for name in names if name.upper().startswith(PREFIX) and name[len(PREFIX) :].lower() not in Settings.model_fields)
    if unknown:
        raise InvalidSettings(
            f"there is no setting {', '.join(unknown)}; known are {', '.join(PREFIX + name.upper() for name in Settings.model_fields)}"
        )
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        places = (_told(place["loc"], place["msg"]) for place in error.errors(include_input=False))
        raise InvalidSettings("; ".join(places)) from None


def _told(place: Sequence[int | str], message: str) -> str:
    """What is wrong with a setting, or with several together."""
    said = message.removeprefix("Value error, ")
    return f"{PREFIX}{'_'.join(map(str, place)).upper()}: {said}" if place else said


def is_loopback(host: str) -> bool:
    """Whether a server on `host` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _without_password(url: SecretStr | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url.get_secret_value())
    if parts.password is None:
        return url.get_secret_value()
    place = f"{parts.username or ''}:***@{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")
    return urlunsplit(parts._replace(netloc=place))
