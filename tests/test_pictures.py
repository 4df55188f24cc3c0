"""The pictures of the pages: each is there, is made by the program, and says what it shows to who cannot see it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
MAKER = (ROOT / "docs" / "building" / "pictures.py").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = [(page, *found) for page in PAGES for found in re.findall(r"!\[([^]]*)\]\(([^)\s]+)\)", page.read_text())]

MOST_BYTES = 500_000


@pytest.mark.parametrize(
    ("page", "said", "picture"), SHOWN, ids=lambda part: part.name if isinstance(part, Path) else ""
)
def test_a_picture_of_a_page_is_there_and_made_by_the_program(page: Path, said: str, picture: str) -> None:
    assert len(said.split()) >= 4, "whoever cannot see it is told what it shows"
    path = page.parent / picture
    assert path.is_file()
    assert f'"{path.name}"' in MAKER, "docs/building/pictures.py makes it"
    with Image.open(path) as image:
        image.load()
    assert path.suffix == ".webp" or path.stat().st_size < MOST_BYTES


def test_every_picture_is_shown_by_a_page() -> None:
    shown = {(page.parent / picture).resolve() for page, _, picture in SHOWN}
    assert {path for path in (ROOT / "docs").glob("*.*") if path.suffix in (".png", ".webp", ".gif")} == shown


def test_the_film_of_a_live_feed_lasts_20_seconds_and_is_small() -> None:
    path = ROOT / "docs" / "live.webp"
    lasts_ms = 0
    with Image.open(path) as film:
        assert film.n_frames >= 20
        for number in range(film.n_frames):
            film.seek(number)
            film.load()
            lasts_ms += film.info["duration"]
    assert lasts_ms == pytest.approx(20_000, abs=1000)
    assert path.stat().st_size <= 2_000_000
