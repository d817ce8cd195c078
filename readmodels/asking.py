"""How a figure asks the facts."""

from collections.abc import Mapping
from typing import Any, Protocol


class Facts(Protocol):
    """The facts, to be asked in SQL; rows as mappings from column to native value."""

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run one SELECT with parameters by name (`$name`)."""
        ...
