"""Images with masks for training and evaluation: one kind of `Sample`, whatever data set it comes from.

    data = open_data({"root": "EchoNet-Dynamic"})
    for sample in data.samples("train"):
        image, mask = sample.read()
    print(data.report)

Nothing is read before it is asked for. `Clip` is the same for whole recordings. May import `echo_rt`, no other part of
`echo_rt_train`, and neither torch nor the network.
"""

from __future__ import annotations

from echo_rt_train.data.clips import Clip, ClipFrames, read_clips
from echo_rt_train.data.grid import covered_on_grid, grey_statistics, on_grid, read_all, read_on_grid
from echo_rt_train.data.negatives import Negative, list_negatives
from echo_rt_train.data.opening import FORMATS, DataOptions, DataSet, open_data
from echo_rt_train.data.organs import organ_samples
from echo_rt_train.data.phantoms import PhantomSettings
from echo_rt_train.data.pictures import COLUMNS, read_index
from echo_rt_train.data.report import DataReport
from echo_rt_train.data.sample import LABELS, PHASES, SPLITS, VIEWS, Sample, SampleError, select
from echo_rt_train.data.splits import check_splits, hash_split

__all__ = [
    "COLUMNS",
    "FORMATS",
    "LABELS",
    "PHASES",
    "SPLITS",
    "VIEWS",
    "Clip",
    "ClipFrames",
    "DataOptions",
    "DataReport",
    "DataSet",
    "Negative",
    "PhantomSettings",
    "Sample",
    "SampleError",
    "check_splits",
    "covered_on_grid",
    "grey_statistics",
    "hash_split",
    "list_negatives",
    "on_grid",
    "open_data",
    "organ_samples",
    "read_all",
    "read_clips",
    "read_index",
    "read_on_grid",
    "select",
]
