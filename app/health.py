"""Whether the service is alive, and whether it can work."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from app.errors import UnavailableError
from app.problems import documented

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well; anything else is a problem."""

    status: str = "ok"


def database(request: Request) -> Database:
    connected: Database = request.app.state.database
    return connected


@router.get("/livez", summary="Is the process alive?")
async def livez() -> Health:
    """Answers as long as the event loop turns."""
    return Health()


@router.get("/readyz", summary="Can it work?", responses=documented(UnavailableError))
async def readyz(connected: Annotated[Database, Depends(database)]) -> Health:
    """Asks the database. Backends do not count: the service works without a model, and `/backends` tells of them."""
    try:
        async with connected.reading() as session:
            await session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        raise UnavailableError("The database does not answer.") from error
    return Health()
