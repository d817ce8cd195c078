"""What is held about a person as a page that reads and prints well: no scripts, nothing loaded from elsewhere."""

from collections.abc import Mapping
from html import escape
from typing import Any, Final

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "What is held about you",
        "about": "Everything that is recorded about the person with this number, up to event",
        "known": "Known now",
        "events": "Each event",
        "happened": "happened",
        "recorded": "recorded",
        "actor": "by",
        "source": "through",
        "erased": "This person was erased on",
    },
    "zh": {
        "title": "关于您的全部记录",
        "about": "截至以下事件，与该编号人员有关的全部记录：",
        "known": "当前已知",
        "events": "全部事件",
        "happened": "发生于",
        "recorded": "记录于",
        "actor": "操作者",
        "source": "来源",
        "erased": "该人员的信息已删除，时间：",
    },
}
STYLE: Final = """
body { font: 10.5pt/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 16pt; margin: 0 } h2 { font-size: 12pt } header { border-bottom: 2px solid #1a1a1a; padding-bottom: .8rem }
article { border-bottom: 1px solid #ccc; padding: .6rem 0; break-inside: avoid }
.says { font-weight: 600; margin: 0 } .meta { color: #555; font-size: 9pt; margin: .15rem 0; overflow-wrap: anywhere }
table { border-collapse: collapse; margin: .3rem 0; font-size: 9.5pt }
td, th { border: 1px solid #ddd; padding: .1rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; white-space: pre-wrap }
@page { margin: 16mm } @media print { body { margin: 0; max-width: none } article { border-color: #999 } }
"""


def page(dossier: Mapping[str, Any]) -> str:
    """The page of a dossier that `holding.dossier` made."""
    words = WORDS[dossier["language"]]
    title = escape(words["title"])
    erased = f"<p>{words['erased']} {_time(dossier['erased_at'])}</p>" if dossier["erased_at"] else ""
    return "".join(
        [
            f'<!doctype html>\n<html lang="{dossier["language"]}">\n<meta charset="utf-8">\n<title>{title}</title>\n<style>{STYLE}</style>\n',
            f"<header><h1>{title}</h1><p>{words['about']} {dossier['upto']}: {escape(str(dossier['person_id']))}</p>{erased}</header>\n<main>\n",
            f"<h2>{words['known']}</h2>\n{_table(dossier['known'])}<h2>{words['events']}</h2>\n",
            *(_article(event, words) for event in dossier["events"]),
            "</main>\n</html>\n",
        ]
    )


def _article(event: Mapping[str, Any], words: Mapping[str, str]) -> str:
    return (
        f'<article><p class="says">{escape(event["says"])}</p>\n'
        f'<p class="meta">{words["happened"]} {_time(event["occurred_at"])} · {words["recorded"]} {_time(event["recorded_at"])} · '
        f"{words['actor']} {escape(event['actor'])} · {words['source']} {escape(event['source'])} · {escape(event['type'])}</p>\n"
        f"{_table(event['data'])}</article>\n"
    )


def _table(values: Mapping[str, Any]) -> str:
    rows = (
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(_text(value))}</td></tr>"
        for name, value in values.items()
        if value not in (None, [])
    )
    return f"<table>{''.join(rows)}</table>\n"


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _time(text: str) -> str:
    return f'<time datetime="{escape(text)}">{escape(text[:10])} {escape(text[11:19])} UTC</time>'
