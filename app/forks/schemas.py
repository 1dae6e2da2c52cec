"""What clients send and get: forks, and how two episodes differ."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.runs.schemas import EXAMPLE_ID, StepView

Difference = Literal["observation", "action", "reflection", "reward", "length"]


class ForkRequest(BaseModel):
    """The body of `POST /runs/{run_id}/fork`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"episode": 0, "step": 40, "agent": {"model": "gpt-4o", "temperature": 0.2}}]},
    )

    episode: int = Field(0, ge=0, le=2**31 - 1, description="Of the parent.")
    step: int = Field(ge=1, le=2**31 - 1, description="The first step that is decided anew; those before are kept.")
    agent: dict[str, Any] = Field(
        default={},
        description="What is different: any fields of the `agent` section, such as backend, model, temperature, "
        "sampling_seed. The others are the parent's.",
    )


class Side(BaseModel):
    """One of the two episodes."""

    run_id: UUID
    episode: int
    status: str
    num_steps: int
    total_reward: float
    reward_from_there: float = Field(description="Of the first difference and all steps after it.")
    step: StepView | None = Field(description="At the first difference; null where there is none, or no such step.")


class DiffView(BaseModel):
    """Two episodes, compared step by step."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "first_difference": 40,
                    "differs": ["reflection"],
                    "first_other_action": 43,
                    "run": {
                        "run_id": EXAMPLE_ID,
                        "episode": 0,
                        "status": "succeeded",
                        "num_steps": 201,
                        "total_reward": 271.2,
                        "reward_from_there": 239.0,
                        "step": None,
                    },
                    "other": {
                        "run_id": "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e60",
                        "episode": 3,
                        "status": "succeeded",
                        "num_steps": 188,
                        "total_reward": -104.8,
                        "reward_from_there": -137.0,
                        "step": None,
                    },
                }
            ]
        }
    )

    first_difference: int | None = Field(description="The first step that is not the same in both; null = all are.")
    differs: list[Difference] = Field(description="What differs there; `length`: one of the two ends before it.")
    first_other_action: int | None = Field(description="The first step at which another action is taken.")
    run: Side
    other: Side
