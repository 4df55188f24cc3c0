"""What `live_feeds.py` looks at: hearts played in a circle, sent by ffmpeg over HTTP, and shown in a browser."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import threading
import time
from fractions import Fraction
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import av
from live_soak import RATE_BPM, SECONDS

from echo_rt.frame import Frame
from echo_rt.sources import open_source

FOREVER_MS = 86_400_000

AT_ONCE = ("-flush_packets", "1", "-muxdelay", "0", "-muxpreload", "0")
"""Each frame goes out as it comes. By itself ffmpeg collects 32 KB, which is half a second of such a video."""


@cache
def circle(fps: float) -> list[Frame]:
    """A few beats whose end meets their beginning."""
    address = f"phantom:?fps={fps:g}&hr={RATE_BPM}&hr_variability=0&breathing=0&overlay=0&seconds={SECONDS}"
    with open_source(address) as drawn:
        return list(drawn)


def write_video(frames: list[Frame], fps: int, path: Path) -> None:
    """The frames as H.264 in MPEG-TS."""
    with av.open(str(path), "w", format="mpegts") as container:
        options = {"tune": "zerolatency", "preset": "veryfast", "bf": "0", "g": str(fps)}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = frames[0].image.shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, fps)
        for number, frame in enumerate(frames):
            image = av.VideoFrame.from_ndarray(frame.image, format="gray" if frame.image.ndim == 2 else "bgr24")
            image.pts = number
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))


class Sender:
    """ffmpeg as an HTTP sender of a video in a circle. It is started anew whenever it has ended."""

    def __init__(self, video: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}/echo.ts"
        self.kills: list[float] = []
        self._video, self._down_until_s, self._over = video, 0.0, False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        given = ["-re", "-stream_loop", "-1", "-i", str(self._video), "-c", "copy", "-f", "mpegts"]
        while not self._over:
            if time.monotonic() >= self._down_until_s:
                command = ["ffmpeg", "-v", "quiet", "-nostdin", *given, *AT_ONCE, "-listen", "1", self.uri]
                self._process = subprocess.Popen(command)
                if self._over:  # told while it was started
                    self._process.kill()
                self._process.wait()
            time.sleep(0.1)

    def wait(self) -> None:
        """Until it listens: to ask it would be its one connection."""
        port = f":{self.port:04X} 00000000:0000 0A"
        while port not in Path("/proc/net/tcp").read_text():
            time.sleep(0.05)

    def kill(self, down_s: float) -> None:
        """End it at once, and let nobody answer for so long."""
        self.kills.append(time.monotonic())
        self._down_until_s = time.monotonic() + down_s
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        self._over = True
        if self._process is not None:
            self._process.kill()
        self._thread.join(5)


def look(how: str, url: str) -> None:
    """Stand for a browser, for as long as the page is there."""
    if how == "socket":
        take_all(url)
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(url)
        page.wait_for_timeout(FOREVER_MS)


def take_all(url: str) -> None:
    """Take pictures and figures as the page does."""
    from websockets.sync.client import connect
    from websockets.typing import Origin

    at = urlsplit(url)
    connection = http.client.HTTPConnection(at.netloc)
    connection.request("GET", f"/?{at.query}")
    cookie = str(connection.getresponse().headers["Set-Cookie"]).split(";")[0]
    origin = Origin(f"http://{at.netloc}")
    with connect(f"ws://{at.netloc}/feed", origin=origin, additional_headers={"Cookie": cookie}) as page:
        for found in page:
            if isinstance(found, bytes):
                page.send('{"do": "shown"}')
