"""Which attributes of its record an event says, and what they are after it: the catalogue of what can change.

A field of an event is an attribute of its record by its own name, unless it tells of the occasion only (`reason`, a
duration, a count of moves, a value that was before). What belongs to a part of the record (a line of a deal, a target of
a request) is an attribute `part.key.name`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from bus.catalogue import TODAY, hints, personal_fields

Data = Mapping[str, Any]


class Sealed(str):
    """A personal text as it is stored, encrypted."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Says:
    """What an event says: attributes that are set, and members that lists gain."""

    sets: dict[str, Any] = field(default_factory=dict[str, Any])
    gains: dict[str, str] = field(default_factory=dict[str, str])


OCCASION_PREFIXES: Final = ("previous_", "from_", "entered_")
OCCASION: Final = frozenset(
    {
        *("reason", "backward", "base_change", "was_primary", "primary_contact_id", "archived_at", "open_change", "score_change"),
        *("move_no", "correction_no", "assignment_no", "response_no", "reply_no", "resolution_no", "reopen_no", "amendment_no"),
        *("opened_at", "answered_at", "answered", "waiting_since", "waited_seconds", "gross_seconds", "net_seconds", "by", "activity"),
    }
)
"""Fields that tell of the occasion, whatever the event."""

OCCASION_OF: Final[Mapping[str, frozenset[str]]] = {
    "customer.custom_field_set": frozenset({"field", "kind", "value", "personal_value"}),
    "customer.registered": frozenset({"external_source", "external_id"}),
    "customer.external_id_linked": frozenset({"external_source", "external_id"}),
    "opportunity.lost": frozenset({"competitor"}),
    "opportunity.close_date_moved": frozenset({"direction"}),
    "opportunity.contact_linked": frozenset({"contact_id", "role"}),
    "opportunity.competitor_noted": frozenset({"competitor"}),
    "request.replied": frozenset({"direction"}),
    "request.linked": frozenset({"linked_kind", "linked_id", "relation"}),
    **dict.fromkeys(
        ("request.target_set", "request.target_met", "request.target_breached"),
        frozenset({"kind", "due_at", "started_at", "pushed_seconds", "policy", "cause", "margin_seconds"}),
    ),
    **dict.fromkeys(
        (
            "pipeline.stage_added",
            "pipeline.stage_renamed",
            "pipeline.stage_moved",
            "pipeline.stage_terms_changed",
            "pipeline.stage_retired",
        ),
        frozenset({"stage", "place", "status", "probability", "rotting_days", "label", "deals_go_to", "deals_moved"}),
    ),
    **dict.fromkeys(
        ("opportunity.line_added", "opportunity.line_changed", "opportunity.line_removed"),
        frozenset({"line_id", "product", "quantity", "unit_price", "total", "base_total"}),
    ),
}
"""Fields that are no attributes of the record itself in these events; those of a part are said by `PARTS`."""

CALLED: Final[Mapping[tuple[str, str], str]] = {
    **{(f"opportunity.{move}", "to_stage"): "stage" for move in ("stage_changed", "won", "lost", "reopened")},
    ("opportunity.forecast_category_set", "category"): "forecast_category",
    ("survey.reminded", "reminder_no"): "reminders",
}
"""Attributes that an event calls by another name."""

IMPLIED: Final[Mapping[str, Data]] = {
    "customer.registered": {"archived": False, "tags": [], "restricted": False, "erased": False},
    "customer.restricted": {"restricted": True},
    "customer.restriction_lifted": {"restricted": False},
    "customer.erased": {"erased": True},
    "customer.archived": {"archived": True},
    "customer.restored": {"archived": False},
    "contact.added": {"is_primary": False, "left": False, "restricted": False, "erased": False},
    "contact.restricted": {"restricted": True},
    "contact.restriction_lifted": {"restricted": False},
    "contact.erased": {"erased": True},
    "contact.moved": {"is_primary": False, "left": False},
    "contact.made_primary": {"is_primary": True},
    "contact.primary_lost": {"is_primary": False},
    "contact.left": {"is_primary": False, "left": True},
    "contact.restored": {"left": False},
    "interaction.logged": {"retracted": False},
    "interaction.retracted": {"retracted": True},
    "opportunity.opened": {"status": "open"},
    "opportunity.stage_changed": {"status": "open"},
    "opportunity.won": {"status": "won"},
    "opportunity.lost": {"status": "lost"},
    "opportunity.reopened": {"status": "open"},
    "request.opened": {"level": 0},
    "request.resumed": {"waiting_on": None},
    "request.resolved": {"waiting_on": None},
    "request.closed": {"waiting_on": None},
    "request.merged": {"waiting_on": None},
    "request.reopened": {"waiting_on": None, "result": None, "into_request_id": None},
    "survey.sent": {"status": "sent", "reminders": 0},
    "survey.answered": {"status": "answered"},
    "survey.answer_amended": {"status": "answered"},
    "survey.expired": {"status": "expired"},
}
"""What an event says by having happened."""


