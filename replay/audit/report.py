"""A customer's history as a page that reads and prints well: no scripts, nothing loaded from elsewhere."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from replay.audit.markup import SHARED, changes, time
from replay.audit.notes import parse

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "title": "History of customer",
        "events": "events",
        "checkpoint": "Checkpoint",
        "about": "Every event below is in the log that this checkpoint is of; the proofs are in history.json, and verify.py holds them against it.",
        "actor": "by",
        "source": "through",
        "key": "Public key",
        "hash": "leaf",
    },
    "zh": {
        "title": "客户历史",
        "events": "个事件",
        "checkpoint": "检查点",
        "about": "下列每个事件都在此检查点所对应的日志中；证明在 history.json 中，可用 verify.py 验证。",
        "actor": "操作者",
        "source": "来源",
        "key": "公钥",
        "hash": "叶",
    },
}
STYLE: Final = """
body { font: 10.5pt/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 16pt; margin: 0 } header { border-bottom: 2px solid #1a1a1a; padding-bottom: .8rem }
article { border-bottom: 1px solid #ccc; padding: .6rem 0; break-inside: avoid; display: grid; grid-template-columns: 5rem 1fr; column-gap: 1rem }
.no { color: #666; font-variant-numeric: tabular-nums } .says { font-weight: 600; margin: 0 }
.meta, .proof, footer { color: #555; font-size: 9pt; margin: .15rem 0; overflow-wrap: anywhere } .irregular { color: #a30000 }
table { border-collapse: collapse; margin: .3rem 0; font-size: 9.5pt } td, th { border: 1px solid #ddd; padding: .1rem .5rem; text-align: left; overflow-wrap: anywhere }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 8.5pt }
@page { margin: 16mm } @media print { body { margin: 0; max-width: none } article { border-color: #999 } }
"""


def report(history: Mapping[str, Any], leaves: Sequence[str]) -> str:
    """The page of a history that `customer_history` made; `leaves` are the hashes of its events, shown in short."""
    words = {**SHARED[history["language"]], **WORDS[history["language"]]}
    size = parse(history["checkpoint"]).size
    title = f"{words['title']} {history['customer_id']}"
    parts = [
        f'<!doctype html>\n<html lang="{history["language"]}">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n',
        f"<header><h1>{escape(title)}</h1><p>{len(history['events'])} {words['events']} · {words['checkpoint']} {size}</p></header>\n<main>\n",
        *(_article(event, leaf, words) for event, leaf in zip(history["events"], leaves, strict=True)),
        f"</main>\n<footer><p>{words['about']}</p><pre>{escape(history['checkpoint'])}</pre>",
        f"<p>{words['key']}: {escape(history['key'])}</p></footer>\n</html>\n",
    ]
    return "".join(parts)


def _article(event: Mapping[str, Any], leaf: str, words: Mapping[str, str]) -> str:
    irregular = (
        f' · <span class="irregular">{words["irregular"]}: {escape(", ".join(event["irregular"]))}</span>' if event["irregular"] else ""
    )
    return (
        f'<article><div class="no">{words["no"]} {event["position"]}</div><div>\n'
        f'<p class="says">{escape(event["says"])}</p>\n'
        f'<p class="meta">{words["happened"]} {time(event["occurred_at"])} · {words["recorded"]} {time(event["recorded_at"])} · '
        f"{words['actor']} {escape(event['actor'])} · {words['source']} {escape(event['source'])}{irregular}</p>\n"
        f"{''.join(changes(event['changes'], words))}"
        f'<p class="proof">{escape(event["type"])} · {words["record"]} {escape(event["stream_id"])} v{event["version"]} · '
        f"{words['command']} {escape(event['command_id'])} · {words['hash']} {escape(leaf[:16])}…</p>\n</div></article>\n"
    )
