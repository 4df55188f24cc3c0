"""What is wrong with a data set, said in a few lines instead of a crash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from echo_rt import errors
from echo_rt.errors import DataError
from echo_rt_train.data.sample import SampleError

EXAMPLES = 3
"""Named of each kind in the printed report; the count says how many more there are."""


@dataclass
class DataReport:
    """What was left out of a data set and why. Filled while the set is opened and while its images are read.

    Attributes:
        origin: the data set, for messages.
        strict: any bad file ends the run; otherwise it is left out and named here.
        counts: problems by kind.
        examples: up to `EXAMPLES` messages by kind.
    """

    origin: str
    strict: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def problems(self) -> int:
        """How many in all."""
        return self.counts.total()

    def add(self, kind: str, message: str) -> None:
        """Note one problem; `message` says what was expected and what was found."""
        message = errors.message(message)
        self.counts[kind] += 1
        named = self.examples.setdefault(kind, [])
        if len(named) < EXAMPLES:
            named.append(message)

    def note(self, error: SampleError) -> None:
        """Note what a sample raised.

        Raises:
            DataError: the report is strict.
        """
        self.add(error.kind, str(error))
        self.settle()

    def settle(self) -> None:
        """End here if the report is strict and there is a problem.

        Raises:
            DataError: the first problem, and how many more there are.
        """
        if self.strict and self.problems:
            first = next(iter(self.examples.values()))[0]
            more = f" (and {self.problems - 1} more like it)" if self.problems > 1 else ""
            raise DataError(f"{first}{more}; mend it, or leave out what is bad with data.strict=false")

    def lines(self) -> list[str]:
        """For the screen: a line a kind, with examples; one line where nothing is wrong."""
        if not self.problems:
            return [f"{self.origin}: nothing left out"]
        found = [f"{self.origin}: {self.problems} left out"]
        for kind, count in self.counts.most_common():
            found.append(f"  {count} x {kind}")
            found += [f"      {message}" for message in self.examples[kind]]
            if count > len(self.examples[kind]):
                found.append(f"      and {count - len(self.examples[kind])} more")
        return found

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        kinds = {kind: {"count": count, "examples": self.examples[kind]} for kind, count in self.counts.most_common()}
        return {"data": self.origin, "strict": self.strict, "left_out": self.problems, "kinds": kinds}


def names(items: Iterable[object], most: int = EXAMPLES) -> str:
    """The first few of a list, and how many more there are."""
    listed = [str(item) for item in items]
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
