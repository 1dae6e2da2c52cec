"""Episodes as plain rows."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class EpisodeTotals(BaseModel):
    """What an episode took: sums over its decided steps, and over the lessons that were drawn from it."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    decisions: int = Field(0, ge=0)
    repaired: int = Field(0, ge=0, description="Decisions that needed the repair turn.")
    fallback: int = Field(0, ge=0, description="Decisions that were still invalid after it.")
    lessons: int = Field(0, ge=0, description="How often lessons were drawn, which takes requests too (`memory`).")
    attempts: int = Field(0, ge=0, description="Requests sent to the backend, retries and repair turns included.")
    prompt_tokens: int = Field(0, ge=0)
    cached_tokens: int = Field(0, ge=0, description="The part of prompt_tokens that the provider had cached.")
    completion_tokens: int = Field(0, ge=0)
    priced: int = Field(0, ge=0, description="Decisions and lessons whose cost is known.")
    cost_usd: FiniteFloat | None = Field(None, description="Of those, at list prices.")
    latency_ms: FiniteFloat = Field(0.0, ge=0, description="Of all decisions together.")
    max_latency_ms: FiniteFloat | None = Field(None, description="Of the slowest decision.")


class EpisodeResult(BaseModel):
    """What came of one episode."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    seed: int
    status: Status = Field("succeeded", description="Only `succeeded` is scored: it ended by itself.")
    total_reward: FiniteFloat
    num_steps: int = Field(ge=0)
    success: bool | None = Field(None, description="Null where the environment does not say what success is.")
    totals: EpisodeTotals = EpisodeTotals()

    @classmethod
    def of_experiment(cls, results: Mapping[str, Any], seed: int) -> "list[EpisodeResult]":
        """The episodes that `run_experiment` returned, which started from `seed`."""
        pairs = zip(results["total_rewards"], results["total_steps"], strict=True)
        return [cls(seed=seed + i, total_reward=reward, num_steps=steps) for i, (reward, steps) in enumerate(pairs)]


def scored(episodes: Iterable[EpisodeResult]) -> list[EpisodeResult]:
    """The episodes that count; a failure of a model or a simulator is never scored."""
    return [episode for episode in episodes if episode.status == "succeeded"]


def add_up(totals: Sequence[EpisodeTotals]) -> EpisodeTotals:
    """The sums over all of them."""
    costs = [each.cost_usd for each in totals if each.cost_usd is not None]
    slowest = [each.max_latency_ms for each in totals if each.max_latency_ms is not None]
    counted = ("decisions", "repaired", "fallback", "lessons", "attempts", "priced")
    tokens = ("prompt_tokens", "cached_tokens", "completion_tokens")
    return EpisodeTotals(
        **{name: sum(getattr(each, name) for each in totals) for name in (*counted, *tokens)},
        cost_usd=math.fsum(costs) if costs else None,
        latency_ms=math.fsum(each.latency_ms for each in totals),
        max_latency_ms=max(slowest, default=None),
    )
