"""Results without names: keyed digests stand for addresses, studies, patients, and whatever a file may have said."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from echo_rt.errors import ParameterError

LEAST_CHARACTERS, LEAST_DIFFERENT = 16, 6
"""Of a key, and how many of them differ. Who guesses it can look up whose recordings are in a table."""

MOST_BYTES = 4096
"""Of a file with a key."""

DIGITS = 32
"""Hexadecimal, of a digest."""

_DIGEST = re.compile(rf"p-[0-9a-f]{{{DIGITS}}}")

OWN_WORDS = frozenset(
    "key status kind finished_at files view model engine version orientation scale ef_method ef_reason volume_unit "
    "rhythm wall_note unit found name seen said pictures".split()
)
"""Fields of a document whose text is echo-rt's own: a file has no say in it. Every other text is replaced."""

_FIGURES = frozenset(("beats", "measures", "wall"))
"""Below these a ``reason`` is echo-rt's own. That of a recording that failed names the file and may quote it."""


@dataclass(frozen=True)
class Pseudonyms:
    """Digests of names by a secret key (HMAC-SHA-256). The same name has the same digest wherever it stands.

    Only who has the key can tell which digest is whose: by the digests of all addresses that may be meant.

    Args:
        key: secret.
    """

    key: bytes = field(repr=False)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Pseudonyms:
        """Those of the key that a file holds. Spaces and ends of lines around it do not count.

        A key on the command line would be shown to all users of the machine.

        Raises:
            ParameterError: the file cannot be read, or its key is too short.
        """
        todo = "make one:  openssl rand -hex 32 > FILE"
        try:
            with Path(path).open("rb") as file:
                key = file.read(MOST_BYTES + 1).strip()
        except OSError as error:
            found = error.strerror or type(error).__name__
            raise ParameterError(f"{os.fspath(path)}: expected a file with a key, found: {found}; {todo}") from None
        if len(key) > MOST_BYTES:
            raise ParameterError(f"{os.fspath(path)}: expected a key of at most {MOST_BYTES} bytes, found more; {todo}")
        if len(key) < LEAST_CHARACTERS or len(set(key)) < LEAST_CHARACTERS // 2:
            least = f"a key of at least {LEAST_CHARACTERS} random characters"
            raise ParameterError(
                f"{os.fspath(path)}: expected {least}, found {len(key)} that are easy to guess; {todo}"
            )
        return cls(key)

    def of(self, name: str) -> str:
        """The pseudonym of a name, such as an address; that of a pseudonym is itself."""
        if _DIGEST.fullmatch(name):
            return name
        words = name.encode("utf-8", "surrogateescape")
        return "p-" + hmac.new(self.key, words, "sha256").hexdigest()[:DIGITS]

    def hidden(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A document with pseudonyms in place of every text that is not echo-rt's own.

        Its figures stay, and the small pictures by which two views are told apart, of 32 x 32 pixels.
        """
        found: dict[str, Any] = self._hidden(document, "", own=False)
        if document.get("status") in ("ok", "no-ef"):
            found["reason"] = document["reason"]  # of its frames and beats
        return found

    def _hidden(self, value: Any, name: str, *, own: bool) -> Any:
        """A value below a field of that name; `own` says that a reason there is echo-rt's own."""
        if isinstance(value, str):
            return value if name in OWN_WORDS or (own and name == "reason") else self.of(value)
        if isinstance(value, Mapping):
            return {each: self._hidden(part, each, own=own or name in _FIGURES) for each, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._hidden(part, name, own=own or name in _FIGURES) for part in value]
        return value
