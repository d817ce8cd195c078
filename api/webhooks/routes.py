"""Webhooks over HTTP: made, looked at, paused, rotated, tried, sent again and removed."""

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from uuid_utils.compat import uuid7

from api.asking import JSON
from api.feed.asking import LARGEST_POSITION
from api.openapi import refusals
from api.problems import encode
from api.webhooks import shapes
from api.webhooks.addresses import Addresses, UnknownNameError
from api.webhooks.sending import Answer, Message, Sender
from api.wiring import Daybook
from bus.webhooks.model import New
from bus.webhooks.sealing import fresh_secret

LARGEST_PAGE: Final = 1000
_HOUR: Final = 3600.0
WebhookId = Annotated[UUID, Path(description="A webhook's id.")]


class DeadPage(BaseModel):
    """Which of the events that were given up."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, le=LARGEST_POSITION, description="Only those after this position.")
    limit: int = Field(100, ge=1, le=LARGEST_PAGE, description="The most in the answer.")


class AttemptsPage(BaseModel):
    """How many attempts."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=LARGEST_PAGE, description="The most of each in the answer.")


def webhook_routes(daybook: Daybook) -> APIRouter:
    """The routes of webhooks."""
    router = APIRouter(tags=["webhooks"], prefix="/v1/webhooks")
    desk = Desk(daybook)
    office = daybook.webhooks

    @router.get("", response_model=shapes.WebhooksBody, responses=refusals(503))
    def webhooks() -> Response:
        """All webhooks, and how each stands."""
        return _answer({"head": office.head(), "webhooks": [shapes.webhook(each) for each in office.standing()]})

    @router.post("", status_code=201, response_model=shapes.MadeWebhookBody, responses=refusals(400, 409, 413, 422, 503))
    def add_webhook(new: Annotated[shapes.NewWebhook, Body()]) -> Response:
        """Have events sent to an address, signed; the answer tells the secret, this once."""
        return _answer(desk.add(new), HTTPStatus.CREATED)

    @router.get("/{webhook_id}", response_model=shapes.ShownWebhookBody, responses=refusals(404, 422, 503))
    def webhook(webhook_id: WebhookId) -> Response:
        """One webhook, and how it stands."""
        return _answer(desk.shown(str(webhook_id)))

    @router.delete("/{webhook_id}", status_code=204, responses=refusals(404, 422, 503))
    def remove_webhook(webhook_id: WebhookId) -> Response:
        """Send nothing there any more, and forget what waits and what was given up."""
        office.store.remove(str(webhook_id))
        office.changed()
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.post("/{webhook_id}/pause", response_model=shapes.ShownWebhookBody, responses=refusals(404, 422, 503))
    def pause_webhook(webhook_id: WebhookId) -> Response:
        """Send nothing until it is resumed; its position waits, and nothing is lost."""
        office.store.pause(str(webhook_id))
        office.changed()
        return _answer(desk.shown(str(webhook_id)))

    @router.post("/{webhook_id}/resume", response_model=shapes.ShownWebhookBody, responses=refusals(404, 422, 503))
    def resume_webhook(webhook_id: WebhookId) -> Response:
        """Send again, from where it was; what waits to be sent again is sent at once."""
        office.store.resume(str(webhook_id), office.clock())
        office.changed()
        return _answer(desk.shown(str(webhook_id)))

    @router.post("/{webhook_id}/rotate", response_model=shapes.MadeWebhookBody, responses=refusals(400, 404, 413, 422, 503))
    def rotate_webhook(webhook_id: WebhookId, how: Annotated[shapes.RotateBody, Body()]) -> Response:
        """Sign with a new secret, and for a while with the one before as well; the answer tells the new one, this once."""
        return _answer(desk.rotate(str(webhook_id), how.overlap_hours * _HOUR))

    @router.post("/{webhook_id}/ping", response_model=shapes.PingBody, responses=refusals(404, 422, 503))
    def ping_webhook(webhook_id: WebhookId) -> Response:
        """Send a test message, `ping`, once, and tell what came of it."""
        return _answer(desk.ping(str(webhook_id)))

    @router.get("/{webhook_id}/attempts", response_model=shapes.AttemptsBody, responses=refusals(404, 422, 503))
    def webhook_attempts(webhook_id: WebhookId, page: Annotated[AttemptsPage, Query()]) -> Response:
        """The last attempts, and what waits to be sent again."""
        key = str(webhook_id)
        tried = [shapes.attempt(each) for each in office.store.attempts(key, page.limit)]
        waiting = [shapes.failure(each, office.seals) for each in office.store.waiting(key, page.limit)]
        return _answer({"attempts": tried, "waiting": waiting})

    @router.get("/{webhook_id}/dead", response_model=shapes.DeadBody, responses=refusals(404, 422, 503))
    def dead_letters(webhook_id: WebhookId, page: Annotated[DeadPage, Query()]) -> Response:
        """The events that were given up, with the reason and the beginning of the last answer."""
        dead = office.store.dead(str(webhook_id), page.after, page.limit)
        told = [shapes.failure(each, office.seals) for each in dead]
        return _answer({"dead": told, "after": dead[-1].position if dead else page.after})

    @router.post("/{webhook_id}/redeliver", response_model=shapes.RedeliveredBody, responses=refusals(400, 404, 413, 422, 503))
    def redeliver(webhook_id: WebhookId, which: Annotated[shapes.RedeliverBody, Body()]) -> Response:
        """Send events that were given up again: those that are named, or all."""
        count = office.store.redeliver(str(webhook_id), which.positions, office.clock())
        office.changed()
        return _answer({"redelivered": count})

    @router.post("/{webhook_id}/replay", response_model=shapes.ShownWebhookBody, responses=refusals(400, 404, 409, 413, 422, 503))
    def replay_webhook(webhook_id: WebhookId, where: Annotated[shapes.ReplayBody, Body()]) -> Response:
        """Send every wanted event after a position, again."""
        office.store.get(str(webhook_id))
        daybook.written(where.after)
        office.store.replay(str(webhook_id), where.after)
        office.changed()
        return _answer(desk.shown(str(webhook_id)))

    return router


