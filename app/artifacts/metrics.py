"""The figures of a run, from its episodes and the sums of its steps."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gym_llm.results import results
from gym_llm.statistics import standard_error, t_interval

_SPENT = ("attempts", "prompt_tokens", "cached_tokens", "completion_tokens")


class Metrics(BaseModel):
    """Failed and unfinished episodes are counted, and left out of every average."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "total_rewards": [261.4, 244.9],
                    "total_steps": [214, 251],
                    "avg_reward": 253.15,
                    "avg_steps": 232.5,
                    "episodes": {"succeeded": 2, "failed": 0, "cancelled": 0, "running": 0},
                    "success_rate": 1.0,
                    "standard_error": 8.25,
                    "ci95": [148.32, 357.98],
                    "decisions": 465,
                    "repaired": 2,
                    "fallback": 0,
                    "invalid_action_rate": 0.0043,
                    "attempts": 469,
                    "prompt_tokens": 760123,
                    "cached_tokens": 640512,
                    "completion_tokens": 19422,
                    "cost_usd": 0.0777,
                    "mean_latency_ms": 431.2,
                    "max_latency_ms": 1804.7,
                }
            ]
        }
    )

    total_rewards: list[float] = Field(description="Of each episode that ended by itself, in their order.")
    total_steps: list[int]
    avg_reward: float | None
    avg_steps: float | None
    episodes: dict[str, int] = Field(description="Number of episodes by status.")
    success_rate: float | None = Field(description="Null where the environment does not say what success is.")
    standard_error: float | None = Field(description="Of avg_reward; null below two episodes.")
    ci95: tuple[float, float] | None = Field(description="Of avg_reward, by Student's t; null below two episodes.")
    decisions: int
    repaired: int = Field(description="Decisions that needed the repair turn.")
    fallback: int = Field(description="Decisions that were still invalid after it.")
    invalid_action_rate: float | None = Field(description="Share of decisions whose first reply was invalid.")
    attempts: int = Field(
        description="Requests sent to the backend; retries, repair turns, summaries and lessons included."
    )
    prompt_tokens: int
    cached_tokens: int = Field(description="The part of prompt_tokens that the provider had cached.")
    completion_tokens: int
    cost_usd: float | None = Field(description="At list prices; null where the price is not known.")
    mean_latency_ms: float | None = Field(description="Of a decision.")
    max_latency_ms: float | None


def metrics(episodes: Sequence[Any], totals: Mapping[str, Any]) -> Metrics:
    """The figures of a run.

    Args:
        episodes: rows with status, total_reward, num_steps, success and lessons.
        totals: sums over the decided steps.
    """
    lessons = [episode.lessons for episode in episodes if episode.lessons is not None]
    spent = {name: totals[name] + sum(of_episode[name] for of_episode in lessons) for name in _SPENT}
    done = [episode for episode in episodes if episode.status == "succeeded"]
    rewards = [episode.total_reward for episode in done]
    judged = [episode.success for episode in done if episode.success is not None]
    decisions = totals["decisions"]
    return Metrics(
        **results(rewards, [episode.num_steps for episode in done]),
        episodes={
            status: sum(episode.status == status for episode in episodes)
            for status in ("succeeded", "failed", "cancelled", "running")
        },
        success_rate=sum(judged) / len(judged) if judged else None,
        standard_error=standard_error(rewards),
        ci95=t_interval(rewards),
        decisions=decisions,
        repaired=totals["repaired"],
        fallback=totals["fallback"],
        invalid_action_rate=(totals["repaired"] + totals["fallback"]) / decisions if decisions else None,
        **spent,
        cost_usd=_cost(totals, [of_episode["cost_usd"] for of_episode in lessons]),
        mean_latency_ms=totals["mean_latency_ms"],
        max_latency_ms=totals["max_latency_ms"],
    )


def _cost(totals: Mapping[str, Any], lessons: Sequence[float | None]) -> float | None:
    if totals["priced"] != totals["decisions"] or totals["cost_usd"] is None:
        return None
    known = [cost for cost in lessons if cost is not None]
    return float(math.fsum([totals["cost_usd"], *known])) if len(known) == len(lessons) else None
