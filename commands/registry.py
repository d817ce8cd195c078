"""The application's table of contents: every command, its message, its handler."""

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import getdoc
from types import MappingProxyType
from typing import Any, TypeVar

from commands.command import Command, Ref, RefersTo
from commands.context import Context

C = TypeVar("C", bound=Command)
Handler = Callable[[Any, Context], None]


@dataclass(frozen=True, slots=True)
class RegisteredCommand:
    """A command as the doors need it: `refs` are its reference fields with the kind of record that each names."""

    name: str
    model: type[Command]
    handler: Handler
    summary: str
    refs: tuple[tuple[str, str], ...]

    @property
    def target(self) -> tuple[str, str]:
        """The field that names the record the command is about, and that record's kind."""
        return self.refs[0]


_commands: dict[str, RegisteredCommand] = {}
COMMANDS: Mapping[str, RegisteredCommand] = MappingProxyType(_commands)
"""All commands by name, in the order of their records; filled by importing `commands.catalogue`."""


def handles(handler: Callable[[C, Context], None]) -> Callable[[C, Context], None]:
    """Register `handler` for the command that its first parameter is."""
    model = next(iter(typing.get_type_hints(handler).values()))
    name = model.command_name()
    if name in _commands:
        raise ValueError(f"two handlers for {name}")
    refs = tuple(_refs(model))
    if not refs or refs[0][0] != next(iter(model.model_fields)):
        raise TypeError(f"the first field of {name} must name the record that it is about")
    _commands[name] = RegisteredCommand(name, model, handler, (getdoc(model) or "").split("\n\n")[0].replace("\n", " "), refs)
    return handler


def _refs(model: type[Command]) -> typing.Iterator[tuple[str, str]]:
    for name, hint in typing.get_type_hints(model, include_extras=True).items():
        kind = _kind(hint)
        if kind is not None and name in model.model_fields:
            yield name, kind


def _kind(hint: Any) -> str | None:
    for mark in getattr(hint, "__metadata__", ()):
        if isinstance(mark, RefersTo):
            return mark.kind
    return next((kind for kind in map(_kind, typing.get_args(hint)) if kind is not None), None)


def named(cmd: Command, refs: tuple[tuple[str, str], ...]) -> typing.Iterator[tuple[str, Ref]]:
    """Every reference in a command with its kind, those in lists too."""
    for field, kind in refs:
        value = getattr(cmd, field)
        if value is None:
            continue
        for ref in value if isinstance(value, list | tuple) else (value,):  # pyright: ignore[reportUnknownVariableType]
            yield kind, typing.cast("Ref", ref)
