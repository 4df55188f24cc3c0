"""What a model's file brings beside its weights, fitted on patients and sources that the weights have not learned from.

K trainings, each without a K-th of the patients and of the sources of negatives, judge what they did not see. What
holds for them holds for the network that learned from all. May import `evaluate` and what stands below it.
"""

from __future__ import annotations

from echo_rt_train.tune.fit import tune

__all__ = ["tune"]
