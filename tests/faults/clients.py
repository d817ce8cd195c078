"""Clients that send commands over HTTP and ask again, under the same ids, until they are answered; and what they were told.

Each client is a caller with its own seed, so that what it asks depends on what it was answered only. A caller knows
records of its own, whose versions it says in `If-Match`, and shares some deals and customers with all others.
"""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

import orjson

STAGES: Final = ("Lead", "Qualified", "Proposal")
PIPELINE: Final = {"source": "soak", "id": "pipeline"}
SHARED_DEALS: Final = 6
SHARED_CUSTOMERS: Final = 4
PATIENCE: Final = 60.0
"""Seconds after which an unanswered request counts as broken."""
PAUSE: Final = 0.02
"""Mean seconds between an answer and the next request."""
AGAIN_AFTER: Final = 0.02
"""Seconds after a broken connection until the next attempt; twice as long after each further one, up to `AGAIN_AT_LAST`."""
AGAIN_AT_LAST: Final = 0.3

Door = Literal["single", "list", "ndjson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command with the id that its client gave it."""

    command_id: str
    name: str
    data: dict[str, Any]
    occurred_at: str | None = None
    expected_version: int | None = None

    @property
    def line(self) -> dict[str, Any]:
        """As an item of a bulk request."""
        line = {"command": self.name, "command_id": self.command_id, "data": self.data}
        line |= {"occurred_at": self.occurred_at} if self.occurred_at else {}
        return line | ({"expected_version": self.expected_version} if self.expected_version is not None else {})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a client was told of an accepted command."""

    stream_id: str
    version: int
    position: int
    event_ids: tuple[str, ...]


@dataclass(slots=True)
class Ledger:
    """What was asked and what was answered, of all clients together."""

    sent: dict[str, Command] = field(default_factory=dict[str, Command])
    accepted: dict[str, Receipt] = field(default_factory=dict[str, Receipt])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    """Problem codes by command id."""
    contradictions: list[str] = field(default_factory=list[str])
    """Answers that do not go together."""
    faults: list[str] = field(default_factory=list[str])
    """Answers that nobody should get: what no client asked for wrongly, or what the server did not understand itself."""
    unavailable: Counter[str] = field(default_factory=Counter[str])
    """503 and 507 by their codes; the client asks again."""
    requests: int = 0
    broken: int = 0
    """Requests whose connection broke before the answer was whole; the client asks again."""

    def take(self, command_id: str, receipt: Receipt) -> None:
        """A command was acknowledged."""
        first = self.accepted.setdefault(command_id, receipt)
        if first != receipt:
            self.contradictions.append(f"{command_id}: told {first}, then {receipt}")
        self.refused.pop(command_id, None)

    def refuse(self, command_id: str, code: str) -> None:
        """A command was refused; of two sent at once, the one decided first may be, and the other accepted after what others did."""
        if command_id not in self.accepted:
            self.refused[command_id] = code

    @property
    def unanswered(self) -> set[str]:
        """The commands that nobody got an answer to."""
        return self.sent.keys() - self.accepted.keys() - self.refused.keys()


class Broken(Exception):
    """The connection ended before the answer was whole."""


class Connection:
    """One HTTP/1.1 connection to a server on loopback, kept alive, opened again when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises Broken."""
        try:
            async with asyncio.timeout(PATIENCE):
                if self._streams is None:
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 24)
                reader, writer = self._streams
                writer.write(request)
                await writer.drain()
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                body = await reader.readexactly(int(head.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0]))
                if b"\r\nconnection: close" in head:
                    self.close()
                return int(head.split(b" ", 2)[1]), body
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.close()
            raise Broken from error

    def close(self) -> None:
        """Let go of it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: through which door, and whether it is sent twice at once."""

    door: Door
    commands: Sequence[Command]
    atomic: bool = False
    twice: bool = False

    @property
    def bytes(self) -> bytes:
        """The whole request."""
        if self.door == "single":
            (command,) = self.commands
            asked = f"?occurred_at={command.occurred_at}" if command.occurred_at else ""
            match = f'If-Match: "{command.expected_version}"\r\n' if command.expected_version is not None else ""
            headers = f"Idempotency-Key: {command.command_id}\r\n{match}"
            return _post(f"/v1/commands/{command.name}{asked}", "application/json", orjson.dumps(command.data), headers)
        path = f"/v1/commands?atomic={'true' if self.atomic else 'false'}"
        lines = [command.line for command in self.commands]
        if self.door == "list":
            return _post(path, "application/json", orjson.dumps(lines))
        return _post(path, "application/x-ndjson", b"".join(orjson.dumps(line) + b"\n" for line in lines))


def _post(path: str, media_type: str, body: bytes, headers: str = "") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
        + body
    )


@dataclass(slots=True)
class Caller:
    """Who asks: draws commands about records that it knows."""

    index: int
    random: random.Random
    customers: list[Any] = field(default_factory=list[Any])
    """References to customers of its own."""
    deals: dict[str, int] = field(default_factory=dict[str, int])
    """Deals of its own and the versions they are at."""
    count: int = 0

    def ask(self) -> Ask:
        """What it asks next."""
        draw = self.random.random()
        twice = self.random.random() < 0.05
        if draw < 0.55 or not self.customers:
            return Ask("single", [self._about_something()], twice=twice)
        door: Door = "list" if self.random.random() < 0.5 else "ndjson"
        if draw < 0.80:
            several = [self._about_something(versions=False) for _ in range(self.random.randint(2, 15))]
            return Ask(door, several, twice=twice)
        return Ask(door, self._story(), atomic=True, twice=twice)

    def learn(self, command: Command, receipt: Receipt) -> None:
        """Remember what an accepted command brought about."""
        if command.name == "register_customer":
            self.customers.append(command.data.get("customer_id", receipt.stream_id))
        elif command.name == "open_opportunity" or receipt.stream_id in self.deals:
            self.deals[receipt.stream_id] = max(receipt.version, self.deals.get(receipt.stream_id, 0))

    def _command(self, name: str, data: dict[str, Any], **more: Any) -> Command:
        self.count += 1
        return Command(command_id=f"c{self.index}-{self.count}", name=name, data=data, **more)

    def _about_something(self, *, versions: bool = True) -> Command:
        draw = self.random.random()
        if draw < 0.15 or not self.customers:
            return self._register()
        if draw < 0.35:
            return self._open(self.random.choice(self.customers))
        if draw < 0.55:
            return self._log(
                self.random.choice(self.customers) if self.random.random() < 0.8 else self._shared("customer", SHARED_CUSTOMERS)
            )
        if draw < 0.70:
            return self._change(self._shared("deal", SHARED_DEALS), None)
        if draw < 0.95 and self.deals:
            deal, version = self.random.choice(list(self.deals.items()))
            return self._change(deal, version if versions else None)
        return self._command("rename_customer", {"customer_id": str(self._uuid()), "name": "Nobody"})

    def _story(self) -> list[Command]:
        """A customer with a deal and a call, all or none; one in four stories holds a command that must fail."""
        customer = {"source": "soak", "id": f"story-{self.index}-{self.count}"}
        deal = str(self._uuid())
        story = [
            self._register(customer),
            self._open(customer, deal),
            self._log(customer),
            self._command("move_opportunity", {"opportunity_id": deal, "to_stage": self.random.choice(STAGES)}),
            self._command("win_opportunity", {"opportunity_id": deal}),
        ]
        if self.random.random() < 0.25:
            story.append(self._command("win_opportunity", {"opportunity_id": str(self._uuid())}))
        return story

    def _register(self, ref: Any = None) -> Command:
        draw = self.random.random()
        if ref is None and draw < 0.7:
            ref = str(self._uuid()) if draw < 0.4 else {"source": "soak", "id": f"{self.index}-{self.count}"}
        data = {
            "name": f"Customer {self.index}.{self.count}",
            "kind": "person" if draw < 0.3 else "company",
            "owner_id": f"user.{self.index}",
        }
        data |= {"customer_id": ref} if ref is not None else {}
        data |= {"email": f"c{self.index}.{self.count}@example.com"} if draw < 0.5 else {}
        return self._command("register_customer", data)

    def _open(self, customer: Any, deal: str | None = None) -> Command:
        data = {
            "customer_id": customer,
            "pipeline_id": PIPELINE,
            "name": f"Deal {self.index}.{self.count}",
            "owner_id": f"user.{self.index}",
            "amount": f"{self.random.randint(100, 99_999)}.{self.random.randint(0, 99):02}",
        }
        if deal is not None or self.random.random() < 0.5:
            data["opportunity_id"] = deal or str(self._uuid())
        return self._command("open_opportunity", data)

    def _log(self, customer: Any) -> Command:
        data = {
            "customer_id": customer,
            "kind": self.random.choice(("call", "email", "meeting", "chat")),
            "direction": self.random.choice(("inbound", "outbound")),
            "summary": f"What was said {self.index}.{self.count}",
        }
        ago = timedelta(minutes=self.random.randint(1, 500_000))
        late = (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ") if self.random.random() < 0.5 else None
        return self._command("log_interaction", data, occurred_at=late)

    def _change(self, deal: Any, version: int | None) -> Command:
        name = self.random.choice(("move", "move", "win", "lose", "reopen", "amount"))
        data: dict[str, Any] = {"opportunity_id": deal}
        if name == "amount":
            data["amount"] = str(self.random.randint(1, 1_000_000))
            return self._command("change_opportunity_amount", data, expected_version=version)
        if name == "move":
            data["to_stage"] = self.random.choice(STAGES)
        return self._command(f"{name}_opportunity", data, expected_version=version)

    def _shared(self, kind: str, many: int) -> dict[str, str]:
        return shared(kind, self.random.randrange(many))

    def _uuid(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)


def shared(kind: str, number: int) -> dict[str, str]:
    """The reference of a record that all callers know."""
    return {"source": "soak", "id": f"shared-{kind}-{number}"}


def beginnings() -> list[Command]:
    """What must be there before the clients begin: the pipeline, and the customers and deals that they share."""
    stages = [*({"name": name} for name in STAGES), {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}]
    customers = [shared("customer", number) for number in range(SHARED_CUSTOMERS)]
    asked = [
        ("define_pipeline", {"pipeline_id": PIPELINE, "name": "Sales", "stages": stages}),
        *(("register_customer", {"customer_id": customer, "name": f"Shared {number}"}) for number, customer in enumerate(customers)),
        *(
            (
                "open_opportunity",
                {
                    "opportunity_id": shared("deal", number),
                    "customer_id": customers[number % SHARED_CUSTOMERS],
                    "pipeline_id": PIPELINE,
                    "name": f"Shared deal {number}",
                    "owner_id": "user.shared",
                    "amount": "1000",
                },
            )
            for number in range(SHARED_DEALS)
        ),
    ]
    return [Command(command_id=f"begin-{number}", name=name, data=data) for number, (name, data) in enumerate(asked)]


class Crowd:
    """Many callers at once; `run` returns when all have stopped, each with its last request answered.

    With `once`, nobody asks a second time: a request whose connection breaks stays unanswered, and its client stops.
    """

    def __init__(self, port: int, clients: int, *, seed: int, once: bool = False) -> None:
        self.ledger = Ledger()
        self._port = port
        self._callers = [Caller(index, random.Random(f"{seed}/{index}")) for index in range(clients)]
        self._once = once
        self._stopping = False
        self._giving_up = False

    def stop(self) -> None:
        """Let every client finish what it asks now. From any thread."""
        self._stopping = True

    def give_up(self) -> None:
        """Let nobody ask again who was not answered. From any thread."""
        self._stopping = self._giving_up = True

    async def run(self) -> None:
        """Ask until told to stop."""
        beginning = Ask("list", beginnings(), atomic=True)
        connection = Connection(self._port)
        await self._answered(Caller(-1, random.Random(0)), beginning, connection)
        connection.close()
        async with asyncio.TaskGroup() as group:
            for caller in self._callers:
                group.create_task(self._converse(caller))

    async def _converse(self, caller: Caller) -> None:
        first, second = Connection(self._port), Connection(self._port)
        try:
            while not self._stopping:
                ask = caller.ask()
                await self._answered(caller, ask, *((first, second) if ask.twice else (first,)))
                await asyncio.sleep(caller.random.expovariate(1 / PAUSE))
        except Broken:
            assert self._once or self._giving_up
        finally:
            first.close()
            second.close()

    async def _answered(self, caller: Caller, ask: Ask, *connections: Connection) -> None:
        """Send a request over each connection at once, again and again until it is answered."""
        self.ledger.sent.update({command.command_id: command for command in ask.commands})
        answers = await asyncio.gather(*(self._insist(ask, connection) for connection in connections), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            self._note(caller, ask, *answer)

    async def _insist(self, ask: Ask, connection: Connection) -> tuple[int, bytes]:
        request, again = ask.bytes, AGAIN_AFTER
        while True:
            self.ledger.requests += 1
            try:
                status, body = await connection.ask(request)
            except Broken:
                self.ledger.broken += 1
                if self._once or self._giving_up:
                    raise
            else:
                if status not in (503, 507):
                    return status, body
                self.ledger.unavailable[orjson.loads(body)["code"]] += 1
                if self._once:
                    for command in ask.commands:
                        self.ledger.refuse(command.command_id, orjson.loads(body)["code"])
                    raise Broken
            await asyncio.sleep(again)
            again = min(2 * again, AGAIN_AT_LAST)

    def _note(self, caller: Caller, ask: Ask, status: int, body: bytes) -> None:
        if ask.door == "single":
            results = [{"receipt": orjson.loads(body)} if status == 200 else {"problem": orjson.loads(body)}]
        elif status == 200:
            results = orjson.loads(body)["results"] if ask.door == "list" else [orjson.loads(line) for line in body.splitlines()]
        else:
            results = [{"problem": orjson.loads(body)} for _ in ask.commands]
        assert len(results) == len(ask.commands), body[:1000]
        for command, result in zip(ask.commands, results, strict=True):
            self._note_one(caller, command, result)

    def _note_one(self, caller: Caller, command: Command, result: dict[str, Any]) -> None:
        if (problem := result.get("problem")) is None:
            told = receipt_of(result["receipt"])
            self.ledger.take(command.command_id, told)
            caller.learn(command, told)
            return
        self.ledger.refuse(command.command_id, problem["code"])
        if problem["status"] not in (404, 409):
            self.ledger.faults.append(f"{command.command_id} {command.name} {command.data}: {problem}")


@contextmanager
def talking(crowd: Crowd, patience: float = 120.0) -> Iterator[Ledger]:
    """The crowd asks in a thread of its own; leaving waits until everybody is answered."""
    failures: list[BaseException] = []

    def talk() -> None:
        try:
            asyncio.run(crowd.run())
        except BaseException as failure:  # noqa: BLE001 - told below, where the test sees it
            failures.append(failure)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    try:
        yield crowd.ledger
    except BaseException:
        crowd.give_up()
        raise
    finally:
        crowd.stop()
        thread.join(patience)
    assert not failures, failures[0]
    assert not thread.is_alive(), "some clients were never answered"


def receipt_of(told: dict[str, Any]) -> Receipt:
    """A receipt without the word whether it is a repetition."""
    return Receipt(told["stream_id"], told["version"], told["position"], tuple(told["event_ids"]))
