"""What clients send and get: the shapes of runs, episodes and steps."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gym_llm.config import AgentConfig, Config, EnvironmentConfig, ExperimentConfig
from gym_llm.decision import Outcome

RunStatus = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
EpisodeStatus = Literal["running", "succeeded", "failed", "cancelled"]
ErrorCode = Literal["env_error", "llm_error", "invalid_config", "budget_exceeded", "timeout", "worker_lost", "internal"]
Item = TypeVar("Item")

EXAMPLE_ID = "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f"


class RunRequest(Config):
    """The body of `POST /runs`: a configuration, field for field that of the YAML files."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "agent": {"backend": "baseline", "model": "heuristic"},
                    "environment": {"name": "LunarLanderLLM-v3"},
                    "experiment": {"name": "lunar_lander_heuristic", "seed": 0, "num_runs": 1, "save_gif": True},
                }
            ]
        },
    )


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Failure(_View):
    """Why a run or an episode failed."""

    code: ErrorCode
    message: str
    episode: int | None = Field(None, description="The episode in which it happened.")


class Progress(_View):
    """How far a run is."""

    episodes_done: int
    steps: int


class RunView(_View):
    """A run."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "status": "running",
                    "error": None,
                    "agent": {"backend": "ollama", "model": "llama3.1", "temperature": 0.8, "history": 10},
                    "environment": {"name": "LunarLanderLLM-v3", "kwargs": None},
                    "experiment": {"name": "lunar_lander_llama3.1", "seed": 0, "num_runs": 3},
                    "progress": {"episodes_done": 1, "steps": 214},
                    "created_at": "2026-11-22T10:15:00Z",
                    "started_at": "2026-11-22T10:15:00.012Z",
                    "finished_at": None,
                }
            ]
        },
    )

    id: UUID
    status: RunStatus
    error: Failure | None
    agent: AgentConfig
    environment: EnvironmentConfig
    experiment: ExperimentConfig
    progress: Progress
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class EpisodeView(_View):
    """An episode. `success` is null while it plays and where the environment does not say what success is."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "episode": 0,
                    "seed": 0,
                    "status": "succeeded",
                    "error": None,
                    "total_reward": 261.4,
                    "num_steps": 214,
                    "terminated": True,
                    "truncated": False,
                    "success": True,
                }
            ]
        },
    )

    episode: int
    seed: int
    status: EpisodeStatus
    error: Failure | None
    total_reward: float
    num_steps: int
    terminated: bool
    truncated: bool
    success: bool | None


class StepView(_View):
    """A step. `observation` is what the action was decided on; `decided` is false where it was only repeated."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": 12,
                    "episode": 0,
                    "step": 12,
                    "observation": {"x": 0.031, "y": 1.274, "velocity_x": 0.27, "velocity_y": -0.31},
                    "reflection": "Falling at 0.31 and drifting right: the main engine slows the fall.",
                    "action": 2,
                    "reward": -0.84,
                    "terminated": False,
                    "truncated": False,
                    "decided": True,
                    "outcome": "valid",
                    "attempts": 1,
                    "problem": None,
                    "latency_ms": 412.5,
                    "prompt_tokens": 1630,
                    "cached_tokens": 1408,
                    "completion_tokens": 41,
                    "cost_usd": 0.00016,
                    "created_at": "2026-11-22T10:15:05.123Z",
                }
            ]
        },
    )

    id: Annotated[int, Field(description="Its place in the run's log: the SSE id, and the cursor of the steps list.")]
    episode: int
    step: int
    observation: Any
    reflection: str
    action: Any
    reward: float
    terminated: bool
    truncated: bool
    decided: bool
    outcome: Outcome | None
    attempts: int
    problem: str | None
    latency_ms: float
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_usd: float | None
    created_at: datetime


class Page(BaseModel, Generic[Item]):
    """One page of a list; the next one starts after the id of the last item."""

    data: list[Item]
    has_more: bool
