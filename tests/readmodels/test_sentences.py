"""Every event can be read by a person, in both languages."""

import dataclasses

import pytest

from domain.catalogue import BY_TYPE
from readmodels.sentences import SENTENCES, fields_of, sentence


def test_every_event_has_a_sentence_in_both_languages() -> None:
    assert set(SENTENCES) == set(BY_TYPE)
    assert all(english and chinese for english, chinese in SENTENCES.values())


@pytest.mark.parametrize("event_type", sorted(SENTENCES))
def test_a_sentence_names_only_fields_that_its_event_has(event_type: str) -> None:
    known = {field.name for field in dataclasses.fields(BY_TYPE[event_type])}
    for template in SENTENCES[event_type]:
        assert fields_of(template) <= known


def test_empty_parts_are_left_out() -> None:
    data = {"from_stage": "Offer", "reason": "price", "competitor": None}
    assert sentence("opportunity.lost", data) == "Opportunity lost from Offer: price"
    assert sentence("opportunity.lost", {**data, "competitor": "Acme"}, "zh") == "商机由 Offer 输单：price，输给 Acme"


def test_what_was_erased_reads_as_erased() -> None:
    data = {"kind": "CSAT", "score": 2, "comment": "~comment~x"}
    assert sentence("survey.answered", data, erased=frozenset({"comment"})) == "CSAT survey answered with 2: (erased)"


def test_an_amount_is_told_in_cents_unless_it_is_finer() -> None:
    data = {"from_stage": "Offer", "base_amount": "1400.0000"}
    assert sentence("opportunity.won", data) == "Opportunity won from Offer, 1400.00 in base currency"
    assert "1400.0050" in sentence("opportunity.won", {**data, "base_amount": "1400.0050"})
