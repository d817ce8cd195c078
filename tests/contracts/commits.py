"""Commits to write in tests of logs: made-up contacts (with personal fields) and pipelines, one command each."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from domain.commit import Claim, Commit, Link
from domain.contacts.events import ContactAdded, ContactErased
from domain.envelope import Cause, NewEvent
from domain.event import Event
from domain.pipelines.events import PipelineRenamed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINGERPRINT = bytes(range(16))


def renamed(pipeline_id: UUID, number: int = 0) -> PipelineRenamed:
    return PipelineRenamed(pipeline_id=pipeline_id, name=f"Pipeline {number}", previous_name=f"Pipeline {number - 1}")


def contact(contact_id: UUID, name: str = "Ada Lovelace", email: str | None = "ada@example.org") -> ContactAdded:
    return ContactAdded(
        contact_id=contact_id,
        customer_id=contact_id,
        name=name,
        email=email,
        phone=None,
        title=None,
        role=None,
        external_source=None,
        external_id=None,
    )


def commit(
    *events: Event,
    after: int = 0,
    command_id: str | None = None,
    stream_id: UUID | None = None,
    at: datetime = NOON,
    claims: tuple[Claim, ...] = (),
    links: tuple[Link, ...] = (),
) -> Commit:
    """One command's events for one stream that is at version `after`."""
    command_id = command_id or str(uuid7())
    stream = stream_id or (UUID(str(getattr(events[0], events[0].stream))) if events else uuid4())
    cause = Cause(actor="user:test", source="api", command_id=command_id)
    new = [
        NewEvent(
            id=uuid7(),
            stream_id=stream,
            version=version,
            occurred_at=at - timedelta(days=1),
            recorded_at=at,
            cause=cause,
            irregular=(),
            event=event,
        )
        for version, event in enumerate(events, after + 1)
    ]
    return Commit(
        command_id=command_id,
        fingerprint=FINGERPRINT,
        stream_id=stream,
        version=after + len(new),
        events=new,
        claims=claims,
        links=links,
    )


def stream_of(length: int) -> Commit:
    """A new stream of that many events in one commit."""
    pipeline_id = uuid7()
    return commit(*(renamed(pipeline_id, number) for number in range(length)))


def erased(contact_id: UUID) -> ContactErased:
    return ContactErased(
        contact_id=contact_id, customer_id=contact_id, reason=None, legal_basis="objection", requested_on=None, forgotten=("name",)
    )
