"""`daybook feed`: events as they are recorded, one after the other, like `tail -f`."""

import os
import sys
from contextlib import suppress
from typing import Annotated, Any, Final

import orjson
import typer
from pydantic import ValidationError
from rich.text import Text

from api.cli.fields import body_of, fields_of, with_options
from api.cli.output import STDOUT
from api.cli.session import Session, session_of
from api.feed.asking import Selection
from api.feed.reading import Reader
from api.folder import Folder
from api.problems import InvalidRequest, encode
from api.wiring import Books, open_books
from domain.errors import NotFound
from readmodels.sentences import sentence

SHOWN_BEFORE: Final = 10
AT_ONCE: Final = 200
_LOOK: Final = 0.5
SELECTED: Final = tuple(fields_of(Selection.model_json_schema()))

After = Annotated[
    int | None,
    typer.Option("--after", min=0, help="Begin after this position; 0 is the beginning. Ten events before the end, unless given."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="End after so many events.", show_default=False)]
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Go on with what is recorded from now on, until Ctrl-C.")]
Changes = Annotated[bool, typer.Option("--changes/--no-changes", help="Tell what each event changed, before and after, and its cause.")]


def _feed(
    context: typer.Context, after: After = None, limit: Limit = None, *, follow: Follow = True, changes: Changes = True, **given: Any
) -> None:
    """Print events in the order of their positions, and go on as they are recorded, like `tail -f`; with --json one object a line.

    It reads the log itself, beside a running server or without one.
    """
    session = session_of(context)
    selection = _selection(given)
    settings = session.settings
    if settings.log_url is None and not Folder(settings.data).log.exists():
        raise NotFound("log.unknown", f"there is no log in {settings.data}")
    with open_books(settings) as books, suppress(KeyboardInterrupt):
        reader = Reader(books, selection.wanted(), changes=changes)
        begin = max(0, books.log.head() - SHOWN_BEFORE) if after is None else after
        reader.begin(begin)
        try:
            _print_on(session, books, reader, begin, limit, follow=follow)
        except BrokenPipeError:
            # Whoever read this has seen enough; what is left in the buffer goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _selection(given: dict[str, Any]) -> Selection:
    try:
        return Selection.model_validate(body_of(SELECTED, given))
    except ValidationError as error:
        raise InvalidRequest("the events that are wanted cannot be understood", error.errors()) from None


def _print_on(session: Session, books: Books, reader: Reader, position: int, limit: int | None, *, follow: bool) -> None:
    printed = 0
    while True:
        most = AT_ONCE if limit is None else min(AT_ONCE, limit - printed)
        passage = reader.step(position, most)
        for event in passage.events:
            _print(event, as_json=session.as_json)
        sys.stdout.flush()
        printed, position = printed + len(passage.events), passage.after
        if printed == limit or (not follow and position >= passage.head):
            return
        while position >= passage.head and not books.log.wait(position, _LOOK):
            continue


def _print(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(encode(event).decode() + "\n")
        return
    moment = f"{event['occurred_at'][:10]} {event['occurred_at'][11:19]}Z"
    says = sentence(event["type"], event["data"])
    STDOUT.print(
        Text.assemble((f"{event['position']:>8,}", "bold"), f"  {moment}  ", says, (f"  {event['actor']}, {event['source']}", "dim"))
    )
    for name, value in event.get("after", {}).items():
        STDOUT.print(Text(f"{'':>10}{name}: {_text(event['before'][name])} → {_text(value)}", style="dim"))


def _text(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()


command = with_options(_feed, SELECTED)
