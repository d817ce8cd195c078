"""The audit over HTTP: checkpoints, proofs, the public key, and a customer's whole history."""

from base64 import b64encode
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.asking import JSON
from api.folder import Folder
from api.openapi import refusals
from api.problems import encode
from api.settings import Settings
from bus.log import Log
from bus.stored import open_stored
from readmodels.opening import Decrypt
from readmodels.sentences import Language
from replay.audit.auditor import Auditor, signing_key
from replay.audit.merkle import leaf_hash
from replay.audit.notes import SigningKey
from replay.audit.report import report
from replay.audit.tree import Tree
from replay.audit.view import Telling
from replay.changes.tracking import Histories

LARGEST: Final = 2**53
PLAIN: Final = "text/plain; charset=utf-8"
TEXT: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
PAGE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


class Asked(BaseModel):
    """Parameters of the audit; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class InclusionParameters(Asked):
    """Which event is to be proven in which tree."""

    position: int = Field(ge=1, le=LARGEST, description="The event's position.")
    size: int = Field(0, ge=0, le=LARGEST, description="The size of the checkpoint that the proof is for; that of all events, unless said.")


class ConsistencyParameters(Asked):
    """Which two trees are to be shown to be one history."""

    older: int = Field(alias="from", ge=0, le=LARGEST, description="The size of the older checkpoint.")
    to: int = Field(0, ge=0, le=LARGEST, description="The size of the newer checkpoint; that of all events, unless said.")


class CustomerParameters(Asked):
    """How a customer's history is told."""

    language: Language = Field("en", description="The language of the sentences.")
    personal: bool = Field(default=True, description="Whether personal fields are told; what was erased is not in either case.")
    older: list[Annotated[int, Field(ge=0, le=LARGEST)]] = Field(
        default_factory=list[int],
        max_length=100,
        description="The size of an older checkpoint that a proof of consistency is wanted for; may be repeated.",
    )


class InclusionBody(BaseModel):
    """The proof that an event is in the log that a checkpoint is of (RFC 9162 §2.1.3); hashes in base64."""

    position: int
    leaf_index: int = Field(description="The position less one.")
    size: int
    entry: str = Field(description="The stored bytes that the leaf is the hash of: position, stream, version, type and state, a line each.")
    leaf_hash: str
    root: str
    proof: list[str]


class ConsistencyBody(BaseModel):
    """The proof that a log begins with an older one (RFC 9162 §2.1.4); hashes in base64."""

    older: int = Field(serialization_alias="from")
    to: int
    older_root: str = Field(serialization_alias="from_root")
    root: str = Field(serialization_alias="to_root")
    proof: list[str]


class ChangeBody(BaseModel):
    """An attribute of the record that an event changed."""

    field: str
    before: Any
    after: Any
    personal: bool = Field(description="Whether it is stored encrypted under a person's key.")
    erased: bool = Field(description="Whether the person was forgotten, so that it is null for ever.")


class AuditedEventBody(BaseModel):
    """An event with its stored bytes and its proof."""

    position: int
    stream_id: UUID
    version: int
    type: str
    id: UUID
    occurred_at: str
    recorded_at: str
    actor: str
    source: str
    command_id: str
    correlation_id: str | None
    causation_id: str | None
    irregular: list[str]
    says: str
    changes: list[ChangeBody]
    data: dict[str, Any]
    personal: list[str] = Field(description="The fields that are stored encrypted.")
    erased: list[str] = Field(description="Those of them whose person was forgotten.")
    entry: str
    proof: list[str]


class ConsistencyPartBody(BaseModel):
    """A proof of consistency with an older checkpoint."""

    older: int = Field(serialization_alias="from")
    to: int
    proof: list[str]


class CustomerHistoryBody(BaseModel):
    """The whole history of a customer, to be verified by `verify.py` without Daybook."""

    format: str
    customer_id: UUID
    language: Language
    key: str
    checkpoint: str
    consistency: list[ConsistencyPartBody]
    events: list[AuditedEventBody]


def place_of(settings: Settings) -> str:
    """Where the log lies: an address, or a file."""
    return settings.log_url.get_secret_value() if settings.log_url else str(Folder(settings.data).log)