class Desk:
    """What of the routes takes more than a line."""

    def __init__(self, daybook: Daybook) -> None:
        self._daybook = daybook
        self._office = daybook.webhooks

    def add(self, new: shapes.NewWebhook) -> dict[str, Any]:
        """Make a webhook. Raises InvalidRequest, AddressRefused, NotYet, or RuleViolation `webhook.too_many`."""
        asyncio.run(self._checked(new.url))
        head = self._office.head() if new.after is None else self._daybook.written(new.after)
        key, secret = str(uuid7()), fresh_secret()
        wanted = new.stored()
        for other in ("url", "description", "ordered", "after"):
            wanted.pop(other, None)
        made = New(
            id=key,
            url=new.url,
            description=new.description,
            wanted=wanted,
            ordered=new.ordered,
            after=head if new.after is None else new.after,
            sealed=self._office.seals.seal_secret(secret, key),
        )
        self._office.store.add(made, self._daybook.settings.max_webhooks, self._office.clock())
        self._office.changed()
        return {**self.shown(key), "secret": secret}

    def shown(self, key: str) -> dict[str, Any]:
        """How a webhook stands, with its secrets as far as they may be told. Raises NotFound."""
        standing = self._office.stands(key)
        secrets = self._office.store.secrets(key, self._office.clock())
        return {**shapes.webhook(standing), "secrets": [shapes.secret(each) for each in secrets]}

    def rotate(self, key: str, overlap: float) -> dict[str, Any]:
        """Sign with a new secret; the one before goes on for `overlap` seconds. Raises NotFound."""
        secret, now = fresh_secret(), self._office.clock()
        self._office.store.rotate(key, self._office.seals.seal_secret(secret, key), now, now + overlap)
        self._office.changed()
        return {**self.shown(key), "secret": secret}

    def ping(self, key: str) -> dict[str, Any]:
        """Send a test message and wait for what comes of it. Raises NotFound."""
        found, now = self._office.store.get(key), self._office.clock()
        secrets = [self._office.seals.open_secret(each.sealed, key) for each in self._office.store.secrets(key, now)]
        body = {"type": "ping", "timestamp": datetime.fromtimestamp(now, UTC).isoformat(), "data": {"webhook_id": key}}
        message = Message(f"ping-{uuid4()}", encode(body))
        return shapes.ping(message.id, asyncio.run(self._sent(found.url, message, secrets)))

    async def _sent(self, url: str, message: Message, secrets: list[str]) -> Answer:
        addresses = self._addresses()
        sender = Sender(addresses, ssl.create_default_context(), seconds=self._daybook.settings.webhook_timeout_seconds, connections=1)
        try:
            return await sender.send(url, message, secrets)
        finally:
            await sender.close()
            addresses.close()

    async def _checked(self, url: str) -> None:
        """Refuse an address that may not be sent to; a name that nothing is known of now may be known later."""
        addresses = self._addresses()
        try:
            with suppress(UnknownNameError, TimeoutError):
                await addresses.of(url)
        finally:
            addresses.close()

    def _addresses(self) -> Addresses:
        return Addresses(private=self._daybook.settings.webhook_private, most=1)


def _answer(body: dict[str, Any], status: int = HTTPStatus.OK) -> Response:
    return Response(encode(body), status, media_type=JSON)
