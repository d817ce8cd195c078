"""Reading XES (IEEE 1849): every event with its trace's attributes as `case:…`, streamed, without DTDs or entities."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from api.imports.errors import UnreadableFile
from api.imports.sources import BadRow, Limits, Row, open_bytes

VALUES = frozenset({"string", "date", "int", "float", "boolean", "id"})
CONTAINERS = frozenset({"list", "container", "values"})
DEEPEST = 64
CHUNK = 256 * 1024
CASE = "case:"


def xes_rows(path: Path, limits: Limits) -> Iterator[Row | BadRow]:
    """Every event of every trace, in the file's order. Raises UnreadableFile."""
    log = _Log(path.name, limits)
    with open_bytes(path, limits) as stream:
        while True:
            chunk = stream.read(CHUNK)
            try:
                log.parser.Parse(chunk, not chunk)
            except expat.ExpatError as error:
                raise UnreadableFile(path.name, f"it is not well-formed XML: {error}") from None
            while log.ready:
                yield log.ready.popleft()
            if not chunk:
                log.check_end()
                return


class _Log:
    """An XES document while it is parsed. Attributes nested in others are `outer/inner`; definitions outside traces are passed over."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.ready: deque[Row | BadRow] = deque()
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._doctype
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._name = name
        self._limits = limits
        self._path: list[str] = []
        self._keys: list[str] = []
        self._is_log = False
        self._trace: dict[str, str] | None = None
        self._event: dict[str, str] | None = None
        self._line = 0
        self._fault: tuple[str, str] | None = None
        self._events: list[tuple[int, dict[str, str], tuple[str, str] | None]] = []
        self._number = 0

    def _doctype(self, *_: object) -> NoReturn:
        raise UnreadableFile(self._name, "it has a document type or entities, which an event log does not need and which are not read")

    def check_end(self) -> None:
        """Refuse what was XML but no event log. Raises UnreadableFile."""
        if not self._is_log:
            raise UnreadableFile(self._name, "it is XML, but no XES event log: its outermost element is not <log>")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        self._path.append(tag)
        if len(self._path) == 1:
            self._is_log = tag == "log"
        elif len(self._path) > DEEPEST:
            raise UnreadableFile(self._name, f"line {self.parser.CurrentLineNumber}: elements lie more than {DEEPEST} deep")
        elif tag == "trace" and len(self._path) == 2:
            self._trace, self._events = {}, []
        elif tag == "event" and self._path[:-1] in (["log"], ["log", "trace"]):
            self._event, self._line, self._fault = {}, self.parser.CurrentLineNumber, None
        elif tag in VALUES or tag in CONTAINERS:
            self._attribute(tag, attributes)

    def _attribute(self, tag: str, attributes: dict[str, str]) -> None:
        self._keys.append(attributes.get("key", ""))
        target = self._event if self._event is not None else self._trace
        if target is None or tag in CONTAINERS:
            return
        key, value = "/".join(filter(None, self._keys)), attributes.get("value", "").strip()
        if len(value) > self._limits.cell or len(target) >= self._limits.columns:
            if target is self._trace:
                raise UnreadableFile(self._name, f"line {self.parser.CurrentLineNumber}: a trace's attributes are too long or too many")
            self._fault = ("row.too_long", f"“{key[:100]}” is too long, or there are more than {self._limits.columns:,} attributes")
        elif key and value and len(key) <= 1000:
            target[key] = value

    def _end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        self._path.pop()
        if (tag in VALUES or tag in CONTAINERS) and self._keys:
            self._keys.pop()
        elif tag == "event" and self._event is not None and len(self._path) <= 2:
            self._events.append((self._line, self._event, self._fault))
            self._event = None
            if len(self._events) > self._limits.case_events:
                raise UnreadableFile(self._name, f"line {self._line}: a trace has more than {self._limits.case_events:,} events")
            if self._trace is None:
                self._emit({})
        elif tag == "trace" and self._trace is not None and len(self._path) == 1:
            self._emit({CASE + key: value for key, value in self._trace.items()})
            self._trace = None

    def _emit(self, case: dict[str, str]) -> None:
        for line, event, fault in self._events:
            self._number += 1
            row = Row(self._name, self._number, line, {**case, **event})
            self.ready.append(BadRow(row, *fault) if fault else row)
        self._events = []
