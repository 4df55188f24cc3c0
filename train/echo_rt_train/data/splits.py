"""Which patients train a model and which judge it: by patient, never by image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

from echo_rt.errors import DataError
from echo_rt_train.data.sample import SPLITS


class _Belongs(Protocol):
    @property
    def patient(self) -> str: ...
    @property
    def split(self) -> str: ...


def hash_split(patient: str, val_fraction: float) -> str:
    """``val`` for about that share of all names, else ``train``: from the name alone.

    So it is the same on every machine, does not change when patients are added, and a larger share only moves patients from train
    to val.
    """
    first = int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big")
    return "val" if first < val_fraction * 2**64 else "train"


def check_splits(items: Iterable[_Belongs], origin: object) -> None:
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
            raise DataError(f"{origin}: expected the split of {item.patient} to be one of {', '.join(SPLITS)}, found {item.split!r}")
        if (other := splits.setdefault(item.patient, item.split)) != item.split:
            raise DataError(f"{origin}: expected each patient in one split, found {item.patient} in two ({other} and {item.split})")
