"""What a user of echo-rt writes, read by pyright in its strict mode: every name and type is known from outside."""

from __future__ import annotations

from pathlib import Path

import echo_rt


def volumes(recording: Path) -> list[tuple[float, float]]:
    """Time and volume of each frame that can be used."""
    with echo_rt.open_engine("lv-edge", device="cpu") as engine:
        return [
            (reading.t_s, reading.ventricle.volume)
            for reading in echo_rt.stream(recording, engine)
            if reading.quality.ok and reading.ventricle is not None
        ]


def report(recording: Path, folder: Path) -> str:
    """The figures of a recording in words."""
    try:
        result = echo_rt.process(recording, out=folder, body=echo_rt.Body(height_cm=180, weight_kg=80))
    except echo_rt.SourceError as error:
        return str(error)
    print(result.plot().get_figwidth(), len(result.to_dataframe()))
    print(len(echo_rt.to_dataframe(echo_rt.stream(recording))))
    strain = result.figures["ls_a4c"]
    return f"EF {result.ef.percent}, {result.accepted_beats} beats, {strain.measure.name} {strain.value} {result.edv}"


def models() -> dict[str, str]:
    """The licence of each model."""
    return {model.name: model.licence for model in echo_rt.models()}
