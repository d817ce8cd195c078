"""An interaction's life: logged when it took place or later, corrected as often as needed, perhaps retracted.

When it took place is a fact of its own (`happened_at`), beside the clocks of the event that tells of it; so a late entry and a
correction each keep both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from domain.changes import tells_news
from domain.customers.customer import takes_business
from domain.errors import CorruptHistory, RuleViolation
from domain.event import Event
from domain.interactions.events import InteractionCorrected, InteractionLogged, InteractionRetracted
from domain.rules import Rules
from domain.values import ExternalId

Kind = Literal["call", "email", "meeting", "visit", "chat", "social", "note"]
Direction = Literal["inbound", "outbound", "internal"]
MOST_PARTICIPANTS = 100
LONGEST_SECONDS = 31 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an interaction was and what it belongs to."""

    kind: str
    direction: str
    happened_at: datetime
    duration_seconds: int | None = None
    contact_id: UUID | None = None
    opportunity_id: UUID | None = None
    request_id: UUID | None = None
    campaign: str | None = None
    owner_id: str | None = None
    team: str | None = None
    subject: str | None = None
    summary: str | None = None
    participants: str | None = None
    """One a line."""
    participant_count: int = 0

    def fields(self, prefix: str = "") -> dict[str, Any]:
        """These facts as event fields."""
        return {prefix + name: getattr(self, name) for name in self.__slots__}


PERSONAL = frozenset({"subject", "summary", "participants"})
WORDS = PERSONAL | {"participant_count"}
"""What a retraction does not repeat."""


def taking_part(participants: Sequence[str]) -> dict[str, Any]:
    """Who took part, as Facts have it."""
    return {"participants": "\n".join(participants) or None, "participant_count": len(participants)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Belonging:
    """Which customers the records belong to that an interaction names; None where it names none."""

    contact: UUID | None = None
    opportunity: UUID | None = None
    request: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """What decisions need to know of an interaction; personal texts come encrypted from the log and are only carried on."""

    id: UUID
    customer_id: UUID
    facts: Facts
    corrections: int = 0
    retracted: bool = False

    @property
    def keys(self) -> dict[str, Any]:
        """The keys that every event of this interaction carries."""
        return {"interaction_id": self.id, "customer_id": self.customer_id}


def known(interaction: Interaction | None) -> Interaction:
    """The interaction, which must have been logged. Raises CorruptHistory."""
    if interaction is None:
        raise CorruptHistory("history.no_start", "the interaction's history does not begin with its being logged")
    return interaction


def evolve(interaction: Interaction | None, event: Event, _at: datetime) -> Interaction:
    """The interaction after `event`; when it happened makes no difference."""
    match event:
        case InteractionLogged():
            return Interaction(id=event.interaction_id, customer_id=event.customer_id, facts=_facts(event))
        case InteractionCorrected():
            return replace(known(interaction), facts=_facts(event), corrections=event.correction_no)
        case InteractionRetracted():
            return replace(known(interaction), retracted=True)
        case _:
            raise CorruptHistory("history.foreign_event", f"{event.type} is not an interaction event")


def _facts(event: InteractionLogged | InteractionCorrected) -> Facts:
    return Facts(**{name: getattr(event, name) for name in Facts.__slots__})


def _of_one_customer(rules: Rules, customer_id: UUID, belonging: Belonging) -> None:
    of = (None, customer_id)
    rules.hold(belonging.contact in of, "contact.other_customer", "the contact is at another customer than the interaction")
    rules.hold(belonging.opportunity in of, "opportunity.other_customer", "the opportunity is another customer's than the interaction")
    rules.hold(belonging.request in of, "request.other_customer", "the request is another customer's than the interaction")


def log(
    interaction: Interaction | None,
    rules: Rules,
    *,
    interaction_id: UUID,
    customer_id: UUID,
    customer_archived: bool,
    facts: Facts,
    belonging: Belonging,
    external: ExternalId | None,
) -> list[Event]:
    """Record that an interaction took place."""
    if interaction is not None:
        raise RuleViolation("interaction.exists", "an interaction with this id exists already; correct it instead")
    takes_business(rules, archived=customer_archived)
    _of_one_customer(rules, customer_id, belonging)
    return [
        InteractionLogged(
            interaction_id=interaction_id,
            customer_id=customer_id,
            **facts.fields(),
            external_source=external.source if external else None,
            external_id=external.id if external else None,
        )
    ]


def correct(interaction: Interaction, rules: Rules, *, changes: Mapping[str, Any], belonging: Belonging, reason: str | None) -> list[Event]:
    """Change some of the Facts to what they really were."""
    if not tells_news(interaction.facts, changes, personal=PERSONAL):
        return []
    rules.hold(not interaction.retracted, "interaction.retracted", "the interaction was retracted; log another one")
    _of_one_customer(rules, interaction.customer_id, belonging)
    return [
        InteractionCorrected(
            **interaction.keys,
            **replace(interaction.facts, **changes).fields(),
            **interaction.facts.fields("previous_"),
            correction_no=interaction.corrections + 1,
            reason=reason,
        )
    ]


def retract(interaction: Interaction, *, reason: str | None) -> list[Event]:
    """Take back an interaction that was logged in error."""
    if interaction.retracted:
        return []
    plain = {name: value for name, value in interaction.facts.fields().items() if name not in WORDS}
    return [InteractionRetracted(**interaction.keys, **plain, reason=reason)]
