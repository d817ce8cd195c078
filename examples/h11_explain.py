"""H11: any number taken apart into the events that make it, adding up.

Why is Kwik-E-Mart's open pipeline 7250.00? Which events made it, and what did they make of it on 10 February? Which deals are a bar of the
funnel, and which events put them there? Each answer is added up here once more.

Run it from the repository: python -m examples.h11_explain
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from starlette.testclient import TestClient

from examples.showing import ask, daybook, give, say

STAGES: Final = [{"name": "talk"}, {"name": "offer"}, {"name": "won", "status": "won"}, {"name": "lost", "status": "lost"}]
HAPPENED: Final[Sequence[tuple[str, str, str, Mapping[str, str]]]] = (
    ("2025-01-14", "open_opportunity", "Squishee machines", {"amount": "4000.00"}),
    ("2025-01-20", "open_opportunity", "Donut glazers", {"amount": "2500.00"}),
    ("2025-02-03", "move_opportunity", "Squishee machines", {"to_stage": "offer"}),
    ("2025-02-11", "change_opportunity_amount", "Squishee machines", {"amount": "4750.00"}),
    ("2025-02-20", "open_opportunity", "Hot dog rollers", {"amount": "900.00"}),
    ("2025-03-02", "win_opportunity", "Hot dog rollers", {}),
)


class Company:
    """A Daybook with one customer and its deals."""

    def __init__(self, http: TestClient) -> None:
        self.http = http
        self.pipeline = self.give("2025-01-02", "define_pipeline", name="Sales", stages=STAGES)
        self.customer = self.give("2025-01-02", "register_customer", name="Kwik-E-Mart", owner_id="moses.frase")
        self.deals: dict[str, str] = {}

    def give(self, day: str, command: str, **data: Any) -> str:
        """Report what happened on a day; the record that it happened to."""
        return give(self.http, command, at=day, **data)

    def happen(self, day: str, command: str, name: str, data: Mapping[str, Any]) -> None:
        """Something happens to a deal, which the first such thing opens."""
        if command == "open_opportunity":
            about = {"customer_id": self.customer, "pipeline_id": self.pipeline, "name": name, "owner_id": "moses.frase"}
            self.deals[name] = self.give(day, command, **about, **data)
        else:
            self.give(day, command, opportunity_id=self.deals[name], **data)

    def explain(self, path: str, **asked: Any) -> dict[str, Any]:
        """An explanation, of everything that was said so far."""
        found: dict[str, Any] = ask(self.http, f"/v1/explain/{path}", **asked)
        return found


def tell(found: Mapping[str, Any]) -> None:
    """The events of a cell, and their sum by our own arithmetic."""
    total = Decimal(0)
    for item in found["items"]:
        counts = item["counts"]
        adds = counts["sign"] * Decimal(counts["value"])
        total += adds
        condition = f"  because {', '.join(counts['when'])}" if counts["when"] else ""
        say(f"  {item['occurred_at'][:10]}  {adds:>+10}  so far {counts['so_far']:>8}  {item['type']}{condition}")
    say(f"  the events come to {found['comes_to']}, the read model shows {found['shown']}; added up here: {total}")


def tell_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """The deals of a bar with the events that made them count."""
    for row in rows:
        say(f"  {row['value']:>8}  {row['name']}")
        for event in row["events"]:
            cells = ", ".join(dict.fromkeys(f"{cell['fold']}.{cell['column']}" for cell in event["cells"]))
            say(f"            {event['occurred_at'][:10]}  {event['type']} made {cells}")


def main() -> None:
    """Show it."""
    with daybook() as http:
        company = Company(http)
        for day, command, deal, data in HAPPENED:
            company.happen(day, command, deal, data)
        cell = f"customer_360/{company.customer}/open_value"
        say("The open pipeline of Kwik-E-Mart:")
        tell(company.explain(cell))
        say("As of 10 February:")
        tell(company.explain(cell, as_of="2025-02-10"))
        say("What the deal for Squishee machines is worth, and what it was before:")
        for item in company.explain(f"opportunities/{company.deals['Squishee machines']}/base_amount")["items"]:
            say(f"  {item['counts']['value']:>8}  {'shown now ' if item['counts']['won'] else 'was before'}  {item['says']}")
        say("The bar of the funnel for all that reached the offer, and its deals:")
        bar = company.explain("funnel", stage="offer", number="value")
        total = sum(Decimal(row["value"]) for row in bar["items"])
        tell_rows(bar["items"])
        say(f"  the funnel shows {bar['shown']}, the deals come to {bar['comes_to']}; added up here: {total}")


if __name__ == "__main__":
    main()
