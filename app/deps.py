"""What routes of every feature depend on."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

LOCAL_OWNER = "local"
"""Whoever calls without an API key."""


def owner() -> str:
    """Whose runs a request sees and makes."""
    return LOCAL_OWNER


Owner = Annotated[str, Depends(owner)]
Limit = Annotated[int, Query(ge=1, le=100, description="Most items on one page.")]
AfterId = Annotated[UUID | None, Query(description="Id of the last item of the page before.")]
