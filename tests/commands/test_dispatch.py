"""What the dispatcher promises: one answer per order, repetitions answered as before, batches whole or not at all."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from commands.dispatch import Dispatcher
from commands.order import Receipt
from tests.commands.orders import CUSTOMER, PIPELINE, Desk, deal, ext, order, receipt, refusal
from tests.memory_log import MemoryLog, MemoryTransaction


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.give(PIPELINE, CUSTOMER)
    return desk


def test_a_receipt_says_where_the_events_are(desk: Desk) -> None:
    (opened,) = desk.give(deal(1, amount="12.50"))
    stored = desk.log.events[-1]
    assert (opened.position, opened.version, opened.event_ids) == (len(desk.log.events), 1, (stored.id,))
    assert stored.stream_id == opened.stream_id
    assert not opened.repeated


def test_orders_of_one_batch_see_the_records_that_earlier_ones_made() -> None:
    desk = Desk()
    receipts = desk.give(PIPELINE, CUSTOMER, deal(1), order("move_opportunity", opportunity_id=ext(1), to_stage="Offer"))
    assert receipts[3].stream_id == receipts[2].stream_id
    assert receipts[3].version == 2


def test_a_repeated_command_id_gets_the_first_receipt_and_does_nothing(desk: Desk) -> None:
    again = order("win_opportunity", command_id="w", opportunity_id=ext(1))
    first = desk.give(deal(1), again)[1]
    events = len(desk.log.events)
    (second,) = desk.give(again)
    assert second.repeated
    assert (second.position, second.version, second.event_ids) == (first.position, first.version, first.event_ids)
    assert len(desk.log.events) == events


def test_a_repetition_within_one_batch_does_nothing_either(desk: Desk) -> None:
    again = order("win_opportunity", command_id="w", opportunity_id=ext(1))
    receipts = desk.give(deal(1), again, again)
    assert receipts[2].repeated
    assert receipts[2].event_ids == receipts[1].event_ids


def test_the_same_command_id_with_another_content_is_refused(desk: Desk) -> None:
    desk.give(deal(1), order("win_opportunity", command_id="w", opportunity_id=ext(1)))
    assert desk.refuse(order("win_opportunity", command_id="w", opportunity_id=ext(1), amount="3")) == "command.id_reused"
    assert desk.refuse(order("lose_opportunity", command_id="w", opportunity_id=ext(1), reason="x")) == "command.id_reused"


def test_a_refused_command_id_may_be_used_again(desk: Desk) -> None:
    won = order("win_opportunity", command_id="w", opportunity_id=ext(1))
    assert desk.refuse(won) == "opportunity.unknown"
    desk.give(deal(1), won)


def test_a_refused_order_leaves_nothing_and_the_others_go_through(desk: Desk) -> None:
    outcomes = desk.dispatcher.execute([deal(1), deal(1), order("move_opportunity", opportunity_id=ext(9), to_stage="Offer"), deal(2)])
    assert [isinstance(outcome, Receipt) for outcome in outcomes] == [True, False, False, True]
    assert [refusal(outcome) for outcome in outcomes[1:3]] == ["opportunity.exists", "opportunity.unknown"]


def test_an_atomic_batch_is_applied_whole_or_not_at_all(desk: Desk) -> None:
    events = len(desk.log.events)
    outcomes = desk.dispatcher.execute([deal(1), order("win_opportunity", opportunity_id=ext(9))], atomic=True)
    assert [refusal(outcome) for outcome in outcomes] == ["batch.not_applied", "opportunity.unknown"]
    assert len(desk.log.events) == events
    assert [
        receipt(o).version for o in desk.dispatcher.execute([deal(1), order("win_opportunity", opportunity_id=ext(1))], atomic=True)
    ] == [1, 2]


def test_an_atomic_batch_with_a_misshapen_order_is_not_applied(desk: Desk) -> None:
    outcomes = desk.dispatcher.execute([deal(1), order("win_opportunity", opportunity_id=7)], atomic=True)
    assert [refusal(outcome) for outcome in outcomes] == ["batch.not_applied", "command.invalid"]


def test_what_a_dropped_batch_made_is_unknown_afterwards(desk: Desk) -> None:
    desk.dispatcher.execute([deal(1), order("win_opportunity", opportunity_id=ext(9))], atomic=True)
    assert desk.refuse(order("win_opportunity", opportunity_id=ext(1))) == "opportunity.unknown"


def test_the_expected_version_must_be_the_records_version(desk: Desk) -> None:
    desk.give(deal(1))
    assert desk.refuse(order("win_opportunity", opportunity_id=ext(1), version=7)) == "version.mismatch"
    desk.give(order("win_opportunity", opportunity_id=ext(1), version=1))
    (new,) = desk.dispatcher.execute([order("open_opportunity", version=0, **deal(2, opportunity_id=None).data)])
    assert receipt(new).version == 1


def test_wrong_shape_and_unknown_names_are_refused_with_their_places(desk: Desk) -> None:
    assert desk.refuse(order("fly_to_the_moon")) == "command.unknown"
    outcome = desk.dispatcher.execute([order("win_opportunity", opportunity_id="x", colour="red")])[0]
    assert refusal(outcome) == "command.invalid"
    assert {str(place["loc"][0]) for place in outcome.error.details} == {"opportunity_id", "colour"}  # type: ignore[union-attr]


def test_callers_may_give_their_own_ids(desk: Desk) -> None:
    mine = "01900000-0000-7000-8000-000000000001"
    (opened,) = desk.give(deal(1, opportunity_id=mine))
    assert str(opened.stream_id) == mine
    assert desk.refuse(deal(1, opportunity_id=mine)) == "opportunity.exists"


def test_an_id_of_another_kind_of_record_is_unknown(desk: Desk) -> None:
    pipeline_id = str(desk.log.events[0].stream_id)
    assert desk.refuse(order("win_opportunity", opportunity_id=pipeline_id)) == "opportunity.unknown"
    assert desk.refuse(deal(1, opportunity_id=pipeline_id)) == "opportunity.unknown"


def test_both_clocks_are_kept(desk: Desk) -> None:
    before = datetime(2020, 5, 1, tzinfo=UTC)
    desk.give(order("register_customer", kind="company", name="Old", at=before))
    stored = desk.log.events[-1]
    assert stored.occurred_at == before
    assert stored.recorded_at > before + timedelta(days=365)


def test_nothing_happens_in_the_future(desk: Desk) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert desk.refuse(order("register_customer", kind="company", name="x", at=tomorrow)) == "time.in_future"


def test_a_reported_fact_that_breaks_a_rule_is_recorded_as_irregular(desk: Desk) -> None:
    desk.give(deal(1), order("win_opportunity", opportunity_id=ext(1)))
    assert desk.refuse(order("win_opportunity", opportunity_id=ext(1))) == "opportunity.closed"
    desk.give(order("win_opportunity", opportunity_id=ext(1), report=True))
    assert desk.log.events[-1].irregular == ("opportunity.closed",)
    assert desk.log.events[-2].irregular == ()


def test_a_report_with_an_unknown_reference_or_a_taken_id_is_refused_all_the_same(desk: Desk) -> None:
    desk.give(deal(1))
    assert desk.refuse(order("win_opportunity", opportunity_id=ext(5), report=True)) == "opportunity.unknown"
    taken = deal(1)
    assert desk.refuse(order("open_opportunity", report=True, **taken.data)) == "opportunity.exists"


def test_what_another_writer_appended_is_seen(desk: Desk) -> None:
    desk.give(deal(1))
    other = Dispatcher(desk.log, base_currency="EUR")
    receipt(other.execute([order("win_opportunity", opportunity_id=ext(1))])[0])
    assert desk.refuse(order("win_opportunity", opportunity_id=ext(1))) == "opportunity.closed"


class FailingLog(MemoryLog):
    """Fails once, after everything was appended and before it was committed."""

    failing = False

    @contextmanager
    def transaction(self) -> Generator[MemoryTransaction]:
        with super().transaction() as tx:
            yield tx
            if self.failing:
                self.failing = False
                raise OSError("no space left on device")


def test_when_the_log_cannot_write_nothing_is_remembered_either() -> None:
    log = FailingLog()
    dispatcher = Dispatcher(log, base_currency="EUR")
    dispatcher.execute([PIPELINE, CUSTOMER])
    log.failing = True
    with pytest.raises(OSError, match="no space"):
        dispatcher.execute([deal(1)])
    assert refusal(dispatcher.execute([order("win_opportunity", opportunity_id=ext(1))])[0]) == "opportunity.unknown"
    assert not receipt(dispatcher.execute([deal(1)])[0]).repeated


def test_retiring_a_stage_moves_its_open_deals_with_it(desk: Desk) -> None:
    desk.give(
        deal(1),
        deal(2),
        deal(3),
        order("win_opportunity", opportunity_id=ext(2)),
        order("move_opportunity", opportunity_id=ext(3), to_stage="Offer"),
    )
    assert desk.refuse(order("retire_stage", pipeline_id=ext("sales"), stage="Lead")) == "stage.in_use"
    desk.give(deal(4), order("retire_stage", pipeline_id=ext("sales"), stage="Lead", deals_go_to="Offer"))
    types = [stored.event.type for stored in desk.log.events[-3:]]
    assert types == ["opportunity.stage_changed", "opportunity.stage_changed", "pipeline.stage_retired"]
    assert desk.refuse(deal(5, stage="Lead")) == "stage.retired"


def test_a_new_record_is_expected_at_version_0_whatever_its_id(desk: Desk) -> None:
    new = order("open_opportunity", version=0, **deal(3).data)
    desk.give(new)
    assert desk.refuse(order("open_opportunity", version=0, **deal(3).data)) == "version.mismatch"
    assert desk.refuse(order("win_opportunity", version=2, opportunity_id=ext(9))) == "version.mismatch"


class BrokenLog(MemoryLog):
    """Cannot answer what is linked."""

    @contextmanager
    def transaction(self) -> Generator[MemoryTransaction]:
        with super().transaction() as tx:
            yield BrokenTransaction(*(getattr(tx, each.name) for each in fields(tx)))


class BrokenTransaction(MemoryTransaction):
    def linked(self, kind: str, key: str) -> list[UUID]:
        raise ZeroDivisionError(f"{kind} {key}")


def test_a_fault_in_one_order_is_not_its_neighbours_business() -> None:
    dispatcher = Dispatcher(BrokenLog(), base_currency="EUR")
    orders = [PIPELINE, CUSTOMER, order("retire_stage", pipeline_id=ext("sales"), stage="Lead"), deal(1)]
    outcomes = dispatcher.execute(orders)
    assert refusal(outcomes[2]) == "command.failed"
    assert [isinstance(outcome, Receipt) for outcome in outcomes] == [True, True, False, True]
