"""A measure of your own: the sphericity of the left ventricle, which is its diameter over its length.

python examples/own_measure.py clip.dcm
"""

from __future__ import annotations

import sys

import echo_rt


def sphericity(ventricle: echo_rt.LeftVentricle) -> float:
    """The largest diameter over the length: 1 is a sphere."""
    return float(max(ventricle.disks.diameters) / ventricle.disks.length)


def of_beats(recording: str) -> list[tuple[float, float, float]]:
    """Of each accepted beat the time of ED, and the sphericity at ED and at ES."""
    seen: dict[float, float] = {}
    beats: list[echo_rt.Beat] = []
    for reading in echo_rt.stream(recording):
        if reading.quality.ok and reading.ventricle is not None:
            seen[reading.t_s] = sphericity(reading.ventricle)
        if reading.beat is not None and reading.beat.accepted:
            beats.append(reading.beat)

    def at(t_s: float) -> float:
        return seen[min(seen, key=lambda known: abs(known - t_s))]

    return [(beat.t_ed_s, at(beat.t_ed_s), at(beat.t_es_s)) for beat in beats]


if __name__ == "__main__":
    for t_s, at_ed, at_es in of_beats(sys.argv[1]):
        print(f"beat at {t_s:.2f} s: sphericity {at_ed:.2f} at ED, {at_es:.2f} at ES")
