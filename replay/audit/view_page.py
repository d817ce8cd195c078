"""Rows of changes as a page that reads and prints well, written part by part: no scripts, nothing loaded from elsewhere."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from readmodels.sentences import Language
from replay.audit.markup import SHARED, Words, changes, time

WORDS: Final[Mapping[str, Words]] = {
    "en": {
        "title": "All changes",
        "asked": "Asked for",
        "everything": "everything",
        "upto": "up to position",
        "events": "events",
        "actors": "by whom",
        "sources": "through which door",
        "types": "of which type",
        "others": "others",
        "who": "who, through",
        "what": "what",
        "more": "This page ends after position {position}; there are more events. Narrow the period, ask for the next part, or for CSV, which has all of them.",
        "whole": "These are all of them.",
    },
    "zh": {
        "title": "所有更改",
        "asked": "查询条件",
        "everything": "全部",
        "upto": "截至序号",
        "events": "个事件",
        "actors": "操作者",
        "sources": "来源",
        "types": "类型",
        "others": "其他",
        "who": "操作者、来源",
        "what": "内容",
        "more": "本页止于序号 {position}，其后还有事件。请缩小时间范围、查询下一部分，或导出包含全部内容的 CSV。",
        "whole": "以上为全部事件。",
    },
}
STYLE: Final = """
body { font: 9.5pt/1.4 system-ui, sans-serif; color: #1a1a1a; max-width: 80rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 16pt; margin: 0 } header { border-bottom: 2px solid #1a1a1a; margin-bottom: 1rem }
.totals { display: flex; flex-wrap: wrap; gap: 0 2.5rem } .totals td:last-child { text-align: right; font-variant-numeric: tabular-nums }
table { border-collapse: collapse } caption { text-align: left; font-weight: 600; padding-top: .6rem }
td, th { text-align: left; vertical-align: top; padding: .15rem .5rem .15rem 0; overflow-wrap: anywhere }
main > table { width: 100%; table-layout: fixed } main > table > thead th { border-bottom: 1px solid #1a1a1a }
main > table > tbody > tr > td { border-bottom: 1px solid #ccc } main > table > tbody > tr { break-inside: avoid }
.no { width: 4.5rem } .when { width: 12.5rem } .who { width: 12rem } .says { font-weight: 600; margin: 0 }
.meta { color: #555; font-size: 8.5pt; margin: .1rem 0; overflow-wrap: anywhere } .irregular { color: #a30000 }
.changes { margin: .2rem 0; font-size: 8.5pt } .changes td, .changes th { border: 1px solid #ddd; padding: .05rem .4rem }
@page { size: landscape; margin: 14mm } @media print { body { margin: 0; max-width: none } thead { display: table-header-group } }
"""


class Page:
    """Writes one page: its head, any number of times some rows, and its foot."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._words = {**SHARED[language], **WORDS[language]}

    def head(self, asked: Mapping[str, str], upto: int, totals: Mapping[str, Any]) -> str:
        """What was asked for and how much there is of it, then the head of the table."""
        words = self._words
        said = " · ".join(f"{name}: {value}" for name, value in asked.items())
        columns = {"no": words["no"], "when": f"{words['happened']} / {words['recorded']}", "who": words["who"], "what": words["what"]}
        headings = "".join(f'<th class="{style}">{heading}</th>' for style, heading in columns.items())
        groups = "".join(self._group(name, totals[name]) for name in ("actors", "sources", "types"))
        return (
            f'<!doctype html>\n<html lang="{self._language}">\n<meta charset="utf-8">\n<title>{words["title"]}</title>\n<style>{STYLE}</style>\n'
            f"<header><h1>{words['title']}</h1><p>{words['asked']}: {escape(said or words['everything'])} · {words['upto']} {upto:,}</p>"
            f'<p><strong>{totals["events"]:,} {words["events"]}</strong></p><div class="totals">'
            f"{groups}</div></header>\n<main>\n<table><thead><tr>{headings}</tr></thead>\n<tbody>\n"
        )

    def rows(self, rows: Iterable[Mapping[str, Any]]) -> str:
        """Some rows of the table."""
        return "".join(part for row in rows for part in self._row(row))

    def foot(self, more_after: int | None) -> str:
        """The end; `more_after` is the last position when there are more events."""
        words = self._words
        said = words["whole"] if more_after is None else words["more"].format(position=more_after)
        return f"</tbody></table>\n</main>\n<footer><p>{said}</p></footer>\n</html>\n"

    def _group(self, name: str, groups: Sequence[Mapping[str, Any]]) -> str:
        words = self._words
        rows = (f"<tr><td>{escape(group['name'] or words['others'])}</td><td>{group['events']:,}</td></tr>" for group in groups)
        return f"<table><caption>{words[name]}</caption>{''.join(rows)}</table>"

    def _row(self, row: Mapping[str, Any]) -> Iterator[str]:
        words = self._words
        yield f"<tr><td>{row['position']}</td><td>{time(row['occurred_at'])}<br>{time(row['recorded_at'])}</td>"
        yield f"<td>{escape(row['actor'])}<br>{escape(row['source'])}</td>"
        yield f'<td><p class="says">{escape(row["says"])}</p>'
        if row["irregular"]:
            yield f'<p class="meta irregular">{words["irregular"]}: {escape(", ".join(row["irregular"]))}</p>'
        yield from changes(row["changes"], words)
        yield f'<p class="meta">{escape(row["type"])} · {words["record"]} {escape(row["record_id"])} v{row["version"]} · '
        yield f"{words['command']} {escape(row['command_id'])}</p></td></tr>\n"
