"""What the `tensorrt` engine answers, without a GPU: CUDA and the network are stand-ins, the kernels are real.

All of it holds with PyCUDA and with cuda-bindings alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from echo_rt.errors import FrameError, MissingExtraError, ParameterError
from support.stand_in_cuda import LIBRARIES, StandInGpu, names_beyond
from support.stand_in_opener import IMAGE, TEMPORAL, Opener, assert_alike, on_cpu, opened


@pytest.fixture
def opener(tmp_path: Path, monkeypatch) -> Iterator[Opener]:
    yield from opened(tmp_path, monkeypatch)


@pytest.fixture(params=LIBRARIES)
def gpu(opener: Opener, request) -> StandInGpu:
    return opener.gpu(StandInGpu(library=request.param))


@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 3), (57, 113, 3), (1, 300), (300, 1, 3), (1, 1)])
@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("integrated", [False, True])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_frame_gives_what_the_cpu_engine_gives(opener: Opener, shape, graph, integrated, library) -> None:
    engine = opener(opener.gpu(StandInGpu(integrated, library=library)), graph=graph)
    assert engine._gpu.primary.library == library
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    (expected,) = on_cpu(opener.model, image)
    for _ in range(3):
        assert_alike(engine.segment(image), expected)


def test_a_shipped_model_with_heads_and_a_state_follows_a_clip_as_the_cpu_does(opener: Opener, gpu: StandInGpu) -> None:
    images = [np.random.default_rng(k).integers(0, 256, (40, 50), dtype=np.uint8) for k in range(4)]
    expected = on_cpu(TEMPORAL, *images)
    engine = opener(gpu, TEMPORAL)
    state = None
    for image, wanted in zip(images, expected, strict=True):
        found = engine.segment(image, state)
        assert found.view is not None
        assert_alike(found, wanted)
        state = found.state


def test_a_state_stays_as_it_was_for_two_streams_in_turn_and_for_a_second_look(opener: Opener, gpu: StandInGpu) -> None:
    a, b = (
        [np.random.default_rng(k).integers(0, 256, (40, 50), dtype=np.uint8) for k in keys]
        for keys in ((1, 2, 3), (7, 8, 9))
    )
    wanted = list(zip(on_cpu(TEMPORAL, *a), on_cpu(TEMPORAL, *b), strict=True))
    engine = opener(gpu, TEMPORAL)
    states: list = [None, None]
    for k, expected in enumerate(wanted):
        before = list(states)
        for which, images in enumerate((a, b)):
            found = engine.segment(images[k], states[which])
            assert_alike(found, expected[which])
            states[which] = found.state
        for which, images in enumerate((a, b)):
            assert_alike(engine.segment(images[k], before[which]), expected[which])


def test_a_state_of_another_engine_is_refused(opener: Opener, gpu: StandInGpu) -> None:
    one, other = opener(gpu, TEMPORAL), opener(gpu, TEMPORAL)
    foreign = other.segment(IMAGE).state
    for state in (foreign, {"memory_1": np.zeros(3)}):
        with pytest.raises(ParameterError, match="expected the state that this engine gave"):
            one.segment(IMAGE, state)


def test_one_graph_is_launched_a_frame(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu)
    engine.segment(IMAGE)
    kernels = gpu.count("kernel")
    for _ in range(5):
        engine.segment(IMAGE)
    assert gpu.count("launch graph") == 6
    assert gpu.count("kernel") == kernels, "a step was enqueued beside the graph"
    assert opener.said == [line for line in opener.said if "building" in line]


@pytest.mark.parametrize("capture_fails", ["network", "end"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_where_a_capture_fails_frames_run_step_by_step_and_it_is_said_once(
    opener: Opener, capture_fails: str, library: str
) -> None:
    engine = opener(opener.gpu(gpu := StandInGpu(capture_fails=capture_fails, library=library)))
    (expected,) = on_cpu(opener.model, IMAGE)
    for image in (IMAGE, IMAGE[:30], IMAGE):
        found = engine.segment(image)
    assert_alike(found, expected)
    assert gpu.count("launch graph") == 0
    assert [line for line in opener.said if "without a CUDA graph" in line] == opener.said[1:]
    assert len(opener.said) == 2


def test_with_pycuda_alone_frames_run_step_by_step(opener: Opener, monkeypatch) -> None:
    def missing() -> None:
        raise MissingExtraError("a CUDA graph", "tensorrt")

    gpu = opener.gpu(StandInGpu())
    monkeypatch.setattr("echo_rt.engine.tensorrt.graph.import_cuda_bindings", missing)
    engine = opener(gpu)
    assert_alike(engine.segment(IMAGE), on_cpu(opener.model, IMAGE)[0])
    assert "a CUDA graph needs a part that is not installed" in opener.said[-1]


def test_frames_overlap_and_none_is_lost_when_more_are_on_their_way_than_can_be(
    opener: Opener, gpu: StandInGpu
) -> None:
    images = [np.random.default_rng(k).integers(0, 256, (30, 40), dtype=np.uint8) for k in range(5)]
    engine = opener(gpu, in_flight=2)
    engine.segment(images[0])
    launched = gpu.count("launch graph")
    pending = [engine.submit(image) for image in images]
    assert gpu.count("launch graph") == launched + 5
    expected = [on_cpu(opener.model, image)[0] for image in images]
    for waiting, wanted in reversed(list(zip(pending, expected, strict=True))):
        assert_alike(waiting.result(), wanted)
        assert waiting.result() is waiting.result()
        np.testing.assert_array_equal(waiting.result().tally[0], np.bincount(wanted.labels.ravel(), minlength=4))


def test_at_least_one_frame_has_to_be_in_flight(opener: Opener, gpu: StandInGpu) -> None:
    with pytest.raises(ParameterError, match="expected at least one frame in flight, found 0"):
        opener(gpu, in_flight=0)


def test_what_was_given_out_is_not_written_again(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu)
    first = engine.segment(IMAGE)
    kept = first.probability.copy(), first.labels.copy()
    for _ in range(3):
        engine.segment(255 - IMAGE)
    engine.close()
    np.testing.assert_array_equal(first.probability, kept[0])
    np.testing.assert_array_equal(first.labels, kept[1])


def test_what_is_no_image_is_refused_and_the_engine_goes_on(opener: Opener, gpu: StandInGpu) -> None:
    engine = opener(gpu)
    with pytest.raises(FrameError, match="found"):
        engine.segment(np.zeros((4, 4)))
    view = np.repeat(IMAGE, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(engine.segment(view).labels, engine.segment(IMAGE).labels)


def test_the_stand_in_knows_no_name_that_the_real_libraries_lack() -> None:
    assert names_beyond(StandInGpu()) == set()
