"""H2: any record, list, figure and query as of any moment, with no snapshot that anybody had to opt into beforehand.

A deal grows, moves and is won in the course of half a year. Afterwards we ask for the customer, the board, the funnel and
free SQL as of days in between.

Run it from the repository: python -m examples.h2_as_of
"""

from examples.showing import STAGES, ask, daybook, give, say

DAYS = ("2026-01-31", "2026-03-31", "2026-06-30")


def main() -> None:
    """Show it."""
    with daybook() as http:
        pipeline = give(http, "define_pipeline", at="2026-01-02", name="Sales", stages=STAGES)
        customer = give(http, "register_customer", at="2026-01-05", name="Kwik-E-Mart", owner_id="moses.frase")
        deal = give(
            http,
            "open_opportunity",
            at="2026-02-10",
            customer_id=customer,
            pipeline_id=pipeline,
            name="Squishee machines",
            amount="900.00",
            owner_id="moses.frase",
        )
        give(http, "change_opportunity_amount", at="2026-03-02", opportunity_id=deal, amount="1200.00")
        give(http, "move_opportunity", at="2026-03-20", opportunity_id=deal, to_stage="offer")
        give(http, "assign_customer", at="2026-04-01", customer_id=customer, owner_id="anna.snelling")
        give(http, "win_opportunity", at="2026-05-15", opportunity_id=deal)

        say("The customer")
        for day in DAYS:
            found = ask(http, f"/v1/customers/{customer}", as_of=day)
            say(f"  {day}  {found['owner_id']:<14} open {found['deals']['open_value']:>8}  won {found['deals']['won_revenue']:>8}")
        say("The board")
        for day in DAYS:
            [board] = ask(http, "/v1/board", as_of=day)["boards"]
            shown = ", ".join(
                f"{deal['name']} in {stage['stage']} for {deal['age_days']:.0f} days"
                for stage in board["stages"]
                for deal in stage["deals"]
            )
            say(f"  {day}  {shown or 'nothing'}")
        say("The funnel: deals in each stage")
        for day in DAYS:
            [funnel] = ask(http, "/v1/funnel", as_of=day, pipeline=pipeline)["funnels"]
            shown = "  ".join(f"{stage['stage']} {stage['now_in']}" for stage in funnel["stages"])
            say(f"  {day}  {shown or 'no deals'}")
        say("SQL: SELECT status, base_amount FROM opportunities")
        for day in DAYS:
            answer = http.post("/v1/sql", params={"as_of": day}, json={"sql": "SELECT status, base_amount FROM opportunities"}).json()
            say(f"  {day}  {answer['rows'] or 'no rows'}")


if __name__ == "__main__":
    main()
