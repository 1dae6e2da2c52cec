"""Estimates and their 95% confidence intervals.

Whatever can't be said of so little data is None, never NaN, and nothing warns. The order of the values does not
matter, and resampling starts from a fixed seed: the same values give the same interval, in every process.

`scipy.stats` takes a second to import, so only the functions that need it do.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from scipy.special import stdtrit

Interval = tuple[float, float]

CONFIDENCE = 0.95
RESAMPLES = 9999
SEED = 0
"""Of every resampling."""
TRIMMED = 0.25
"""Share that the interquartile mean leaves out at each end."""
ROUNDING = 1e-12
"""Values that differ by less, relative to the largest of them or to 1, differ by rounding errors only."""
_AT_ONCE = 1_000_000
"""Resampled values in memory at the same time."""


def mean(values: Sequence[float]) -> float | None:
    """The average, exact to the last digit; None of nothing."""
    return math.fsum(values) / len(values) if values else None


def standard_error(values: Sequence[float]) -> float | None:
    """Of the mean; None below two values."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def t_interval(values: Sequence[float]) -> Interval | None:
    """Of the mean, by Student's t; None below two values. That of equal values has no width."""
    error = standard_error(values)
    if error is None:
        return None
    middle = math.fsum(values) / len(values)
    reach = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2)) * error
    return middle - reach, middle + reach


def interquartile_mean(values: Sequence[float]) -> float | None:
    """The mean of the middle half (Agarwal et al. 2021, as in rliable); None of nothing."""
    return float(_middle_half(np.sort(np.asarray(values, dtype=float)))) if values else None


def bootstrap_interval(values: Sequence[float], of: Literal["mean", "iqm"] = "mean") -> Interval | None:
    """Of the mean or of the interquartile mean, by resampling.

    Both have the percentile interval, as in rliable. BCa was measured too: it holds the mean of skewed returns a little
    more often (20 exponential ones: 92 % against 91 %, Student's t 94 %), but rounding errors alone can make it jump
    where episodes are few, and it is not defined where no single episode moves the interquartile mean.

    Returns:
        Lower and upper end; None below two values, of equal values, and where the interval would have no width: it
        would claim a certainty that no number of episodes gives.
    """
    from scipy import stats

    if not differ(values):
        return None
    sample = np.sort(np.asarray(values, dtype=float))
    statistic: Callable[..., Any] = np.mean if of == "mean" else _middle_half
    found = stats.bootstrap(
        (sample,),
        statistic,
        n_resamples=RESAMPLES,
        batch=batch(len(sample)),
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return (float(found.low), float(found.high)) if found.low < found.high else None


def wilson_interval(successes: int, count: int) -> Interval | None:
    """Of a rate, by Wilson's score without continuity correction (Wilson 1927); None of nothing."""
    from scipy import stats

    if not count:
        return None
    found = stats.binomtest(successes, count).proportion_ci(CONFIDENCE, method="wilson")
    return float(found.low), float(found.high)


def progress(reward: float | None, random: float | None, threshold: float | None) -> float | None:
    """Where a mean reward lies between that of the random agent (0) and the environment's reward threshold (1).

    Below 0 is worse than random, above 1 better than the threshold. None where one of them is missing, and where the
    random agent reaches the threshold.
    """
    if reward is None or random is None or threshold is None or threshold <= random:
        return None
    return (reward - random) / (threshold - random)


def differ(values: Sequence[float]) -> bool:
    """Whether there are two values that differ by more than rounding errors."""
    if len(values) < 2:
        return False
    return max(values) - min(values) > ROUNDING * max(1.0, *map(abs, values))


def batch(count: int) -> int:
    """Resamples of `count` values to hold in memory at the same time."""
    return max(1, _AT_ONCE // count)


def _middle_half(values: Any, axis: int = -1) -> Any:
    from scipy import stats

    return stats.trim_mean(values, TRIMMED, axis=axis)
