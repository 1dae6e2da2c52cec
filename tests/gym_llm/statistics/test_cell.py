"""The figures of a cell."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from gym_llm.statistics import EpisodeResult, EpisodeTotals, add_up, cell_statistics

TOTALS = EpisodeTotals(
    decisions=10,
    repaired=2,
    fallback=1,
    attempts=15,
    prompt_tokens=1000,
    cached_tokens=600,
    completion_tokens=50,
    priced=10,
    cost_usd=0.02,
    latency_ms=4000.0,
    max_latency_ms=900.0,
)


def episode(seed: int, reward: float, **fields: Any) -> EpisodeResult:
    return EpisodeResult.model_validate({"seed": seed, "total_reward": reward, "num_steps": 10 * (seed + 1), **fields})


def test_episodes_that_did_not_end_by_themselves_are_counted_and_left_out():
    found = cell_statistics(
        [
            episode(0, 10.0, success=True),
            episode(1, 30.0, success=False),
            episode(2, 50.0),
            episode(3, -1e9, status="failed", success=False),
            episode(4, -1e9, status="cancelled"),
            episode(5, -1e9, status="running"),
            episode(6, 0.0, status="queued"),
        ]
    )
    assert found.episodes == {"succeeded": 3, "failed": 1, "cancelled": 1, "running": 1, "queued": 1}
    assert found.n == 3
    assert (found.avg_reward, found.avg_steps, found.iqm) == (30.0, 20.0, 30.0)
    assert found.success_rate == 0.5
    expected = stats.binomtest(1, 2).proportion_ci(method="wilson")
    assert found.success_ci95 == pytest.approx(tuple(expected))


def test_what_decisions_took_is_told_of_all_episodes():
    found = cell_statistics([episode(0, 1.0, totals=TOTALS), episode(1, 2.0, totals=TOTALS, status="failed")])
    assert (found.decisions, found.repaired, found.fallback, found.attempts) == (20, 4, 2, 30)
    assert (found.invalid_action_rate, found.fallback_rate) == (0.3, 0.1)
    assert (found.prompt_tokens, found.cached_tokens, found.completion_tokens) == (2000, 1200, 100)
    assert found.cost_usd == 0.04
    assert (found.mean_latency_ms, found.max_latency_ms) == (400.0, 900.0)


def test_one_unknown_price_makes_the_cost_unknown():
    unpriced = TOTALS.model_copy(update={"priced": 9})
    assert cell_statistics([episode(0, 1.0, totals=TOTALS), episode(1, 1.0, totals=unpriced)]).cost_usd is None


def test_lessons_are_paid_for_too():
    learned = TOTALS.model_copy(update={"lessons": 1, "attempts": 16, "priced": 11, "cost_usd": 0.03})
    found = cell_statistics([episode(0, 1.0, totals=TOTALS), episode(1, 1.0, totals=learned)])
    assert (found.decisions, found.attempts, found.cost_usd) == (20, 31, 0.05)
    unpriced = learned.model_copy(update={"priced": 10})
    assert cell_statistics([episode(0, 1.0, totals=unpriced)]).cost_usd is None


def test_what_costs_nothing_costs_0():
    free = TOTALS.model_copy(update={"cost_usd": 0.0})
    assert cell_statistics([episode(0, 1.0, totals=free)]).cost_usd == 0.0


@pytest.mark.parametrize("rewards", [[], [7.0], [7.0, 7.0, 7.0]])
def test_too_little_to_tell_is_null(rewards: list[float]):
    found = cell_statistics([episode(seed, reward) for seed, reward in enumerate(rewards)])
    assert found.avg_reward == (7.0 if rewards else None)
    assert found.iqm == (7.0 if rewards else None)
    assert found.standard_error == (0.0 if len(rewards) > 1 else None)
    assert found.bootstrap_ci95 is found.t_ci95 is found.iqm_ci95 is None
    assert found.success_rate is found.success_ci95 is None
    assert found.invalid_action_rate is found.fallback_rate is found.cost_usd is found.mean_latency_ms is None


def test_progress_needs_both_ends():
    episodes = [episode(0, 247.5)]
    assert cell_statistics(episodes, random=20.0, reward_threshold=475.0).progress == pytest.approx(0.5)
    assert cell_statistics(episodes, random=20.0).progress is None
    assert cell_statistics(episodes, reward_threshold=475.0).progress is None


@pytest.mark.parametrize("reward", [math.nan, math.inf])
def test_a_reward_that_is_no_number_is_refused_by_name(reward: float):
    with pytest.raises(ValidationError, match="total_reward"):
        episode(0, reward)


def test_the_results_of_an_experiment_are_episodes():
    results = {"total_rewards": [1.0, 2.5], "total_steps": [3, 4], "avg_reward": 1.75, "avg_steps": 3.5}
    assert EpisodeResult.of_experiment(results, seed=7) == [
        EpisodeResult(seed=7, total_reward=1.0, num_steps=3),
        EpisodeResult(seed=8, total_reward=2.5, num_steps=4),
    ]


counts = st.integers(0, 10**6)
any_totals = st.builds(
    EpisodeTotals,
    decisions=counts,
    repaired=counts,
    lessons=counts,
    priced=counts,
    prompt_tokens=counts,
    cost_usd=st.none() | st.integers(0, 1000).map(float),
    latency_ms=counts.map(float),
    max_latency_ms=st.none() | counts.map(float),
)


@given(st.lists(any_totals, max_size=6), st.integers(0, 6))
@settings(deadline=None)
def test_sums_of_sums_are_the_sum(totals: list[EpisodeTotals], at: int):
    assert add_up([add_up(totals[:at]), add_up(totals[at:])]) == add_up(totals)
