"""Commands that change some fields of a record: a field left out stays as it is, null clears it."""

from typing import Any

from commands.command import Command


def said(cmd: Command, *names: str) -> dict[str, Any]:
    """Those of the fields `names` that the caller gave, null ones too."""
    return {name: getattr(cmd, name) for name in names if name in cmd.model_fields_set}
