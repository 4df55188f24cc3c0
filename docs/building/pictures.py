"""Make the pictures of the pages by the program itself: `make pictures`, or some of them by name.

The page and the report are photographed in Chromium. Pictures of a live feed differ a little from run to run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

DOCS = Path(__file__).resolve().parents[1]

HEART = "phantom:?ef=55&hr=70&seconds=8&seed=4"
LIVE = "phantom:?ef=55&hr=70&fps=25&seed=4"

FRAME = 20
"""Of pydicom's cine, shown with its overlay: end-diastole, where the ventricle is at its largest."""

SETTLED_S, FILM_S, STEP_S = 15.0, 20.0, 0.2
"""Until a live page has beats and an EF; how long it is filmed, and the time between two pictures of it."""

FILM_SIZE, MOST_BYTES = (800, 500), 2_000_000


def save(image: Image.Image, name: str) -> None:
    """Write a picture in all its colours: a palette would take those of small marks away."""
    image.convert("RGB").save(DOCS / name, optimize=True)


def overlay() -> None:
    """A frame of overlay.mp4 of the ultrasound cine that comes with pydicom."""
    import av
    from pydicom.examples import get_path

    with TemporaryDirectory() as folder:
        echo_rt("file", str(get_path("ybr_color")), "--out", folder)
        with av.open(next(Path(folder).glob("*/overlay.mp4"))) as film:
            frames = list(film.decode(video=0))
            frames[FRAME].to_image().save(DOCS / "overlay.png", optimize=True)


def curve() -> None:
    """curve.png of a simulated heart."""
    with TemporaryDirectory() as folder:
        echo_rt("file", HEART, "--out", folder, "--no-overlay")
        save(Image.open(next(Path(folder).glob("*/curve.png"))), "curve.png")


def report() -> None:
    """The first screen of report.html of a simulated heart."""
    with TemporaryDirectory() as folder, browser() as opened:
        echo_rt("file", HEART, "--out", folder, "--no-overlay", "--report", "html")
        page = opened.new_page(viewport={"width": 1100, "height": 1300})
        page.goto(next(Path(folder).glob("*/report.html")).as_uri())
        save(shot(page), "report.png")


def live() -> None:
    """The page of a live feed, as a picture and as a film of 20 seconds."""
    with page_of(LIVE) as page:
        time.sleep(SETTLED_S)
        save(shot(page), "live.png")
        images, times_s = [], []
        began_s = time.monotonic()
        while (now_s := time.monotonic() - began_s) < FILM_S:
            times_s.append(now_s)
            images.append(shot(page).resize(FILM_SIZE, Image.Resampling.LANCZOS))
            time.sleep(max(0.0, STEP_S - (time.monotonic() - began_s - now_s)))
    lasts_ms = [round(1000 * (after - at)) for at, after in zip(times_s, [*times_s[1:], FILM_S], strict=True)]
    film = DOCS / "live.webp"
    for quality in (60, 45, 30, 20):
        images[0].save(film, save_all=True, append_images=images[1:], duration=lasts_ms, loop=0, quality=quality)
        if film.stat().st_size <= MOST_BYTES:
            return
    raise SystemExit(f"{film}: expected at most {MOST_BYTES} bytes, found {film.stat().st_size}; make it smaller")


def shot(page: Any) -> Image.Image:
    """What the browser shows now."""
    return Image.open(BytesIO(page.screenshot())).convert("RGB")


def echo_rt(*words: str) -> None:
    """Run a command; where it fails, this program ends."""
    subprocess.run([sys.executable, "-m", "echo_rt", "--quiet", *words], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def page_of(source: str) -> Iterator[Any]:
    """The page of a live feed, 1280 by 800."""
    command = [sys.executable, "-m", "echo_rt", "live", source, "--view", "web", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as feed:
        assert feed.stderr is not None
        try:
            said = next(line for line in feed.stderr if "watch it at" in line)
            with browser() as opened:
                page = opened.new_page(viewport={"width": 1280, "height": 800})
                page.goto(said.split("watch it at ")[1].strip())
                yield page
        finally:
            feed.terminate()


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, as the system has it."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("expected Chromium for these pictures, found none (Debian: apt install chromium)")
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


PICTURES: dict[str, Callable[[], None]] = {"overlay": overlay, "curve": curve, "report": report, "live": live}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
        print(f"made {name}")
