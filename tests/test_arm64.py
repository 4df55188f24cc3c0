"""What `make test-arm64` judges by; that target itself takes minutes and needs Debian's cross compiler."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from arm64 import board
from arm64.compare import agreement

HEADER = "frame,quality,confidence,area_mm2,volume_ml,time_total_ms\n"


def results(
    folder: Path, *, ef: float | None = 60.0, quality: str = "ok", confidence: float = 0.9, shift: int = 0
) -> Path:
    """What `echo-rt file` writes of two frames, as far as it is compared."""
    folder.mkdir()
    labels = np.zeros((2, 80, 80), np.uint8)
    labels[:, 10 + shift : 50 + shift, 10:40] = 1
    labels[:, 10:50, 40:44] = 2
    labels[:, 50:70, 10:40] = 3
    np.savez(folder / "masks.npz", labels=labels)
    (folder / "readings.csv").write_text(f"{HEADER}0,ok,0.9,2000,100,8\n1,{quality},{confidence},1000,,9\n")
    (folder / "summary.json").write_text(json.dumps({"ef_percent": ef}))
    return folder


def test_the_same_results_agree_and_time_is_not_compared(tmp_path: Path) -> None:
    one, other = results(tmp_path / "one"), results(tmp_path / "other")
    text = (other / "readings.csv").read_text()
    (other / "readings.csv").write_text(text.replace(",9\n", ",900\n").replace(",2000,", ",2010,"))
    found = agreement(one, other)
    assert found.failures == []
    assert found.apart["area_mm2"] == pytest.approx(0.005)
    assert set(found.dice.values()) == {1.0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shift": 1}, "Dice of lv_cavity"),
        ({"ef": 60.5}, "EF 60.0 and 60.5"),
        ({"ef": None}, "EF 60.0 and None"),
        ({"confidence": 0.85}, "confidence 0.050 apart"),
        ({"quality": "no view"}, "frame 1: quality ok and no view"),
    ],
)
def test_results_that_differ_are_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    found = agreement(results(tmp_path / "one"), results(tmp_path / "other", **change))
    assert [failure for failure in found.failures if said in failure], found.failures


def test_results_of_fewer_frames_are_refused(tmp_path: Path) -> None:
    one, other = results(tmp_path / "one"), results(tmp_path / "other")
    (other / "readings.csv").write_text(f"{HEADER}0,ok,0.9,2000,100,8\n")
    with pytest.raises(ValueError, match="shorter"):
        agreement(one, other)


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool in ("proot", "debootstrap") else f"/usr/bin/{tool}")
    with pytest.raises(board.BoardError, match=r"found no debootstrap, proot; apt install debootstrap proot$"):
        board.check_tools()
