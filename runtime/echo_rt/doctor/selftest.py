"""The whole way of a frame, tried on a heart whose volumes are known: the phantom."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from echo_rt.engine import Engine
    from echo_rt.phantom import Phantom
    from echo_rt.reading import Beat

CASES = (
    "phantom:?ef=62&hr=68&fps=50&seconds=7&seed=11&variety=0.2",
    "phantom:?ef=45&hr=82&fps=30&seconds=7&seed=12&variety=0.2",
    "phantom:?ef=28&hr=96&fps=60&seconds=7&seed=13&variety=0.2",
)
"""Normal, moderately and severely reduced, at three rates."""

EF_LIMIT, VOLUME_LIMIT, TIME_LIMIT_S, BEATS_LIMIT = 12.0, 35.0, 0.05, 0.7
"""For each clip: EF in points, EDV in percent, ED and ES in seconds, share of the beats that are found. They tell a
broken engine from a sound one; how good a model is, `echo-rt evaluate` says."""


@dataclass(frozen=True)
class CaseResult:
    """One phantom: medians over its accepted beats, and what is true. The volume is the EDV."""

    uri: str
    beats: int
    true_beats: int
    ef_percent: float | None
    true_ef_percent: float
    volume_error_percent: float | None
    ed_error_s: float | None
    es_error_s: float | None

    @property
    def ok(self) -> bool:
        """Whether it lies within the limits."""
        ef, volume, ed, es = self.ef_percent, self.volume_error_percent, self.ed_error_s, self.es_error_s
        if ef is None or volume is None or ed is None or es is None:
            return False
        return (
            abs(ef - self.true_ef_percent) <= EF_LIMIT
            and abs(volume) <= VOLUME_LIMIT
            and max(abs(ed), abs(es)) <= TIME_LIMIT_S
            # The last beat of a clip is certain only when the next one contracts.
            and self.beats >= BEATS_LIMIT * (self.true_beats - 1)
        )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}


def self_test(engine: Engine) -> list[CaseResult]:
    """Run the phantoms of `CASES` through an engine and the monitor, and compare with the truth."""
    from echo_rt.phantom import open_phantom
    from echo_rt.pipeline import stream

    results = []
    for uri in CASES:
        phantom = open_phantom(uri)
        found = [reading.beat for reading in stream(phantom, engine) if reading.beat is not None]
        results.append(_compare(uri, phantom, [beat for beat in found if beat.accepted]))
    return results


def _compare(uri: str, phantom: Phantom, found: list[Beat]) -> CaseResult:
    truth = phantom.beats()
    true_ef = median(beat.ef_percent for beat in truth)
    if not found:
        return CaseResult(uri, 0, len(truth), None, true_ef, None, None, None)
    pairs = [(beat, min(truth, key=lambda true: abs(true.t_ed_s - beat.t_ed_s))) for beat in found]
    return CaseResult(
        uri=uri,
        beats=len(found),
        true_beats=len(truth),
        ef_percent=median(beat.ef_percent for beat in found),
        true_ef_percent=true_ef,
        volume_error_percent=100 * (median(beat.edv for beat in found) / median(beat.edv_ml for beat in truth) - 1),
        ed_error_s=median(beat.t_ed_s - true.t_ed_s for beat, true in pairs),
        es_error_s=median(beat.t_es_s - true.t_es_s for beat, true in pairs),
    )
