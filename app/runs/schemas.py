"""What clients send and get: the shapes of runs, episodes and steps."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.body import AgentReference
from gym_llm.config import AgentConfig, EnvironmentConfig, ExperimentConfig
from gym_llm.decision import Outcome

RunStatus = Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled"]
EpisodeStatus = Literal["running", "succeeded", "failed", "cancelled"]
ErrorCode = Literal["env_error", "llm_error", "invalid_config", "budget_exceeded", "timeout", "worker_lost", "internal"]
Item = TypeVar("Item")

EXAMPLE_ID = "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f"


class RunRequest(BaseModel):
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

    agent: AgentReference = Field(
        default_factory=AgentConfig, description="A section, or the name of a registered agent."
    )
    environment: EnvironmentConfig
    experiment: ExperimentConfig = Field(default_factory=ExperimentConfig)


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


class State(_View):
    """How it stands with a run or a session."""

    id: UUID
    status: RunStatus
    error: Failure | None
    progress: Progress
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Parent(_View):
    """Where a fork goes its own way: everything before `step` is the parent's."""

    run_id: UUID
    episode: int
    step: int


class ImportedFrom(_View):
    """Where an imported run was played."""

    run_id: UUID = Field(description="Its id there.")
    verified: bool = Field(description="Whether its actions, taken again here, led to what it records.")
    imported_at: datetime


class RunView(State):
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
                    "versions": {"gym_llm": "0.1.0", "gymnasium": "1.4.0", "python": "3.11.2"},
                    "parent": None,
                    "imported_from": None,
                    "batch_id": None,
                    "cell": None,
                }
            ]
        },
    )

    agent: AgentConfig
    environment: EnvironmentConfig
    experiment: ExperimentConfig
    versions: dict[str, Any] | None = Field(None, description="Of what played it; `plugin_digest` is of its sources.")
    parent: Parent | None = Field(None, description="Of a fork.")
    imported_from: ImportedFrom | None = None
    batch_id: UUID | None = Field(None, description="Of the batch that it is a part of.")
    cell: int | None = Field(None, description="Of the batch; null where another run has taken its place.")


class LessonsView(_View):
    """What an episode taught, and what it took to ask."""

    learned: list[str]
    problem: str | None = Field(description="Why there are none.")
    attempts: int
    latency_ms: float
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost_usd: float | None


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
                    "lessons_before": None,
                    "lessons": None,
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
    lessons_before: list[str] | None = Field(None, description="What the episode was told of earlier ones.")
    lessons: LessonsView | None = Field(None, description="What it taught; with the strategy `memory`.")


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
                    "notes": None,
                    "inherited": False,
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
    reward: Annotated[
        float | None,
        Field(description="Null only in sessions, as long as an environment that lives elsewhere has not told it."),
    ]
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
    notes: dict[str, str] | None = Field(None, description="What the strategy keeps: `plan`, `summary`.")
    inherited: bool = Field(False, description="Copied from the parent of a fork, which has paid for it.")
    created_at: datetime


class Page(BaseModel, Generic[Item]):
    """One page of a list; the next one starts after the id of the last item."""

    data: list[Item]
    has_more: bool
