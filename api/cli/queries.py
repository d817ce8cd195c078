"""The reads as the command line names them: where each is asked, what it can be asked, and which columns a table of it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from api.cli.fields import Kind, OptionField, fields_of
from api.feed.asking import FeedPage
from api.read_parameters import ReadParameters
from api.reading.customers import TimelineParameters
from api.reading.figures import CommentParameters, FunnelParameters, SatisfactionParameters
from api.reading.parameters import Paged
from api.reading.waterfall import WaterfallDealParameters, WaterfallParameters
from api.reading.work import BoardParameters, QueueParameters
from readmodels.lists import LISTS, Listed

Shows = Mapping[str, tuple[str, ...]]

DEAL: Final = ("name", "customer_name", "owner_id", "base_amount", "expected_close_on", "age_days", "rotting")
STAGE: Final = (
    "group",
    "label",
    "reached",
    "step_rate",
    "overall_rate",
    "lost_from",
    "now_in",
    "value",
    "median_days",
    "p90_days",
    "back_moves",
)
TOTAL: Final = (
    "group",
    "opened",
    "open",
    "won",
    "lost",
    "win_rate",
    "won_value",
    "median_days_to_close",
    "median_days_to_win",
    "median_days_to_lose",
)
STEP: Final = ("bar", "value", "level", "times", "deals")
BEHIND: Final = ("name", "group", "value", "times", "positions", "opportunity_id")
ANSWERS: Final = ("group", "sent", "response_rate", "answers", "figure", "mean", "distribution")
TOLD: Final = ("occurred_at", "recorded_at", "says", "actor", "irregular")
WAITING: Final = ("priority", "subject", "customer_name", "status", "agent", "due_at", "overdue")
MOMENT: Final = ("as_of", "known_at")
EVENT: Final = ("position", "occurred_at", "type", "stream_id", "version", "actor", "source")

CUSTOMER: Final[Shows] = {
    "people": ("name", "title", "role", "email", "phone", "is_primary"),
    "current": ("name", "subject", "stage", "base_amount", "priority", "status", "agent", "owner_id", "opened_at", "due_at", "overdue"),
    "past": ("subject", "status", "priority", "agent", "opened_at", "resolved_at"),
    "recent": ("happened_at", "kind", "direction", "subject", "owner_id"),
    "reasons": ("code", "verdict", "says"),
}

LISTED: Final[Shows] = {
    "customers": ("customer_id", "name", "person_name", "lifecycle", "owner_id", "tier", "industry", "open_value", "won_revenue"),
    "contacts": ("contact_id", "name", "title", "email", "phone", "is_primary"),
    "opportunities": ("opportunity_id", "name", "stage", "status", "owner_id", "base_amount", "opened_at", "closed_at"),
    "requests": ("request_id", "subject", "category", "priority", "status", "agent", "opened_at", "resolved_at"),
    "interactions": ("interaction_id", "happened_at", "kind", "direction", "subject", "owner_id"),
    "surveys": ("survey_id", "kind", "about", "sent_at", "answered_at", "score", "agent", "comment"),
    "pipelines": ("pipeline_id", "name"),
}


@dataclass(frozen=True, slots=True)
class Query:
    """A read by its name on the command line."""

    name: str
    path: str
    summary: str
    fields: Sequence[OptionField]
    shows: Shows = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def has_moments(self) -> bool:
        """Whether it can be asked as of another moment."""
        return any(field.name in MOMENT for field in self.fields)

    @property
    def places(self) -> tuple[str, ...]:
        """The parameters in the address."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


def _query(name: str, path: str, summary: str, asks: type[BaseModel] | None, shows: Shows | None = None) -> Query:
    places = [
        OptionField(part[1:-1], Kind.TEXT, help="its id, or source:id", required=True) for part in path.split("/") if part.startswith("{")
    ]
    return Query(name, path, summary, [*places, *(fields_of(asks.model_json_schema()) if asks else ())], shows or {})


def _list(what: Listed) -> Query:
    paging = fields_of(Paged.model_json_schema())
    filters = [OptionField(name, Kind.TEXT, help=f"Only those whose {name.replace('_', ' ')} is this.") for name in what.filters]
    return Query(
        what.name, f"/v1/{what.name}", f"List {what.name}, in the order of their ids.", [*filters, *paging], {"items": LISTED[what.name]}
    )


QUERIES: Final[Mapping[str, Query]] = {
    query.name: query
    for query in (
        _query("customer", "/v1/customers/{customer_id}", "All that is known of a customer.", ReadParameters, CUSTOMER),
        _query(
            "timeline",
            "/v1/customers/{customer_id}/timeline",
            "Everything that happened with a customer.",
            TimelineParameters,
            {"items": TOLD},
        ),
        _query(
            "funnel",
            "/v1/funnel",
            "How far deals came, where they were lost, where they are, and how long they took.",
            FunnelParameters,
            {"stages": STAGE, "totals": TOTAL},
        ),
        _query(
            "waterfall",
            "/v1/waterfall",
            "How the open pipeline changed between two moments: opening, what came, what went, closing.",
            WaterfallParameters,
            {"steps": STEP},
        ),
        _query(
            "waterfall-deals",
            "/v1/waterfall/deals",
            "The deals behind one bar of the waterfall, the largest first.",
            WaterfallDealParameters,
            {"items": BEHIND},
        ),
        _query(
            "satisfaction", "/v1/satisfaction", "What customers answered: CSAT, NPS or CES.", SatisfactionParameters, {"groups": ANSWERS}
        ),
        _query("comments", "/v1/satisfaction/comments", "What customers wrote beside their scores, the latest first.", CommentParameters),
        _query(
            "board",
            "/v1/board",
            "Each stage with its deals, how long these have stood there, and which rot.",
            BoardParameters,
            {"deals": DEAL},
        ),
        _query("queue", "/v1/queue", "Requests that are not done, by when they are due next.", QueueParameters, {"items": WAITING}),
        *(_list(what) for what in LISTS),
        *(
            _query(what.record, f"/v1/{what.name}/{{record_id}}", f"One {what.record} as it is now.", ReadParameters)
            for what in LISTS
            if what.name != "customers"
        ),
        _query("events", "/v1/events", "The feed: every event in the order of its position.", FeedPage, {"events": EVENT}),
        _query("person", "/v1/persons/{person_id}", "How much is held about a person; erasing them makes the texts unreadable.", None),
        _query("stream", "/v1/streams/{stream_id}", "Everything that has happened to one record.", None, {"events": EVENT}),
    )
}


def plural_of(query: Query) -> str | None:
    """The list in which the record that this read names can be found by another system's name; None where there is none."""
    lists = {what.name for what in LISTS}
    parts = query.path.split("/")
    return parts[2] if query.places and parts[2] in lists else None


def text_of(value: Any) -> Any:
    """A parameter as an address has it."""
    return str(value).lower() if isinstance(value, bool) else value
