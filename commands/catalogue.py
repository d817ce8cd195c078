"""All commands, gathered: importing this page fills the registry."""

from commands import contacts, customers, interactions, opportunities, persons, pipelines, requests, surveys
from commands.registry import COMMANDS

PAGES = (customers, contacts, persons, interactions, pipelines, opportunities, requests, surveys)
"""The modules that hold the commands, in the order of the reference page."""

__all__ = ["COMMANDS", "PAGES"]
