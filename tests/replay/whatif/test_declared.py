"""A further read model, declared as data: it is folded as Daybook's own are, and bounded."""

from collections.abc import Iterator
from typing import Any

import pytest

from projections.fold import Fold
from replay.whatif.declared import ColumnSaid, SourceSaid, declared
from replay.whatif.errors import TrialRefused, TrialTooMuch
from replay.whatif.trial import StageChange, Trial
from tests.readmodels.folding import Company, company
from tests.readmodels.histories import Act, History
from tests.replay.whatif.trials import comparison, new_of, tried

MOVES = ["opportunity.stage_changed", "opportunity.won", "opportunity.lost", "opportunity.reopened"]


@pytest.fixture(scope="module")
def firm() -> Iterator[Company]:
    acts = [
        Act(0, "move_opportunity", 24, (("to_stage", "Offer"),)),
        Act(0, "move_opportunity", 48, (("to_stage", "Talk"),)),
        Act(1, "win_opportunity", 72, (("stage", "Signed"), ("amount", "12.5"))),
        Act(2, "lose_opportunity", 72, (("reason", "price"),)),
        Act(2, "assign_opportunity", 80, (("person", ("bo", "south")),)),
    ]
    with company() as opened:
        stages = ["Lead", "Talk", "Offer", "Signed", "Renewed", "Dropped"]
        opened.try_all(History(stages, [(n, "Lead", n % 3, 0, "10") for n in range(5)], acts).orders("p"))
        yield opened


def source(*events: str, **said: Any) -> SourceSaid:
    return SourceSaid(**{"events": events, "when": {}, "unless": {}, **said})


def column(rule: str, *sources: SourceSaid, **said: Any) -> ColumnSaid:
    return ColumnSaid(rule=rule, sources=sources, **said)


def made(**columns: ColumnSaid) -> Fold:
    return declared("tried", {"opportunity_id": "opportunity_id"}, columns)


def test_a_declared_read_model_is_folded_as_the_shipped_one_is(firm: Company) -> None:
    owners = ("opportunity.opened", "opportunity.assigned")
    fold = made(
        owner_id=column("latest", source(*owners, field="owner_id")),
        opened_at=column("first", source("opportunity.opened", field="@occurred_at")),
        status=column(
            "latest",
            source("opportunity.opened", "opportunity.stage_changed", "opportunity.reopened", value="open"),
            source("opportunity.won", value="won"),
            source("opportunity.lost", value="lost"),
        ),
        moves=column("tally", source(*MOVES)),
        back_moves=column("tally", source(*MOVES, when={"backward": [True]})),
    )
    found = comparison(firm, Trial(folds=[fold]), "tried")
    with firm.facts() as facts:
        sql = """
            SELECT opportunity_id::VARCHAR AS id, owner_id, strftime(opened_at, '%Y-%m-%dT%H:%M:%S.%fZ') AS opened_at, status, moves, back_moves
            FROM opportunities
        """
        wanted = {(row.pop("id"),): row for row in facts.rows(sql, {})}
    assert new_of(found) == wanted
    assert found.rows_in_all == 5
    assert all(row.old is None for row in found.rows)


def test_totals_can_be_lessened_and_keys_can_be_anything_that_events_have(firm: Company) -> None:
    fold = declared(
        "by_day_and_kind",
        {"kind": "@type", "owner": "owner_id"},
        {
            "value": column(
                "total", source("opportunity.opened", field="base_amount"), source("opportunity.won", field="base_amount", minus=True)
            ),
            "deals": column("distinct", source("opportunity.opened", "opportunity.won", field="opportunity_id")),
        },
    )
    rows = new_of(comparison(firm, Trial(folds=[fold]), "by_day_and_kind"))
    assert {key: (float(row["value"]), len(row["deals"])) for key, row in rows.items() if row} == {
        ("opportunity.opened", "ana"): (20.0, 2),
        ("opportunity.opened", "bo"): (20.0, 2),
        ("opportunity.opened", "cy"): (10.0, 1),
        ("opportunity.won", "bo"): (-12.5, 1),
    }


def test_stages_of_the_trial_are_those_of_its_read_models(firm: Company) -> None:
    fold = made(stage=column("latest", source("opportunity.opened", field="stage"), source(*MOVES, field="to_stage")))
    trial = Trial(stages=[StageChange(count_as={"Talk": "Offer"})], folds=[fold])
    stages = {row["stage"] for row in new_of(comparison(firm, trial, "tried")).values() if row}
    assert stages == {"Lead", "Offer", "Signed", "Dropped"}


def test_only_so_many_rows_are_shown(firm: Company) -> None:
    found = comparison(firm, Trial(folds=[made(moves=column("tally", source(*MOVES, "opportunity.opened")))], rows=2), "tried")
    assert (len(found.rows), found.rows_in_all) == (2, 5)


@pytest.mark.parametrize(
    ("key", "said", "complaint"),
    [
        ("opportunity_id", column("tally", source("opportunity.vanished")), "there is no event"),
        ("opportunity_id", column("total", source("opportunity.won", field="nonsense")), "has no field"),
        ("opportunity_id", column("total", source("opportunity.won", field="to_stage")), "does not combine"),
        ("opportunity_id", column("latest", source("opportunity.won", field="@nonsense")), "the envelope has no"),
        ("opportunity_id", column("latest", source("opportunity.won", field="to_stage", when={"backward": ["x"]})), "never"),
        ("contact_id", column("latest", source("contact.added", field="name")), "can identify a person"),
        ("name", column("tally", source("contact.added")), "can identify a person"),
    ],
)
def test_a_declaration_that_contradicts_the_events_is_refused(key: str, said: ColumnSaid, complaint: str) -> None:
    with pytest.raises(TrialRefused, match=complaint) as caught:
        declared("tried", {key: key}, {"a": said})
    assert caught.value.code == "whatif.fold"


def test_a_read_model_of_that_name_must_not_be_there(firm: Company) -> None:
    fold = declared("opportunities", {"opportunity_id": "opportunity_id"}, {"moves": column("tally", source(*MOVES))})
    with pytest.raises(TrialRefused, match="already"):
        tried(firm, Trial(folds=[fold]))


def test_a_trial_ends_after_its_time(firm: Company) -> None:
    with pytest.raises(TrialTooMuch) as caught:
        tried(firm, Trial(stages=[StageChange()]), seconds=1e-9)
    assert caught.value.code == "whatif.too_slow"
    assert tried(firm, Trial(stages=[StageChange()])).comparisons
