"""HTTP of what is stored of sessions: the same as of runs."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from app.artifacts.metrics import Metrics
from app.deps import Admission, CurrentCaller, Limit
from app.errors import InvalidRequestError, NotFoundError, TooManyWatchersError
from app.problems import documented
from app.runs.file_routes import RAW_OUTPUTS
from app.runs.routes import JSONL, STEPS, EpisodeIndex, LastEventId, StepId, Stream, event_stream, steps_response
from app.runs.schemas import EpisodeView, Page, StepView
from app.sessions.examples import SESSION_EVENTS
from app.sessions.routes import Sessions

router = APIRouter(
    prefix="/sessions/{session_id}", tags=["sessions"], responses=documented(NotFoundError, InvalidRequestError)
)


@router.get(
    "/events",
    summary="Follow a session (server-sent events)",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/event-stream": {"example": SESSION_EVENTS}}, "description": "The stream"},
        **documented(TooManyWatchersError),
    },
)
async def follow_session(
    session_id: UUID,
    sessions: Sessions,
    caller: CurrentCaller,
    stream: Stream,
    admission: Annotated[Admission, Depends()],
    after: StepId = 0,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Events `session`, `step`, `episode`, and `done` at the end; resumed as those of a run. Where the environment
    lives elsewhere a step is told as soon as it is decided: its reward is null until the next call brings it, and in
    the list of steps from then on."""
    await sessions.records.row(caller, session_id)
    return await event_stream(stream, admission, session_id, after, last_event_id)


@router.get("/steps", summary="List steps of a session", response_model=Page[StepView], responses=STEPS)
async def list_session_steps(
    session_id: UUID,
    sessions: Sessions,
    caller: CurrentCaller,
    limit: Limit = 100,
    after: StepId = 0,
    episode: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Of this episode only.")] = None,
    accept: Annotated[str, Header(description=f"`{JSONL}` gives all steps, one JSON object a line.")] = "*/*",
) -> Any:
    """In the order of the session's log, in pages; or all at once as JSON lines."""
    return await steps_response(
        sessions.records, caller, session_id, limit=limit, after=after, episode=episode, accept=accept
    )


@router.get("/episodes", summary="List episodes of a session")
async def list_session_episodes(
    session_id: UUID,
    sessions: Sessions,
    caller: CurrentCaller,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="Index of the last episode that is known.")] = -1,
) -> Page[EpisodeView]:
    """By index; an episode is listed from its start."""
    return await sessions.records.episodes(caller, session_id, limit=limit, after=after)


@router.get("/episodes/{episode}", summary="Get an episode of a session")
async def get_session_episode(
    session_id: UUID, episode: EpisodeIndex, sessions: Sessions, caller: CurrentCaller
) -> EpisodeView:
    """Its seed, its rewards so far, and how it ended."""
    return EpisodeView.model_validate(await sessions.records.episode(caller, session_id, episode))


@router.get(
    "/episodes/{episode}/raw_outputs", summary="Reflection and action of every step of a session", responses=RAW_OUTPUTS
)
async def get_session_raw_outputs(
    session_id: UUID, episode: EpisodeIndex, sessions: Sessions, caller: CurrentCaller
) -> dict[str, dict[str, Any]]:
    """By step number, as in the raw-outputs files of an experiment's folder."""
    return await sessions.records.raw_outputs(caller, session_id, episode)


@router.get("/metrics", summary="The figures of a session")
async def get_session_metrics(session_id: UUID, sessions: Sessions, caller: CurrentCaller) -> Metrics:
    """So far while it is open, final afterwards. Episodes that failed or were given up are left out of the averages."""
    return await sessions.records.metrics(caller, session_id)
