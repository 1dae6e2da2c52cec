"""The figures of a run, against scipy."""

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from app.artifacts.metrics import metrics

NOTHING = {
    **dict.fromkeys(("decisions", "repaired", "fallback", "attempts", "priced"), 0),
    **dict.fromkeys(("prompt_tokens", "cached_tokens", "completion_tokens"), 0),
    **dict.fromkeys(("cost_usd", "mean_latency_ms", "max_latency_ms"), None),
}


def ended(rewards: Sequence[float], status: str = "succeeded", success: bool | None = None) -> list[Any]:
    return [
        SimpleNamespace(status=status, total_reward=reward, num_steps=index + 1, success=success, lessons=None)
        for index, reward in enumerate(rewards)
    ]


@pytest.mark.parametrize("rewards", [[1.0, 2.0], [3.5, -4.0, 250.25], list(np.random.default_rng(0).normal(size=40))])
def test_the_interval_is_students(rewards: list[float]):
    found = metrics(ended(rewards), NOTHING)
    assert found.avg_reward == pytest.approx(np.mean(rewards))
    assert found.standard_error == pytest.approx(stats.sem(rewards))
    expected = stats.t.interval(0.95, len(rewards) - 1, loc=np.mean(rewards), scale=stats.sem(rewards))
    assert found.ci95 == pytest.approx(expected)


@pytest.mark.parametrize("rewards", [[], [7.0]])
def test_few_episodes_have_no_spread(rewards: list[float]):
    found = metrics(ended(rewards), NOTHING)
    assert found.standard_error is None
    assert found.ci95 is None
    assert found.avg_reward == (rewards[0] if rewards else None)


def test_only_episodes_that_ended_by_themselves_are_averaged():
    episodes = [
        *ended([10.0, 20.0], success=True),
        *ended([30.0], success=False),
        *ended([40.0]),
        *ended([-1e9], "failed"),
        *ended([-1e9], "cancelled"),
        *ended([-1e9], "running"),
    ]
    found = metrics(episodes, NOTHING)
    assert found.total_rewards == [10.0, 20.0, 30.0, 40.0]
    assert found.avg_reward == 25.0
    assert found.success_rate == pytest.approx(2 / 3)
    assert found.episodes == {"succeeded": 4, "failed": 1, "cancelled": 1, "running": 1}


def test_rates_need_something_to_divide_by():
    found = metrics([], NOTHING)
    assert found.invalid_action_rate is None
    assert found.success_rate is None
    assert metrics([], NOTHING | {"decisions": 8, "repaired": 1, "fallback": 1}).invalid_action_rate == 0.25


@pytest.mark.parametrize(("priced", "cost"), [(2, 0.5), (1, None), (0, None)])
def test_a_cost_is_told_only_where_every_price_is_known(priced: int, cost: float | None):
    totals = NOTHING | {"decisions": 2, "priced": priced, "cost_usd": 0.5 if priced else None}
    assert metrics([], totals).cost_usd == cost


def test_sums_are_exact():
    rewards = [0.1] * 10
    assert metrics(ended(rewards), NOTHING).avg_reward == math.fsum(rewards) / 10
