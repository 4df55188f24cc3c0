"""What a worker does with a recording: it fetches and follows it, and leaves its document in RESULTS."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from echo_rt.archive.fetch import fetched, named
from echo_rt.archive.keys import Document
from echo_rt.archive.ledger import Task
from echo_rt.archive.places import Place
from echo_rt.archive.pseudonyms import Pseudonyms
from echo_rt.errors import ParameterError, SourceError
from echo_rt.provenance import recording_id

if TYPE_CHECKING:
    from echo_rt.engine import Engine
    from echo_rt.result import RecordingResult

Tell = Callable[[int, int, int | None], None]
"""Told the number of a task after every frame, how many frames are done, and how many are expected."""

OK, NO_EF, SKIPPED, FAILED = "ok", "no-ef", "skipped", "failed"
STATUSES = (OK, NO_EF, SKIPPED, FAILED)
"""There is an EF; there is none, for a reason of the heart or the view; it is no cine of ultrasound; it failed."""

DAMAGED, UNREACHED, DEFECT, NO_VIEW, NO_CINE = "damaged", "not reached", "defect", "no apical view", "not a cine"
ASKS = "needs an option"
"""Kinds beside those of a process that died: see `echo_rt.archive.pools`."""


class Finished(NamedTuple):
    """A recording that a worker is done with.

    Attributes:
        document: of it.
        kept: it is in RESULTS; else the next run tries again.
    """

    document: dict[str, Any]
    kept: bool = True


@dataclass(frozen=True)
class Asked:
    """What is asked of every recording, as `process` takes it, and what is written of it beside the document."""

    ef_method: str = "disks"
    fps: float | None = None
    roi: str = "auto"
    masks: bool = False
    overlay: bool = False


@dataclass(frozen=True)
class Work:
    """Called in a worker with a `Task` and its engine.

    Attributes:
        place: RESULTS.
        asked: of each recording.
        pseudonyms: for what is written; None writes addresses.
    """

    place: Place
    asked: Asked
    pseudonyms: Pseudonyms | None = None

    def __call__(self, task: Task, engine: Engine, tell: Tell) -> Finished:
        """Follow the recording.

        Raises:
            OutputError: RESULTS cannot be written; that is no fault of the recording.
            EchoRtError, Exception: the engine or echo-rt itself has a fault.
        """
        started_s = time.monotonic()
        found: dict[str, Any]
        kept = True
        with ExitStack() as opened:
            try:
                path = opened.enter_context(fetched(task.recording))
            except SourceError as error:
                found, kept = _failure(UNREACHED, str(error)), False
            else:
                found = self._found(task, path, engine, tell)
                if found["reason"]:
                    found["reason"] = named(found["reason"], path, task.recording)
        document = document_of(task, found, time.monotonic() - started_s)
        return Finished(self.write(task, document) if kept else self.hidden(document), kept)

    def hidden(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document as it is written: without names where pseudonyms stand for them."""
        return document if self.pseudonyms is None else self.pseudonyms.hidden(document)

    def write(self, task: Task, document: dict[str, Any]) -> dict[str, Any]:
        """Leave a document in RESULTS; returns it as it is there."""
        written = self.hidden(document)
        content = json.dumps(written, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogateescape")
        self.place.write(Document.of(task.shown, task.key).name, content)
        return written

    def _found(self, task: Task, path: Path, engine: Engine, tell: Tell) -> dict[str, Any]:
        if (reason := other_object(path)) is not None:
            return _skipped(task, reason)
        try:
            return self._followed(task, path, engine, tell)
        except ParameterError as error:
            return _failure(ASKS, str(error))
        except SourceError as error:
            # Only now: a header may say one frame of a cine that has more, which the reader sees.
            return _skipped(task, STILL) if is_still(path) else _failure(DAMAGED, str(error))

    def _followed(self, task: Task, path: Path, engine: Engine, tell: Tell) -> dict[str, Any]:
        from echo_rt.archive.pairs import evidence_fields
        from echo_rt.outputs.files import OUTPUTS
        from echo_rt.outputs.folder import MASKS, OVERLAY
        from echo_rt.pipeline import follow_one

        asked = self.asked
        files = [file for file, wanted in ((MASKS, asked.masks), (OVERLAY, asked.overlay)) if wanted]
        with tempfile.TemporaryDirectory(prefix="echo-rt-archive-", ignore_cleanup_errors=True) as scratch:
            result, evidence = follow_one(
                path,
                engine,
                out=scratch if files else None,
                name="files",
                leave_out=set(OUTPUTS) - set(files),
                ef_method=asked.ef_method,
                fps=asked.fps,
                roi=asked.roi,
                progress=lambda done, expected: tell(task.number, done, expected),
            )
            folder = Document.of(task.shown, task.key).files
            for file in files:
                self.place.put(Path(scratch, "files", file), f"{folder}/{file}")
        return {
            **_judged(result),
            "study": evidence.identity.study,
            "files": [f"{folder}/{file}" for file in files],
            "summary": {**result.to_dict(), "recording": task.recording, "recording_id": recording_id(task.recording)},
            "pair": None if evidence.identity.study is None else evidence_fields(result, evidence),
        }


def document_of(task: Task, found: dict[str, Any], seconds: float | None) -> dict[str, Any]:
    """The document of a recording, from what was found."""
    empty: dict[str, Any] = {"study": None, "files": [], "summary": None, "pair": None}
    return {
        "format": 1,
        "recording": task.shown,
        "key": task.key,
        "attempts": task.attempts + 1,
        "host": socket.gethostname(),
        "seconds": None if seconds is None else round(seconds, 3),
        "finished_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        **empty,
        **found,
    }


def _judged(result: RecordingResult) -> dict[str, Any]:
    if result.ef.percent is not None:
        return {"status": OK, "kind": None, "reason": None}
    unseen = sum(result.frames.rejected.values()) == result.frames.total
    reasons = ", ".join(f"{reason} ({count})" for reason, count in result.frames.rejected.items())
    if unseen:
        return {"status": NO_EF, "kind": NO_VIEW, "reason": reasons or "no frames"}
    return {"status": NO_EF, "kind": "no EF", "reason": result.ef.reason}


def _skipped(task: Task, reason: str) -> dict[str, Any]:
    return {"status": SKIPPED, "kind": NO_CINE, "reason": f"{task.recording}: {reason}"}


def _failure(kind: str, reason: str) -> dict[str, Any]:
    return {"status": FAILED, "kind": kind, "reason": reason}


OTHER_MODALITIES = frozenset("CR CT DOC DX ECG KO MG MR NM PR PT RF SEG SR XA".split())
"""Of DICOM objects that lie beside cines of ultrasound in a study, and have no EF to be found by echo-rt."""

BIG_BYTES = 1 << 20
"""A header is not larger; of a larger element pydicom reads the place alone."""


STILL = "expected a cine of ultrasound, found a still image"


def other_object(path: Path) -> str | None:
    """Why a DICOM file is no ultrasound, by its header; None where it may be, and of other files.

    A study holds reports and pictures of other kinds. They are no failures of an archive.
    """
    modality = str(_header(path).get("Modality", ""))
    if modality in OTHER_MODALITIES:
        return f"expected a cine of ultrasound, found an object of modality {modality}"
    return None


def is_still(path: Path) -> bool:
    """Whether the header of a DICOM file has a picture, and says one frame or none."""
    header = _header(path)
    try:
        return "Rows" in header and int(header.get("NumberOfFrames") or 1) == 1
    except (TypeError, ValueError):
        return False


def _header(path: Path) -> Any:
    """What these questions need of a DICOM header; nothing of other files, and of what cannot be read."""
    from echo_rt.sources.known import is_dicom

    if not os.path.isfile(path) or not is_dicom(path):
        return {}
    import pydicom

    tags = ["Modality", "NumberOfFrames", "Rows"]
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags, defer_size=BIG_BYTES)
    except Exception:  # noqa: BLE001 - the reader says what is wrong with it
        return {}
