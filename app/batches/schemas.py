"""What clients send and get: batches and their cells."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.body import SectionOrName
from app.runs.schemas import EXAMPLE_ID, EpisodeStatus, Failure
from gym_llm.config import AgentConfig, EnvironmentConfig, ExperimentConfig

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Grid = dict[str, Annotated[list[Any], Field(min_length=1, max_length=100)]]
Cost = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class AgentEntry(AgentConfig):
    """An agent of a batch, or one for each point of a grid."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = Field(
        None, description="What the report calls it; null = made from what sets it apart."
    )
    grid: Grid = Field({}, description="Fields, each with the values to try: every combination is an agent.")


class EnvironmentEntry(EnvironmentConfig):
    """An environment of a batch, or one for each point of a grid."""

    grid: Grid = Field({}, description="Arguments, each with the values to try: every combination is an environment.")


class BatchRequest(BaseModel):
    """The body of `POST /batches`: every agent in every environment, all with the same seeds."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "baselines",
                    "agents": [
                        {"backend": "baseline", "model": "random"},
                        {"backend": "ollama", "model": "llama3.1", "grid": {"temperature": [0, 0.7]}},
                    ],
                    "environments": [{"name": "CartPoleLLM-v1"}, {"name": "LunarLanderLLM-v3"}],
                    "experiment": {"seed": 0, "num_runs": 20, "save_gif": True},
                }
            ]
        },
    )

    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^/\\\x00]+$")] = Field(
        "batch", description="Of the batch, and of the experiment of each of its runs."
    )
    agents: Annotated[list[SectionOrName[AgentEntry]], Field(min_length=1, max_length=100)] = Field(
        description="Sections, or names of registered agents."
    )
    environments: Annotated[list[EnvironmentEntry], Field(min_length=1, max_length=100)]
    experiment: ExperimentConfig = Field(default_factory=ExperimentConfig, description="Of every run alike.")
    max_cost_usd: Cost | None = Field(None, description="Cost allowed for the whole batch, at list prices.")


class RetryRequest(BaseModel):
    """The body of `POST /batches/{id}/retry`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"max_cost_usd": 10}]})

    max_cost_usd: Cost | None = Field(None, description="A new limit for the whole batch; null = as it is.")
    cells: list[Annotated[int, Field(ge=0)]] | None = Field(None, description="Only these; null = all.")


class CellView(BaseModel):
    """One agent in one environment. Of a seed that was played more than once, the newest episode counts."""

    cell: int
    agent: str
    environment: str
    status: Status
    runs: list[UUID] = Field(description="Oldest first.")
    num_runs: int = Field(description="Episodes that it takes.")
    episodes: dict[EpisodeStatus, int] = Field(description="Number of episodes so far, by status.")
    avg_reward: float | None = Field(description="Of those that succeeded.")
    steps: int
    cost_usd: float = Field(description="As far as prices are known.")
    error: Failure | None = Field(description="Why its newest run failed.")


class BatchProgress(BaseModel):
    """How far a batch is."""

    cells: dict[Status, int]
    episodes_done: int
    episodes: int


class BatchSummary(BaseModel):
    """A batch, without its cells."""

    id: UUID
    name: str
    status: Status
    max_cost_usd: float | None
    cost_usd: float = Field(description="Of all its runs, as far as prices are known.")
    progress: BatchProgress
    created_at: datetime
    finished_at: datetime | None


class BatchView(BatchSummary):
    """A batch."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "name": "baselines",
                    "status": "running",
                    "max_cost_usd": None,
                    "cost_usd": 0.0,
                    "progress": {"cells": {"running": 1}, "episodes_done": 7, "episodes": 20},
                    "created_at": "2026-11-22T10:15:00Z",
                    "finished_at": None,
                    "request": {
                        "name": "baselines",
                        "agents": [{"backend": "baseline", "model": "random"}],
                        "environments": [{"name": "CartPoleLLM-v1"}],
                        "experiment": {"seed": 0, "num_runs": 20},
                    },
                    "cells": [
                        {
                            "cell": 0,
                            "agent": "random",
                            "environment": "CartPoleLLM-v1",
                            "status": "running",
                            "runs": ["019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e60"],
                            "num_runs": 20,
                            "episodes": {"succeeded": 7, "running": 1},
                            "avg_reward": 21.4,
                            "steps": 162,
                            "cost_usd": 0.0,
                            "error": None,
                        }
                    ],
                }
            ]
        }
    )

    request: dict[str, Any] = Field(description="What was asked for.")
    cells: list[CellView]

    def summary(self) -> BatchSummary:
        """Without the cells."""
        return BatchSummary.model_validate(self.model_dump(include=set(BatchSummary.model_fields)))


class BatchList(BaseModel):
    """A page of batches."""

    data: list[BatchSummary]
    has_more: bool
