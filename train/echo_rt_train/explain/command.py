"""What `echo-rt explain` does."""

from __future__ import annotations

from pathlib import Path

from echo_rt_network.run_folder import weights_in
from echo_rt_network.weights import load_weights
from echo_rt_train.evaluate.output import refuse_repository
from echo_rt_train.explain.pictures import explain
from echo_rt_train.explain.subject import read_images, subject_of


def run(trained: Path, recording: str, out: Path, layer: str | None = None, frames: int = 3) -> None:
    """Draw what a network looks at.

    Args:
        trained: weights, or the folder of a run.
        recording: a picture, or what `open_source` takes.
        out: a folder outside of the repository.
        layer: where Grad-CAM looks; None is the bottleneck.
        frames: how many of a recording.

    Raises:
        ParameterError: an option is out of its range, or `out` lies in the repository.
        DataError: the weights are not ours.
        SourceError: the recording cannot be read.
        OutputError: the pictures cannot be written.
    """
    refuse_repository(out)
    network, spec = load_weights(weights_in(trained))
    network.eval().requires_grad_(False)
    subjects = [subject_of(network, spec, name, image) for name, image in read_images(recording, frames)]
    explain(network, spec.name, subjects, out, spec.std, layer)
