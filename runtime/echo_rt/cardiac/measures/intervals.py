"""How long the parts of a beat take, from the systole that was fitted to the volume curve.

ED is when the mitral valve shuts, ES when the aortic one does. Isovolumic contraction lasts until ejection begins,
isovolumic relaxation until filling does (Tei et al., J Cardiol 26:357-366, 1995). The share of the beat that is left
for filling is that of Cazeau et al. (Pacing Clin Electrophysiol 26:137-143, 2003).
"""

from __future__ import annotations

from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.measures import Measure, Normal, Unknown

EJECTION = "Weissler et al., Circulation 37:149-159, 1968"
ISOVOLUMIC = "Tei et al., J Cardiol 26:357-366, 1995"
FILLING = "Cazeau et al., Pacing Clin Electrophysiol 26:137-143, 2003"
THIRD = "Inouye et al., Am Heart J 110:326-331, 1985"


def contraction_ms(beat: BeatSamples) -> float:
    """Isovolumic contraction."""
    return 1e3 * beat.valves_s[0]


def relaxation_ms(beat: BeatSamples) -> float:
    """Isovolumic relaxation."""
    return 1e3 * beat.valves_s[1]


def ejection_ms(beat: BeatSamples) -> float:
    """Ejection: from ED to ES, less isovolumic contraction."""
    return 1e3 * (beat.beat.t_es_s - beat.beat.t_ed_s) - contraction_ms(beat)


def filling_percent(beat: BeatSamples) -> float:
    """Time of filling over that of the beat."""
    one = beat.beat
    filling_s = one.t_next_ed_s - one.t_es_s - beat.valves_s[1]
    return 100 * filling_s / (one.t_next_ed_s - one.t_ed_s)


def first_third_percent(beat: BeatSamples) -> float:
    """Share of the filling that is done in the first third of diastole."""
    one = beat.beat
    third_s = one.t_es_s + (one.t_next_ed_s - one.t_es_s) / 3
    end = beat.at(beat.volume, one.t_next_ed_s)
    if not end > one.esv:
        raise Unknown("the ventricle does not fill")
    return 100 * (beat.at(beat.volume, third_s) - one.esv) / (end - one.esv)


MEASURES = (
    Measure("et", "Ejection time", "ms", 0, EJECTION, ejection_ms, "Times"),
    Measure("ivct", "Isovolumic contraction", "ms", 0, ISOVOLUMIC, contraction_ms, "Times"),
    Measure("ivrt", "Isovolumic relaxation", "ms", 0, ISOVOLUMIC, relaxation_ms, "Times"),
    Measure(
        "filling_time",
        "Filling time, of the beat",
        "%",
        0,
        FILLING,
        filling_percent,
        "Times",
        Normal(40.0, None, FILLING),
    ),
    Measure("first_third_filling", "Filled in a third of diastole", "%", 0, THIRD, first_third_percent, "Times"),
)
