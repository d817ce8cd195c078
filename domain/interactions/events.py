"""What can have happened to an interaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.event import Event, PersonalText


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionEvent(Event):
    """What every interaction event carries, as it is after it."""

    stream: ClassVar[str] = "interaction_id"
    person: ClassVar[tuple[str, ...]] = ("contact_id", "customer_id")
    interaction_id: UUID
    customer_id: UUID
    contact_id: UUID | None
    opportunity_id: UUID | None
    request_id: UUID | None
    campaign: str | None
    owner_id: str | None
    """Who of us took part."""
    team: str | None
    kind: str
    """`call`, `email`, `meeting`, `visit`, `chat`, `social` or `note`."""
    direction: str
    """`inbound`, `outbound` or `internal`."""
    happened_at: datetime
    """When it took place, as far as we know now."""
    duration_seconds: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionLogged(InteractionEvent):
    """An interaction took place."""

    type: ClassVar[str] = "interaction.logged"
    subject: PersonalText | None
    summary: PersonalText | None
    participants: PersonalText | None
    """Who else took part, one a line."""
    participant_count: int
    external_source: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionCorrected(InteractionEvent):
    """What was logged is now this, all of it; what it was before is kept beside it."""

    type: ClassVar[str] = "interaction.corrected"
    subject: PersonalText | None
    summary: PersonalText | None
    participants: PersonalText | None
    participant_count: int
    correction_no: int
    """Counts from 1."""
    reason: str | None
    previous_contact_id: UUID | None
    previous_opportunity_id: UUID | None
    previous_request_id: UUID | None
    previous_campaign: str | None
    previous_owner_id: str | None
    previous_team: str | None
    previous_kind: str
    previous_direction: str
    previous_happened_at: datetime
    previous_duration_seconds: int | None
    previous_subject: PersonalText | None
    previous_summary: PersonalText | None
    previous_participants: PersonalText | None
    previous_participant_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionRetracted(InteractionEvent):
    """An interaction was logged in error; its other fields say what it was."""

    type: ClassVar[str] = "interaction.retracted"
    reason: str | None


EVENTS = (
    InteractionLogged,
    InteractionCorrected,
    InteractionRetracted,
)
