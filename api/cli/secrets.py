"""`daybook new-secrets`: what several processes of one Daybook must share."""

import secrets

import typer

from api.settings import PREFIX
from replay.audit.notes import SigningKey

KEY_BYTES = 32


def command() -> None:
    """Print fresh secrets for several processes of one Daybook, as lines of a `.env` file. They are kept nowhere else."""
    typer.echo(f"POSTGRES_PASSWORD={secrets.token_hex(KEY_BYTES)}")
    typer.echo(f"{PREFIX}MASTER_KEY={secrets.token_hex(KEY_BYTES)}")
    typer.echo(f"{PREFIX}AUDIT_KEY={SigningKey.new().line()}")
