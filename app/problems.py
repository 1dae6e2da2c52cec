"""Every failure on its way to the client: one shape, nothing of the input echoed, no secrets."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from app.errors import (
    PROBLEM,
    BodyTooLargeError,
    InvalidRequestError,
    MalformedBodyError,
    ProblemError,
    UnavailableError,
)
from gym_llm.errors import ConfigError

MEDIA_TYPE = "application/problem+json"
CHOICE = "~"
"""How the name of a choice begins, in the place of an error: it is no field."""
log = structlog.get_logger()


class FieldProblem(BaseModel):
    """One field of a request that is wrong."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details. `type` is stable; `detail` is for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": PROBLEM + "invalid-request",
                    "title": "The request is not valid",
                    "status": 422,
                    "detail": "agent.history: Input should be greater than or equal to 1",
                    "errors": [{"field": "agent.history", "message": "Input should be greater than or equal to 1"}],
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = Field(None, description="With status 422: each field that is wrong.")


def documented(*kinds: type[ProblemError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that can end in these problems."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        example = {"type": kind.type(), "title": kind.title, "status": kind.status, "detail": "..."}
        response = responses.setdefault(
            kind.status,
            {
                "description": kind.title,
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        response["content"][MEDIA_TYPE]["examples"][kind.slug] = {"value": example}
    return responses


def schemas() -> dict[str, Any]:
    """What the references in `documented` stand for."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**problem.pop("$defs"), "Problem": problem}


def invalid_request(errors: Sequence[Any]) -> InvalidRequestError:
    """pydantic's findings as a problem, without what the fields held."""
    found = [
        FieldProblem(
            field=".".join(part for part in map(str, error["loc"]) if part != "body" and part[:1] != CHOICE) or "body",
            message=str(error["msg"]).removeprefix("Value error, "),
        )
        for error in errors
    ]
    detail = "; ".join(f"{problem.field}: {problem.message}" for problem in found)
    return InvalidRequestError(f"{detail:.2000}", errors=[problem.model_dump() for problem in found])


def render(problem: ProblemError) -> JSONResponse:
    """A problem as a response."""
    return JSONResponse(problem.body(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every failure of `app` a problem."""

    @app.exception_handler(ProblemError)
    async def _problem(_: Request, error: ProblemError) -> JSONResponse:
        return render(error)

    @app.exception_handler(ConfigError)
    async def _config(_: Request, error: ConfigError) -> JSONResponse:
        return render(InvalidRequestError(str(error)))

    @app.exception_handler(RequestValidationError)
    async def _validation(_: Request, error: RequestValidationError) -> JSONResponse:
        return render(invalid_request(error.errors()))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == MalformedBodyError.status:
            return render(MalformedBodyError("The body can't be read."))
        if error.status_code == BodyTooLargeError.status:
            return render(BodyTooLargeError("The body is too large."))
        slug = error.detail.lower().replace(" ", "-")
        body = {"type": PROBLEM + slug, "title": error.detail, "status": error.status_code, "detail": error.detail}
        return JSONResponse(body, error.status_code, headers=error.headers, media_type=MEDIA_TYPE)

    @app.exception_handler(OperationalError)
    async def _database(_: Request, error: OperationalError) -> JSONResponse:
        log.error("database out of reach", error=type(error.orig).__name__)
        return render(UnavailableError("The database does not answer; try again."))

    @app.exception_handler(Exception)
    async def _internal(_: Request, error: Exception) -> JSONResponse:
        log.error("request failed", exc_info=error)
        return render(ProblemError("An internal error; the server's log has the details."))
