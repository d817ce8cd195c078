"""The command line, `daybook`: it does what HTTP does, through the server of the data folder or without one."""

from api.cli.main import main

__all__ = ["main"]
