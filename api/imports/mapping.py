"""The mapping language: what a mapping file may say, as pydantic models (docs/importing.md explains it with examples)."""

from collections.abc import Iterator
from collections.abc import Mapping as ReadMapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from api.imports.conditions import Conditions, Part, TemplateText, as_list, regular
from api.imports.expressions import Template, parse_template
from api.imports.filters import Terms
from api.imports.templates import Node, parse_data, templates
from api.imports.times import ISO, Clock

Texts = Annotated[tuple[str, ...], BeforeValidator(as_list)]
Formats = Annotated[tuple[str, ...], BeforeValidator(as_list), Field(min_length=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,59}$")]
ROW_FACTS = frozenset({"row", "line", "file"})
CASE_FACTS = ROW_FACTS | {"case", "activity", "resource", "lifecycle", "time", "event", "events", "first_time", "last_time"}
XES_COLUMNS = {
    "case": "{case:concept:name}",
    "activity": "{concept:name}",
    "time": "{time:timestamp}",
    "resource": "{org:resource?}",
    "lifecycle": "{lifecycle:transition?}",
}


def _zone(value: Any) -> Any:
    try:
        return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
    except (KeyError, ValueError, TypeError, OSError):
        raise ValueError(f"“{value}” is no time zone; give an IANA name such as Europe/Rome") from None


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]


class File(Part):
    """Which files these are and how to read them."""

    pattern: Annotated[Texts, Field(min_length=1)]
    format: Literal["csv", "xes"] | None = None
    optional: bool = False
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    quote: Annotated[str, StringConstraints(min_length=1, max_length=1)] = '"'
    escape: Annotated[str, StringConstraints(min_length=1, max_length=1)] | None = None
    encoding: str = "auto"
    header: tuple[str, ...] | None = None
    skip_lines: Annotated[int, Field(ge=0, le=1000)] = 0
    skip_initial_space: bool = False
    strip: bool = True
    empty: Texts = ()
    short_rows: Literal["refuse", "pad"] = "refuse"
    time_zone: Zone | None = None
    time_formats: Formats | None = None

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, encoding: str) -> str:
        try:
            return encoding if encoding == "auto" else "".encode(encoding).decode(encoding) or encoding
        except (LookupError, UnicodeError, AttributeError):
            raise ValueError(f"there is no text encoding “{encoding}”; give one such as utf-8, cp1252 or utf-16") from None

    @property
    def is_xes(self) -> bool:
        """Whether it is an event log in XES; else it is CSV."""
        return self.format == "xes" or (self.format is None and all(".xes" in pattern.lower() for pattern in self.pattern))

    def takes(self, name: str) -> bool:
        """Whether a file of that name (with or without .gz) is meant."""
        plain = name.lower().removesuffix(".gz")
        return any(fnmatchcase(plain, pattern.lower().removesuffix(".gz")) for pattern in self.pattern)


class Lookup(Part):
    """Rows of a file of the import, to be found by a key from other rows."""

    file: str
    key: TemplateText
    columns: Annotated[Texts, Field(min_length=1)]
    duplicates: Literal["refuse", "first", "last"] = "refuse"


class Find(Part):
    """A lookup used in rows: its columns are then there as `name.column`."""

    key: TemplateText
    lookup: str | None = None
    required: bool = False


class CommandTemplate(Part):
    """A command that a row makes. `step` tells the commands of one row apart; it is the command's name unless given."""

    command: str
    step: Name | None = None
    when: Conditions = ()
    occurred_at: TemplateText | None = None
    report: bool | None = None
    data: Annotated[Any, BeforeValidator(parse_data)] = Field(default_factory=dict[str, Node])

    @property
    def label(self) -> str:
        """What its command ids call it."""
        return self.step or self.command

    @property
    def templates(self) -> Iterator[Template]:
        """Every template that it reads."""
        yield from templates(self.data)
        for condition in self.when:
            yield from condition.templates
        if self.occurred_at is not None:
            yield self.occurred_at


