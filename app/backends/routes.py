"""HTTP of backends: what can decide, and whether it can right now."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from gym_llm.backends import Backend


class BackendView(BaseModel):
    """A backend. Keys and addresses are never shown."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "name": "ollama",
                    "configured": True,
                    "reachable": True,
                    "models": ["llama3.1:latest"],
                    "detail": None,
                    "concurrency": 256,
                    "max_concurrency": 256,
                }
            ]
        },
    )

    name: str
    configured: bool = Field(description="Whether the server has what it needs to call it, such as a key.")
    reachable: bool = Field(description="Whether it answered just now.")
    models: tuple[str, ...]
    detail: str | None
    concurrency: int | None = Field(
        description="Requests that this process lets be in flight right now: fewer while the server answers 429."
    )
    max_concurrency: int | None = Field(description="What it is otherwise.")


class BackendList(BaseModel):
    """All backends."""

    data: list[BackendView]
    has_more: bool = False


def backends(request: Request) -> Mapping[str, Backend]:
    configured: Mapping[str, Backend] = request.app.state.backends
    return configured


router = APIRouter(prefix="/backends", tags=["backends"])


@router.get("", summary="List backends")
async def list_backends(configured: Annotated[Mapping[str, Backend], Depends(backends)]) -> BackendList:
    """Each is asked right now; one that does not answer within two seconds counts as not reachable."""
    found = await asyncio.gather(*(backend.status() for backend in configured.values()))
    return BackendList(data=[BackendView.model_validate(status) for status in found])
