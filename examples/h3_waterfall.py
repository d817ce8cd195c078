"""H3: how the pipeline changed between any two moments, computed afterwards, reconciling exactly.

Nobody took a snapshot of the pipeline on 1 July. It is asked for afterwards, in total, by owner and for what was expected to close in
the quarter; and again after a late report, which belongs to the quarter in which it happened.

Run it from the repository: python -m examples.h3_waterfall
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from starlette.testclient import TestClient

from examples.showing import ask, daybook, give, say

THIRD_QUARTER: Final = {"since": "2025-07-01", "until": "2025-10-01"}
STAGES: Final = [{"name": "talk"}, {"name": "offer"}, {"name": "won", "status": "won"}, {"name": "lost", "status": "lost"}]
DEALS: Final = {
    "Mixers": ("2025-05-12", "ana", "4000.00", "2025-09-15"),
    "Ovens": ("2025-06-02", "ana", "9000.00", "2025-09-30"),
    "Fryers": ("2025-06-20", "bo", "2500.10", "2025-08-31"),
    "Grills": ("2025-07-08", "bo", "1200.25", "2025-09-01"),
    "Freezers": ("2025-08-11", "ana", "7000.00", "2025-12-15"),
}
"""By name, when they were opened, by whom, for how much, and when they were expected to close."""
HAPPENED: Final[tuple[tuple[str, str, str, dict[str, str]], ...]] = (
    ("2025-07-15", "win_opportunity", "Mixers", {"amount": "4400.00"}),
    ("2025-07-20", "lose_opportunity", "Fryers", {"reason": "price"}),
    ("2025-08-01", "assign_opportunity", "Ovens", {"owner_id": "bo"}),
    ("2025-08-20", "change_opportunity_amount", "Ovens", {"amount": "8500.40"}),
    ("2025-09-02", "reopen_opportunity", "Fryers", {"reason": "they came back"}),
    ("2025-09-10", "move_close_date", "Freezers", {"expected_close_on": "2025-09-29"}),
    ("2025-09-12", "move_close_date", "Ovens", {"expected_close_on": "2025-10-20"}),
    ("2025-09-25", "win_opportunity", "Grills", {}),
)


class Company:
    """A Daybook with one pipeline and one customer."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        self.pipeline = self.give("2025-01-02", "define_pipeline", name="Sales", stages=STAGES)
        self.customer = self.give("2025-01-02", "register_customer", name="Kwik-E-Mart")
        self.deals: dict[str, str] = {}

    def give(self, day: str, command: str, **data: Any) -> str:
        """Say what happened on a day; the record that it happened to."""
        return give(self.http, command, at=day, **data)

    def open(self, name: str) -> None:
        """Open one of the deals."""
        day, owner, amount, close = DEALS[name]
        about = {"name": name, "owner_id": owner, "amount": amount, "expected_close_on": close}
        self.deals[name] = self.give(day, "open_opportunity", customer_id=self.customer, pipeline_id=self.pipeline, **about)


def tell(company: Company, **asked: str) -> None:
    """Show the bars that are not empty, and that they add up."""
    for change in ask(company.http, "/v1/waterfall", **asked)["waterfalls"]:
        if change["label"]:
            say(f"  {change['label']}:")
        for step in change["steps"]:
            if step["times"]:
                say(f"    {step['bar']:<15} {step['value']:>10} {step['level']:>10}  {step['times']} ×")
        *others, closing = change["steps"]
        difference = sum(Decimal(step["value"]) for step in others) - Decimal(closing["value"])
        say(f"    opening and changes less closing: {difference:.4f}")


def behind(company: Company, asked: Mapping[str, str]) -> None:
    """Show the deals behind a bar, with the events that put them there."""
    for deal in ask(company.http, "/v1/waterfall/deals", **asked)["items"]:
        history = ask(company.http, f"/v1/streams/{deal['opportunity_id']}")["events"]
        events = [f"{event['occurred_at'][:10]} {event['type']}" for event in history if event["position"] in deal["positions"]]
        say(f"    {deal['name']:<8} {deal['value']:>10}  {', '.join(events)}")


def main() -> None:
    """Show it."""
    with daybook() as http:
        company = Company(http)
        for deal in DEALS:
            company.open(deal)
        for day, command, deal, said in HAPPENED:
            company.give(day, command, opportunity_id=company.deals[deal], **said)
        say("The third quarter, asked for afterwards:")
        tell(company, **THIRD_QUARTER)
        say("The same by owner; a deal that changed hands went from one to the other:")
        tell(company, **THIRD_QUARTER, by="owner")
        say("Only what was expected to close in the quarter:")
        tell(company, **THIRD_QUARTER, closing_from="2025-07-01", closing_until="2025-10-01")
        say("Any other two moments do as well:")
        tell(company, since="2025-08-15T12:00:00Z", until="2025-09-05")
        say("The deals behind a bar, and the events that put them there:")
        behind(company, {**THIRD_QUARTER, "bar": "won"})
        say("Somebody reports, late, that the freezers were lost on 28 September:")
        company.give("2025-09-28", "lose_opportunity", opportunity_id=company.deals["Freezers"], reason="no budget")
        tell(company, **THIRD_QUARTER)


if __name__ == "__main__":
    main()
