"""Callers who draw what they ask from a seed, ask again under the same ids until they are answered, and keep what they were told."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from commands.order import Order, Outcome, Receipt, Refusal
from tests.simulator.clock import Clock

STAGES: Final = ("Lead", "Qualified", "Proposal")
PIPELINE: Final = "00000000-0000-4000-8000-000000000001"


class Broken(Exception):
    """Something that must hold does not."""


@dataclass(slots=True)
class Asked:
    """One request on its way; delivered once, twice, late or never."""

    number: int
    orders: Sequence[Order]
    atomic: bool


@dataclass(slots=True)
class Record:
    """A record that the callers know, and the newest version that they were told of."""

    kind: str
    ref: Any
    name: str
    version: int = 1


@dataclass(slots=True)
class Clients:
    """All callers together."""

    chance: random.Random
    clock: Clock
    sent: dict[str, Asked] = field(default_factory=dict[str, Asked])
    accepted: dict[str, Receipt] = field(default_factory=dict[str, Receipt])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    known: list[Record] = field(default_factory=list[Record])
    requests: int = 0
    _count: int = 0

    def begin(self) -> Asked:
        """What must be there first."""
        stages = [*({"name": stage} for stage in STAGES), {"name": "Won", "status": "won"}, {"name": "Lost", "status": "lost"}]
        pipeline = {"pipeline_id": PIPELINE, "name": "Sales", "stages": stages}
        return self._asked([self._order("define_pipeline", pipeline), self._register()], atomic=True)

    def ask(self) -> Asked:
        """The next request: one command, or some, atomic or not."""
        draw = self.chance.random()
        many = 1 if draw < 0.7 else self.chance.randint(2, 4)
        return self._asked([self._something() for _ in range(many)], atomic=draw > 0.88)

    def unanswered(self) -> list[Asked]:
        """The requests that somebody still waits for."""
        open_ids = self.sent.keys() - self.accepted.keys() - self.refused.keys()
        return list({asked.number: asked for command_id, asked in self.sent.items() if command_id in open_ids}.values())

    def told(self, asked: Asked, outcomes: Sequence[Outcome]) -> None:
        """An answer has come. Raises Broken when it does not go with an earlier one."""
        for order, outcome in zip(asked.orders, outcomes, strict=True):
            assert order.command_id is not None
            if isinstance(outcome, Refusal):
                self._refused(order.command_id, outcome.error.code)
            else:
                self._accepted(order, outcome)

    def _refused(self, command_id: str, code: str) -> None:
        if code in {"command.failed", "command.id_reused", "command.invalid"}:
            raise Broken(f"{command_id} was refused with {code}")
        if command_id in self.accepted and code != "batch.not_applied":
            raise Broken(f"{command_id} was accepted once, and then refused with {code}")
        if command_id not in self.accepted:
            self.refused[command_id] = code

    def _accepted(self, order: Order, receipt: Receipt) -> None:
        assert order.command_id is not None
        first = self.accepted.setdefault(order.command_id, receipt)
        if _told(first) != _told(receipt):
            raise Broken(f"{order.command_id} was told {_told(first)}, then {_told(receipt)}")
        self.refused.pop(order.command_id, None)
        self._learn(order, receipt)

    def _learn(self, order: Order, receipt: Receipt) -> None:
        made = {
            "register_customer": "customer",
            "add_contact": "contact",
            "open_opportunity": "opportunity",
            "open_request": "request",
            "log_interaction": "interaction",
        }
        ref = str(receipt.stream_id)
        known = next((record for record in self.known if record.ref == ref), None)
        if known is not None:
            known.version = max(known.version, receipt.version)
        elif order.name in made:
            kind = made[order.name]
            self.known.append(Record(kind, ref, f"{kind} {sum(each.kind == kind for each in self.known) + 1}", receipt.version))

    def _asked(self, orders: Sequence[Order], *, atomic: bool) -> Asked:
        self.requests += 1
        asked = Asked(self.requests, orders, atomic)
        self.sent.update({order.command_id: asked for order in orders if order.command_id})
        return asked

    def _order(self, name: str, data: dict[str, Any], **more: Any) -> Order:
        self._count += 1
        return Order(name=name, data=data, command_id=f"c{self._count}", actor="user:sim", source="api", **more)

    def _something(self) -> Order:
        kinds = {record.kind for record in self.known}
        drawn: list[tuple[Callable[[], Order], int]] = [
            (self._register, 3),
            (self._contact, 2),
            (self._open, 4),
            (self._log, 4),
            (self._request, 2),
            (self._change_deal, 8 if "opportunity" in kinds else 0),
            (self._change_request, 5 if "request" in kinds else 0),
            (self._rename, 2),
            (self._erase, 1),
        ]
        return self.chance.choices([draw for draw, _ in drawn], [weight for _, weight in drawn])[0]()

    def _any(self, kind: str) -> Record:
        """One that is known, seldom one that is not there."""
        some = [record for record in self.known if record.kind == kind]
        return self.chance.choice(some) if some and self.chance.random() < 0.97 else Record(kind, self._uuid(), "nobody")

    def _version(self, record: Record) -> dict[str, Any]:
        """The version that a caller expects: the newest it knows, now and then an older one, mostly none."""
        draw = self.chance.random()
        return {} if draw < 0.6 else {"expected_version": max(1, record.version - (self.chance.randint(1, 2) if draw > 0.9 else 0))}

    def _register(self) -> Order:
        ref = {"source": "sim", "id": f"k{self.chance.randrange(8)}"} if self.chance.random() < 0.4 else self._uuid()
        kind = self.chance.choice(("company", "person"))
        data = {"customer_id": ref, "kind": kind, "name": f"Customer {self._count}", "owner_id": f"user.{self.chance.randrange(3)}"}
        return self._order("register_customer", data | ({"email": f"c{self._count}@example.com"} if kind == "person" else {}))

    def _contact(self) -> Order:
        data = {"contact_id": self._uuid(), "customer_id": self._any("customer").ref, "name": f"Contact {self._count}"}
        return self._order("add_contact", data)

    def _open(self) -> Order:
        data = {
            "opportunity_id": self._uuid(),
            "customer_id": self._any("customer").ref,
            "pipeline_id": PIPELINE,
            "name": f"Deal {self._count}",
            "owner_id": f"user.{self.chance.randrange(3)}",
            "amount": f"{self.chance.randint(1, 9_999)}.{self.chance.randint(0, 99):02}",
        }
        return self._order("open_opportunity", data)

    def _log(self) -> Order:
        """An interaction without an id of its caller's: done twice, it would be there twice."""
        kind = self.chance.choice(("call", "email", "meeting"))
        data = {"customer_id": self._any("customer").ref, "kind": kind, "direction": "inbound", "summary": f"Said {self._count}"}
        ago = self.clock.now - timedelta(minutes=self.chance.randint(0, 100_000))
        return self._order("log_interaction", data, occurred_at=ago if self.chance.random() < 0.5 else None)

    def _request(self) -> Order:
        data = {"request_id": self._uuid(), "customer_id": self._any("customer").ref, "subject": f"Why {self._count}", "channel": "phone"}
        return self._order("open_request", data)

    def _change_deal(self) -> Order:
        deal = self._any("opportunity")
        name = self.chance.choice(("move", "move", "move", "win", "lose", "reopen", "amount"))
        data: dict[str, Any] = {"opportunity_id": deal.ref}
        if name == "amount":
            return self._order("change_opportunity_amount", data | {"amount": str(self.chance.randint(1, 50_000))}, **self._version(deal))
        data |= {"to_stage": self.chance.choice(STAGES)} if name == "move" else {}
        return self._order(f"{name}_opportunity", data, report=self.chance.random() < 0.1, **self._version(deal))

    def _change_request(self) -> Order:
        request = self._any("request")
        name = self.chance.choice(("record_reply", "escalate_request", "resolve_request", "reopen_request", "close_request"))
        data = {"request_id": request.ref} | ({"direction": "to_customer"} if name == "record_reply" else {})
        return self._order(name, data, **self._version(request))

    def _rename(self) -> Order:
        customer = self._any("customer")
        return self._order("rename_customer", {"customer_id": customer.ref, "name": f"Renamed {self._count}"}, **self._version(customer))

    def _erase(self) -> Order:
        kind = self.chance.choice(("contact", "customer"))
        return self._order(f"erase_{kind}", {f"{kind}_id": self._any(kind).ref, "legal_basis": "consent_withdrawn"})

    def _uuid(self) -> str:
        return str(UUID(int=self.chance.getrandbits(128), version=4))


def _told(receipt: Receipt) -> tuple[object, ...]:
    return (str(receipt.stream_id), receipt.version, receipt.position, receipt.event_ids)
