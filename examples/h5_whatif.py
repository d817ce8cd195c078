"""H5: another stage mapping, other probabilities, another service policy, a new figure: over all history, beside today's.

A company sold for half a year with one stage too many, and promised more than it kept. What would have been, is folded from the same
events; what is, stays as it is.

Run it from the repository: python -m examples.h5_whatif
"""

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.testclient import TestClient

from examples.showing import ask, daybook, give, say

BEGIN: Final = datetime(2025, 3, 3, 9, tzinfo=UTC)
STAGES: Final = [
    {"name": "talk", "probability": 10},
    {"name": "demo", "probability": 25},
    {"name": "offer", "probability": 50},
    {"name": "won", "status": "won"},
    {"name": "lost", "status": "lost"},
]
WAYS: Final = (
    ("ana", "900.00", ["demo", "offer", "won"]),
    ("ana", "1250.00", ["demo", "offer", "demo", "offer"]),
    ("bo", "400.00", ["demo", "lost"]),
    ("bo", "2000.50", ["offer", "won"]),
    ("bo", "310.00", ["demo"]),
)
"""Deals: whose, for how much, and which stages they went to, five days each."""
ANSWERS: Final = (("normal", 2), ("normal", 5), ("normal", 9), ("urgent", 1), ("high", 3))
"""Requests: how urgent, and after how many hours they were answered."""
MERGED: Final = """
[[stages]]
pipeline = "Sales"
count_as = { demo = "offer" }
"""
LIKELIER: Final = """
[[stages]]
pipeline = "Sales"
probability = { offer = 70 }
"""
STRICTER: Final = """
[targets.standard.normal]
first_response = "4h"
"""
DECLARED: Final = """
[folds.owners]
key = ["owner_id"]

[folds.owners.columns]
opened = { rule = "tally", events = ["opportunity.opened"] }
won = { rule = "tally", events = ["opportunity.won"] }
won_value = { rule = "total", field = "base_amount", events = ["opportunity.won"] }
back_moves = { rule = "tally", events = ["opportunity.stage_changed"], when = { backward = [true] } }
"""


class Company:
    """A Daybook, spoken to over HTTP."""

    def __init__(self, http: TestClient) -> None:
        self.http = http

    def give(self, at: datetime, command: str, **data: Any) -> str:
        """Say what happened; the record that it happened to."""
        return give(self.http, command, at=at.isoformat(), **data)

    def sell(self, customer: str, pipeline: str) -> None:
        """Take the deals on their ways."""
        for number, (owner, amount, way) in enumerate(WAYS):
            at = BEGIN + timedelta(days=number)
            keys = {"customer_id": customer, "pipeline_id": pipeline}
            deal = self.give(at, "open_opportunity", **keys, name=f"Deal {number}", amount=amount, owner_id=owner)
            for step, stage in enumerate(way, 1):
                then = at + timedelta(days=5 * step)
                match stage:
                    case "won":
                        self.give(then, "win_opportunity", opportunity_id=deal)
                    case "lost":
                        self.give(then, "lose_opportunity", opportunity_id=deal, reason="price")
                    case _:
                        self.give(then, "move_opportunity", opportunity_id=deal, to_stage=stage)

    def serve(self, customer: str) -> None:
        """Answer the requests."""
        for priority, hours in ANSWERS:
            request = self.give(BEGIN, "open_request", customer_id=customer, subject="Help", channel="email", priority=priority)
            self.give(BEGIN + timedelta(hours=hours), "record_first_response", request_id=request)

    def try_out(self, trial: str) -> list[dict[str, Any]]:
        """What a trial comes to."""
        return list(self.http.post("/v1/whatif", json=tomllib.loads(trial)).raise_for_status().json()["comparisons"])

    def ask(self) -> Any:
        """Today's figures."""
        return [ask(self.http, path) for path in ("/v1/funnel", "/v1/opportunities", "/v1/requests")]


def tell(comparisons: list[dict[str, Any]]) -> None:
    """Show what differs, old | new | difference; of a new read model, its rows."""
    for comparison in comparisons:
        say(f"  {comparison['name']}:")
        for row in comparison["rows"]:
            key = ", ".join(map(str, row["key"]))
            if row["old"] is None:
                say(f"    {key:<22}", ", ".join(f"{name} {value}" for name, value in row["new"].items()))
            elif row["new"] is None:
                say(f"    {key:<22} is no more")
            else:
                for name in comparison["figures"]:
                    old, new = row["old"][name], row["new"][name]
                    if old != new:
                        say(f"    {key:<22} {name:<15} {_text(old):>9} | {_text(new):>9} | {_text(row['difference'][name]):>9}")


def _text(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Show it."""
    with daybook() as http:
        company = Company(http)
        pipeline = company.give(BEGIN, "define_pipeline", name="Sales", stages=STAGES)
        customer = company.give(BEGIN, "register_customer", name="Kwik-E-Mart")
        company.sell(customer, pipeline)
        company.serve(customer)
        before = company.ask()
        say("What if a demo were part of the offer? (old | new | difference)")
        tell(company.try_out(MERGED))
        say("What if offers were won more often?")
        tell(company.try_out(LIKELIER))
        say("What if normal requests were to be answered within four hours?")
        tell(company.try_out(STRICTER))
        say("What would a figure say that nobody had thought of?")
        tell(company.try_out(DECLARED))
        say("What is, is as it was:", "yes" if company.ask() == before else "NO")


if __name__ == "__main__":
    main()
