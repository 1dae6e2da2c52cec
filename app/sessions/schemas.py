"""What clients send and get of sessions."""

import re
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from app.body import AgentReference
from app.runs.schemas import EXAMPLE_ID, State
from gym_llm.config import AgentConfig, EnvironmentConfig
from gym_llm.decision import Outcome

SEEDS = 2**31
Seed = Annotated[int, Field(ge=0, lt=SEEDS)]
RequestId = Annotated[str, Field(min_length=1, max_length=200)]
_AGENT: JsonDict = {"backend": "ollama", "model": "llama3.1", "history": 10}
_DEFINITION: JsonDict = {
    "observation_schema": {"distance": "to the wall ahead, in m", "battery": "0 to 1"},
    "action_schema": {"0": "Stop.", "1": "Drive 10 cm ahead."},
    "goal_description": "Come within 20 cm of the wall and stop there. Touching it costs 10.",
}
WHOLE = re.compile(r"-?\d{1,9}")


class SessionDefinition(BaseModel):
    """What the agent is told of an environment that lives elsewhere."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [_DEFINITION]})

    observation_schema: Annotated[dict[str, str | dict[str, Any]], Field(min_length=1)] = Field(
        description="Field of the observation -> what it means, in words, or as an object with description, type, unit."
    )
    action_schema: Annotated[dict[str, str], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Action -> what it does. Keys that are all whole numbers make the actions numbers."
    )
    action_json_schema: dict[str, Any] | None = Field(
        None, description="In place of action_schema: the JSON Schema of an action."
    )
    goal_description: Annotated[str, Field(min_length=1)] = Field(description="What is to be achieved.")

    @model_validator(mode="after")
    def _one_kind_of_actions(self) -> Self:
        if (self.action_schema is None) == (self.action_json_schema is None):
            raise ValueError("give either action_schema or action_json_schema")
        return self


class SessionRequest(BaseModel):
    """The body of `POST /sessions`: an agent and a definition, or an environment."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [
                {"agent": _AGENT, "definition": _DEFINITION, "ttl_s": 600},
                {"environment": {"name": "LunarLanderLLM-v3"}, "seed": 0},
            ]
        },
    )

    agent: AgentReference | None = Field(
        None, description="Decides in `/act`: a section, or the name of a registered agent."
    )
    definition: SessionDefinition | None = Field(None, description="With an agent: of the environment.")
    environment: EnvironmentConfig | None = Field(None, description="Is played in `/step`.")
    seed: Seed = Field(0, description="Of the first episode; each next episode adds 1, unless `/reset` says otherwise.")
    ttl_s: Annotated[float, Field(gt=0)] = Field(600, description="Silence after which the session ends, in s.")

    @model_validator(mode="after")
    def _one_side_lives_here(self) -> Self:
        if self.agent is not None and self.environment is not None:
            raise ValueError("give an agent or an environment; POST /runs plays both together")
        if self.agent is None and self.environment is None:
            raise ValueError("give an agent (and a definition) or an environment")
        if (self.agent is None) != (self.definition is None):
            raise ValueError("definition: needed with an agent, and only there")
        return self


class CallRequest(BaseModel):
    """What the calls of a session have in common."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    request_id: RequestId | None = Field(
        None, description="Of the client's choice: the same call under the same id gives the same answer again."
    )


class ActRequest(CallRequest):
    """The body of `POST /sessions/{session_id}/act`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"observation": {"distance": 1.32, "battery": 0.9}, "reward": -0.1, "request_id": "step-7"}]
        }
    )

    observation: Any = Field(description="What the environment shows now, as plain JSON.")
    reward: float | None = Field(None, description="That the last action earned.")
    terminated: bool = Field(False, description="The last action has ended the episode: nothing is decided any more.")
    truncated: bool = Field(False, description="The episode ends here without having come to its end.")
    success: bool | None = Field(None, description="With terminated or truncated: whether the goal was reached.")

    @model_validator(mode="after")
    def _success_at_the_end(self) -> Self:
        if self.success is not None and not self.over:
            raise ValueError("success: only with terminated or truncated")
        return self

    @property
    def over(self) -> bool:
        """Whether the episode ends."""
        return self.terminated or self.truncated


class StepRequest(CallRequest):
    """The body of `POST /sessions/{session_id}/step`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"action": 2, "reflection": "Too fast: brake."}]})

    action: Any = Field(description="As plain JSON, valid against the environment's action space.")
    reflection: Annotated[str, Field(max_length=10_000)] = Field("", description="Why, where the player says it.")


class ResetRequest(CallRequest):
    """The body of `POST /sessions/{session_id}/reset`; it may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"seed": 7}]})

    seed: Seed | None = Field(None, description="Of the episode; null = the session's seed + the index of the episode.")


class SessionView(State):
    """A session."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": EXAMPLE_ID,
                    "status": "running",
                    "error": None,
                    "progress": {"episodes_done": 0, "steps": 12},
                    "created_at": "2026-11-22T10:15:00Z",
                    "started_at": "2026-11-22T10:15:00Z",
                    "finished_at": None,
                    "agent": _AGENT,
                    "definition": _DEFINITION,
                    "environment": None,
                    "seed": 0,
                    "observation": None,
                    "ttl_s": 600,
                    "expires_at": "2026-11-22T10:26:12Z",
                }
            ]
        },
    )

    agent: AgentConfig | None
    definition: SessionDefinition | None
    environment: EnvironmentConfig | None
    seed: int
    observation: Any = Field(description="Of an environment that lives here: what it shows now.")
    ttl_s: float
    expires_at: datetime = Field(description="Each call and each heartbeat moves it.")


class ActView(BaseModel):
    """A decision. Where the call has ended the episode there is none: reflection and action are null."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "episode": 0,
                    "step": 7,
                    "reflection": "1.32 m are left, so there is room to drive on.",
                    "action": 1,
                    "decided": True,
                    "outcome": "valid",
                    "attempts": 1,
                    "problem": None,
                    "latency_ms": 412.5,
                    "prompt_tokens": 1130,
                    "cached_tokens": 1024,
                    "completion_tokens": 38,
                    "cost_usd": 0.00012,
                }
            ]
        }
    )

    episode: int
    step: int = Field(description="From 1 in each episode; where the call has ended it, its last.")
    reflection: str | None = None
    action: Any = None
    decided: bool = Field(False, description="False where an earlier action is only repeated (`action_rate`).")
    outcome: Outcome | None = None
    attempts: int = 0
    problem: str | None = None
    latency_ms: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None


class TransitionView(BaseModel):
    """What an action led to."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "episode": 0,
                    "step": 12,
                    "observation": {"x": 0.031, "y": 1.274, "velocity_x": 0.27, "velocity_y": -0.31},
                    "reward": -0.84,
                    "total_reward": 3.1,
                    "terminated": False,
                    "truncated": False,
                    "success": None,
                }
            ]
        }
    )

    episode: int
    step: int = Field(description="From 1 in each episode.")
    observation: Any
    reward: float
    total_reward: float = Field(description="Of the episode so far.")
    terminated: bool
    truncated: bool
    success: bool | None = Field(description="Null until the end, and where the environment does not say it.")


class ResetView(BaseModel):
    """An episode that begins."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"episode": 1, "seed": 1, "observation": {"x": 0.0}}]})

    episode: int
    seed: int
    observation: Any = Field(description="Of an environment that lives here: what it shows first.")
