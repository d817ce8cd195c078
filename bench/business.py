"""A file of commands as a company brings them along when it moves in: customers, deals, calls, requests and answers."""

from collections.abc import Iterator
from typing import Any

import orjson

EVENTS_PER_GROUP = 19
"""What the ten commands of one group write."""
COMMANDS_PER_GROUP = 10

SETTING_UP = orjson.dumps(
    {
        "command": "define_pipeline",
        "command_id": "pipeline",
        "data": {
            "pipeline_id": {"source": "old", "id": "sales"},
            "name": "Sales",
            "stages": [{"name": "Lead"}, {"name": "Offer"}, {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}],
        },
    }
)


def lines(groups: int) -> Iterator[bytes]:
    """NDJSON: the pipeline, then `groups` times the ten commands around one customer, with external ids and personal fields."""
    yield SETTING_UP
    for number in range(groups):
        for step, (command, at, data) in enumerate(_group(number)):
            yield orjson.dumps({"command": command, "command_id": f"{number}-{step}", "occurred_at": at, "data": data})


def _ref(kind: str, number: int) -> dict[str, str]:
    return {"source": "old", "id": f"{kind}-{number}"}


def _group(number: int) -> list[tuple[str, str, dict[str, Any]]]:
    customer, deal, request = _ref("c", number), _ref("d", number), _ref("r", number)
    opened = f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}T09:30:00Z"
    later = f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}T15:45:30.5Z"
    profile = {"kind": "company", "name": f"Company {number}", "email": f"office{number}@example.com", "website": "https://example.com"}
    place = {"street": f"Long Street {number}", "city": "Porto", "country": "PT", "industry": "retail", "tier": "B"}
    return [
        ("register_customer", opened, {"customer_id": customer, **profile, **place}),
        (
            "add_contact",
            opened,
            {"contact_id": _ref("p", number), "customer_id": customer, "name": f"Ana Silva {number}", "email": "ana@example.com"},
        ),
        (
            "open_opportunity",
            opened,
            {
                "opportunity_id": deal,
                "customer_id": customer,
                "pipeline_id": _ref("", 0) | {"id": "sales"},
                "name": "Machines",
                "owner_id": "ana",
            },
        ),
        ("add_opportunity_line", opened, {"opportunity_id": deal, "product": "GTX", "quantity": 3, "unit_price": "199.90"}),
        ("move_opportunity", later, {"opportunity_id": deal, "to_stage": "Offer"}),
        ("win_opportunity", later, {"opportunity_id": deal, "amount": "550.00"}),
        (
            "log_interaction",
            later,
            {
                "interaction_id": _ref("i", number),
                "customer_id": customer,
                "kind": "call",
                "direction": "outbound",
                "summary": "They will pay in May.",
            },
        ),
        (
            "open_request",
            opened,
            {"request_id": request, "customer_id": customer, "channel": "email", "subject": f"Where is order {number}?"},
        ),
        ("resolve_request", later, {"request_id": request, "result": "found it"}),
        (
            "record_survey_answer",
            later,
            {"survey_id": _ref("s", number), "customer_id": customer, "kind": "csat", "score": 4, "comment": "Quick."},
        ),
    ]
