"""The names of result folders: one for each recording, that every file system takes, and never another's."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from echo_rt.outputs.folder import at_work, name_of_part
from echo_rt.outputs.owner import Owner, owner_of
from echo_rt.provenance import recording_id

MAX_BYTES = 200
"""Of a name. File systems take 255, of which ``.NAME-2.part`` needs some, and those that encrypt names take less."""

_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\.|$)", re.IGNORECASE)  # by Windows, in any folder
_NUMBERED = re.compile(r"(.+)-([1-9]\d*)")


def folder_name(text: str) -> str:
    """A name for a folder, as near to the text as every file system allows.

    Letters, marks and digits of any script stay, as does what stands in ``_.= -``. A name that is too long is cut, and
    tells itself from others by eight digits of its checksum.
    """
    text = unicodedata.normalize("NFC", text)
    name = re.sub(r"\0+", "_", "".join(sign if _stays(sign) else "\0" for sign in text))
    # Hidden files begin with a point, and Windows drops points and spaces at the end.
    name = name.strip("_. ") or "recording"
    if _RESERVED.match(name):
        name = f"_{name}"
    if len(name.encode()) > MAX_BYTES:
        digits = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = name.encode()[: MAX_BYTES - 9].decode(errors="ignore").rstrip("_. ") + f"-{digits}"
    return name


def _stays(sign: str) -> bool:
    return sign in "_.= -" or unicodedata.category(sign)[0] in "LMN"


def key(name: str) -> str:
    """The same for names that some file system takes for one: they differ in case, or in how an accent is encoded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).rstrip(". ")


class Choice(NamedTuple):
    """The name of a folder, the one that was wanted, and whose results that one holds if they are another's."""

    name: str
    wanted: str
    holder: str | None = None


class Names:
    """Chooses the folders of recordings in `out`: the one that a recording has already, or one that nobody has.

    The first takes the name that is wanted, others ``-2``, ``-3`` and so on behind it. A folder belongs to the
    recording that its summary.json names, or to a run that is writing it. One without a summary belongs to nobody.
    """

    def __init__(self, out: str | os.PathLike[str]) -> None:
        self._out = Path(out)
        self._chosen: dict[str, Owner] = {}  # by the keys of their names
        self.look()

    def look(self) -> None:
        """See anew what lies there."""
        self._owners: dict[str, Owner | None] = {}  # of entries that were looked at
        self._given: dict[tuple[str, str], Choice] = {}
        self._next: dict[str, int] = {}  # the first number that may be free, by the keys of names
        self._entries: dict[str, list[str]] = defaultdict(list)  # by their keys
        self._numbered: dict[str, list[tuple[int, str]]] = defaultdict(list)  # by the key without the number
        try:
            found = sorted(entry.name for entry in os.scandir(self._out))
        except OSError:  # it is not there yet, or whoever writes there will say what is wrong
            return
        for entry in found:
            name = name_of_part(entry) or entry
            self._entries[key(name)].append(entry)
            self._numbered[key(name)].append((1, name))
            if match := _NUMBERED.fullmatch(name):
                self._numbered[key(match[1])].append((int(match[2]), name))

    def choose(self, wanted: str, recording: str) -> Choice:
        """The name for a recording; the same one whenever it is asked for again."""
        base = folder_name(wanted)
        asked = key(base), recording_id(recording)
        if asked not in self._given:
            self._given[asked] = self._choose(base, recording)
        return self._given[asked]

    def _choose(self, base: str, recording: str) -> Choice:
        for _, name in sorted(self._numbered[key(base)]):
            chosen = self._chosen.get(key(name))
            if (chosen is None or chosen.is_(recording)) and self._is_of(name, recording):
                return self._take(name, base, recording)
        # Of thousands of one name each goes on where the one before has stopped.
        number = self._next.get(key(base), 1)
        while self._holder(name := f"{base}-{number}" if number > 1 else base, recording) is not None:
            number += 1
        self._next[key(base)] = number
        return self._take(name, base, recording)

    def _take(self, name: str, base: str, recording: str) -> Choice:
        self._chosen[key(name)] = Owner.named(recording)
        return Choice(name, base, self._holder(base, recording))

    def _is_of(self, name: str, recording: str) -> bool:
        return any(owner is not None and owner.is_(recording) for owner in map(self._owner, self._entries[key(name)]))

    def _holder(self, name: str, recording: str) -> str | None:
        """The recording that has the name, where it is another than this one."""
        for owner in (self._chosen.get(key(name)), *map(self._owner, self._entries[key(name)])):
            if owner is not None and not owner.is_(recording):
                return owner.recording
        return None

    def _owner(self, entry: str) -> Owner | None:
        if entry not in self._owners:
            path = self._out / entry
            if name_of_part(entry) is not None:
                self._owners[entry] = at_work(path)
            else:
                self._owners[entry] = owner_of(path) if path.is_dir() else Owner("a file", "")
        return self._owners[entry]


def names_of(
    out: str | os.PathLike[str], name: str | None, wanted: Sequence[str], recordings: Sequence[str]
) -> list[str]:
    """The folders of a recording, or of the two views of one heart, by the names that they want.

    Args:
        out: the folder of all recordings.
        name: of the first one, as it was asked for. It is not chosen: `Folder` refuses it where it is another's.
        wanted, recordings: of each.
    """
    if name is not None and len(recordings) == 1:
        return [name]  # without a look at what lies there, which may be many thousands
    free, names = Names(out), [name or wanted[0], *wanted[1:]]
    if key(folder_name(names[-1])) == key(folder_name(names[0])) and len(names) > 1:
        names[1] += "-a2c"
    chosen = [free.choose(each, recording).name for each, recording in zip(names, recordings, strict=True)]
    return [name or chosen[0], *chosen[1:]]
