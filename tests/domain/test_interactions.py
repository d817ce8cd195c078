"""What may happen to an interaction, and what may not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.errors import CorruptHistory
from domain.event import Event
from domain.interactions.events import InteractionCorrected, InteractionLogged, InteractionRetracted
from domain.interactions.interaction import Belonging, Facts, correct, evolve, log, retract, taking_part
from tests.domain.given import AT, History, given

CALL, ACME, OTHER, ANN, DEAL, TICKET = (UUID(int=n) for n in range(1, 7))
FACTS = Facts(
    kind="call",
    direction="outbound",
    happened_at=AT,
    duration_seconds=300,
    contact_id=ANN,
    opportunity_id=DEAL,
    owner_id="moses.frase",
    team="west",
    subject="~subject",
    summary="~summary",
    participants="~who",
    participant_count=2,
)
KEYS: dict[str, Any] = {"interaction_id": CALL, "customer_id": ACME}
LOGGED = InteractionLogged(**KEYS, **FACTS.fields(), external_source=None, external_id=None)
RETRACTED = InteractionRetracted(
    **KEYS,
    contact_id=ANN,
    opportunity_id=DEAL,
    request_id=None,
    campaign=None,
    owner_id="moses.frase",
    team="west",
    kind="call",
    direction="outbound",
    happened_at=AT,
    duration_seconds=300,
    reason="twice",
)
OURS = Belonging(contact=ACME, opportunity=ACME, request=ACME)
NEW: dict[str, Any] = {**KEYS, "facts": FACTS, "external": None}


def interaction(*told: Event) -> History:
    return given(evolve, LOGGED, *told)


def corrected(number: int, **changes: Any) -> InteractionCorrected:
    now = replace(FACTS, **changes)
    return InteractionCorrected(**KEYS, **now.fields(), **FACTS.fields("previous_"), correction_no=number, reason=None)


def test_an_interaction_is_logged_once() -> None:
    given(evolve).asked(log, **NEW, customer_archived=False, belonging=OURS).then(LOGGED)
    interaction().asked(log, **NEW, customer_archived=False, belonging=OURS).refused("interaction.exists")


def test_nothing_is_logged_with_an_archived_customer_unless_it_is_reported() -> None:
    given(evolve).asked(log, **NEW, customer_archived=True, belonging=OURS).refused("customer.archived")
    told = given(evolve).reported(log, **NEW, customer_archived=True, belonging=OURS)
    told.irregular("customer.archived").types("interaction.logged")


STRANGERS = [
    (Belonging(contact=OTHER), "contact.other_customer"),
    (Belonging(opportunity=OTHER), "opportunity.other_customer"),
    (Belonging(request=OTHER), "request.other_customer"),
]


@pytest.mark.parametrize(("belonging", "code"), STRANGERS)
def test_what_an_interaction_names_belongs_to_its_customer_unless_it_is_reported(belonging: Belonging, code: str) -> None:
    given(evolve).asked(log, **NEW, customer_archived=False, belonging=belonging).refused(code)
    given(evolve).reported(log, **NEW, customer_archived=False, belonging=belonging).irregular(code)
    values: dict[str, Any] = {"changes": {"kind": "meeting"}, "belonging": belonging, "reason": None}
    interaction().asked(correct, **values).refused(code)
    interaction().reported(correct, **values).irregular(code)


def test_participants_are_kept_one_a_line() -> None:
    assert taking_part(["Ann Lee", "Bob Ray"]) == {"participants": "Ann Lee\nBob Ray", "participant_count": 2}
    assert taking_part([]) == {"participants": None, "participant_count": 0}


def test_a_correction_keeps_what_it_does_not_change_and_what_was_there_before() -> None:
    told = interaction().asked(correct, changes={"duration_seconds": 60}, belonging=Belonging(), reason=None)
    told.then(corrected(1, duration_seconds=60))
    told.has(InteractionCorrected, summary="~summary", previous_summary="~summary", previous_duration_seconds=300)


def test_a_correction_may_say_that_it_took_place_at_another_time() -> None:
    earlier = AT - timedelta(days=2)
    told = interaction().asked(correct, changes={"happened_at": earlier}, belonging=Belonging(), reason="wrong day")
    told.has(InteractionCorrected, happened_at=earlier, previous_happened_at=AT, reason="wrong day")


def test_corrections_are_counted_and_each_starts_from_the_last() -> None:
    history = interaction(corrected(1, kind="meeting"))
    told = history.asked(correct, changes={"direction": "inbound"}, belonging=Belonging(), reason=None)
    told.has(InteractionCorrected, correction_no=2, kind="meeting", previous_kind="meeting", previous_direction="outbound")


@pytest.mark.parametrize("changes", [{}, {"kind": "call", "duration_seconds": 300}, {"campaign": None, "request_id": None}])
def test_a_correction_that_says_nothing_new_changes_nothing(changes: dict[str, Any]) -> None:
    interaction().asked(correct, changes=changes, belonging=Belonging(), reason=None).nothing()


def test_words_that_are_said_again_are_recorded_for_they_cannot_be_compared() -> None:
    interaction().asked(correct, changes={"summary": "~summary"}, belonging=Belonging(), reason=None).types("interaction.corrected")


def test_a_retracted_interaction_is_not_corrected_unless_it_is_reported() -> None:
    values: dict[str, Any] = {"changes": {"kind": "note"}, "belonging": Belonging(), "reason": None}
    interaction(RETRACTED).asked(correct, **values).refused("interaction.retracted")
    interaction(RETRACTED).reported(correct, **values).irregular("interaction.retracted")


def test_an_interaction_is_retracted_once_and_says_what_it_was() -> None:
    interaction().when(retract, reason="twice").then(RETRACTED)
    interaction(RETRACTED).when(retract, reason="twice").nothing()


def test_a_retraction_after_a_correction_says_what_was_corrected() -> None:
    interaction(corrected(1, kind="visit")).when(retract, reason=None).has(InteractionRetracted, kind="visit")


def test_a_history_without_its_beginning_is_corrupt() -> None:
    with pytest.raises(CorruptHistory) as found:
        given(evolve, RETRACTED)
    assert found.value.code == "history.no_start"
