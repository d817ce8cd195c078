"""What the pages of the audit share: times, values before and after, as HTML."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final, cast

Words = Mapping[str, str]

SHARED: Final[Mapping[str, Words]] = {
    "en": {
        "before": "before",
        "after": "after",
        "irregular": "irregular",
        "erased": "(erased)",
        "withheld": "(left out)",
        "happened": "happened",
        "recorded": "recorded",
        "no": "no.",
        "record": "record",
        "command": "command",
    },
    "zh": {
        "before": "之前",
        "after": "之后",
        "irregular": "不合规则",
        "erased": "（已删除）",
        "withheld": "（未列出）",
        "happened": "发生于",
        "recorded": "记录于",
        "no": "序号",
        "record": "记录",
        "command": "命令",
    },
}


def time(text: str) -> str:
    """A stored time without what nobody reads: whole seconds, UTC."""
    return f'<time datetime="{escape(text)}">{escape(text[:10])} {escape(text[11:19])} UTC</time>'


def changes(changed: Sequence[Mapping[str, Any]], words: Words) -> Iterator[str]:
    """A table of the fields that changed, before and after; nothing where none did."""
    if seen := worth_seeing(changed):
        yield f'<table class="changes"><tr><th></th><th>{words["before"]}</th><th>{words["after"]}</th></tr>'
        for change in seen:
            before, after = (escape(text(change, side, words)) for side in ("before", "after"))
            yield f"<tr><th>{escape(change['field'])}</th><td>{before}</td><td>{after}</td></tr>"
        yield "</table>\n"


def worth_seeing(changed: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The changes without those by which a new record has nothing of something: no tags, not archived."""
    return [change for change in changed if change["personal"] or change["before"] is not None or change["after"] not in (False, [])]


def text(change: Mapping[str, Any], side: str, words: Words) -> str:
    """What a field was on one side of its change; a personal one that is not there is erased or left out."""
    value = change[side]
    if value is None and change["personal"]:
        return words["erased" if change["erased"] else "withheld"]
    if value in (None, []):
        return "–"
    return ", ".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)
