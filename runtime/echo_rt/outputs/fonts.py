"""Letters of any script in a figure of matplotlib's: by the fonts that are installed, or escaped."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress

BASE = "DejaVu Sans"
"""Comes with matplotlib, so that a figure looks the same everywhere; it has Latin, Greek, Cyrillic and some more."""

LIKELY = ("CJK", "Noto Sans", "Unicode", "Fallback", "Gothic", "Hei", "Sans")
"""In the names of fonts with many letters, which are looked at first."""

LAST_RESORT = "Last Resort"
"""A font of boxes that stand for every letter."""

_families: dict[str, str | None] = {}
"""The font that has a letter, of all letters that were looked for; None where none has."""


@contextmanager
def quiet() -> Iterator[None]:
    """What matplotlib warns and logs meanwhile, of fonts and of its cache, does not reach the terminal.

    The filters of warnings are those of the whole process: whoever draws is alone, the others wait for it.
    """
    log = logging.getLogger("matplotlib")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def drawable(text: str) -> tuple[str, list[str]]:
    """The text as it can be drawn in bold, and the fonts for it in the order in which a letter is looked for.

    A letter that no font has is escaped, such as ``\\u60a3``.
    """
    held = _letters(BASE)
    strange = {letter for letter in text if ord(letter) not in held or not letter.isprintable()}
    _look_for(strange - _families.keys())
    found = {letter: family for letter in sorted(strange) if (family := _families[letter]) is not None}
    shown = "".join(
        letter if letter not in strange or letter in found else letter.encode("unicode_escape").decode()
        for letter in text
    )
    return shown, [BASE, *dict.fromkeys(found.values())]


def _look_for(letters: set[str]) -> None:
    """Find a font for each letter."""
    from matplotlib.font_manager import fontManager

    _families.update(dict.fromkeys(letters))
    missing = {letter for letter in letters if letter.isprintable()}
    for family in sorted({font.name for font in fontManager.ttflist}, key=_likely):
        if not missing or family.startswith(LAST_RESORT):
            continue
        with suppress(Exception):  # of a font that is damaged, or of a kind that is not read
            has = _letters(family)
            held = {letter for letter in missing if ord(letter) in has}
            _families.update(dict.fromkeys(held, family))
            missing -= held


def _likely(family: str) -> tuple[int, str]:
    return next((place for place, part in enumerate(LIKELY) if part in family), len(LIKELY)), family


def _letters(family: str) -> Container[int]:
    """Those of a font's bold face."""
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    return FT2Font(findfont(FontProperties(family=[family], weight="bold"))).get_charmap()
