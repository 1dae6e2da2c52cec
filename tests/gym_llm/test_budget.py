"""What counts towards a budget."""

from typing import Any

import pytest

from gym_llm.backends import Usage
from gym_llm.budget import Budget
from gym_llm.config import ExperimentConfig
from gym_llm.decision import Decision
from gym_llm.episode import Step
from gym_llm.errors import BudgetExceededError
from gym_llm.lessons import Lessons


def step(**fields: Any) -> Step:
    """A step that took 12 tokens and half a dollar."""
    values: dict[str, Any] = {
        "episode": 0,
        "step": 1,
        "observation": 0,
        "digest": "",
        "decision": Decision("", 0, usage=Usage(10, 4, 2), cost_usd=0.5),
        "reward": 0.0,
        "terminated": False,
        "truncated": False,
        "total_reward": 0.0,
        "success": None,
        "next_observation": 0,
    }
    return Step(**(values | fields))


def test_it_ends_with_the_step_that_reaches_it_and_goes_on_from_what_was_spent() -> None:
    budget = Budget(ExperimentConfig(max_total_tokens=36), tokens=12)
    budget.count(step())
    budget.check()
    with pytest.raises(BudgetExceededError, match="max_total_tokens is 36, and 36 are used"):
        budget.count(step())


def test_what_was_paid_before_or_not_asked_for_is_free() -> None:
    budget = Budget(ExperimentConfig(max_cost_usd=0.4))
    budget.count(step(replayed=True))
    budget.count(step(decision=Decision("", 0, outcome=None, decided=False)))
    budget.check()


def test_lessons_are_paid_for_too() -> None:
    budget = Budget(ExperimentConfig(max_cost_usd=1.0, max_total_tokens=1000))
    lessons = Lessons(("Brake early.",), attempts=1, usage=Usage(100, 0, 20), cost_usd=0.5)
    budget.count(step(terminated=True, lessons=lessons))  # The end of an episode is left alone.
    assert (budget.tokens, budget.cost_usd) == (132, 1.0)
    with pytest.raises(BudgetExceededError, match="max_cost_usd is 1, and 1 are spent"):
        budget.check()


def test_an_unknown_price_is_not_0() -> None:
    budget = Budget(ExperimentConfig(max_cost_usd=1.0))
    with pytest.raises(BudgetExceededError, match="price of this model is not known"):
        budget.count(step(decision=Decision("", 0, cost_usd=None)))
