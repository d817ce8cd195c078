"""What is said of webhooks over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from api.feed.asking import LARGEST_POSITION
from api.webhooks.addresses import LONGEST_URL
from api.webhooks.office import Standing
from api.webhooks.sending import Answer
from api.webhooks.wanting import Filter
from bus.webhooks.model import Attempt, Failed, Secret, State
from bus.webhooks.sealing import Seals
from commands.command import NO_CONTROL

LONGEST_OVERLAP: Final = 720
Url = Annotated[str, StringConstraints(max_length=LONGEST_URL, pattern=r"^https?://[!-~]+$")]
Description = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NO_CONTROL)]


def _number(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("give a whole number")  # noqa: TRY004 - pydantic tells of values
    return value


Number = BeforeValidator(_number)
"""A number is no text that looks like one; 3.0 is the whole number 3, as JSON Schema has it."""
Position = Annotated[int, Number, Field(ge=0, le=LARGEST_POSITION)]


class NewWebhook(Filter):
    """A webhook to be made."""

    url: Url = Field(description="Where events are sent by POST: https, on the public internet.")
    description: Description | None = Field(None, description="What it is for, in words that name nobody: they stay.")
    ordered: bool = Field(
        default=False, strict=True, description="Whether an event is sent only after the one before it was taken or given up; slower."
    )
    after: Position | None = Field(None, description="Send what comes after this position; 0 for all history. From now on, unless you say.")


class RotateBody(BaseModel):
    """How a secret is replaced."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: Annotated[int, Number] = Field(
        24, ge=0, le=LONGEST_OVERLAP, description="For how many hours the secret before signs as well."
    )


class ReplayBody(BaseModel):
    """From where events are sent again."""

    model_config = ConfigDict(extra="forbid")

    after: Position = Field(description="Send every wanted event after this position, again; 0 for all history.")


class RedeliverBody(BaseModel):
    """Which events that were given up are sent again."""

    model_config = ConfigDict(extra="forbid")

    positions: list[Annotated[int, Number, Field(ge=1, le=LARGEST_POSITION)]] | None = Field(
        None, min_length=1, max_length=1000, description="Their positions; all, unless you say."
    )


class SecretBody(BaseModel):
    """A secret that signs, without what it is."""

    number: int
    made_at: str
    expires_at: str | None = Field(description="Until when it signs; null for the newest.")


class WebhookBody(BaseModel):
    """A webhook, and how it stands."""

    id: UUID
    url: str
    description: str | None
    wanted: Filter = Field(description="Which events it is sent.")
    ordered: bool
    state: State
    why: str | None = Field(description="Why it is paused or off, where nobody did that by hand.")
    made_at: str
    position: int = Field(description="Every wanted event up to here was taken, waits to be sent again, or was given up.")
    lag: int = Field(description="How many positions that is behind the log.")
    waiting: int = Field(description="Events that wait to be sent again.")
    dead: int = Field(description="Events that were given up.")
    in_flight: int = Field(description="Events that are on their way just now.")
    attempts: int
    delivered: int
    failures: int = Field(description="Attempts that failed since the last that did not.")
    failing_since: str | None
    last_attempt_at: str | None
    last_success_at: str | None
    last_reason: str | None = Field(description="What came of the last attempt.")
    next_attempt_at: str | None = Field(description="When the next event that waits is sent again.")
    trouble: str | None = Field(description="What keeps this server from delivering, apart from the receiver.")


class ShownWebhookBody(WebhookBody):
    """A webhook with its secrets, as far as they may be told."""

    secrets: list[SecretBody]


class MadeWebhookBody(ShownWebhookBody):
    """A webhook with a new secret, which is told this once."""

    secret: str = Field(description="Verify messages with it (Standard Webhooks). It is not told again.")


class WebhooksBody(BaseModel):
    """All webhooks."""

    head: int = Field(description="The last position of the log.")
    webhooks: list[WebhookBody]


class FailedBody(BaseModel):
    """An event that was given up, or waits to be sent again."""

    position: int
    event_id: UUID
    type: str
    attempts: int
    first_at: str
    last_at: str
    reason: str = Field(description="`status`, `timeout`, `unreachable`, `tls`, `address`, `broken` or `too_large`.")
    status: int | None = Field(description="The last answer's status, if there was an answer.")
    excerpt: str | None = Field(description="The beginning of what was answered; null once somebody whom it may name was erased.")


class DueBody(FailedBody):
    """An event that waits to be sent again."""

    due_at: str


class DeadBody(BaseModel):
    """Events that were given up."""

    dead: list[FailedBody]
    after: int = Field(description="Ask for what comes after this next.")


class AttemptBody(BaseModel):
    """An attempt to send an event."""

    position: int
    event_id: UUID
    type: str
    attempt: int = Field(description="Which attempt for this event.")
    at: str
    milliseconds: int
    status: int | None
    reason: str = Field(description="`delivered`, or why not.")


class AttemptsBody(BaseModel):
    """The last attempts, and what waits to be sent again."""

    attempts: list[AttemptBody] = Field(description="The newest first.")
    waiting: list[DueBody] = Field(description="What is due first first.")


class RedeliveredBody(BaseModel):
    """How many are sent again."""

    redelivered: int


class PingBody(BaseModel):
    """What came of a test message."""

    id: str = Field(description="The message's `webhook-id`.")
    delivered: bool
    reason: str
    status: int | None
    milliseconds: int
    excerpt: str | None


def instant(moment: float | None) -> str | None:
    """A moment as JSON has it."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def webhook(standing: Standing) -> dict[str, Any]:
    """How a webhook stands."""
    told = standing.subscription
    times = ("made_at", "failing_since", "last_attempt_at", "last_success_at")
    same = ("id", "url", "description", "ordered", "state", "why", "attempts", "delivered", "failures", "last_reason")
    return {
        **{name: getattr(told, name) for name in same},
        **{name: instant(getattr(told, name)) for name in times},
        "wanted": Filter.model_validate(told.wanted).model_dump(mode="json"),
        **{name: getattr(standing, name) for name in ("position", "lag", "waiting", "dead", "in_flight", "trouble")},
        "next_attempt_at": instant(standing.next_due),
    }


def secret(told: Secret) -> dict[str, Any]:
    """A secret without what it is."""
    return {"number": told.number, "made_at": instant(told.made_at), "expires_at": instant(told.expires_at)}


def failure(told: Failed, seals: Seals) -> dict[str, Any]:
    """An event that failed; the receiver's answer readable, as long as nobody whom it may name was erased."""
    same = ("position", "event_id", "type", "attempts", "reason", "status")
    times = {name: instant(getattr(told, name)) for name in ("first_at", "last_at", "due_at")}
    return {**{name: getattr(told, name) for name in same}, **times, "excerpt": seals.open_answer(told.excerpt)}


def attempt(told: Attempt) -> dict[str, Any]:
    """One attempt."""
    same = ("position", "event_id", "type", "attempt", "milliseconds", "status", "reason")
    return {**{name: getattr(told, name) for name in same}, "at": instant(told.at)}


def ping(message_id: str, answer: Answer) -> dict[str, Any]:
    """What came of a test message."""
    same = ("delivered", "reason", "status", "milliseconds", "excerpt")
    return {"id": message_id, **{name: getattr(answer, name) for name in same}}
