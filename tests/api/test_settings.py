"""Settings come from the environment, are refused when they cannot be, and show no secret."""

from pathlib import Path

import pytest

from api.settings import InvalidSettings, is_loopback, load_settings


def test_a_setting_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_PORT", "9000")
    assert load_settings().port == 9000


def test_what_is_given_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_DATA", "elsewhere")
    assert load_settings(data=Path("here"), host=None).data == Path("here")


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYBOOK_PROT", "9000")
    with pytest.raises(InvalidSettings, match=r"DAYBOOK_PROT.*DAYBOOK_PORT") as refused:
        load_settings()
    assert refused.value.code == "settings.invalid"


def test_an_unknown_name_in_the_env_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("DAYBOOK_PROT=9000\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidSettings, match="PROT"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("DAYBOOK_PORT", "70000"), ("DAYBOOK_BASE_CURRENCY", "euro"), ("DAYBOOK_LOG_URL", "mysql://there"), ("DAYBOOK_SQL_SECONDS", "0")],
)
def test_an_impossible_value_is_refused_naming_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=name):
        load_settings()


def test_secrets_are_not_shown() -> None:
    settings = load_settings(log_url="postgresql://daybook:s3cret@db:5432/daybook", master_key="ab" * 32, kafka_password="s3cret")
    shown = settings.shown()
    assert shown["log_url"] == "postgresql://daybook:***@db:5432/daybook"
    assert shown["master_key"] == shown["kafka_password"] == "set"
    for text in (str(shown), repr(settings), str(settings)):
        assert "s3cret" not in text
        assert "abab" not in text


@pytest.mark.parametrize(
    ("host", "inside"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("example.org", False)],
)
def test_loopback_is_told_from_the_rest(host: str, inside: bool) -> None:  # noqa: FBT001 - a table
    assert is_loopback(host) is inside
