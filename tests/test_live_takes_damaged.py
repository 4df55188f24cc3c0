"""Takes of a live feed of which something is gone, damaged or not ours."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import pytest

from echo_rt.errors import SourceFormatError
from echo_rt.sources import open_source
from support.live_parts import frames
from support.takes import readings, record


def of_older_take(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The lines of a take that does not say at which millisecond of the video a frame is."""
    return [{name: value for name, value in row.items() if name != "ms"} for row in rows]


@pytest.mark.parametrize("older", [False, True])
def test_a_frame_that_is_gone_or_came_in_a_burst_shifts_no_other_to_its_line(older: bool, tmp_path: Path) -> None:
    burst = [replace(frame, t_s=frame.t_s - 0.0332 * (n == 11)) for n, frame in enumerate(frames(20, fps=30))]
    record(tmp_path, readings(burst))
    take = tmp_path / "take-001"
    rows = [json.loads(line) for line in (take / "readings.jsonl").read_text().splitlines()]
    assert rows[11]["ms"] - rows[10]["ms"] == 1
    if older:
        (take / "readings.jsonl").write_text("\n".join(json.dumps(row) for row in of_older_take(rows)))
    with av.open(str(take / "frames.mkv")) as whole, av.open(str(tmp_path / "fewer.mkv"), "w") as fewer:
        stream = fewer.add_stream_from_template(whole.streams.video[0])
        for packet in [packet for number, packet in enumerate(whole.demux(video=0)) if packet.size and number != 5]:
            packet.stream = stream
            fewer.mux(packet)
    (tmp_path / "fewer.mkv").rename(take / "frames.mkv")
    with open_source(take) as source:
        found = [(int(frame.image[0, 0]), frame.index, frame.t_s) for frame in source]
        assert source.notes[0] == "1 lines and 0 frames are damaged or without their counterpart: left out"
    assert found == [(n, n, frame.t_s) for n, frame in enumerate(burst) if n != 5]


@pytest.mark.parametrize("older", [False, True])
def test_what_is_damaged_of_a_take_is_left_out_and_noted_and_the_rest_is_read(older: bool, tmp_path: Path) -> None:
    record(tmp_path, readings(frames(40)))
    lines = tmp_path / "take-001" / "readings.jsonl"
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    if older:
        rows = of_older_take(rows)
    rows[7]["t_s"] = None
    rows[9]["index"] = "nine"
    rows[11]["t_s"] = 1e9
    rows[13]["index"] = 0
    rows[15]["spacing_mm"] = [0.1]
    written = [json.dumps(row).encode() for row in rows]
    written[5] = written[5][:20] + b"\xff" + written[5][21:]
    written[39] = written[39][:30]
    lines.write_bytes(b"\n".join(written))
    with open_source(tmp_path / "take-001") as source:
        found = list(source)
        notes = source.notes
    assert [frame.index for frame in found] == [n for n in range(40) if n not in (5, 7, 9, 11, 13, 15, 39)]
    assert [int(frame.image[0, 0]) for frame in found] == [frame.index for frame in found]
    assert notes == ["7 lines and 7 frames are damaged or without their counterpart: left out"]


def test_a_lost_end_of_a_line_shifts_no_frame_to_another_line(tmp_path: Path) -> None:
    record(tmp_path, readings(frames(20)))
    lines = tmp_path / "take-001" / "readings.jsonl"
    whole = lines.read_bytes().splitlines(keepends=True)
    lines.write_bytes(b"".join([*whole[:4], whole[4].rstrip(b"\n"), *whole[5:]]))
    with open_source(tmp_path / "take-001") as source:
        found = list(source)
    assert [frame.index for frame in found] == [n for n in range(20) if n not in (4, 5)]
    assert [int(frame.image[0, 0]) for frame in found] == [frame.index for frame in found]


@pytest.mark.parametrize("about", [
    "", "[]", "null", "[" * 5000, '{"frames": 1e99}', '{"frames": "4"}', '{"cut": 3}', '{"cut": {"x": -1}}',
    '{"cut": {"x": 60, "y": 0, "width": 10, "height": 10}}', '{"frames": ' + "9" * 5000 + "}", '{"roi": "\x1b[0m"}',
    '{"cut": {"x": 0, "y": 0, "width": 10, "height": 10, "outline": [[1, 1], [2, "2"], [3, 3]]}}',
])  # fmt: skip
def test_a_description_that_is_not_ours_is_refused_in_one_line(about: str, tmp_path: Path) -> None:
    record(tmp_path, readings(frames(4)))
    (tmp_path / "take-001" / "recording.json").write_text(about)
    with pytest.raises(SourceFormatError, match="recording of `echo-rt live`") as refused:
        list(open_source(tmp_path / "take-001").__enter__())
    assert str(refused.value).isprintable()
