"""A network of a test's own: a namespace whose only link to everybody else can be made to lose everything in silence."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class NoNamespace(Exception):
    """The system lets this user make no network."""


@dataclass(frozen=True, slots=True)
class Network:
    """`inside` is the address within it; `enter` goes before a command that is to run there."""

    name: str
    inside: str
    enter: Sequence[str]

    def part(self) -> None:
        """Lose every packet, in silence."""
        _run(*self.enter, "ip", "route", "replace", "blackhole", f"{_outside(self.inside)}/32")

    def join(self) -> None:
        """Carry packets again."""
        _run(*self.enter, "ip", "route", "del", "blackhole", f"{_outside(self.inside)}/32")


def _outside(inside: str) -> str:
    return inside[:-1] + "1"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNamespace(f"{' '.join(command)}: {done.stderr.strip()}")


@contextmanager
def network() -> Iterator[Network]:
    """One with an address that can be reached, gone afterwards. Raises NoNamespace."""
    number = os.getpid() % 60_000
    name, link = f"daybook{number}", f"db{number}"
    subnet = f"10.{200 + number // 256 % 50}.{number % 256}"
    made = Network(name, f"{subnet}.2", ("ip", "netns", "exec", name))
    if not any((Path(folder) / "ip").exists() for folder in ("/usr/sbin", "/sbin", "/usr/bin", "/bin")):
        raise NoNamespace("there is no program ip")
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", link, "type", "veth", "peer", "name", "inner", "netns", name)
        _run("ip", "address", "add", f"{subnet}.1/30", "dev", link)
        _run("ip", "link", "set", link, "up")
        for setting in (("address", "add", f"{subnet}.2/30", "dev", "inner"), ("link", "set", "inner", "up"), ("link", "set", "lo", "up")):
            _run(*made.enter, "ip", *setting)
        yield made
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
