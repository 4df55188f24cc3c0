"""summary.json: the result of one recording as JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from echo_rt.errors import output_errors
from echo_rt.outputs.base import FileOutput
from echo_rt.result import RecordingResult


class SummaryOutput(FileOutput):
    """Writes `RecordingResult.to_dict`.

    Raises:
        OutputError: the file cannot be written.
    """

    def finish(self, result: RecordingResult) -> None:
        with output_errors(self.path):
            self.path.write_text(as_json(result.to_dict()), encoding="utf-8")


def as_json(found: Any, *, only_ascii: bool = False) -> str:
    """The text of a JSON file; NaN is refused. What no text can hold, such as bytes of a path, is escaped."""
    text = json.dumps(found, indent=2, ensure_ascii=only_ascii, allow_nan=False) + "\n"
    return re.sub("[\ud800-\udfff]", lambda lone: f"\\u{ord(lone[0]):04x}", text)
