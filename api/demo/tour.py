"""Five things to try with the made-up company."""

from dataclasses import dataclass
from datetime import timedelta

from api.demo.fill import Summary


@dataclass(frozen=True, slots=True)
class Thing:
    """Something to try: why, the command that does it (to be run beside the server), and where it is in a browser."""

    why: str
    command: str
    path: str | None = None


def five_things(summary: Summary) -> tuple[Thing, ...]:
    """What to try first; ids and days are those of this company."""
    busiest = summary.notable["busiest customer"]
    late = (summary.until - timedelta(days=6)).replace(hour=9, minute=30, second=0, microsecond=0)
    return (
        Thing(
            "The sales funnel, by where deals came from: each deal counts once in a stage, however often it came back.",
            "daybook query funnel --by source",
            "/v1/funnel?by=source",
        ),
        Thing(
            "How content customers are with each agent, by the documented formula.",
            "daybook query satisfaction --by agent",
            "/v1/satisfaction?survey=csat&by=agent",
        ),
        Thing(
            f"All there is of one customer, {busiest.name}, and its timeline, folded from its events.",
            f"daybook query customer {busiest.id}",
            f"/v1/customers/{busiest.id}/timeline",
        ),
        Thing(
            "Log a call of last week: the timeline shows it where it belongs, with the time when we learnt of it.",
            f"daybook command log_interaction --customer-id {busiest.id} --kind call --direction outbound "
            f"--summary 'Asked for a second offer' --occurred-at {late.strftime('%Y-%m-%dT%H:%M:%SZ')}",
            f"/v1/customers/{busiest.id}/timeline",
        ),
        Thing(
            "Throw every read model away and fold it again from the events, beside those that serve: the figures stay the same.",
            "daybook rebuild",
        ),
    )