def _line(data: Data) -> dict[str, Any]:
    names = ("product", "quantity", "unit_price", "total", "base_total")
    return {f"line.{data['line_id']}.{name}": data[name] for name in names}


def _no_line(data: Data) -> dict[str, Any]:
    return dict.fromkeys(_line(data))


def _target(data: Data) -> dict[str, Any]:
    target = f"target.{data['kind']}"
    return {f"{target}.due_at": data["due_at"], f"{target}.policy": data["policy"], f"{target}.outcome": None}


def _outcome(outcome: str) -> Callable[[Data], dict[str, Any]]:
    return lambda data: {f"target.{data['kind']}.outcome": outcome}


def _stage(*names: str, **implied: Any) -> Callable[[Data], dict[str, Any]]:
    return lambda data: {f"stage.{data['stage']}.{name}": value for name, value in ({name: data[name] for name in names} | implied).items()}


def _added_stage(data: Data) -> dict[str, Any]:
    return _stage("status", "probability", "rotting_days", label=data["stage"], retired=False)(data)


def _custom_field(data: Data) -> dict[str, Any]:
    return {f"custom_field.{data['field']}": data["personal_value"] if data["value"] is None else data["value"]}


PARTS: Final[Mapping[str, Callable[[Data], dict[str, Any]]]] = {
    "customer.custom_field_set": _custom_field,
    "opportunity.line_added": _line,
    "opportunity.line_changed": _line,
    "opportunity.line_removed": _no_line,
    "opportunity.contact_linked": lambda data: {f"contact.{data['contact_id']}.role": data["role"]},
    "request.target_set": _target,
    "request.target_met": _outcome("met"),
    "request.target_breached": _outcome("breached"),
    "request.linked": lambda data: {f"link.{data['linked_kind']}.{data['linked_id']}": data["relation"]},
    "pipeline.stage_added": _added_stage,
    "pipeline.stage_renamed": _stage("label"),
    "pipeline.stage_terms_changed": _stage("probability", "rotting_days"),
    "pipeline.stage_retired": _stage(retired=True),
}
"""What an event says of a part of its record."""


def _external(data: Data) -> dict[str, str]:
    return {} if data["external_source"] is None else {"external_ids": f"{data['external_source']}:{data['external_id']}"}


GAINS: Final[Mapping[str, Callable[[Data], dict[str, str]]]] = {
    "customer.registered": _external,
    "customer.external_id_linked": _external,
    "opportunity.competitor_noted": lambda data: {"competitors": data["competitor"]},
}
"""Lists of the record that gain a member, which they have once."""


def says(event_type: str, data: Data) -> Says:
    """What an event of today's shape says of its record's attributes; personal texts are `Sealed`."""
    personal, own = _shape(event_type)
    sealed = {**data, **{name: Sealed(data[name]) for name in personal if data.get(name) is not None}}
    sets = {called: sealed[name] for name, called in own if name in sealed}
    if (event_type, sealed.get("comment")) == _COMMENT_STAYS:
        del sets["comment"]
    if event_type in PARTS:
        sets |= PARTS[event_type](sealed)
    sets |= IMPLIED.get(event_type, {})
    return Says(sets, GAINS[event_type](data) if event_type in GAINS else {})


_COMMENT_STAYS: Final = ("survey.answer_amended", None)
"""An amendment without a comment leaves the earlier one as it is."""


@cache
def _shape(event_type: str) -> tuple[Sequence[str], Sequence[tuple[str, str]]]:
    """The personal fields of a type, and those that are the record's own attributes with what these are called."""
    event = TODAY.known(event_type)
    occasion = OCCASION | OCCASION_OF.get(event_type, frozenset()) | {event.stream}
    own = [
        (name, CALLED.get((event_type, name), name))
        for name in hints(event)
        if (event_type, name) in CALLED or not (name in occasion or name.startswith(OCCASION_PREFIXES))
    ]
    return personal_fields(event), own
