"""Documents of an archive, of recordings whose masks are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from echo_rt.archive.pairs import evidence_fields
from echo_rt.archive.places import Place
from echo_rt.archive.rows import row_of
from echo_rt.archive.table import Table
from echo_rt.cardiac.two_views import ViewEvidence
from echo_rt.measures import Body
from echo_rt.pipeline import follow_one
from echo_rt.result import RecordingResult
from support.hearts import A4C, Traced


@cache
def followed(phantom: str, body: Body | None = None) -> tuple[RecordingResult, ViewEvidence]:
    """What an archive's worker gets of a phantom."""
    return follow_one(phantom, Traced(phantom), body=body)


def document(
    phantom: str | None, recording: str | None = None, body: Body | None = None, **more: Any
) -> dict[str, Any]:
    """What an archive keeps of a phantom under another name, as it is read back; of None that of one that failed."""
    found: dict[str, Any] = {"status": "failed", "kind": "damaged", "reason": "damaged", "summary": None, "pair": None}
    if phantom is not None:
        result, evidence = followed(phantom, body)
        found = {"status": "ok", "kind": None, "reason": None, "summary": result.to_dict()}
        found |= {"pair": evidence_fields(result, evidence)}
    found |= {
        "format": 1,
        "recording": recording or phantom,
        "key": "0123456789abcdef" * 2,
        "attempts": 1,
        "host": "north",
        "seconds": 1.25,
        "finished_at": "2026-05-01T12:00:00.125+00:00",
        "study": "fedcba9876543210",
        "files": [],
        **more,
    }
    back: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return back


def row(recording: str, **more: Any) -> dict[str, Any]:
    """The row of a recording; what more its document says."""
    return row_of(document(A4C, recording, **more), None)


def rows(*recordings: str, **more: Any) -> list[dict[str, Any]]:
    """Rows that are alike but for the name."""
    plain = row("", **more)
    return [{**plain, "recording": recording} for recording in recordings]


def add(place: Place, found: Sequence[dict[str, Any]]) -> None:
    """Put rows into a table in a run of its own."""
    with Table(place) as table:
        table.load()
        for each in found:
            table.put(each)
        table.flush()