def key_of(settings: Settings) -> SigningKey:
    """The key that signs checkpoints; made when there is none. Raises KeyUnusable."""
    if settings.audit_key is not None:
        return SigningKey.parse(settings.audit_key.get_secret_value())
    return signing_key(Folder(settings.data).audit_key)


@contextmanager
def open_auditor(settings: Settings, log: Log, *, follow: bool) -> Generator[Auditor]:
    """The audit of an open log; with `follow` its events are hashed from now on, without it when somebody asks. Raises ForeignLog or KeyUnusable."""
    with (
        closing(Tree(Folder(settings.data).audit)) as tree,
        closing(open_stored(place_of(settings))) as stored,
        closing(Auditor(tree, stored, key_of(settings), log if follow else None)) as auditor,
    ):
        yield auditor


def audit_routes(auditor: Auditor, histories: Histories, decrypt: Decrypt) -> APIRouter:
    """The routes of the audit."""
    router = APIRouter(tags=["audit"], prefix="/v1/audit")
    tree = auditor.tree

    @router.get("/key", response_class=Response, responses=TEXT)
    def audit_key() -> Response:
        """The public key that checkpoints are signed with, as C2SP signed notes have it; keep it outside, and compare."""
        return Response(f"{auditor.key.public}\n", media_type=PLAIN)

    @router.get("/checkpoint", response_class=Response, responses={**TEXT, **refusals(503)})
    def audit_checkpoint() -> Response:
        """What the log is now, signed (C2SP tlog-checkpoint); keep it outside."""
        return Response(auditor.checkpoint(), media_type=PLAIN)

    @router.get("/proof/inclusion", response_model=InclusionBody, responses=refusals(404, 422, 503))
    def audit_inclusion(wanted: Annotated[InclusionParameters, Query()]) -> Response:
        """The proof that an event is in the log that a checkpoint is of."""
        size = auditor.reach(wanted.size)
        proof = tree.inclusion(wanted.position, size)
        entry = auditor.entry(wanted.position)
        body = {"position": wanted.position, "leaf_index": wanted.position - 1, "size": size, "entry": entry}
        return _answer(
            {**body, "leaf_hash": _text(leaf_hash(entry.encode())), "root": _text(tree.root(size)), "proof": [*map(_text, proof)]}
        )

    @router.get("/proof/consistency", response_model=ConsistencyBody, responses=refusals(404, 409, 422, 503))
    def audit_consistency(wanted: Annotated[ConsistencyParameters, Query()]) -> Response:
        """The proof that the log still begins with what an older checkpoint is of."""
        size = auditor.reach(wanted.to)
        proof = tree.consistency(wanted.older, size)
        roots = {"from_root": _text(tree.root(wanted.older)), "to_root": _text(tree.root(size))}
        return _answer({"from": wanted.older, "to": size, **roots, "proof": [*map(_text, proof)]})

    @router.get("/customers/{customer_id}", response_model=CustomerHistoryBody, responses=refusals(404, 409, 422, 503))
    def audit_customer(
        customer_id: Annotated[UUID, Path(description="A customer's id.")], wanted: Annotated[CustomerParameters, Query()]
    ) -> Response:
        """The whole history of a customer from the log itself: each event with both clocks, who, by which door, before and after, and its proof."""
        return _answer(history(customer_id, wanted))

    @router.get("/customers/{customer_id}/report", response_class=Response, responses={**PAGE, **refusals(404, 409, 422, 503)})
    def audit_customer_report(
        customer_id: Annotated[UUID, Path(description="A customer's id.")], wanted: Annotated[CustomerParameters, Query()]
    ) -> Response:
        """The same as a page to read and print."""
        return Response(page(history(customer_id, wanted)), media_type="text/html; charset=utf-8")

    def history(customer_id: UUID, wanted: CustomerParameters) -> dict[str, Any]:
        auditor.reach(max(wanted.older, default=0))
        telling = Telling(histories=histories, language=wanted.language, decrypt=decrypt if wanted.personal else None)
        return auditor.customer(str(customer_id), telling, wanted.older)

    return router


def page(history: dict[str, Any]) -> str:
    """A history as a page."""
    return report(history, [leaf_hash(event["entry"].encode()).hex() for event in history["events"]])


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()


def _answer(body: dict[str, Any]) -> Response:
    return Response(encode(body), media_type=JSON)
