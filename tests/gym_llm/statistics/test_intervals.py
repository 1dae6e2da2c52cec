"""Estimates and intervals, against scipy and published values."""

import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gym_llm.statistics.intervals import (
    bootstrap_interval,
    differ,
    interquartile_mean,
    mean,
    progress,
    standard_error,
    t_interval,
    wilson_interval,
)

SKEWED = [float(value) for value in np.random.default_rng(1).exponential(50, 20)]
SAMPLES = [[1.0, 2.0], [3.5, -4.0, 250.25], SKEWED]
REWARDS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)
INTERVALS: list[Callable[[list[float]], tuple[float, float] | None]] = [
    t_interval,
    bootstrap_interval,
    lambda values: bootstrap_interval(values, "iqm"),
]


@pytest.mark.parametrize("values", SAMPLES)
def test_mean_and_standard_error_are_those_of_scipy(values: list[float]):
    assert mean(values) == pytest.approx(np.mean(values), rel=1e-12)
    assert standard_error(values) == pytest.approx(stats.sem(values), rel=1e-12)


def test_the_mean_is_exact():
    assert mean([0.1] * 10) == 0.1
    assert mean([1e16, 1.0, -1e16]) == 1 / 3


@pytest.mark.parametrize("values", SAMPLES)
def test_the_t_interval_is_that_of_scipy(values: list[float]):
    expected = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert t_interval(values) == pytest.approx(expected, rel=1e-12)


def test_the_t_interval_agrees_with_a_published_one():
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.2, ZARR13.DAT: N 195, mean 9.261460, standard deviation
    # 0.022789, interval [9.258242, 9.264679]. These values have that mean and that deviation.
    raw = np.linspace(-1, 1, 195)
    values = (raw / raw.std(ddof=1) * 0.022789 + 9.261460).tolist()
    assert t_interval(values) == pytest.approx((9.258242, 9.264679), abs=1e-6)


@pytest.mark.parametrize("of", ["mean", "iqm"])
@pytest.mark.parametrize("values", SAMPLES)
def test_the_bootstrap_interval_is_that_of_scipy(values: list[float], of: Literal["mean", "iqm"]):
    expected = stats.bootstrap(
        (sorted(values),),
        np.mean if of == "mean" else lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        method="percentile",
        rng=np.random.default_rng(0),
    )
    assert bootstrap_interval(values, of) == tuple(expected.confidence_interval)


@pytest.mark.parametrize("of", ["mean", "iqm"])
@pytest.mark.parametrize("values", [[3.5, -4.0, 250.25], [1.0, 2.0, 4.0, 8.0], [0.0, 1.0, 3.0, 7.0, 20.0]])
def test_the_bootstrap_interval_is_that_of_all_resamples(values: list[float], of: Literal["mean", "iqm"]):
    # There are n^n resamples, few enough here to take them all. Sampled quantiles may be off by 0.4 % of the resamples
    # (2.5 standard errors).
    every = np.array(list(itertools.product(values, repeat=len(values))))
    estimates = every.mean(axis=1) if of == "mean" else stats.trim_mean(every, 0.25, axis=1)
    bounds = np.quantile(estimates, [0.021, 0.029, 0.971, 0.979], method="inverted_cdf")
    low, high = bootstrap_interval(values, of) or (math.nan, math.nan)
    assert bounds[0] - 1e-9 <= low <= bounds[1] + 1e-9
    assert bounds[2] - 1e-9 <= high <= bounds[3] + 1e-9


@pytest.mark.parametrize("values", [[5.0], [1.0, 2.0, 3.0], list(map(float, range(10))), SKEWED])
def test_the_interquartile_mean_is_scipys_trimmed_mean(values: list[float]):
    # rliable's aggregate_iqm is scipy.stats.trim_mean(scores, proportiontocut=0.25).
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-12)


def test_the_interquartile_mean_is_the_mean_of_the_middle_half():
    assert interquartile_mean([1000.0, 3.0, 1.0, 2.0, 4.0, -1000.0, 5.0, 0.0]) == (1 + 2 + 3 + 4) / 4


