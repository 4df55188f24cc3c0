"""Which patients train a model and which judge it: by patient, never by image."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from echo_rt.errors import DataError
from echo_rt_train.data.clips import Clip
from echo_rt_train.data.sample import SPLITS, Sample

_Item = TypeVar("_Item", Sample, Clip)


def hash_split(patient: str, val_fraction: float) -> str:
    """``val`` for about that share of all names, else ``train``: from the name alone.

    So it is the same on every machine, does not change when patients are added, and a larger share only moves patients
    from train to val.
    """
    first = int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big")
    return "val" if first < val_fraction * 2**64 else "train"


def check_splits(items: Iterable[Sample | Clip], origin: object) -> None:
    """Refuse a data set in which a patient is in two splits, or in one that does not exist.

    Args:
        items: samples or clips.
        origin: the file or folder that says who is in which split, for the message.

    Raises:
        DataError: names the patient and both splits.
    """
    splits: dict[str, str] = {}
    for item in items:
        if item.split not in SPLITS:
            raise DataError(
                f"{origin}: expected the split of {item.patient} to be one of {', '.join(SPLITS)}, found {item.split!r}"
            )
        if (other := splits.setdefault(item.patient, item.split)) != item.split:
            raise DataError(
                f"{origin}: expected each patient in one split, found {item.patient} in two ({other} and {item.split})"
            )


def parse_hold_out(text: str) -> tuple[int, int]:
    """(part, parts) of a text such as "2/4".

    Raises:
        DataError: it is another text.
    """
    found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", text)
    part, parts = (int(number) for number in found.groups()) if found else (0, 0)
    if not 1 <= part <= parts or parts < 2:
        raise DataError(f"data.hold_out: expected K/N, such as 2/4, with K from 1 to N and N from 2, found {text!r}")
    return part, parts


def hold_out(items: Sequence[_Item], patients: Iterable[str], part: int, parts: int) -> list[_Item]:
    """A part of the training patients as ``val``, for cross-validation. Those that judged before take no part at all.

    Args:
        items: samples or clips.
        patients: all training patients. In the order of their names they are dealt out to the parts in turn.
        part, parts: which one judges, from 1 to `parts`.
    """
    judging = {patient for at, patient in enumerate(sorted(set(patients))) if at % parts == part - 1}
    return [replace(item, split="val") if item.patient in judging else item for item in items if item.split == "train"]
