"""How environments are shown."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Definition(BaseModel):
    """What a model is told of an environment."""

    observation_schema: dict[str, Any] | str
    action_schema: dict[str, str] | str
    goal_description: str


class KwargView(BaseModel):
    """One argument that a request may give."""

    type: str
    default: Any = None
    required: bool = False


class EnvironmentView(BaseModel):
    """An environment. Where its plugin failed to load, `load_error` says why and the rest is null."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "CartPoleLLM-v1",
                    "plugin": "classic_control",
                    "load_error": None,
                    "description": "hand-written",
                    "definition": {
                        "observation_schema": {"cart_position": {"description": "Of the cart.", "type": "float"}},
                        "action_schema": {"0": "Push the cart to the left.", "1": "Push the cart to the right."},
                        "goal_description": "Keep the pole upright for as long as possible.",
                    },
                    "observation_space": {"type": "object"},
                    "action_space": {"type": "integer", "enum": [0, 1]},
                    "max_steps": 500,
                    "reward_threshold": 475.0,
                    "allowed_kwargs": {},
                    "heuristic": True,
                }
            ]
        }
    )

    id: str | None = Field(description="What `environment.name` of a run says; null for a plugin that failed to load.")
    plugin: str = Field(description="The plugin, or else the package, that it comes from.")
    load_error: str | None = Field(None, description="Why it can't be used.")
    description: Literal["hand-written", "adapted"] | None = Field(
        None, description="Whether its author wrote the definition, or it is derived from spaces and documentation."
    )
    definition: Definition | None = None
    observation_space: dict[str, Any] | None = Field(None, description="As JSON Schema.")
    action_space: dict[str, Any] | None = Field(None, description="As JSON Schema.")
    max_steps: int | None = None
    reward_threshold: float | None = None
    allowed_kwargs: dict[str, KwargView] = Field(default={}, description="Arguments that a request may give.")
    heuristic: bool = Field(False, description="Whether the baseline `heuristic` can play it.")


class EnvironmentList(BaseModel):
    """All environments."""

    data: list[EnvironmentView]
    has_more: bool = False
