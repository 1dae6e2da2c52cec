"""What clients send and get of registered agents."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app.body import AgentName
from gym_llm.config import AgentConfig

_EXAMPLE: JsonDict = {"backend": "ollama", "model": "llama3.1", "temperature": 0.8, "history": 10}


class AgentChange(BaseModel):
    """The body of `PUT /agents/{name}`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"agent": _EXAMPLE}]})

    agent: AgentConfig = Field(description="The section, as in a configuration.")


class AgentRequest(AgentChange):
    """The body of `POST /agents`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "careful-llama", "agent": _EXAMPLE}]}
    )

    name: AgentName


class AgentView(BaseModel):
    """A registered agent."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f",
                    "name": "careful-llama",
                    "owner": "alice",
                    "agent": _EXAMPLE,
                    "created_at": "2026-11-22T10:15:00Z",
                    "updated_at": "2026-11-22T10:15:00Z",
                }
            ]
        },
    )

    id: UUID
    name: str
    owner: str
    agent: AgentConfig
    created_at: datetime
    updated_at: datetime


class AgentList(BaseModel):
    """One page of agents; the next one starts after the id of the last."""

    data: list[AgentView]
    has_more: bool
