"""The figures of a cell: one agent in one environment."""

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from gym_llm.statistics.episodes import EpisodeResult, Status, add_up, scored
from gym_llm.statistics.intervals import (
    Interval,
    bootstrap_interval,
    differ,
    interquartile_mean,
    mean,
    progress,
    standard_error,
    t_interval,
    wilson_interval,
)


class CellStatistics(BaseModel):
    """Failed and unfinished episodes are counted, and left out of every average of rewards, steps and successes.

    What decisions took (tokens, cost, latency) is told of all of them: that of a failed episode was paid for too. So
    were the lessons that were drawn from episodes: they count in attempts, tokens and cost.
    Intervals are of 95 %; those of rewards are null below two episodes and where all rewards are equal.
    """

    model_config = ConfigDict(frozen=True)

    episodes: dict[Status, int] = Field(description="Number of episodes by status; a status without any is left out.")
    n: int = Field(description="Episodes that are scored.")
    avg_reward: float | None
    standard_error: float | None = Field(description="Of avg_reward; null below two episodes.")
    bootstrap_ci95: Interval | None = Field(description="Of avg_reward, by bootstrap (percentile).")
    t_ci95: Interval | None = Field(description="Of avg_reward, by Student's t, for comparison.")
    iqm: float | None = Field(description="Interquartile mean of the rewards.")
    iqm_ci95: Interval | None = Field(description="Of iqm, by bootstrap (percentile).")
    success_rate: float | None = Field(description="Null where the environment does not say what success is.")
    success_ci95: Interval | None = Field(description="Of success_rate, by Wilson's score.")
    avg_steps: float | None
    progress: float | None = Field(
        description="avg_reward between the random agent's in the same environment (0) and the reward threshold (1); "
        "null where either is missing."
    )
    decisions: int
    repaired: int = Field(description="Decisions that needed the repair turn.")
    fallback: int = Field(description="Decisions that were still invalid after it.")
    invalid_action_rate: float | None = Field(description="Share of decisions whose first reply was invalid.")
    fallback_rate: float | None = Field(description="Share of decisions that were still invalid after the repair turn.")
    attempts: int = Field(description="Requests sent to the backend, retries and repair turns included.")
    prompt_tokens: int
    cached_tokens: int = Field(description="The part of prompt_tokens that the provider had cached.")
    completion_tokens: int
    cost_usd: float | None = Field(description="At list prices; null where any price is not known.")
    mean_latency_ms: float | None = Field(description="Of a decision.")
    max_latency_ms: float | None


def cell_statistics(
    episodes: Sequence[EpisodeResult], *, random: float | None = None, reward_threshold: float | None = None
) -> CellStatistics:
    """The figures of one agent in one environment.

    Args:
        episodes: of any status, in any order.
        random: mean reward of the random agent in the same environment.
        reward_threshold: of the environment.
    """
    counted = scored(episodes)
    rewards = [episode.total_reward for episode in counted]
    judged = [episode.success for episode in counted if episode.success is not None]
    totals = add_up([episode.totals for episode in episodes])
    average = mean(rewards)
    return CellStatistics(
        episodes=dict(Counter(episode.status for episode in episodes)),
        n=len(rewards),
        avg_reward=average,
        standard_error=standard_error(rewards),
        bootstrap_ci95=bootstrap_interval(rewards),
        t_ci95=t_interval(rewards) if differ(rewards) else None,
        iqm=interquartile_mean(rewards),
        iqm_ci95=bootstrap_interval(rewards, "iqm"),
        success_rate=share(sum(judged), len(judged)),
        success_ci95=wilson_interval(sum(judged), len(judged)),
        avg_steps=share(sum(episode.num_steps for episode in counted), len(counted)),
        progress=progress(average, random, reward_threshold),
        decisions=totals.decisions,
        repaired=totals.repaired,
        fallback=totals.fallback,
        invalid_action_rate=share(totals.repaired + totals.fallback, totals.decisions),
        fallback_rate=share(totals.fallback, totals.decisions),
        attempts=totals.attempts,
        prompt_tokens=totals.prompt_tokens,
        cached_tokens=totals.cached_tokens,
        completion_tokens=totals.completion_tokens,
        cost_usd=totals.cost_usd if totals.priced == totals.decisions + totals.lessons else None,
        mean_latency_ms=share(totals.latency_ms, totals.decisions),
        max_latency_ms=totals.max_latency_ms,
    )


def share(part: float, whole: int) -> float | None:
    """`part` of `whole`; None of nothing."""
    return part / whole if whole else None
