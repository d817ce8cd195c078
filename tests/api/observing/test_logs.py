"""Lines of the log: with fields, of ours and of every library alike, and without anything that an exception quotes."""

import asyncio
import io
import json
import logging
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import pytest
from pydantic import BaseModel
from sqlalchemy import create_engine, text

from api.observing import logs
from api.observing.note import NOTE, Note
from domain.errors import RuleViolation

MARK = "Zaphodita"


class Number(BaseModel):
    value: int


def by_pydantic() -> None:
    Number.model_validate({"value": MARK})


def by_sqlalchemy() -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text("SELECT * FROM nothing WHERE name = :name"), {"name": MARK})


def by_duckdb() -> None:
    with duckdb.connect() as connection:
        connection.execute("SELECT CAST(? AS INTEGER)", [MARK])


def by_sqlite() -> None:
    sqlite3.connect(":memory:").execute(f"SELECT {MARK}")


def by_python() -> None:
    int(MARK)


def by_a_key() -> None:
    {}[MARK]


def by_a_rule() -> None:
    raise RuleViolation("contact.taken", MARK)


def by_a_cause() -> None:
    try:
        int(MARK)
    except ValueError as error:
        raise RuntimeError(MARK) from error


RAISING = (by_pydantic, by_sqlalchemy, by_duckdb, by_sqlite, by_python, by_a_key, by_a_rule, by_a_cause)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged as JSON at level debug; the process's logging is as before afterwards."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook, sys.unraisablehook)
    handlers, levels, raising = (
        root.handlers[:],
        {name: logging.getLogger(name).level for name in ("", *logs.OURS)},
        logging.raiseExceptions,
    )
    stream = io.StringIO()
    logs.install("json", "debug", stream)
    yield stream
    root.handlers[:], logging.raiseExceptions = handlers, raising
    for name, level in levels.items():
        logging.getLogger(name or None).setLevel(level)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("raising", RAISING)
def test_an_exception_is_told_by_its_kind_and_place_never_by_its_message(written: io.StringIO, raising: Callable[[], None]) -> None:
    for logger in (logging.getLogger("projections.follower"), logging.getLogger("uvicorn.error")):
        try:
            raising()
        except Exception as error:
            logger.exception("it failed: %s", error)  # noqa: TRY401 - as libraries do
    assert MARK not in written.getvalue()
    for line in lines(written):
        assert f"in {raising.__name__}" in line["exception"]
        assert "test_logs.py:" in line["exception"]
        assert (line["level"], line["event"][:10]) == ("error", "it failed:")


def test_what_a_library_numbers_is_told(written: io.StringIO) -> None:
    for raising in (by_sqlite, by_a_rule, by_a_cause):
        try:
            raising()
        except Exception:
            logging.getLogger("api").exception("it failed")
    by_library, by_rule, by_cause = [line["exception"] for line in lines(written)]
    assert by_library.startswith("sqlite3.OperationalError (SQLITE_ERROR)\n")
    assert by_rule.startswith("domain.errors.RuleViolation (contact.taken)\n")
    assert "\ncaused by ValueError\n" in by_cause


def test_a_task_that_nobody_waited_for_is_told_without_its_exception(written: io.StringIO) -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.call_exception_handler({"message": "Task exception was never retrieved", "exception": ValueError(MARK), "future": MARK})
    finally:
        loop.close()
    assert MARK not in written.getvalue()
    assert [line["event"] for line in lines(written)] == ["Task exception was never retrieved"]


def test_an_exception_that_ends_a_thread_is_told_without_its_message(written: io.StringIO) -> None:
    thread = threading.Thread(target=by_a_key)
    thread.start()
    thread.join()
    assert MARK not in written.getvalue()
    assert "KeyError" in lines(written)[0]["exception"]


def test_libraries_tell_nothing_below_warnings(written: io.StringIO) -> None:
    for name in ("sqlalchemy.engine", "kafka.client", "asyncio"):
        logging.getLogger(name).info("row %s", MARK)
        logging.getLogger(name).debug("row %s", MARK)
    logging.getLogger("kafka.client").warning("the broker went away")
    assert [(line["logger"], line["event"]) for line in lines(written)] == [("kafka.client", "the broker went away")]


def test_lines_within_a_request_name_its_trace(written: io.StringIO) -> None:
    note = NOTE.set(Note(trace_id="ab" * 16, span_id="cd" * 8))
    try:
        logging.getLogger("bus").warning("slow")
        logs.logger("api").info("done", events=3)
    finally:
        NOTE.reset(note)
    logging.getLogger("commands").warning("elsewhere", extra={"trace_id": "ef" * 16, "customer": MARK})
    logging.getLogger("commands").warning("a caller's own", extra={"trace_id": MARK})
    found = [(line["event"], line.get("trace_id"), line.get("span_id")) for line in lines(written)]
    assert found == [
        ("slow", "ab" * 16, "cd" * 8),
        ("done", "ab" * 16, "cd" * 8),
        ("elsewhere", "ef" * 16, None),
        ("a caller's own", None, None),
    ]
    assert lines(written)[1]["events"] == 3
    assert MARK not in written.getvalue()


def test_for_people_a_line_is_plain_text(written: io.StringIO) -> None:
    logs.install("text", "info", written)
    logs.logger("api.serving").info("serving", url="http://127.0.0.1:8400")
    logs.logger("api.serving").debug("not asked for")
    [line] = written.getvalue().splitlines()
    assert "serving" in line
    assert "url=http://127.0.0.1:8400" in line
    assert not line.startswith("{")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "as_json"), [(io.StringIO(), True), (Terminal(), False)])
def test_unless_said_it_goes_by_whether_somebody_looks_on(written: io.StringIO, stream: io.StringIO, as_json: bool) -> None:  # noqa: ARG001, FBT001
    logs.install("auto", "info", stream)
    logs.logger("api").warning("hello")
    assert stream.getvalue().startswith("{") is as_json
