"""H4: two clocks. What had happened by a day, and what we believed on it, are two questions with two answers.

A salesperson logs a call three weeks after it took place, and a loss is reported that nobody had told us of. The pipeline as we
believed it to be on the day of the board meeting is not what it really was.

Run it from the repository: python -m examples.h4_two_clocks
"""

from datetime import UTC, datetime, timedelta
from time import sleep

from starlette.testclient import TestClient

from examples.showing import STAGES, ask, daybook, give, say


def days_ago(days: int) -> str:
    """A day in the past."""
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


def tell(http: TestClient, customer: str, **moment: str) -> str:
    """The customer in short."""
    found = ask(http, f"/v1/customers/{customer}", **moment)
    return f"open value {found['deals']['open_value']:>7}, lost deals {found['deals']['lost']}, calls {found['interactions']['count']}"


def main() -> None:
    """Show it."""
    with daybook() as http:
        pipeline = give(http, "define_pipeline", at=days_ago(90), name="Sales", stages=STAGES)
        customer = give(http, "register_customer", at=days_ago(90), name="Kwik-E-Mart")
        deal = give(
            http,
            "open_opportunity",
            at=days_ago(60),
            customer_id=customer,
            pipeline_id=pipeline,
            name="Squishee machines",
            amount="900.00",
            owner_id="moses.frase",
        )
        meeting = datetime.now(UTC)
        sleep(0.01)
        give(http, "log_interaction", at=days_ago(21), customer_id=customer, kind="call", direction="outbound", subject="They sound unsure")
        give(http, "lose_opportunity", at=days_ago(14), opportunity_id=deal, reason="price")

        believed = meeting.isoformat()
        say("What we know now:                              ", tell(http, customer))
        say("What we believed at the meeting (known_at):    ", tell(http, customer, known_at=believed))
        say("What had happened 7 days ago (as_of):          ", tell(http, customer, as_of=days_ago(7)))
        say("What had happened 17 days ago (as_of):         ", tell(http, customer, as_of=days_ago(17)))
        say("What we believed, of 17 days ago (both clocks):", tell(http, customer, as_of=days_ago(17), known_at=believed))


if __name__ == "__main__":
    main()
