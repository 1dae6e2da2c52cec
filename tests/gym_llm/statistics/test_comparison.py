"""Agents against each other, against scipy and published values."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gym_llm.statistics import EpisodeResult, compare_agents, compare_pairwise, holm, permutation_p_value

# Darwin's maize: cross-fertilised minus self-fertilised, in eighths of an inch. Fisher, The Design of Experiments
# (1935), section 21: of the 32,768 ways to set the signs, 863 have a total of 314 or more, and as many the contrary
# one: 1,726 in all, a share of 5.267 %.
DARWIN = [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0]


def episodes(rewards: list[float], first_seed: int = 0) -> list[EpisodeResult]:
    return [EpisodeResult(seed=first_seed + i, total_reward=reward, num_steps=1) for i, reward in enumerate(rewards)]


def by_hand(differences: list[float]) -> float:
    """Share of all sign flips whose sum is at least as far from 0."""
    observed = abs(sum(differences))
    flips = itertools.product((1, -1), repeat=len(differences))
    far = [abs(sum(map(math.prod, zip(flip, differences, strict=True)))) >= observed - 1e-9 for flip in flips]
    return sum(far) / len(far)


def test_the_permutation_test_agrees_with_fisher():
    assert by_hand(DARWIN) == pytest.approx(1726 / 32768)
    # 15 pairs are sampled, not enumerated: 9999 flips tell a share of 0.0527 to +-0.009 (4 standard errors).
    assert permutation_p_value(DARWIN) == pytest.approx(1726 / 32768, abs=0.009)


@given(st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=8))
@settings(max_examples=50, deadline=None)
def test_few_pairs_are_tried_in_every_way(differences: list[float]):
    assert permutation_p_value(differences) == pytest.approx(by_hand(differences))


def test_the_permutation_test_is_that_of_scipy():
    differences = np.random.default_rng(5).normal(0.5, 1, 25)
    expected = stats.permutation_test(
        (np.sort(differences),), np.mean, permutation_type="samples", rng=np.random.default_rng(0)
    )
    assert permutation_p_value(differences.tolist()) == pytest.approx(expected.pvalue)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=15))
@settings(max_examples=30, deadline=None)
def test_the_p_value_does_not_depend_on_order_or_on_who_is_first(differences: list[float]):
    found = permutation_p_value(differences)
    assert found is not None
    assert 0 < found <= 1
    assert permutation_p_value(differences[::-1]) == found
    if len(differences) <= 13:
        assert permutation_p_value([-value for value in differences]) == pytest.approx(found)


def test_only_seeds_that_both_have_scored_are_pairs():
    first = [*episodes([10.0, 20.0, 30.0]), EpisodeResult(seed=3, status="failed", total_reward=-1e9, num_steps=0)]
    second = episodes([5.0, 5.0, 5.0, 5.0], first_seed=1)
    found = compare_pairwise("a", first, "b", second)
    assert [(pair.seed, pair.first, pair.second) for pair in found.differences] == [(1, 20.0, 5.0), (2, 30.0, 5.0)]
    assert (found.pairs, found.unpaired_first, found.unpaired_second) == (2, 1, 2)
    assert found.mean_difference == 20.0
    expected = stats.t.interval(0.95, 1, loc=20.0, scale=stats.sem([15.0, 25.0]))
    assert found.t_ci95 == pytest.approx(expected)
    assert (found.p_value, found.p_exact) == (0.5, True)


def test_a_seed_played_again_counts_once():
    found = compare_pairwise("a", [*episodes([10.0]), *episodes([20.0])], "b", episodes([5.0]))
    assert found.pairs == 1
    assert found.mean_difference == 10.0


@pytest.mark.parametrize("rewards", [[], [3.0]])
def test_too_few_pairs_tell_nothing(rewards: list[float]):
    found = compare_pairwise("a", episodes(rewards), "b", episodes([1.0, 2.0]))
    assert found.mean_difference == (2.0 if rewards else None)
    assert found.bootstrap_ci95 is found.t_ci95 is found.p_value is found.p_exact is found.p_adjusted is None


def test_equal_differences_have_a_p_value_and_no_interval():
    found = compare_pairwise("a", episodes([6.0, 7.0, 8.0, 9.0]), "b", episodes([1.0, 2.0, 3.0, 4.0]))
    assert found.bootstrap_ci95 is found.t_ci95 is None
    assert found.p_value == 2 / 2**4
    same = compare_pairwise("a", episodes([500.0] * 20), "b", episodes([500.0] * 20))
    assert (same.mean_difference, same.p_value, same.p_exact) == (0.0, 1.0, False)


def test_every_pair_is_compared_and_adjusted():
    noise = np.random.default_rng(0).normal(0, 1, (3, 12))
    agents = {
        name: episodes((noise[index] + 2 * index).tolist()) for index, name in enumerate(("random", "small", "large"))
    }
    found = compare_agents(agents)
    assert [(each.first, each.second) for each in found] == [
        ("random", "small"),
        ("random", "large"),
        ("small", "large"),
    ]
    assert [each.p_adjusted for each in found] == holm([each.p_value for each in found])
    assert all(each.mean_difference is not None and each.mean_difference < 0 for each in found)
    assert compare_agents({"alone": agents["small"]}) == []


def test_holms_method_agrees_with_a_published_example():
    # Wikipedia, Holm-Bonferroni method, example: p-values 0.01, 0.04, 0.03, 0.005 of four hypotheses, adjusted.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.01, None, 0.04]) == [0.02, None, 0.04]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holms_method_lies_between_no_correction_and_bonferronis(p_values: list[float]):
    adjusted = holm(p_values)
    for p_value, found in zip(p_values, adjusted, strict=True):
        assert found is not None
        assert p_value <= found <= min(1.0, p_value * len(p_values)) + 1e-12
    assert [p for p, _ in sorted(zip(p_values, adjusted, strict=True))] == sorted(p_values)
