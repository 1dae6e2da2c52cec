"""HTTP of runs, their episodes, steps and events."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from app.access import Caller
from app.body import REFUSALS, body_of, documented_body
from app.deps import Admission, AfterId, CurrentCaller, Limit
from app.errors import (
    ConflictError,
    IdempotencyMismatchError,
    InvalidRequestError,
    NotFoundError,
    TooManyRunsError,
    TooManyWatchersError,
)
from app.problems import documented
from app.runs.examples import RUN_EVENTS, RUN_YAML
from app.runs.records import Records
from app.runs.schemas import EpisodeView, Page, RunRequest, RunStatus, RunView, StepView
from app.runs.service import RunService
from app.runs.stream import RunStream

MAX_WAIT_S = 60
JSONL = "application/jsonl"
NO_NUL = r"^[^\x00]*$"
"""Of text that goes to the database: Postgres has no NUL."""
EVENT_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d+)")


def run_service(request: Request) -> RunService:
    service: RunService = request.app.state.runs
    return service


def run_stream(request: Request) -> RunStream:
    stream: RunStream = request.app.state.stream
    return stream


Runs = Annotated[RunService, Depends(run_service)]
Stream = Annotated[RunStream, Depends(run_stream)]
EpisodeIndex = Annotated[int, Path(ge=0, le=2**31 - 1, description="Index of the episode, from 0.")]
LastEventId = Annotated[str | None, Header(description="Sent by browsers when they reconnect.")]
StepId = Annotated[int, Query(ge=0, le=2**31 - 1, description="Id of the last step that is known already.")]

router = APIRouter(prefix="/runs", tags=["runs"])


@router.post(
    "",
    status_code=202,
    summary="Start a run",
    response_model=RunView,
    openapi_extra=documented_body(RunRequest, RUN_YAML),
    responses={
        200: {"model": RunView, "description": "The run, over already (only with `Prefer: wait=N`)"},
        202: {"description": "The run is accepted and will not be lost; `Location` tells where to look"},
        **documented(*REFUSALS, InvalidRequestError, IdempotencyMismatchError, TooManyRunsError),
    },
)
async def create_run(
    body: Annotated[RunRequest, Depends(body_of(RunRequest))],
    runs: Runs,
    caller: CurrentCaller,
    request: Request,
    response: Response,
    prefer: Annotated[
        str | None, Header(description="`wait=N`: answer when the run is over, after N s at most.")
    ] = None,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, description="The same key and body give the same run again.")
    ] = None,
) -> RunView:
    """Play the agent in the environment for `num_runs` episodes. Takes JSON or the YAML of the configuration files."""
    run = await runs.create(caller, body, idempotency_key)
    if prefer and (wait := _WAIT.search(prefer)):
        run = await runs.wait(caller, run.id, min(int(wait[1]), MAX_WAIT_S))
        response.headers["Preference-Applied"] = "wait"
        if run.finished_at is not None:
            response.status_code = 200
    response.headers["Location"] = str(request.url_for("get_run", run_id=run.id).path)
    return run


@router.get("", summary="List runs, newest first", responses=documented(InvalidRequestError))
async def list_runs(
    runs: Runs,
    caller: CurrentCaller,
    limit: Limit = 20,
    after: AfterId = None,
    status: Annotated[RunStatus | None, Query()] = None,
    environment: Annotated[str | None, Query(pattern=NO_NUL, description="Id of the environment.")] = None,
    backend: Annotated[str | None, Query(pattern=NO_NUL)] = None,
    model: Annotated[str | None, Query(pattern=NO_NUL)] = None,
    batch: Annotated[UUID | None, Query(description="Id of the batch.")] = None,
) -> Page[RunView]:
    """Each filter is an equality; without any, all runs are listed."""
    filters = {"status": status, "environment_id": environment, "backend": backend, "model": model, "batch_id": batch}
    return await runs.list(caller, limit=limit, after=after, filters=filters)


@router.get("/{run_id}", summary="Get a run", responses=documented(NotFoundError, InvalidRequestError))
async def get_run(run_id: UUID, runs: Runs, caller: CurrentCaller) -> RunView:
    """Status, progress, and the configuration as it was used."""
    return await runs.get(caller, run_id)


@router.post(
    "/{run_id}/cancel",
    status_code=202,
    summary="Cancel a run",
    responses=documented(NotFoundError, InvalidRequestError),
)
async def cancel_run(run_id: UUID, runs: Runs, caller: CurrentCaller) -> RunView:
    """At most one further step is taken. A run that is over stays as it is."""
    return await runs.cancel(caller, run_id)


@router.delete(
    "/{run_id}",
    status_code=204,
    summary="Delete a run",
    responses=documented(NotFoundError, ConflictError, InvalidRequestError),
)
async def delete_run(run_id: UUID, runs: Runs, caller: CurrentCaller) -> None:
    """Deletes its steps and files too. Only a run that is over can be deleted."""
    await runs.delete(caller, run_id)


@router.get(
    "/{run_id}/events",
    summary="Follow a run (server-sent events)",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"example": RUN_EVENTS}}, "description": "The stream"},
        **documented(NotFoundError, InvalidRequestError, TooManyWatchersError),
    },
)
async def follow_run(
    run_id: UUID,
    runs: Runs,
    caller: CurrentCaller,
    stream: Stream,
    admission: Annotated[Admission, Depends()],
    after: StepId = 0,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Events `run`, `step`, `episode`, and `done` at the end. Only steps carry an id: resume with `Last-Event-ID` or
    `?after=`, and no step is missed or sent twice. A stream can be read again at any time."""
    await runs.get(caller, run_id)
    return await event_stream(stream, admission, run_id, after, last_event_id)


