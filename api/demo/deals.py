"""The lives of deals: opened, worked on from stage to stage and sometimes back, won, lost, reopened, renewed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from api.demo import customers, interactions, lifecycles, offers, surveys
from api.demo.agenda import Life
from api.demo.company import BY_NAME, COMPETITORS, LEAD_SOURCES, SOURCE_FIT
from api.demo.pipelines import INQUIRY, QUALIFIED
from api.demo.records import Customer, Deal, Pipeline, Stage
from api.demo.world import World

REASONS: Mapping[str, float] = {
    "price": 27, "competitor": 21, "no budget": 17, "no decision": 18, "bad timing": 10, "missing function": 7,
}  # fmt: skip
EARLY_REASONS: Mapping[str, float] = {"no reply": 46, "not a fit": 30, "no budget": 14, "only curious": 10}
TIER_FIT: Mapping[str, float] = {"A": 0.95, "B": 1.02, "C": 1.0}
ON, BACK, LOST = "on", "back", "lost"


def inquiry(world: World) -> Life:
    """Somebody asks for an offer: most often a new customer, sometimes one that we know."""
    pipeline = world.new_business
    customer = _who_asks(world)
    source = world.chance.weighted(LEAD_SOURCES)
    yield customer.owner.hours.hours_later(world.now, world.chance.after(1.5), world.chance)
    if not customer.archived:
        yield from deal_life(world, opened(world, customer, pipeline, source=source, basket=offers.basket_for(world, customer)))


def _who_asks(world: World) -> Customer:
    if world.customers and world.chance.happens(0.30):
        known = world.chance.one_of(world.customers)
        if not known.archived:
            return known
    return customers.registered(world, customers.anywhere(world), "lead")


def opened(
    world: World, customer: Customer, pipeline: Pipeline, *, source: str, basket: Sequence[tuple[str, int]], stage: Stage | None = None
) -> Deal:
    """A new deal, at the worth that one would guess; one inquiry in four is not worth anything yet."""
    deal = Deal(
        id=world.new_id(),
        customer=customer,
        owner=customer.owner,
        pipeline=pipeline,
        stage=stage or pipeline.stages[0],
        entered_at=world.now,
        close_on=offers.in_days(world, world.chance.around(70, 0.3)),
        currency=world.currency(customer.country),
        source=source,
        basket=list(basket),
    )
    guessed = pipeline is world.renewals or not world.chance.happens(0.25)
    worth = offers.worth(world, deal, world.chance.around(1.0, 0.2))
    said: dict[str, Any] = {
        "opportunity_id": deal.id,
        "customer_id": customer.id,
        "pipeline_id": pipeline.id,
        "name": f"{deal.product} · {customer.name}"[:200],
        "stage": stage.name if stage else None,
        "owner_id": deal.owner.id,
        "team": deal.owner.team,
        "lead_source": source,
        **(worth if guessed else {**worth, "amount": 0}),
        "expected_close_on": deal.close_on.isoformat() if guessed else None,
    }
    world.ask("open_opportunity", deal.owner, said)
    customer.deals.append(deal.id)
    _now_open(world, deal)
    return deal


def _now_open(world: World, deal: Deal) -> None:
    deal.status = "open"
    deal.pipeline.deals[deal.id] = deal
    deal.customer.open_deals += 1
    deal.customer.last_deal_at = world.now
    world.begin(offers.watched(world, deal), offers.morning_of(deal.close_on))


def _now_closed(world: World, deal: Deal, status: str, happened: datetime | None) -> None:
    deal.status, deal.entered_at = status, happened or world.now
    del deal.pipeline.deals[deal.id]
    deal.customer.open_deals -= 1
    deal.customer.last_deal_at = world.now


def deal_life(world: World, deal: Deal) -> Life:
    """From stage to stage until it is won or lost, and once more from there if it is reopened."""
    while True:
        fate = _fate(world, deal)
        days = world.chance.around(deal.stage.days, 0.65) * deal.owner.pace * (1.5 if fate == LOST else 1.0)
        interactions.during(
            world, deal.customer, deal.stage.topic, by=deal.owner, number=deal.stage.talks, days=days, product=deal.product, deal=deal.id
        )
        yield deal.owner.hours.days_later(world.now, days, world.chance)
        if fate == LOST:
            yield from _lost(world, deal)
        elif fate == ON and deal.stage is deal.pipeline.stages[-1]:
            yield from _won(world, deal)
        else:
            _moves(world, deal, back=fate == BACK)
        if not deal.open:
            return


def _fate(world: World, deal: Deal) -> str:
    """What comes of the stage it is in: the better the fit and who sells it, the more often it goes on."""
    fit = deal.owner.skill * SOURCE_FIT.get(deal.source, 1.0) * TIER_FIT[deal.customer.tier] * (1 + 0.12 * deal.customer.mood)
    if not world.chance.happens(deal.stage.onward ** (1 / max(fit, 0.4))):
        return LOST
    place = deal.pipeline.stages.index(deal.stage)
    return BACK if place >= 2 and world.chance.happens(0.07) else ON


def _moves(world: World, deal: Deal, *, back: bool) -> None:
    """To another open stage: mostly the next, at times one further; or one or two back."""
    stages = deal.pipeline.stages
    place = stages.index(deal.stage)
    if back:
        to = stages[max(0, place - world.chance.whole(1, 2))]
        world.notable["came back"] = (deal.id, f"{deal.product} · {deal.customer.name}")
    else:
        to = stages[min(len(stages) - 1, place + (2 if world.chance.happens(0.05) else 1))]
    happened = _a_little_earlier(world, deal)
    world.ask("move_opportunity", deal.owner, {"opportunity_id": deal.id, "to_stage": to.name}, happened=happened)
    deal.stage, deal.entered_at = to, happened or world.now
    offers.entered(world, deal)
    if world.chance.happens(0.035):
        _given_to_another(world, deal)


def _a_little_earlier(world: World, deal: Deal) -> datetime | None:
    """One move in eight is entered some hours after it took place."""
    if not world.chance.happens(0.12):
        return None
    return max(deal.entered_at, world.now - timedelta(minutes=world.chance.whole(60, 2600)))


def _given_to_another(world: World, deal: Deal) -> None:
    deal.owner = world.company.seller(deal.customer.country.team, world.chance, but=deal.owner)
    world.ask("assign_opportunity", deal.owner, {"opportunity_id": deal.id, "owner_id": deal.owner.id, "team": deal.owner.team})


def _won(world: World, deal: Deal) -> Life:
    customer, happened = deal.customer, _a_little_earlier(world, deal)
    final = offers.worth(world, deal, world.chance.between(0.88, 0.96)) if world.chance.happens(0.08) else {}
    world.ask("win_opportunity", deal.owner, {"opportunity_id": deal.id, **final}, happened=happened)
    _now_closed(world, deal, "won", happened)
    lifecycles.becomes(world, customer, "active", by=deal.owner)
    _now_buyer(world, customer, [name for _, name, _ in deal.lines] or [name for name, _ in deal.basket])
    if deal.pipeline is world.new_business:
        _follows(world, deal)
    if world.chance.happens(0.008):
        yield from _reopened(world, deal, days=world.chance.between(2, 20), reason="order was cancelled")


def _now_buyer(world: World, customer: Customer, products: Sequence[str]) -> None:
    customer.products = sorted({*customer.products, *products})
    if not customer.bought:
        customer.bought = True
        world.buyers.append(customer)
        world.begin(surveys.relationship(world, customer), world.now + timedelta(days=world.chance.between(40, 120)))


def _follows(world: World, deal: Deal) -> None:
    """An order is delivered and asked about; what is paid by the year comes up for renewal."""
    world.orders += 1
    order = f"SO-{world.now.year}-{world.orders:05}"
    world.begin(surveys.about_order(world, deal.customer, order, deal.owner), world.now + timedelta(days=world.chance.between(14, 35)))
    yearly = [(name, number) for name, number in deal.basket if BY_NAME[name].yearly]
    if yearly:
        world.begin(_first_renewal(world, deal, yearly), world.now + timedelta(days=world.chance.between(280, 300)))


def _first_renewal(world: World, deal: Deal, products: Sequence[tuple[str, int]]) -> Life:
    """Nothing to renew if the order was cancelled after all."""
    if deal.status == "won":
        yield from renewal(world, deal.customer, products)


def _lost(world: World, deal: Deal) -> Life:
    reason = world.chance.weighted(EARLY_REASONS if deal.stage.name == INQUIRY else REASONS)
    competitor = (deal.competitor or world.chance.one_of(COMPETITORS)) if reason == "competitor" else None
    said = {"opportunity_id": deal.id, "reason": reason, "competitor": competitor}
    happened = _a_little_earlier(world, deal)
    world.ask("lose_opportunity", deal.owner, said, happened=happened)
    _now_closed(world, deal, "lost", happened)
    if deal.pipeline is world.renewals and world.chance.happens(0.6):
        lifecycles.becomes(world, deal.customer, "churned", by=deal.owner, reason=reason)
    if world.chance.happens(0.05):
        yield from _reopened(world, deal, days=world.chance.between(20, 120), reason="customer asked again")
    if not deal.open:
        world.begin(lifecycles.cools_off(world, deal.customer))


def _reopened(world: World, deal: Deal, *, days: float, reason: str) -> Life:
    yield deal.owner.hours.days_later(world.now, days, world.chance)
    if deal.customer.archived:
        return
    stages = deal.pipeline.stages
    to = next((stage for stage in stages if stage.name == QUALIFIED), stages[0]) if deal.stage not in stages else deal.stage
    world.ask("reopen_opportunity", deal.owner, {"opportunity_id": deal.id, "stage": to.name, "reason": reason})
    deal.stage, deal.entered_at = to, world.now
    _now_open(world, deal)


def renewal(world: World, customer: Customer, products: Sequence[tuple[str, int]]) -> Life:
    """Before a year's term ends, a deal is opened to renew it; won, it comes round again."""
    while not customer.archived and customer.lifecycle != "churned":
        yield customer.owner.hours.days_later(world.now, 0.1, world.chance)
        if customer.archived:
            return
        deal = opened(world, customer, world.renewals, source="renewal", basket=products)
        for name, number in products:
            offers.add_line(world, deal, name, number)
        yield from deal_life(world, deal)
        if deal.status != "won":
            return
        yield world.now + timedelta(days=world.chance.between(275, 300))


def brought_over(world: World, customer: Customer) -> Life:
    """A deal that was under way when the company began to keep its book here."""
    pipeline = world.new_business
    yield customer.owner.hours.days_later(world.now, world.chance.between(0.2, 3), world.chance)
    stage = world.chance.one_of(pipeline.stages[1:])
    source, basket = world.chance.weighted(LEAD_SOURCES), offers.basket_for(world, customer)
    yield from deal_life(world, opened(world, customer, pipeline, source=source, basket=basket, stage=stage))
