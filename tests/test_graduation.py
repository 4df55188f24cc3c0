"""Quantiles of few values are those of NumPy, to the last bit: a ruler is read as it was."""

from __future__ import annotations

import numpy as np
import pytest

from echo_rt.sources.screen.graduation import _quantile


@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_a_quantile_of_few_values_is_that_of_numpy(share: float) -> None:
    random = np.random.default_rng(1)
    for count in range(1, 40):
        values = random.normal(10, 4, count).round(count % 3)
        assert _quantile(values, share) == np.quantile(values, share)
