"""Where results go that show patients' images: anywhere but into the repository, whole or not at all. `echo-rt explain`
uses it too."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from echo_rt.errors import OutputError, ParameterError, output_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
"""A sheet 12 inches wide is 1800 pixels: sharp in print over a text width of 6 inches."""


def refuse_repository(out: Path) -> None:
    """Keep patients' images out of the project's history: the licences of the data sets forbid to pass them on.

    Raises:
        ParameterError: `out` lies in a checkout of echo-rt.
    """
    for folder in (out.resolve(), *out.resolve().parents):
        # .git is a folder, or a file in a linked work tree.
        if (folder / ".git").exists() and (folder / "runtime" / "echo_rt").is_dir():
            raise ParameterError(
                f"--out {out}: expected a folder outside of the repository {folder}, "
                "as the pictures show patients' images; name another"
            )


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write in; when it is left without an error, all that was written moves to `out`. Files of the same
    name are replaced, other files in `out` stay.

    Raises:
        ParameterError: `out` lies in a checkout of echo-rt.
        OutputError: the folder cannot be written.
    """
    refuse_repository(out)
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=out))
    try:
        with output_errors(out):
            yield part
            for entry in sorted(part.iterdir()):
                target = out / entry.name
                if target.is_dir() and not target.is_symlink():
                    shutil.rmtree(target)
                os.replace(entry, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def sheet(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A matplotlib figure of width x height inches in echo-rt's style, saved as PNG when it is left.

    Raises:
        OutputError: the file cannot be written.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from echo_rt.outputs.curve_style import STYLE

    # Not pyplot: it keeps every figure and asks for a display.
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), dpi=DPI)
        FigureCanvasAgg(figure)
        yield figure
        try:
            figure.savefig(path, format="png", metadata={"Software": "echo-rt"})
        except OSError as error:
            raise OutputError(f"{path}: expected to write a picture, found {error.strerror}; free some space") from None