def _find(value: Any) -> Any:
    return {"key": value} if isinstance(value, str) else value


Finds = dict[Name, Annotated[Find, BeforeValidator(_find)]]
Commands = tuple[CommandTemplate, ...]


class Rows(Part):
    """A file whose every row makes commands."""

    file: str
    id: TemplateText
    name: Name | None = None
    lookups: Finds = {}
    when: Conditions = ()
    once: bool = False
    order: Literal["file", "time"] = "file"
    occurred_at: TemplateText | None = None
    commands: Annotated[Commands, Field(min_length=1)]

    @property
    def label(self) -> str:
        """What its command ids call it."""
        return self.name or self.file


class Activity(Part):
    """Which commands an activity makes; without names and `matches` it stands for every activity."""

    name: Texts = ()
    matches: str | None = None
    lifecycle: Texts = ()
    when: Conditions = ()
    commands: Commands

    _regular = field_validator("matches")(regular)


class Moment(Part):
    """In a log that has one row per case: the column that says when an activity happened."""

    activity: str
    time: TemplateText


class Cases(Part):
    """An event log: rows are events, and the events of one case happen one after the other."""

    file: str
    name: Name | None = None
    case: TemplateText | None = None
    activity: TemplateText | None = None
    time: TemplateText | None = None
    resource: TemplateText | None = None
    lifecycle: TemplateText | None = None
    wide: tuple[Moment, ...] = ()
    id: TemplateText | None = None
    lookups: Finds = {}
    when: Conditions = ()
    together: Literal["event", "case"] = "event"
    order: Literal["case", "time"] = "case"
    opening: Commands = ()
    activities: tuple[Activity, ...] = ()
    otherwise: Commands | None = None
    ending: Commands = ()

    @property
    def label(self) -> str:
        """What its command ids call it."""
        return self.name or self.file

    @property
    def commands(self) -> Iterator[CommandTemplate]:
        """All its commands."""
        yield from self.opening
        for activity in self.activities:
            yield from activity.commands
        yield from self.otherwise or ()
        yield from self.ending

    @model_validator(mode="after")
    def _events(self) -> Self:
        if self.wide and (self.activity or self.time):
            raise ValueError("with `wide`, each of its entries says activity and time; leave `activity` and `time` out")
        return self

    def column(self, role: str, *, xes: bool) -> Template | None:
        """What says the `case`, `activity`, `time`, `resource` or `lifecycle` of an event; XES has names of its own for them."""
        said: Template | None = getattr(self, role)
        return parse_template(XES_COLUMNS[role]) if said is None and xes else said


class Plan(Part):
    """A whole mapping."""

    name: Name
    source: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    description: str = ""
    time_zone: Zone = ZoneInfo("UTC")
    time_formats: Formats = (ISO,)
    report: bool = True
    occurred_at: TemplateText | None = None
    order: Literal["file", "time"] = "file"
    constants: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = {}
    values: dict[str, dict[str, str | int | bool]] = {}
    files: Annotated[dict[Name, File], Field(min_length=1)]
    lookups: dict[Name, Lookup] = {}
    setup: Commands = ()
    rows: tuple[Rows, ...] = ()
    cases: tuple[Cases, ...] = ()

    @property
    def record_source(self) -> str:
        """The source of the external ids of its records."""
        return self.source or self.name

    @cached_property
    def terms(self) -> ReadMapping[str | None, Terms]:
        """Terms by file, as each may write times its own way; None is for commands without a file."""
        clocks = {
            name: Clock(file.time_zone or self.time_zone, file.time_formats or self.time_formats) for name, file in self.files.items()
        }
        everywhere = Clock(self.time_zone, self.time_formats)
        return {name: Terms(clock, self.values, self.constants) for name, clock in {**clocks, None: everywhere}.items()}
