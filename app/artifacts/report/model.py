"""The report: every figure, and what they were made from."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.artifacts.report.rows import Failure, ReportedEpisode
from gym_llm.statistics import CellStatistics, PairedComparison

METHOD = (
    "Episodes that failed or have not ended are counted and left out of every average of rewards, steps and "
    "successes. What decisions took (tokens, cost, latency) is told of all of them, with tokens and cost of lessons "
    "that were drawn from them.",
    "Intervals are of 95 %: of rewards by percentile bootstrap (9999 resamples, fixed seed), with Student's t beside "
    "it; of success rates by Wilson's score. There is none below two episodes or where all rewards are equal.",
    "IQM is the interquartile mean: the mean of the middle half of the rewards.",
    "Progress is 0 at the mean reward of the random agent in the same environment and 1 at the reward threshold.",
    "A difference is that of the first agent minus the second, for the same seed. p is of the two-sided permutation "
    "test that flips signs (exact up to 13 pairs, else 9999 seeded flips; with n pairs it can't be below 2 / 2^n), "
    "adjusted with Holm's method for the number of comparisons in the environment.",
)


class CellEpisode(ReportedEpisode):
    """An episode, and the run that it is of."""

    run_id: UUID


class ReportedCell(BaseModel):
    """One agent in one environment."""

    agent: str = Field(description="What the report calls the agent.")
    configuration: dict[str, Any] = Field(description="Of the agent.")
    runs: list[UUID]
    statistics: CellStatistics
    typical: CellEpisode | None = Field(
        description="Of the scored episodes with a GIF, the one nearest to the median reward; it stands for the cell."
    )
    episodes: list[CellEpisode]


class ReportedEnvironment(BaseModel):
    """The agents that played in one environment, and what sets them apart."""

    name: str = Field(description="What the report calls the environment.")
    configuration: dict[str, Any] = Field(description="`name`, `kwargs` and `max_steps`.")
    reward_threshold: float | None
    random: float | None = Field(description="Mean reward of the random agent, from which progress is measured.")
    cells: list[ReportedCell]
    comparisons: list[PairedComparison]


class ReportedFailure(BaseModel):
    """Something that went wrong. `episode` and `seed` are null where it happened to the run as a whole."""

    environment: str
    agent: str
    run_id: UUID
    episode: int | None
    seed: int | None
    error: Failure


class BatchReport(BaseModel):
    """The results of a batch, or of runs set side by side."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema.update(examples=[EXAMPLE]))

    title: str
    id: UUID | None = Field(description="Of the batch; null where single runs are compared.")
    created_at: datetime
    complete: bool = Field(description="Whether every run is over.")
    configuration: dict[str, Any] = Field(description="What was asked for.")
    method: list[str] = Field(list(METHOD), description="How the figures came about, in words.")
    environments: list[ReportedEnvironment]
    failures: list[ReportedFailure]

    def cells(self) -> Iterator[tuple[ReportedEnvironment, ReportedCell]]:
        """Every cell, with its environment."""
        for environment in self.environments:
            for cell in environment.cells:
                yield environment, cell


EXAMPLE: dict[str, Any] = {
    "title": "CartPole",
    "id": "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f",
    "created_at": "2026-11-22T10:15:00Z",
    "complete": True,
    "configuration": {"agents": [{"backend": "baseline", "model": "random"}], "environments": ["CartPoleLLM-v1"]},
    "method": [METHOD[0]],
    "environments": [
        {
            "name": "CartPoleLLM-v1",
            "configuration": {"name": "CartPoleLLM-v1", "kwargs": None, "max_steps": None},
            "reward_threshold": 475.0,
            "random": 21.0,
            "cells": [
                {
                    "agent": "random",
                    "configuration": {"backend": "baseline", "model": "random"},
                    "runs": ["019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e60"],
                    "statistics": {
                        "episodes": {"succeeded": 2},
                        "n": 2,
                        "avg_reward": 21.0,
                        "standard_error": 3.0,
                        "bootstrap_ci95": [18.0, 24.0],
                        "t_ci95": [-17.12, 59.12],
                        "iqm": 21.0,
                        "iqm_ci95": [18.0, 24.0],
                        "success_rate": 0.0,
                        "success_ci95": [0.0, 0.658],
                        "avg_steps": 21.0,
                        "progress": 0.0,
                        "decisions": 42,
                        "repaired": 0,
                        "fallback": 0,
                        "invalid_action_rate": 0.0,
                        "fallback_rate": 0.0,
                        "attempts": 0,
                        "prompt_tokens": 0,
                        "cached_tokens": 0,
                        "completion_tokens": 0,
                        "cost_usd": 0.0,
                        "mean_latency_ms": 0.02,
                        "max_latency_ms": 0.1,
                    },
                    "typical": None,
                    "episodes": [
                        {
                            "run_id": "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e60",
                            "episode": 0,
                            "seed": 0,
                            "status": "succeeded",
                            "error": None,
                            "total_reward": 18.0,
                            "num_steps": 18,
                            "success": False,
                            "totals": {"decisions": 18, "priced": 18, "cost_usd": 0.0, "latency_ms": 0.4},
                            "gif": None,
                        }
                    ],
                }
            ],
            "comparisons": [],
        }
    ],
    "failures": [],
}
