"""What the feeds of one program are called: as their user says, or after their addresses."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from echo_rt.errors import ParameterError
from echo_rt.outputs.names import folder_name, key
from echo_rt.sources.opening import is_camera

_NAMED = re.compile(r"([^\W_][\w.-]{0,31})=(.+)", re.DOTALL)
"""``NAME=ADDRESS``. In an address there is a sign before its first ``=`` that no name has."""

LONGEST = 40
"""Signs of a name that is made of an address."""


def named(texts: Sequence[str]) -> dict[str, str]:
    """Addresses by their names, in the order given.

    Each name is one for a folder, and no file system takes two of them for one.

    Args:
        texts: addresses, or ``NAME=ADDRESS``.

    Raises:
        ParameterError: two were given the same name.
    """
    split = [split_name(text) for text in texts]
    found: dict[str, str] = {}
    given = [name for name, _ in split if name is not None]
    for place, name in enumerate(given):
        if key(name) in map(key, given[:place]):
            raise ParameterError(f"expected a name of its own for each feed, found {name!r} twice; choose another")
    taken = set(map(key, given))
    for chosen, address in split:
        found[chosen or _free(_after(address), taken)] = address
    return found


def split_name(text: str) -> tuple[str | None, str]:
    """The name, None where there is none, and the address. A file that is called so has no name."""
    match = None if os.path.exists(text) else _NAMED.fullmatch(text)
    return (None, text) if match is None else (folder_name(match[1]), match[2])


def _after(address: str) -> str:
    """A name after an address. It tells neither user nor password, nor what is asked for behind ``?``."""
    if is_camera(address):
        return folder_name(f"camera-{address}" if address.isdigit() else Path(address).name)
    scheme, _, rest = address.partition(":")
    if len(scheme) > 1 and rest and not os.path.exists(address):
        try:
            parts = urlsplit(address)
            words = [parts.hostname or "", Path(parts.path).name]
        except ValueError:  # of a host that is none
            words = []
        return folder_name("-".join(filter(None, words)) or scheme)[:LONGEST].rstrip(". ")
    return folder_name(Path(address).stem)[:LONGEST].rstrip(". ")


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken; it is taken then."""
    number, chosen = 1, name
    while key(chosen) in taken:
        number += 1
        chosen = f"{name}-{number}"
    taken.add(key(chosen))
    return chosen
