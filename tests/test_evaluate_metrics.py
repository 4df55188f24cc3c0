"""Every figure of `echo-rt evaluate` against one worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from echo_rt.errors import DataError
from echo_rt_train.evaluate import ef_errors, fit_ef_calibration
from echo_rt_train.evaluate.agreement import ef_agreement
from echo_rt_train.evaluate.bootstrap import by_patient, intervals, mean_of, point
from echo_rt_train.evaluate.ejection import ef_pairs, ef_percent, expert_segmentation, ventricle
from echo_rt_train.evaluate.overlap import OVERLAP, confusion, overlap
from echo_rt_train.evaluate.surface import border, surface
from support.shapes import labels_of


def of_masks(found: list, truth: list, label: int) -> dict[str, float]:
    counts = confusion(np.array(found, np.uint8), np.array(truth, np.uint8))
    return dict(zip(OVERLAP, overlap(counts)[label - 1], strict=True))


def test_overlap_of_tiny_masks_by_hand() -> None:
    # The cavity: 2 pixels in both, 1 in the model's alone, 2 in the expert's alone, 3 in neither.
    found = of_masks([[1, 1, 1, 0], [0, 0, 2, 0]], [[1, 1, 0, 0], [1, 1, 2, 0]], 1)
    assert found["dice"] == pytest.approx(4 / 7)
    assert found["iou"] == pytest.approx(2 / 5)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 4)
    assert found["accuracy"] == pytest.approx(5 / 8)
    assert found["f1"] == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))


def test_a_class_that_neither_mask_has_is_agreed_upon_and_one_that_only_one_has_is_not() -> None:
    assert set(of_masks([[1, 0]], [[1, 0]], 3).values()) == {1.0}
    for found, truth in (([[0, 0, 0]], [[0, 3, 0]]), ([[0, 3, 0]], [[0, 0, 0]])):
        figures = of_masks(found, truth, 3)
        assert figures.pop("accuracy") == pytest.approx(2 / 3)
        assert set(figures.values()) == {0.0}


def square(shape: tuple[int, int], top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_border_is_the_masks_own_rim_also_at_the_edge_of_the_image() -> None:
    assert len(border(square((9, 9), 2, 2, 5), (1.0, 1.0))) == 16
    assert len(border(np.ones((4, 5), bool), (1.0, 1.0))) == 14
    np.testing.assert_allclose(border(square((3, 3), 1, 2, 1), (0.5, 2.0)), [[0.5, 4.0]])


def test_distances_of_two_points_are_in_the_unit_of_each_axis() -> None:
    one, other = square((9, 9), 1, 1, 1), square((9, 9), 4, 5, 1)
    np.testing.assert_allclose(surface(one, other, (0.5, 0.25)), np.hypot(3 * 0.5, 4 * 0.25))


def test_distances_of_shifted_squares_by_hand() -> None:
    # 11x11 pixels of 0.5 mm height and 0.3 mm width, shifted by 4 columns. From the 40 border pixels of the left one to
    # the nearest of the other: of top and bottom 4 pixels lie outside, at 4, 3, 2 and 1 columns, and 7 lie on it; the
    # left side (rows 1 to 9) is 4 columns away; the right side lies inside, 4 columns from the other's right side, and
    # at its ends nearer to top and bottom.
    one, other = square((30, 30), 8, 5, 11), square((30, 30), 8, 9, 11)
    flat = [0.3 * k for k in (4, 3, 2, 1)] + [0.0] * 7
    right = [min(0.3 * 4, 0.5 * row, 0.5 * (10 - row)) for row in range(1, 10)]
    distances = 2 * flat + [0.3 * 4] * 9 + right
    hd95, msd, hd = surface(one, other, (0.5, 0.3))
    assert msd == pytest.approx(np.mean(distances))
    assert hd == pytest.approx(1.2)
    assert hd95 == pytest.approx(np.percentile(distances, 95))


def test_hd95_is_the_worse_direction_and_forgives_a_stray_pixel_that_hd_does_not() -> None:
    truth = square((80, 80), 10, 10, 30)
    stray = truth.copy()
    stray[70, 70] = True
    hd95, msd, hd = surface(stray, truth, (1.0, 1.0))
    assert hd95 == 0
    assert hd == pytest.approx(np.hypot(31, 31))
    assert msd == pytest.approx(np.hypot(31, 31) / (116 + 117))
    # A part of the truth: from it to the truth all is near, the other way it is not.
    part = square((80, 80), 10, 10, 5)
    assert surface(part, truth, (1.0, 1.0))[0] == surface(truth, part, (1.0, 1.0))[0] > 20


def test_there_is_no_distance_to_nothing() -> None:
    assert np.isnan(surface(square((5, 5), 1, 1, 2), np.zeros((5, 5), bool), (1.0, 1.0))).all()


@pytest.mark.filterwarnings("ignore")  # MONAI's own
def test_distances_agree_with_monai() -> None:
    metrics = pytest.importorskip("monai.metrics", reason="MONAI is not installed", exc_type=ImportError)
    torch = pytest.importorskip("torch")
    one, other = (labels_of((120, 130), 60, radius, 8, (64.0, 80.0)) == 1 for radius in (20, 26))
    pair = [torch.from_numpy(m)[None, None].float() for m in (one, other)]
    hd95, msd, _ = surface(one, other, (0.5, 0.3))
    assert hd95 == pytest.approx(
        metrics.compute_hausdorff_distance(*pair, percentile=95, spacing=(0.5, 0.3)).item(), abs=1e-5
    )
    expected = metrics.compute_average_surface_distance(*pair, symmetric=True, spacing=(0.5, 0.3)).item()
    assert msd == pytest.approx(expected, abs=1e-5)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(3).normal(10, 2, 400)
    prepare, figures = mean_of(("x",))
    low, high = intervals(prepare(values[:, None]), figures)["x"]
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    prepare, figures = mean_of(("x",))
    found = [intervals(prepare(rng.normal(0, 1, (60, 1))), figures, draws=400, seed=i)["x"] for i in range(300)]
    assert 0.90 <= np.mean([low <= 0 <= high for low, high in found]) <= 0.98


def test_images_of_one_patient_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(0).normal(0, 1, 40)
    prepare, figures = mean_of(("x",))
    names = [f"p{i:02d}" for i in range(40)]
    once = intervals(by_patient(names, prepare(values[:, None])), figures)["x"]
    ten_times = intervals(by_patient(names * 10, prepare(np.tile(values, 10)[:, None])), figures)["x"]
    assert ten_times == pytest.approx(once)


def test_means_leave_out_what_is_undefined() -> None:
    prepare, figures = mean_of(("x", "y"))
    sums = by_patient(["b", "a", "b"], prepare(np.array([[1.0, np.nan], [2.0, np.nan], [6.0, np.nan]])))
    assert sums.shape[0] == 2
    assert point(sums, figures) == {"x": 3.0, "y": None}
    assert intervals(sums, figures)["y"] is None


def test_intervals_are_the_same_every_time_and_none_for_one_patient() -> None:
    pairs = np.random.default_rng(1).normal(50, 10, (30, 2))
    first = ef_agreement(pairs)
    assert first == ef_agreement(pairs)
    for name in ("mae", "bias", "sd", "rmse", "r2", "r"):
        low, high = first["ci"][name]
        assert low < first[name] < high
    assert set(ef_agreement(pairs[:1])["ci"].values()) == {None}
    assert ef_agreement(np.empty((0, 2)))["mae"] is None


def test_ef_errors_by_hand_and_without_spread() -> None:
    found = ef_errors(np.array([[50.0, 48.0], [60.0, 64.0], [30.0, 26.0]]))
    assert found["mae"] == pytest.approx(10 / 3)
    assert found["bias"] == pytest.approx(2 / 3)
    assert found["sd"] == pytest.approx(np.std([2, -4, 4], ddof=1))
    assert found["rmse"] == pytest.approx(np.sqrt(12))
    assert found["r2"] == pytest.approx(1 - 36 / (2 * 2 + 18 * 18 + 20 * 20))
    assert found["r"] == pytest.approx(np.corrcoef([50, 60, 30], [48, 64, 26])[0, 1])
    flat = ef_errors(np.array([[50.0, 40.0], [52.0, 40.0]]))
    assert flat["bias"] == pytest.approx(11)
    assert flat["r2"] is flat["r"] is None


def test_a_ventricle_that_was_not_found_counts_as_ef_0_with_or_without_calibration() -> None:
    pairs = np.array([[np.nan, 60.0], [50.0, 50.0], [40.0, 40.0]])
    assert ef_agreement(pairs)["mae"] == pytest.approx(20)
    assert ef_agreement(pairs, (1.0, 5.0))["mae"] == pytest.approx((60 + 5 + 5) / 3)
    assert ef_agreement(pairs)["not_measured"] == 1


def test_the_calibration_is_the_line_that_the_model_is_off_by_and_leaves_no_bias() -> None:
    rng = np.random.default_rng(2)
    model = rng.uniform(20, 75, 200)
    exact = np.stack([model, 0.8 * model + 7], axis=1)
    lost = np.array([[np.nan, 55.0]])
    assert fit_ef_calibration(np.concatenate([exact, lost])) == pytest.approx((0.8, 7))
    noisy = exact + np.stack([np.zeros(200), rng.normal(0, 6, 200)], axis=1)
    calibrated = ef_agreement(noisy, fit_ef_calibration(noisy))
    assert calibrated["bias"] == pytest.approx(0, abs=1e-9)
    assert calibrated["mae"] < ef_agreement(noisy)["mae"]


def test_the_calibration_does_not_draw_a_noisy_model_towards_the_mean() -> None:
    rng = np.random.default_rng(3)
    true = rng.normal(50, 12, 5000)
    pairs = np.stack([true - 4 + rng.normal(0, 6, 5000), true + rng.normal(0, 6, 5000)], axis=1)
    slope, offset = fit_ef_calibration(pairs)
    assert slope == pytest.approx(1, abs=0.03)
    assert slope * 46 + offset == pytest.approx(50, abs=0.3)
    assert np.polyfit(pairs[:, 0], pairs[:, 1], 1)[0] < 0.85, "as least squares would"


def test_a_model_that_has_nothing_to_do_with_the_expert_is_not_calibrated() -> None:
    with pytest.raises(DataError, match="rise with the expert's"):
        fit_ef_calibration(np.stack([np.arange(20.0), 60 - np.arange(20.0)], axis=1))


def test_a_calibration_on_too_few_patients_is_refused() -> None:
    with pytest.raises(DataError, match="at least 10 patients whose EF differs, found 3"):
        fit_ef_calibration(np.array([[50.0, 48.0], [60.0, 64.0], [30.0, 26.0], [np.nan, 50.0]]))


def ventricle_of(radius: float, spacing: tuple[float, float] | None = None, stretch: int = 1):
    labels = labels_of((240, 240), 120, radius, 14, (120.0, 150.0))
    return ventricle(expert_segmentation(np.repeat(labels, stretch, axis=0)), spacing)


def test_ef_of_drawn_ventricles_is_that_of_their_volumes() -> None:
    # The volume of a half ellipsoid goes with the square of its radius.
    assert ef_percent([[ventricle_of(40)], [ventricle_of(28)]]) == pytest.approx(100 * (1 - (28 / 40) ** 2), abs=1.5)
    biplane = ef_percent([[ventricle_of(40), ventricle_of(36)], [ventricle_of(28), ventricle_of(30)]])
    assert biplane == pytest.approx(100 * (1 - 28 * 30 / (40 * 36)), abs=1.5)


def test_pixels_that_are_not_square_are_measured_in_mm() -> None:
    plain, stretched = ventricle_of(40, (0.4, 0.4)), ventricle_of(40, (0.2, 0.4), stretch=2)
    assert plain is not None
    assert stretched is not None
    assert plain.length == pytest.approx(120 * 0.4, rel=0.03)
    assert stretched.length == pytest.approx(plain.length, rel=0.02)
    np.testing.assert_allclose(stretched.disks.diameters, plain.disks.diameters, atol=1.0)


def test_only_patients_with_ed_and_es_in_all_views_have_an_ef() -> None:
    ed, es = ventricle_of(40), ventricle_of(28)
    expert = {
        ("a", "4CH", "ED"): ed,
        ("a", "4CH", "ES"): es,
        ("b", "4CH", "ED"): ed,
        ("c", "4CH", "ED"): ed,
        ("c", "4CH", "ES"): es,
    }
    patients, pairs = ef_pairs({**expert, ("c", "4CH", "ES"): None}, expert, ["4CH"])
    assert patients == ["a", "c"]
    assert pairs[0, 0] == pairs[0, 1] == pairs[1, 1]
    assert np.isnan(pairs[1, 0])
    assert ef_pairs(expert, expert, ["4CH", "2CH"])[0] == []