@pytest.mark.parametrize(
    ("successes", "count", "expected"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_wilsons_interval_agrees_with_newcombe(successes: int, count: int, expected: tuple[float, float]):
    # Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I,
    # method 3.
    assert wilson_interval(successes, count) == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_wilsons_interval_is_the_formula_and_mirrors(drawn: tuple[int, int]):
    successes, count = drawn
    z = stats.norm.ppf(0.975)
    share = successes / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = wilson_interval(successes, count) or (math.nan, math.nan)
    assert (low, high) == pytest.approx((middle - reach, middle + reach), abs=1e-9)
    mirrored = wilson_interval(count - successes, count)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize("interval", INTERVALS)
@given(values=REWARDS, shift=st.floats(-1e6, 1e6), scale=st.floats(0.01, 100))
@settings(max_examples=40, deadline=None)
def test_intervals_move_and_stretch_with_the_values(
    interval: Callable[[list[float]], tuple[float, float] | None], values: list[float], shift: float, scale: float
):
    # Values with one decimal: shifting them must not let differences drown in rounding.
    values = [round(value, 1) for value in values]
    found, moved = interval(values), interval([scale * value + shift for value in values])
    assert (found is None) == (moved is None)
    if found is not None:
        assert moved == pytest.approx([scale * end + shift for end in found], rel=1e-6, abs=1e-6 * (1 + abs(shift)))


@pytest.mark.parametrize("interval", INTERVALS)
@given(values=REWARDS, order=st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_order_does_not_matter(
    interval: Callable[[list[float]], tuple[float, float] | None], values: list[float], order: object
):
    shuffled = list(values)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert interval(shuffled) == interval(values)


@given(st.lists(st.floats(-1e9, 1e9), max_size=8) | st.lists(st.sampled_from([0.0, 1.0, 5e-324, -1e9]), max_size=8))
@settings(max_examples=60, deadline=None)
def test_nothing_is_ever_nan_and_nothing_warns(values: list[float]):
    for interval in INTERVALS:
        found = interval(values)
        assert found is None or (math.isfinite(found[0]) and found[0] <= found[1] < math.inf)
    for estimate in (mean(values), standard_error(values), interquartile_mean(values)):
        assert estimate is None or math.isfinite(estimate)


def test_too_few_values_have_no_interval():
    assert mean([]) is standard_error([]) is interquartile_mean([]) is wilson_interval(0, 0) is None
    for values in ([], [7.0]):
        assert [interval(values) for interval in INTERVALS] == [None] * 3


@pytest.mark.parametrize("values", [[500.0] * 20, [0.1 + 0.2, 0.3], [0.0, 0.0], [1e9, 1e9 + 1e-6]])
def test_equal_values_have_no_bootstrap_interval(values: list[float]):
    assert not differ(values)
    assert bootstrap_interval(values) is None
    assert bootstrap_interval(values, "iqm") is None


def test_an_interquartile_mean_that_no_resample_moves_has_no_interval():
    assert bootstrap_interval([0.0] * 99 + [1.0], "iqm") is None
    assert bootstrap_interval([0.0] * 99 + [1.0]) is not None


def test_another_process_finds_the_same_interval():
    code = f"from gym_llm.statistics import bootstrap_interval as b; print(b({SKEWED}), b({SKEWED}, 'iqm'))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == f"{bootstrap_interval(SKEWED)} {bootstrap_interval(SKEWED, 'iqm')}"


def test_many_values_are_resampled_piece_by_piece_with_the_same_result():
    many = np.sort(np.random.default_rng(2).normal(size=300))
    whole = stats.bootstrap((many,), np.mean, method="percentile", rng=np.random.default_rng(0), batch=9999)
    assert bootstrap_interval(many.tolist()) == pytest.approx(tuple(whole.confidence_interval), rel=1e-12)


@pytest.mark.parametrize(
    ("reward", "random", "threshold", "expected"),
    [
        (20.0, 20.0, 475.0, 0.0),
        (475.0, 20.0, 475.0, 1.0),
        (247.5, 20.0, 475.0, 0.5),
        (-25.5, 20.0, 475.0, -0.1),
        (None, 20.0, 475.0, None),
        (20.0, None, 475.0, None),
        (20.0, 20.0, None, None),
        (20.0, 475.0, 475.0, None),
        (20.0, 500.0, 475.0, None),
    ],
)
def test_progress_lies_between_random_and_threshold(
    reward: float | None, random: float | None, threshold: float | None, expected: float | None
):
    assert progress(reward, random, threshold) == (None if expected is None else pytest.approx(expected))
