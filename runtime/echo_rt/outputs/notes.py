"""What a reader must know beside the figures of a recording, a line each."""

from __future__ import annotations

from echo_rt.provenance import AS_RECORDED, FOUND, NOT_FOUND, Provenance
from echo_rt.reading import AREA_EXTREMES, CLIP_EXTREMES
from echo_rt.result import RecordingResult


def ef_notes(result: RecordingResult) -> list[str]:
    """How EF was made, where that is not the usual way, or why there is none."""
    ef, notes = result.ef, []
    if ef.percent is None:
        return [f"no EF: {ef.reason}"]
    if ef.method == CLIP_EXTREMES:
        notes.append("EF from the largest and the smallest volume of the clip, which holds no whole beat")
    elif ef.method == AREA_EXTREMES:
        notes.append("EF from the largest and the smallest area of the clip: a change of area, not of volume")
    elif ef.method != "disks":
        notes.append(f"EF by {ef.method}")
    if (line := result.provenance.ef_calibration) is not None:
        notes.append(f"EF calibrated by the model: {line[0]:.2f} x measured {line[1]:+.1f}")
    return notes


def recording_notes(provenance: Provenance) -> list[str]:
    """What was done with the recording's pictures, and what of it is not as it says."""
    notes = []
    if provenance.orientation != AS_RECORDED:
        notes.append(f"{provenance.orientation}: the apex was at the bottom of the picture")
    if (roi := provenance.roi) is not None and roi.found == FOUND:
        notes.append(f"followed the ultrasound at {roi.x},{roi.y} of {roi.width}x{roi.height}, {roi.found}")
    elif roi is not None and roi.found == NOT_FOUND:
        notes.append(f"{roi.found}: all of the picture was looked at, and is kept")
    if provenance.spacing_note:
        notes.append(provenance.spacing_note)
    return [*notes, *provenance.notes]
