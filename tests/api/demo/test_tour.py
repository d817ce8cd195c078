"""The five things to try are about the company that was made."""

import shlex

from api.demo.tour import five_things
from commands.catalogue import COMMANDS
from domain.customers.events import CustomerArchived, CustomerRegistered
from tests.api.demo.conftest import UNTIL, History


def test_there_are_five_things_to_try_each_with_a_command(history: History) -> None:
    things = five_things(history.summary)
    assert len(things) == 5
    assert all(shlex.split(thing.command)[0] == "daybook" for thing in things)


def test_they_name_a_customer_who_is_there_and_takes_business(history: History) -> None:
    busiest = history.summary.notable["busiest customer"]
    assert busiest.id in {event.customer_id for event in history.of(CustomerRegistered)}
    assert busiest.id not in {event.customer_id for event in history.of(CustomerArchived)}
    assert sum(str(busiest.id) in thing.command for thing in five_things(history.summary)) == 2


def test_the_command_among_them_says_what_it_must_of_a_moment_in_the_past(history: History) -> None:
    (words,) = [shlex.split(thing.command) for thing in five_things(history.summary) if "command" in thing.command.split()]
    name, options = words[2], dict(zip(words[3::2], words[4::2], strict=True))
    assert options.pop("--occurred-at") < UNTIL.isoformat()
    COMMANDS[name].model.model_validate({option.removeprefix("--").replace("-", "_"): value for option, value in options.items()})
