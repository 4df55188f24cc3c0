"""A folder of recordings as one table of pandas: a row for each recording, with the reason where there is no EF.

python examples/batch_to_pandas.py recordings table.csv
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

import echo_rt


def table(folder: Path) -> pd.DataFrame:
    """The figures of every recording; the engine is opened once."""
    rows = []
    with echo_rt.open_engine() as engine:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            try:
                result = echo_rt.process(path, engine)
            except echo_rt.SourceError as error:  # damaged, or no recording
                rows.append({"recording": str(path), "reason": str(error)})
                continue
            found = {"ef_percent": result.ef.percent, "reason": result.ef.reason, "edv": result.edv, "esv": result.esv}
            measures = {figure.name: figure.value for figure in result.figures.known}
            rows.append({"recording": str(path), **found, "beats": result.accepted_beats, **measures})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    frame = table(Path(sys.argv[1]))
    frame.to_csv(sys.argv[2], index=False)
    print(frame[["recording", "ef_percent", "reason"]].to_string())
