"""What a consumer of a live feed took."""

from __future__ import annotations


class Notes:
    """Takes every reading and keeps index, time and history."""

    def __init__(self) -> None:
        self.readings: list = []
        self.histories: list[int] = []
        self.idles: list[str] = []

    def write(self, frame, reading, source: str, history: int) -> None:
        self.readings.append(reading)
        self.histories.append(history)

    def idle(self, why: str) -> None:
        self.idles.append(why)

    def close(self) -> None: ...
