"""HTTP of forks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from app.body import REFUSALS, body_of, documented_body
from app.deps import CurrentCaller
from app.errors import (
    ConflictError,
    IdempotencyMismatchError,
    InvalidRequestError,
    NotFoundError,
    TooManyRunsError,
)
from app.forks.schemas import DiffView, ForkRequest
from app.forks.service import ForkService
from app.problems import documented
from app.runs.schemas import RunView


def fork_service(request: Request) -> ForkService:
    service: ForkService = request.app.state.forks
    return service


Forks = Annotated[ForkService, Depends(fork_service)]
OtherEpisode = Annotated[int | None, Query(ge=0, le=2**31 - 1)]

router = APIRouter(prefix="/runs/{run_id}", tags=["runs"], responses=documented(NotFoundError, InvalidRequestError))


@router.post(
    "/fork",
    status_code=202,
    summary="Fork a run",
    openapi_extra=documented_body(ForkRequest),
    responses={
        202: {"description": "The fork is accepted and will not be lost; `Location` tells where to look"},
        **documented(*REFUSALS, InvalidRequestError, IdempotencyMismatchError, ConflictError, TooManyRunsError),
    },
)
async def fork_run(
    run_id: UUID,
    body: Annotated[ForkRequest, Depends(body_of(ForkRequest))],
    forks: Forks,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, description="The same key and body give the same fork again.")
    ] = None,
) -> RunView:
    """A new run of one episode: that of the parent up to the step before `step`, then on with the changed agent.

    The kept steps are copied into the fork's own log, marked `inherited`, at no cost: the parent has paid for them.
    The fork outlives its parent."""
    run = await forks.fork(caller, run_id, body, idempotency_key)
    response.headers["Location"] = str(request.url_for("get_run", run_id=run.id).path)
    return run


@router.get("/diff", summary="Compare with another run")
async def diff_runs(
    run_id: UUID,
    forks: Forks,
    caller: CurrentCaller,
    other: Annotated[UUID, Query(alias="with", description="Id of the other run.")],
    episode: OtherEpisode = None,
    with_episode: OtherEpisode = None,
) -> DiffView:
    """Where two episodes part, what was thought and done there, and what came of it. Without `episode` and
    `with_episode`: those that a fork and its parent share, else the first ones."""
    return await forks.diff(caller, run_id, other, episode, with_episode)
