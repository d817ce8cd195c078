"""A small disk of a test's own, which can be filled: a file system in a mount namespace that only its keeper is in."""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class NoDisk(Exception):
    """The system lets this user mount nothing, not even for themselves."""


@dataclass(frozen=True, slots=True)
class Disk:
    """`place` is where it lies for those who enter, `seen` where everybody else finds it."""

    place: Path
    seen: Path
    keeper: int
    """The process that keeps it there."""

    @property
    def enter(self) -> Sequence[str]:
        """What to put before a command so that it has the disk; it runs in the repository's root."""
        return ("nsenter", "--mount", "--user", "--preserve-credentials", f"--wd={ROOT}", "--target", str(self.keeper))


@contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Disk]:
    """A disk at `place`, gone afterwards with all that is on it. Raises NoDisk."""
    place.mkdir()
    script = f'mount -t tmpfs -o size={megabytes}m tmpfs "{place}" && echo mounted && exec sleep 3600'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script]
    try:
        keeper = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise NoDisk from None
    assert keeper.stdout is not None
    try:
        if keeper.stdout.readline() != b"mounted\n":
            raise NoDisk
        yield Disk(place, Path(f"/proc/{keeper.pid}/root") / place.relative_to("/"), keeper.pid)
    finally:
        keeper.kill()
        keeper.wait()
        keeper.stdout.close()


def enter(keeper: int) -> None:
    """Let this process, which must have one thread only, have the disk."""
    libc = ctypes.CDLL(None, use_errno=True)
    namespaces = [os.open(f"/proc/{keeper}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("user", "mnt")]
    for namespace in namespaces:
        if libc.setns(namespace, 0):
            raise OSError(ctypes.get_errno(), "the namespace cannot be entered")
        os.close(namespace)
    os.chdir(ROOT)


def fill(file: Path, *, leaving: int = 0) -> None:
    """Write until there is no more room than `leaving` bytes on the file's disk."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while (room := os.fstatvfs(descriptor)).f_bavail * room.f_bsize > leaving or not leaving:
                    os.write(descriptor, b"x" * size)
    finally:
        os.close(descriptor)
