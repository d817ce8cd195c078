"""H8: a permanent, ordered, gap-free feed from position zero, with before, after and cause.

A deal is made while a client follows the feed of a server. The server is killed and begun again; the client goes on where it was, and has
seen every event once. Then another one asks from zero, for a part only.

Run it from the repository: python -m examples.h8_feed
"""

import json
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

from examples.showing import say

SERVE = "from api.cli import main; main()"


def start(data: Path) -> tuple["subprocess.Popen[str]", str]:
    """A server, and its address."""
    command = [sys.executable, "-c", SERVE, "--data", str(data), "--json", "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this repository's own program
    return server, json.loads(next(iter(server.stdout or ())))["url"]


def stop(server: "subprocess.Popen[str]", how: signal.Signals) -> None:
    """End a server."""
    server.send_signal(how)
    server.communicate()


def give(url: str, command: str, **data: Any) -> str:
    """Send a command; the record that it was about."""
    answer = httpx2.post(f"{url}/v1/commands/{command}", json=data, headers={"Idempotency-Key": command})
    answer.raise_for_status()
    return str(answer.json()["stream_id"])


def follow(url: str, after: int, **wanted: str) -> Generator[dict[str, Any]]:
    """The events after a position, for as long as the connection holds: a whole client of the feed."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    with httpx2.stream("GET", f"{url}/v1/events", params=wanted, headers=headers, timeout=60) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def show(event: dict[str, Any]) -> None:
    """An event with what it changed and why."""
    say(f"  {event['position']:>2}", event["type"], "because of", event["cause"]["command_id"], "by", event["cause"]["actor"])
    if event["version"] > 1:
        for name, now in event["after"].items():
            say(f"       {name}: {event['before'][name]} → {now}")


def take(events: Iterator[dict[str, Any]], seen: list[int], count: int) -> None:
    """Take so many of the events that come."""
    for _ in range(count):
        event = next(events)
        show(event)
        seen.append(event["position"])


def make_history(url: str) -> str:
    """A pipeline with two stages, a customer and an open deal; the deal."""
    stages = [{"name": "offer"}, {"name": "won", "status": "won"}, {"name": "lost", "status": "lost"}]
    pipeline = give(url, "define_pipeline", name="Sales", stages=stages)
    customer = give(url, "register_customer", name="Kwik-E-Mart", owner_id="moses.frase")
    deal = {"customer_id": customer, "pipeline_id": pipeline, "name": "Squishee machines", "amount": "900.00", "owner_id": "moses.frase"}
    return give(url, "open_opportunity", **deal)


def main() -> None:
    """Show it."""
    with TemporaryDirectory(prefix="daybook-h8-") as name:
        data = Path(name) / "data"
        server, url = start(data)
        try:
            deal = make_history(url)
            seen: list[int] = []
            say("A client follows from zero:")
            events = follow(url, 0)
            take(events, seen, 4)
            say(
                "The server is killed in the middle of that, and begun again; the client asks for what comes after the last event that it took:"
            )
            stop(server, signal.SIGKILL)
            events.close()
            server, url = start(data)
            give(url, "change_opportunity_amount", opportunity_id=deal, amount="1200.00")
            give(url, "win_opportunity", opportunity_id=deal)
            head = httpx2.get(f"{url}/health").json()["head"]
            again = follow(url, seen[-1])
            take(again, seen, head - seen[-1])
            again.close()
            say(f"It saw {seen}: every event once, in order.")
            say("Another asks from zero, for what happened to deals, up to now:")
            with suppress(StopIteration):
                for event in follow(url, 0, record="opportunity", until=str(head)):
                    show(event)
        finally:
            stop(server, signal.SIGTERM)


if __name__ == "__main__":
    main()
