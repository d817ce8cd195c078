"""`daybook webhooks`: who is sent which events, how that stands, and what can be done about it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import orjson
import typer

from api.cli.caller import Distant, Local, ask
from api.cli.output import STDERR, print_answer
from api.cli.session import Session, session_of

JSON: Final = {"Content-Type": "application/json"}
SHOWN: Final = ("id", "url", "state", "position", "lag", "waiting", "dead", "failing_since", "last_reason")
DEAD: Final = ("position", "type", "attempts", "last_at", "reason", "status", "excerpt")
ONCE: Final = "The secret is told this once; give it to the receiver, which verifies messages with it."

WebhookId = Annotated[str, typer.Argument(metavar="ID", help="The webhook's id.")]
Url = Annotated[str, typer.Argument(help="Where events are sent: https://….")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Only such events: opportunity.won, opportunity.*; may be repeated.")]
Records = Annotated[list[str] | None, typer.Option("--record", help="Only events of such records: request; may be repeated.")]
Customer = Annotated[str | None, typer.Option("--customer", help="Only events that name this customer.", show_default=False)]
Actor = Annotated[str | None, typer.Option("--actor", help="Only what this user, key or rule did.", show_default=False)]
Source = Annotated[str | None, typer.Option("--source", help="Only what came in by this door.", show_default=False)]
About = Annotated[str | None, typer.Option("--description", help="What it is for; name nobody.", show_default=False)]
Ordered = Annotated[bool, typer.Option("--ordered", help="An event only after the one before it was taken or given up.")]
After = Annotated[int | None, typer.Option("--after", help="Begin after this position; from now on unless given.", show_default=False)]
From = Annotated[int, typer.Option("--after", help="Send everything after this position again; 0 for all history.")]
Hours = Annotated[int, typer.Option("--overlap-hours", help="How long the secret before signs as well.")]
Positions = Annotated[
    list[int] | None, typer.Argument(help="The events' positions; all that were given up, unless given.", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", help="The most that are shown.")]

program = typer.Typer(no_args_is_help=True, help="Events sent to others as they are recorded: subscriptions, secrets, failures, replay.")


@program.command("list")
def list_(context: typer.Context) -> None:
    """All webhooks, and how each stands."""
    session = session_of(context)
    print_answer(session.ask("GET", "/v1/webhooks").json(), as_json=session.as_json, shows={"webhooks": SHOWN})


@program.command()
def add(
    context: typer.Context,
    url: Url,
    types: Types = None,
    records: Records = None,
    customer: Customer = None,
    actor: Actor = None,
    source: Source = None,
    description: About = None,
    after: After = None,
    *,
    ordered: Ordered = False,
) -> None:
    """Have events sent to an address, signed; tells the secret, this once."""
    given = {"type": types, "record": records, "customer": customer, "actor": actor, "source": source, "description": description}
    body = {"url": url, "ordered": ordered, "after": after, **given}
    _secret(session_of(context), "", {name: value for name, value in body.items() if value is not None})


@program.command()
def show(context: typer.Context, webhook_id: WebhookId, limit: Limit = 20) -> None:
    """One webhook, how it stands, its last attempts and what waits to be sent again."""
    session = session_of(context)
    with session.calling() as caller:
        told = dict(_asked(caller, "GET", webhook_id))
        told |= _asked(caller, "GET", f"{webhook_id}/attempts", parameters={"limit": limit})
    print_answer(
        told, as_json=session.as_json, shows={"attempts": ("position", "type", "attempt", "at", "status", "reason", "milliseconds")}
    )


@program.command()
def pause(context: typer.Context, webhook_id: WebhookId) -> None:
    """Send nothing until it is resumed; nothing is lost."""
    _done(context, webhook_id, "pause")


@program.command()
def resume(context: typer.Context, webhook_id: WebhookId) -> None:
    """Send again, from where it was; what waits is sent at once."""
    _done(context, webhook_id, "resume")


@program.command()
def rotate(context: typer.Context, webhook_id: WebhookId, overlap_hours: Hours = 24) -> None:
    """Sign with a new secret, and for a while with the one before as well; tells the new one, this once."""
    _secret(session_of(context), f"/{webhook_id}/rotate", {"overlap_hours": overlap_hours})


@program.command()
def ping(context: typer.Context, webhook_id: WebhookId) -> None:
    """Send a test message and tell what comes of it."""
    _done(context, webhook_id, "ping")


@program.command()
def dead(context: typer.Context, webhook_id: WebhookId, limit: Limit = 100) -> None:
    """The events that were given up, with the reason and the beginning of the last answer."""
    session = session_of(context)
    told = session.ask("GET", f"/v1/webhooks/{webhook_id}/dead", parameters={"limit": limit}).json()
    print_answer(told, as_json=session.as_json, shows={"dead": DEAD})


@program.command()
def redeliver(context: typer.Context, webhook_id: WebhookId, positions: Positions = None) -> None:
    """Send events that were given up again."""
    _done(context, webhook_id, "redeliver", {"positions": positions} if positions else {})


@program.command()
def replay(context: typer.Context, webhook_id: WebhookId, after: From) -> None:
    """Send every wanted event after a position, again."""
    _done(context, webhook_id, "replay", {"after": after})


@program.command()
def remove(context: typer.Context, webhook_id: WebhookId) -> None:
    """Send nothing there any more, and forget what waits and what was given up."""
    session = session_of(context)
    session.ask("DELETE", f"/v1/webhooks/{webhook_id}")
    print_answer({"id": webhook_id, "removed": True}, as_json=session.as_json)


def _asked(caller: Distant | Local, method: str, path: str, **request: Any) -> Mapping[str, Any]:
    return ask(caller, method, f"/v1/webhooks/{path}", **request).json()


def _done(context: typer.Context, webhook_id: str, what: str, body: Mapping[str, Any] | None = None) -> None:
    session = session_of(context)
    told = session.ask("POST", f"/v1/webhooks/{webhook_id}/{what}", body=orjson.dumps(body or {}), headers=JSON)
    print_answer(told.json(), as_json=session.as_json)


def _secret(session: Session, path: str, body: Mapping[str, Sequence[str] | str | bool | int | None]) -> None:
    told = session.ask("POST", f"/v1/webhooks{path}", body=orjson.dumps(body), headers=JSON)
    print_answer(told.json(), as_json=session.as_json)
    if not session.as_json:
        STDERR.print(f"[yellow]{ONCE}[/]", highlight=False)
