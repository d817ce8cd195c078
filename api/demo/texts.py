"""What people say and write, in their languages."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from api.demo.chance import Chance

Texts = Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]


@cache
def _texts() -> Texts:
    return tomllib.loads(files("api.demo").joinpath("texts.toml").read_text(encoding="utf-8"))


def text(chance: Chance, language: str, kind: str, topic: str, *, product: str = "", code: str = "") -> str:
    """One of the texts of a kind (`talk`, `request`, `comment`) on a topic, in a language such as `de` or `zh-Hans`."""
    choices = _texts()[language.split("-", maxsplit=1)[0]][kind][topic]
    return chance.one_of(choices).format(product=product, code=code)
