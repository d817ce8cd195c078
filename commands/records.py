"""The kinds of records: what each is called and how its state is folded from its events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from domain.contacts import contact
from domain.customers import customer
from domain.errors import NotFound
from domain.event import Event
from domain.interactions import interaction
from domain.opportunities import opportunity
from domain.pipelines import pipeline
from domain.requests import request
from domain.surveys import survey

S = TypeVar("S")


@dataclass(frozen=True, slots=True, eq=False)
class Record(Generic[S]):
    """A kind of record. `evolve(state, event, occurred_at)` gives the state after an event; None is before the first."""

    kind: str
    state: type[S]
    evolve: Callable[[S | None, Event, datetime], S]

    def remember(self, history: Sequence[tuple[Event, datetime]], stream_id: UUID) -> tuple[int, S | None]:
        """The version and state after a whole history; (0, None) for an empty one. Raises NotFound for another kind's stream."""
        if history and history[0][0].stream != f"{self.kind}_id":
            raise self.foreign(stream_id)
        state: S | None = None
        for event, at in history:
            state = self.evolve(state, event, at)
        return len(history), state

    def foreign(self, stream_id: UUID) -> NotFound:
        """The refusal for an id that names a record of another kind."""
        return NotFound(f"{self.kind}.unknown", f"{stream_id} is not the id of a {self.kind}")


CUSTOMER = Record("customer", customer.Customer, customer.evolve)
CONTACT = Record("contact", contact.Contact, contact.evolve)
INTERACTION = Record("interaction", interaction.Interaction, interaction.evolve)
PIPELINE = Record("pipeline", pipeline.Pipeline, pipeline.evolve)
OPPORTUNITY = Record("opportunity", opportunity.Opportunity, opportunity.evolve)
REQUEST = Record("request", request.Request, request.evolve)
SURVEY = Record("survey", survey.Survey, survey.evolve)

RECORDS: dict[str, Record[Any]] = {
    record.kind: record for record in (CUSTOMER, CONTACT, INTERACTION, PIPELINE, OPPORTUNITY, REQUEST, SURVEY)
}
