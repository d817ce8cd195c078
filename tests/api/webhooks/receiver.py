"""A receiver of webhooks: a server of its own, that answers as it is told and notes what it was sent."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(slots=True)
class Received:
    """One message, as it came."""

    headers: Mapping[str, str]
    body: bytes
    path: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def position(self) -> int:
        return int(self.json["data"]["position"])

    def verified(self, secret: str) -> Any:
        """The message, if that secret signed it. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, dict(self.headers))


@dataclass(slots=True)
class Reply:
    """What is answered."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    after: float = 0.0
    """Seconds until it is answered."""


Answering = Callable[[Received], Reply]


def taken(_: Received) -> Reply:
    return Reply()


@dataclass
class Receiver:
    """What a receiver was sent, and how it answers."""

    url: str
    answering: Answering = taken
    got: list[Received] = field(default_factory=list[Received])
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def positions(self) -> list[int]:
        return [each.position for each in self.got]

    def until(self, count: int, within: float = 20.0) -> list[Received]:
        """What was sent, as soon as it is so much. Fails when that takes too long."""
        eventually(lambda: len(self.got) >= count, within, lambda: f"{len(self.got)} of {count} came")
        return self.got


def eventually(holds: Callable[[], object], within: float = 20.0, otherwise: Callable[[], str] = lambda: "it does not hold") -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.01)


@contextmanager
def receiving(answering: Answering = taken, tls: ssl.SSLContext | None = None) -> Generator[Receiver]:
    """A receiver that runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            message = Received(
                {k.lower(): v for k, v in self.headers.items()}, self.rfile.read(int(self.headers["content-length"])), self.path
            )
            with receiver.lock:
                receiver.got.append(message)
                receiver.at_once += 1
                receiver.most_at_once = max(receiver.most_at_once, receiver.at_once)
            reply = receiver.answering(message)
            stopped.wait(reply.after)
            with receiver.lock:
                receiver.at_once -= 1
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the interface of the class
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Who hangs up in the middle does what it may."""
            del request, client_address

    stopped = threading.Event()
    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        receiver = Receiver(f"{scheme}://127.0.0.1:{server.server_address[1]}/hooks", answering)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            stopped.set()
            server.shutdown()
            thread.join()
