"""Every error has a status, and every refusal is a problem document."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from http import HTTPStatus

import pytest

import api
import bus
import commands
import domain
import projections
import readmodels
import replay
from api.problems import STATUS, describe, encode, problem, status_of
from commands.errors import InvalidCommand
from domain.errors import DaybookError

PACKAGES = (domain, commands, bus, projections, readmodels, replay, api)


def modules() -> Iterator[str]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield found.name


def errors(kind: type[DaybookError] = DaybookError) -> Iterator[type[DaybookError]]:
    for child in kind.__subclasses__():
        yield child
        yield from errors(child)


def test_every_error_class_has_a_status() -> None:
    for name in modules():
        importlib.import_module(name)
    ours = {error for error in errors() if error.__module__.split(".")[0] in {package.__name__ for package in PACKAGES}}
    without = {error.__qualname__ for error in ours if not set(error.__mro__) & set(STATUS)}
    assert without == set()


def test_the_statuses_name_no_class_twice_by_inheritance() -> None:
    assert DaybookError not in STATUS


def test_an_error_without_a_class_of_its_own_is_our_fault() -> None:
    assert status_of(DaybookError("some.code", "some message")) == HTTPStatus.INTERNAL_SERVER_ERROR


def test_a_problem_names_the_places_that_are_wrong_as_json_pointers() -> None:
    error = InvalidCommand("x has the wrong shape", [{"loc": ("stages", 0, "a/b~c"), "msg": "too long"}])
    assert describe(error, "id-1") == {
        "type": "urn:daybook:problem:command.invalid",
        "title": HTTPStatus.UNPROCESSABLE_ENTITY.phrase,
        "status": 422,
        "detail": "x has the wrong shape",
        "code": "command.invalid",
        "places": [{"pointer": "/stages/0/a~1b~0c", "message": "too long"}],
        "command_id": "id-1",
    }


@pytest.mark.parametrize("text", ["plain", "\ud800 alone", "emoji 🦉"])
def test_whatever_a_caller_sent_can_be_told_back(text: str) -> None:
    told = json.loads(encode(problem(409, "x.y", text, places=[{"pointer": "/" + text, "message": text}])))
    assert told["detail"] == text.encode("utf-8", "replace").decode()