async def event_stream(
    stream: RunStream, admission: Admission, run_id: UUID, after: int, last_event_id: str | None
) -> StreamingResponse:
    """The response that follows a run, from where its watcher was."""
    known = int(last_event_id) if last_event_id and last_event_id.isdecimal() else after
    events = await stream.open(run_id, min(known, 2**31 - 1))
    return StreamingResponse(
        admission.while_it_lasts(events), media_type="text/event-stream", headers=EVENT_STREAM_HEADERS
    )


STEPS: dict[int | str, dict[str, Any]] = {
    200: {"content": {JSONL: {"schema": {"type": "string"}}}, "description": "A page, or every step as JSON lines"},
    **documented(NotFoundError, InvalidRequestError),
}


@router.get("/{run_id}/steps", summary="List steps", response_model=Page[StepView], responses=STEPS)
async def list_steps(
    run_id: UUID,
    runs: Runs,
    caller: CurrentCaller,
    limit: Limit = 100,
    after: StepId = 0,
    episode: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Of this episode only.")] = None,
    accept: Annotated[str, Header(description=f"`{JSONL}` gives all steps, one JSON object a line.")] = "*/*",
) -> Any:
    """In the order of the run's log, in pages; or all at once as JSON lines."""
    return await steps_response(runs, caller, run_id, limit=limit, after=after, episode=episode, accept=accept)


async def steps_response(
    records: Records, caller: Caller, run_id: UUID, *, limit: int, after: int, episode: int | None, accept: str
) -> Page[StepView] | StreamingResponse:
    """Steps in the form that `accept` asks for."""
    if JSONL in accept:
        await records.row(caller, run_id)
        return StreamingResponse(_lines(records, caller, run_id, after, episode), media_type=JSONL)
    return await records.steps(caller, run_id, limit=limit, after=after, episode=episode)


async def _lines(records: Records, caller: Caller, run_id: UUID, after: int, episode: int | None) -> AsyncIterator[str]:
    more = True
    while more:
        page = await records.steps(caller, run_id, limit=500, after=after, episode=episode)
        yield "".join(f"{step.model_dump_json()}\n" for step in page.data)
        after = page.data[-1].id if page.data else after
        more = page.has_more


@router.get("/{run_id}/episodes", summary="List episodes", responses=documented(NotFoundError, InvalidRequestError))
async def list_episodes(
    run_id: UUID,
    runs: Runs,
    caller: CurrentCaller,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="Index of the last episode that is known.")] = -1,
) -> Page[EpisodeView]:
    """By index; an episode is listed from its start."""
    return await runs.episodes(caller, run_id, limit=limit, after=after)


@router.get(
    "/{run_id}/episodes/{episode}", summary="Get an episode", responses=documented(NotFoundError, InvalidRequestError)
)
async def get_episode(run_id: UUID, episode: EpisodeIndex, runs: Runs, caller: CurrentCaller) -> EpisodeView:
    """Its seed, its rewards so far, and how it ended."""
    return EpisodeView.model_validate(await runs.episode(caller, run_id, episode))
