"""One spelling for what people type."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from commands.normalise import Country, Language, TimeZone, email, phone, phone_or_none, website
from domain.errors import RuleViolation


@pytest.mark.parametrize(
    ("text", "spelled"),
    [("Ann.Lee@EXAMPLE.com", "Ann.Lee@example.com"), ("ann@bücher.example.com", "ann@bücher.example.com"), ("李@例子.com", "李@例子.com")],
)
def test_an_email_has_its_domain_in_lower_case(text: str, spelled: str) -> None:
    assert email(text) == spelled


@pytest.mark.parametrize("text", ["ann", "ann@", "@example.com", "ann@example", "ann@@example.com", "a b@example.com", "ann@localhost"])
def test_what_cannot_be_an_email_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        email(text)


@pytest.mark.parametrize(
    ("text", "region", "spelled"),
    [
        ("+49 (0)30 123456", None, "+4930123456"),
        ("030/12 34 56", "DE", "+4930123456"),
        ("0049 30 123456", "DE", "+4930123456"),
        ("(212) 555-0199", "US", "+12125550199"),
        ("+44 20 7946 0123", "US", "+442079460123"),
        ("010 8888 6666", "CN", "+861088886666"),
        ("212-555-0199 ext. 7", "US", "+12125550199;ext=7"),
    ],
)
def test_a_phone_number_is_spelled_as_e164(text: str, region: str | None, spelled: str) -> None:
    assert phone(text, region=region) == spelled
    assert phone(spelled, region=None) == spelled


@pytest.mark.parametrize(
    ("text", "region"), [("030 123456", None), ("12", "DE"), ("+1 000 000 0000", None), ("call me", "US"), ("030 1", "ZZ")]
)
def test_a_number_that_no_telephone_can_have_is_refused(text: str, region: str | None) -> None:
    with pytest.raises(RuleViolation) as refusal:
        phone(text, region=region)
    assert refusal.value.code == "phone.invalid"


def test_no_phone_number_stays_none() -> None:
    assert phone_or_none(None, region="DE") is None


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Example.com", "https://example.com"),
        ("HTTP://Example.com/About?Q=1", "http://example.com/About?Q=1"),
        ("example.com:8080/a", "https://example.com:8080/a"),
    ],
)
def test_a_website_has_a_scheme_and_its_host_in_lower_case(text: str, spelled: str) -> None:
    assert website(text) == spelled


@pytest.mark.parametrize(
    "text", ["javascript://x.y/%0aalert(1)", "ftp://example.com", "nowhere", "http://[::1", "https://ann:secret@example.com", "a b.com"]
)
def test_what_is_no_web_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        website(text)


@given(st.sampled_from([email, website]), st.text(max_size=40) | st.emails() | st.from_regex(r"[A-Za-z0-9.:/@-]{3,40}", fullmatch=True))
def test_normalising_twice_is_normalising_once_and_nothing_else_is_raised(normal: Callable[[str], str], text: str) -> None:
    try:
        once = normal(text)
    except ValueError:
        return
    assert normal(once) == once


@given(st.text(max_size=40) | st.from_regex(r"\+?[0-9 ()/x-]{5,20}", fullmatch=True), st.sampled_from([None, "DE", "US", "CN", "ZZ"]))
def test_any_text_is_a_phone_number_with_one_spelling_or_refused(text: str, region: str | None) -> None:
    try:
        once = phone(text, region=region)
    except RuleViolation:
        return
    assert once.startswith("+")
    assert phone(once, region=None) == once


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Country, ["DE", "CN"], ["de", "DEU", "Germany"]),
        (Language, ["en", "zh-Hans", "de-AT"], ["english language", "e", "en_US"]),
        (TimeZone, ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+3"], ["", "/", "Europe/", "../etc/passwd"]),
    ],
)
def test_codes_are_spelled_as_their_standards_say(kind: Any, good: list[str], bad: list[str]) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(kind)
    assert [adapter.validate_python(text) for text in good] == good
    for text in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)
