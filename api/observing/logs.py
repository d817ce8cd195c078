"""Logs as lines with fields, on standard error: JSON for machines, plain for people, of ours and of every library alike, and nothing personal in them."""

import logging
import re
import sys
import threading
from types import TracebackType
from typing import Any, Final, Literal, TextIO, cast

import structlog
from structlog.stdlib import BoundLogger, ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor

from api.observing.note import NOTE
from api.observing.redacting import named, redacted

DEBUG: Final = logging.DEBUG
OURS: Final = ("api", "bus", "commands", "domain", "projections", "readmodels", "replay")
Form = Literal["auto", "json", "text"]
Level = Literal["debug", "info", "warning", "error"]
_TRACE: Final = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")


def logger(name: str) -> BoundLogger:
    """A logger whose lines have fields, on top of the standard library's of that name."""
    return cast(
        "BoundLogger",
        structlog.wrap_logger(
            logging.getLogger(name),
            processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
            wrapper_class=BoundLogger,
        ).bind(),
    )


def install(form: Form, level: Level, stream: TextIO | None = None) -> None:
    """Let this process log to `stream` (standard error, unless given), and nowhere else; libraries from warnings on only, as what they tell in detail is people's data."""
    shown = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(shown)
    handler.setFormatter(formatter(as_json=form == "json" or (form == "auto" and not shown.isatty())))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(threshold, logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(threshold)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a line that cannot be formatted would be printed with all its values
    sys.excepthook = _on_uncaught
    threading.excepthook = lambda about: _on_uncaught(about.exc_type, about.exc_value, about.exc_traceback)
    sys.unraisablehook = lambda about: _on_uncaught(about.exc_type, about.exc_value, about.exc_traceback)


def formatter(*, as_json: bool) -> ProcessorFormatter:
    """Makes a line of a record, ours or a library's."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _in_trace,
        _without_values,
    ]
    shown: list[Processor] = [structlog.processors.JSONRenderer()] if as_json else [structlog.dev.ConsoleRenderer(colors=False)]
    return ProcessorFormatter(
        foreign_pre_chain=[_said, ExtraAdder(allow=("trace_id", "span_id"))],
        processors=[*shared, ProcessorFormatter.remove_processors_meta, *shown],
        use_get_message=False,
        pass_foreign_args=True,
    )


def _said(_: Any, __: str, event: EventDict) -> EventDict:
    """A standard record's message; exceptions in it by their kind only, and of what libraries put together, the first line."""
    arguments: Any = event.pop("positional_args", None)
    if isinstance(arguments, tuple):
        arguments = tuple(named(value) if isinstance(value, BaseException) else value for value in cast("tuple[Any, ...]", arguments))
    message = event["event"] % arguments if arguments else event["event"]
    ours = event["_record"].name.partition(".")[0] in OURS
    return {**event, "event": message if ours else message.partition("\n")[0]}


def _in_trace(_: Any, __: str, event: EventDict) -> EventDict:
    """Say which trace a line belongs to: that of the request which is being answered, unless it names another."""
    note = NOTE.get()
    for name in ("trace_id", "span_id"):
        found = event.pop(name, None) or (getattr(note, name) if note else None)
        if isinstance(found, str) and _TRACE.fullmatch(found):
            event[name] = found
    return event


def _without_values(_: Any, __: str, event: EventDict) -> EventDict:
    """Put a redacted traceback in the place of an exception."""
    raised: object = event.pop("exc_info", None)
    error = raised if isinstance(raised, BaseException) else sys.exc_info()[1] if raised is True else None
    if isinstance(raised, tuple):
        error = cast("tuple[object, ...]", raised)[1]
    if isinstance(error, BaseException):
        event["exception"] = redacted(error)
    return event


def _on_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    found = error if error is not None else kind()
    logging.getLogger("api").critical("this was not expected", exc_info=(kind, found, trace))
