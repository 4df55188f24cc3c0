"""Two views of one heart: beats of like heart rate are taken as one, its disks as ellipses with a diameter from each
view.

Source: biplane method of disks in Lang et al., Recommendations for Cardiac Chamber Quantification, J Am Soc
Echocardiogr 28:1-39, 2015: 20 disks, the length being the longer of the two axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from echo_rt.cardiac.ejection_fraction import BEATS, interval
from echo_rt.cardiac.geometry import ML_PER_MM3, disks_volume
from echo_rt.reading import APICAL_VIEWS, Beat, EjectionFraction
from echo_rt.result import Biplane, BiplaneBeat

RATE_TOLERANCE = 0.10
"""How far the heart rates of two beats may lie apart, as a share of the A4C one. The views are recorded one after the
other; filling goes with the time there is for it, and a beat a tenth longer fills a few percent more."""

METHOD = "biplane"


def biplane(
    a4c: Sequence[Beat], a2c: Sequence[Beat], *, calibrated: tuple[bool, bool], error_points: float, beats: int = BEATS
) -> Biplane:
    """Volumes and EF from the beats of two recordings.

    Each beat is used once, the pairs nearest in heart rate first. Where a recording has no scale there are no volumes.
    EF is a ratio in which each recording's own scale cancels. Its axis is then the A4C one: lengths of two scales
    cannot be compared.

    Args:
        a4c, a2c: of the two recordings, accepted and rejected.
        calibrated: whether the scale of each is known.
        error_points: standard error of EF, see `echo_rt.cardiac.ejection_fraction.interval`.
        beats: how many pairs at most.

    Returns:
        Without a figure its `ef` says why.
    """
    missing = [name for name, known in zip(APICAL_VIEWS, calibrated, strict=True) if not known]
    note = f"no biplane volumes: {' and '.join(missing)} without a scale" if missing else None
    ones, others = ([beat for beat in found if beat.accepted and beat.details.disks] for found in (a4c, a2c))
    if not ones or not others:
        without = " and ".join(name for name, found in (("A4C", ones), ("A2C", others)) if not found)
        return no_biplane(f"no accepted beat in the {without} recording to pair", note)
    pairs = sorted(_pairs(ones, others)[:beats], key=lambda pair: pair[0].t_ed_s)
    if not pairs:
        rates = [median(beat.heart_rate_bpm for beat in found) for found in (ones, others)]
        return no_biplane(
            f"expected beats of heart rates within {RATE_TOLERANCE:.0%} of each other, "
            f"found {rates[0]:.0f} bpm in A4C and {rates[1]:.0f} bpm in A2C",
            note,
        )
    joined = [_joined(one, other, not missing) for one, other in pairs]
    percent, low, high = interval([beat.ef_percent for beat in joined], error_points)
    edv, esv = (None if missing else median(getattr(beat, name) for beat in joined) for name in ("edv", "esv"))
    return Biplane(EjectionFraction(percent, low, high, len(joined), METHOD), edv, esv, tuple(joined), note)


def _pairs(ones: Sequence[Beat], others: Sequence[Beat]) -> list[tuple[Beat, Beat]]:
    """Each beat at most once, the pairs nearest in heart rate first, none beyond the tolerance."""
    apart = sorted(
        (abs(one.heart_rate_bpm - other.heart_rate_bpm) / one.heart_rate_bpm, i, j)
        for i, one in enumerate(ones)
        for j, other in enumerate(others)
    )
    found: dict[int, int] = {}
    for far, i, j in apart:
        if far <= RATE_TOLERANCE and i not in found and j not in found.values():
            found[i] = j
    return [(ones[i], others[j]) for i, j in found.items()]


def _joined(one: Beat, other: Beat, calibrated: bool) -> BiplaneBeat:
    disks, others = one.details.disks, other.details.disks
    assert disks is not None
    assert others is not None
    edv = disks_volume(disks.ed, others.ed, same_scale=calibrated) * ML_PER_MM3
    esv = disks_volume(disks.es, others.es, same_scale=calibrated) * ML_PER_MM3
    return BiplaneBeat(one, other, edv if calibrated else None, esv if calibrated else None, 100 * (edv - esv) / edv)


def no_biplane(reason: str, note: str | None = None) -> Biplane:
    """Two views that come to nothing, and why."""
    return Biplane(EjectionFraction(None, None, None, 0, METHOD, reason), None, None, (), note)
