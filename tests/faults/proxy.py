"""A TCP proxy between a program and PostgreSQL that may cut a connection once a commit was confirmed, and keep the confirmation, or pass on nothing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

COMMITTED: Final = b"COMMIT\x00"
"""How PostgreSQL ends the message that a transaction is committed, and whoever asks for it ends that."""


@dataclass(slots=True)
class Proxy:
    """Listens on `port` and passes on to `target`. From any thread."""

    target: int
    port: int = 0
    cuts: int = 0
    """Connections that were cut after a commit."""
    _cutting: int = 0
    _marked: bytes = b""
    _open: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closing: bool = False

    def cut_next(self) -> None:
        """Keep the next confirmation of a commit to yourself and cut its connection."""
        with self._lock:
            self._cutting += 1

    def silence(self) -> None:
        """Take everything and pass on nothing, in either direction."""
        self._open.clear()

    def silence_before_commit(self, mark: bytes) -> None:
        """Be silent as soon as a transaction in which something was asked that has `mark` in it is to be committed."""
        self._marked = mark

    @property
    def silent(self) -> bool:
        """Whether nothing is passed on."""
        return not self._open.is_set()

    def resume(self) -> None:
        """Pass on what was held back, and everything from now on."""
        self._open.set()

    def _accept(self, listening: socket.socket) -> None:
        while not self._closing:
            with suppress(OSError):
                client, _ = listening.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        threading.Thread(target=self._pump, args=(client, server), kwargs={"answers": False}, daemon=True).start()
        self._pump(server, client, answers=True)

    def _pump(self, source: socket.socket, target: socket.socket, *, answers: bool) -> None:
        marked = False
        with suppress(OSError):
            while chunk := source.recv(65_536):
                if not answers and self._marked:
                    marked = self._mark_seen(chunk, before=marked)
                self._open.wait()
                if answers and COMMITTED in chunk and self._take_cut():
                    break
                target.sendall(chunk)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _mark_seen(self, chunk: bytes, *, before: bool) -> bool:
        """Whether a transaction has the mark in it; the one that is to be committed then has to wait."""
        if before and COMMITTED in chunk:
            self._marked = b""
            self.silence()
        return self._marked in chunk or (before and COMMITTED not in chunk)

    def _take_cut(self) -> bool:
        with self._lock:
            if not self._cutting:
                return False
            self._cutting -= 1
            self.cuts += 1
            return True


@contextmanager
def proxied(target: int) -> Iterator[Proxy]:
    """One that passes everything on to a port on loopback until told otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Proxy(target, listening.getsockname()[1])
        proxy.resume()
        threading.Thread(target=proxy._accept, args=(listening,), daemon=True).start()
        try:
            yield proxy
        finally:
            proxy._closing = True
            proxy.resume()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
