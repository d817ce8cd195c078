"""Secrets in files of their own."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp


def write_once(path: Path, text: str) -> None:
    """Make a file readable by its owner only; it appears whole under its name or not at all, however many make it at once: the first one counts."""
    descriptor, draft = mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
