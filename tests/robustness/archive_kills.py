"""Kills of an archive's driver and workers: the same command again comes to the same table.

PYTHONPATH=tests python -m robustness.archive_kills                          2,000 recordings, 3 and 10 kills
PYTHONPATH=tests python -m robustness.archive_kills --recordings 100 --kills 1 3 --ray local
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pydicom

from echo_rt.phantom.dicom_file import write_dicom
from echo_rt.phantom.phantom import open_phantom

TESTS = Path(__file__).resolve().parents[1]

STUDIES = 20
"""Simulated hearts, two views of each; the other recordings are copies under other UIDs and names."""

CLIP = "fps=25&seconds=1.4&height=120&width=160&overlay=0"

DAMAGED = 0.05
"""Share of the recordings."""

MENDED = ("odd_count", "other_syntax")
"""Damages that the reader sees through: the EF is that of the whole recording."""

PASSING = ("attempts", "host", "seconds", "finished_at")
"""Columns in which two runs may differ."""


def make(folder: Path, count: int, seed: int) -> None:
    """Write recordings: pairs of views of one patient, of which some are damaged, two kill and one hangs."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    hearts = [list(_views(folder / f".heart{number}.dcm", number)) for number in range(STUDIES)]
    names = [f"study{number // 2:04}/IM{number % 2:05}.dcm" for number in range(count - 3)]
    damaged = set(rng.sample(range(len(names)), round(DAMAGED * count)))
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        data = hearts[number // 2 % STUDIES][number % 2]
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        data.StudyInstanceUID, data.PatientID = f"1.2.4.{number // 2 + 1}", f"P{number // 2}"
        data.save_as(path, enforce_file_format=True)
        if number in damaged:
            damage = DAMAGES[len(list(folder.glob("*/*.bad*"))) % len(DAMAGES)]
            path.write_bytes(damage(path.read_bytes()))
            path.rename(path.with_name(f"{path.stem}.bad-{damage.__name__}.dcm"))
    for name in ("kills1", "kills2", "hangs"):
        shutil.copy(
            folder / names[0] if (folder / names[0]).exists() else next(folder.glob("*/IM*.dcm")),
            folder / f"{name}.dcm",
        )


def _views(path: Path, number: int) -> Iterator[Any]:
    for view, seed in (("A4C", number), ("A2C", 100 + number)):
        write_dicom(open_phantom(f"phantom:?{CLIP}&ef={30 + 2 * number}&hr=100&seed={seed}&named={view}"), path)
        yield pydicom.dcmread(path)
    path.unlink()


def empty(content: bytes) -> bytes:
    return b""


def head_alone(content: bytes) -> bytes:
    return content[:600]


def no_pictures(content: bytes) -> bytes:
    return content[: content.index(b"\xfe\xff\x00\xe0", 600) + 8]


def words(content: bytes) -> bytes:
    return b"This study was moved to another archive.\n" * 40


def page(content: bytes) -> bytes:
    return b"<!DOCTYPE html><html><body>404 Not Found</body></html>" + b" " * 200


def packed(content: bytes) -> bytes:
    return b"PK\x03\x04" + content[4:5000]


def zeros(content: bytes) -> bytes:
    return bytes(len(content))


def no_head(content: bytes) -> bytes:
    return content[2000:]


def odd_count(content: bytes) -> bytes:
    return content.replace(b"IS\x02\x00" + b"35", b"IS\x02\x00" + b"-1", 1)


def other_syntax(content: bytes) -> bytes:
    """It says JPEG-LS, and holds JPEG."""
    return content.replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.99", 1)


DAMAGES: list[Callable[[bytes], bytes]] = [
    empty, head_alone, no_pictures, words, page, packed, zeros, no_head, odd_count, other_syntax,
]  # fmt: skip


def begin(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """The driver in a process group of its own, with its workers."""
    code = "import sys; from support.poison import drive; drive(sys.argv[1:])"
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with log.open("ab") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)


def workers(driver: int) -> list[int]:
    """The processes of a driver that follow recordings, and all that they began."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
            if (parent == driver and b"spawn_main" in command) or b"ray::" in command:
                found.append(int(entry.name))
    return found


def disturbed(arguments: list[str], log: Path, kills: tuple[int, int], total: int, seed: int) -> int:
    """Run until all is done, in spite of kills of the driver and of workers; returns the last exit status."""
    rng = random.Random(seed)
    out = Path(arguments[arguments.index("--out") + 1])
    moments = [(rng.uniform(0.02, 0.9) * total, "driver") for _ in range(kills[0])]
    moments += [(rng.uniform(0.02, 0.9) * total, "worker") for _ in range(kills[1])]
    process = begin(arguments, log)
    for share, victim in sorted(moments):
        while sum(1 for _ in out.glob("recordings/*/*.json")) < share and process.poll() is None:
            time.sleep(0.2)
        if victim == "driver":
            process.kill()
            process.wait()
            process = begin(arguments, log)
        else:
            until = time.monotonic() + 60
            while not (found := workers(process.pid)) and time.monotonic() < until:
                time.sleep(0.1)
            if found:
                os.kill(rng.choice(found), signal.SIGKILL)
    return process.wait()


def rows_of(out: Path) -> dict[str, dict[str, Any]]:
    """The table, by recording, without what may differ; a recording that is there twice is an error."""
    import pyarrow.dataset as dataset

    rows = dataset.dataset(out / "table").to_table().to_pylist()
    again = [name for name, count in Counter(row["recording"] for row in rows).items() if count > 1]
    if again:
        raise SystemExit(f"{len(again)} recordings are twice in the table: {again[:3]}")
    return {row["recording"]: {name: value for name, value in row.items() if name not in PASSING} for row in rows}


def judged(rows: dict[str, dict[str, Any]], folder: Path) -> list[str]:
    """What is wrong with a table of the recordings in a folder."""
    from echo_rt.engine import open_engine
    from echo_rt.pipeline import process

    wrong = []
    there = {str(path.resolve()) for path in folder.rglob("*.dcm")}
    if there != set(rows):
        wrong.append(f"{len(there - set(rows))} recordings are missing, {len(set(rows) - there)} are too many")
    for name, row in rows.items():
        bad = any(word in name for word in ("bad", "kills", "hangs")) and not any(word in name for word in MENDED)
        if bad != (row["status"] == "failed"):
            wrong.append(f"{name}: {row['status']} {row['kind']} {row['reason']}")
        if bad and "bad" not in name and row["kind"] != ("killed" if "kills" in name else "too long"):
            wrong.append(f"{name}: {row['kind']}")
    good = [name for name in sorted(rows) if "study" in name and ("bad" not in name or rows[name]["status"] == "ok")]
    with open_engine(None, "cpu", 1) as engine:
        for name in good[: 2 * STUDIES]:
            alone = process(name, engine).to_dict()
            if alone["ef_percent"] != rows[name]["ef_percent"]:
                wrong.append(f"{name}: EF {rows[name]['ef_percent']}, alone {alone['ef_percent']}")
    efs = {name: rows[name]["ef_percent"] for name in good}
    hearts: dict[int, set[Any]] = {}
    for name, ef in efs.items():
        path = Path(name)
        hearts.setdefault(2 * (int(path.parent.name[5:]) % STUDIES) + int(path.stem[2:7]), set()).add(ef)
    wrong += [f"copies of heart {heart} have {found}" for heart, found in hearts.items() if len(found) > 1]
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=2000)
    parser.add_argument("--kills", type=int, nargs=2, default=(3, 10), metavar=("DRIVER", "WORKERS"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--ray", help="as in echo-rt archive")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True, help="for recordings and results")
    asked = parser.parse_args()
    folder, log = asked.folder / "recordings", asked.folder / "log.txt"
    if not folder.exists():
        make(folder, asked.recordings, asked.seed)
    found: dict[str, Any] = {"recordings": asked.recordings, "kills": list(asked.kills), "seed": asked.seed}
    tables = {}
    for name, kills in (("quiet", (0, 0)), ("killed", tuple(asked.kills))):
        out = asked.folder / name
        arguments = [
            str(folder),
            "--out",
            str(out),
            "--jobs",
            str(asked.jobs),
            "--seconds-each",
            "20",
            "--device",
            "cpu",
        ]
        arguments += ["--ray", asked.ray] if asked.ray and name == "killed" else []
        started_s = time.monotonic()
        status = disturbed(arguments, log, kills, asked.recordings, asked.seed)
        tables[name] = rows_of(out)
        wrong = judged(tables[name], folder)
        found[name] = {"status": status, "took_s": round(time.monotonic() - started_s), "wrong": wrong[:20]}
    found["same"] = tables["quiet"] == tables["killed"]
    found["statuses"] = Counter(f"{row['status']} {row['kind'] or ''}".strip() for row in tables["killed"].values())
    print(json.dumps(found, indent=2))
    sys.exit(0 if found["same"] and all(not found[n]["wrong"] and found[n]["status"] == 2 for n in tables) else 1)


if __name__ == "__main__":
    main()
