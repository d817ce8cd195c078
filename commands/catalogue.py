"""All commands, gathered: importing this page fills the registry."""

from commands import opportunities, pipelines
from commands.registry import COMMANDS

PAGES = (pipelines, opportunities)
"""The modules that hold the commands, in the order of the reference page."""

__all__ = ["COMMANDS", "PAGES"]
