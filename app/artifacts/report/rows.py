"""What a report is made from: runs and their episodes, as plain rows."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

from gym_llm.statistics import EpisodeResult


def _web_address(value: str) -> str:
    # A relative path has no colon before its first slash.
    scheme, colon, _ = value.partition("/")[0].partition(":")
    if colon and scheme.lower() not in ("http", "https"):
        raise ValueError("must be a relative path or an http(s) address")
    return value


Link = Annotated[str, AfterValidator(_web_address)]


class Failure(BaseModel):
    """Why a run or an episode failed."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    code: str
    message: str


class ReportedEpisode(EpisodeResult):
    """An episode of a run."""

    episode: int = Field(ge=0)
    error: Failure | None = None
    gif: Link | None = Field(None, description="Where its GIF is: a relative path or an http(s) address.")


class ReportedRun(BaseModel):
    """A run: the episodes of one agent in one environment. Fields that the service also has are named alike."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: UUID
    status: str
    error: Failure | None = None
    agent: dict[str, Any] = Field(description="The agent's configuration, with `backend` and `model`.")
    agent_name: str | None = Field(None, description="What the report calls the agent; null = made from `agent`.")
    environment: dict[str, Any] = Field(description="`name` and `kwargs`.")
    max_steps: int | None = Field(None, description="Where the run truncates episodes earlier than the environment.")
    reward_threshold: FiniteFloat | None = None
    episodes: list[ReportedEpisode]
