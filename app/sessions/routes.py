"""HTTP of sessions: the half of a run that lives here, for the other half that lives elsewhere."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from app.body import REFUSALS, body_of, documented_body
from app.deps import AfterId, CurrentCaller, Limit
from app.errors import (
    BusyError,
    ConflictError,
    EnvFailedError,
    InvalidRequestError,
    LLMFailedError,
    NotFoundError,
    RequestIdMismatchError,
    SessionOverError,
    TooManyEnvironmentsError,
    TooManySessionsError,
)
from app.problems import documented
from app.runs.schemas import Page, RunStatus
from app.sessions.schemas import (
    ActRequest,
    ActView,
    ResetRequest,
    ResetView,
    SessionRequest,
    SessionView,
    StepRequest,
    TransitionView,
)
from app.sessions.service import SessionService

SESSION_YAML = """\
agent:
    backend: 'ollama'
    model: 'llama3.1'
definition:
    observation_schema:
        distance: 'to the wall ahead, in m'
    action_schema:
        '0': 'Stop.'
        '1': 'Drive 10 cm ahead.'
    goal_description: 'Come within 20 cm of the wall and stop there. Touching it costs 10.'
ttl_s: 600
"""
CALL = (*REFUSALS, NotFoundError, ConflictError, BusyError, SessionOverError)
"""How every call of a session can end, besides a wrong field."""


def session_service(request: Request) -> SessionService:
    service: SessionService = request.app.state.sessions
    return service


Sessions = Annotated[SessionService, Depends(session_service)]

router = APIRouter(prefix="/sessions", tags=["sessions"])


@router.post(
    "",
    status_code=201,
    summary="Begin a session",
    openapi_extra=documented_body(SessionRequest, SESSION_YAML),
    responses=documented(
        *REFUSALS, InvalidRequestError, TooManySessionsError, EnvFailedError, TooManyEnvironmentsError
    ),
)
async def create_session(
    body: Annotated[SessionRequest, Depends(body_of(SessionRequest))],
    sessions: Sessions,
    caller: CurrentCaller,
    request: Request,
    response: Response,
) -> SessionView:
    """With an `agent` and the `definition` of an environment that lives elsewhere (a robot, a simulator in another
    language): ask for actions with `/act`. With an `environment`: play it with `/step`, as a person, a script or a
    trainer; the answer holds the first observation. A session ends with `DELETE`, or after `ttl_s` without a call."""
    session = await sessions.create(caller, body)
    response.headers["Location"] = str(request.url_for("get_play_session", session_id=session.id).path)
    return session


@router.get("", summary="List sessions, newest first", responses=documented(InvalidRequestError))
async def list_sessions(
    sessions: Sessions,
    caller: CurrentCaller,
    limit: Limit = 20,
    after: AfterId = None,
    status: Annotated[RunStatus | None, Query()] = None,
) -> Page[SessionView]:
    """Those that are open and those that are over, or of one status only."""
    return await sessions.list(caller, limit=limit, after=after, filters={"status": status})


@router.get(
    "/{session_id}",
    summary="Get a session",
    name="get_play_session",
    responses=documented(NotFoundError, InvalidRequestError),
)
async def get_session(session_id: UUID, sessions: Sessions, caller: CurrentCaller) -> SessionView:
    """Status, progress, configuration, and when it expires."""
    return await sessions.get(caller, session_id)


@router.post(
    "/{session_id}/act",
    summary="Ask the agent for an action",
    openapi_extra=documented_body(ActRequest),
    responses=documented(*CALL, InvalidRequestError, RequestIdMismatchError, LLMFailedError),
)
async def act(
    session_id: UUID,
    body: Annotated[ActRequest, Depends(body_of(ActRequest))],
    sessions: Sessions,
    caller: CurrentCaller,
) -> ActView:
    """Reflection and action for an observation. `reward` is what the action before earned. With `terminated` or
    `truncated` the episode ends and nothing is decided; the next call begins the next episode.

    One call at a time: 409 while another is under way. A call that ends in 502 (`llm_error`) has changed nothing and
    can be made again. With a `request_id` a call can be repeated whatever became of it: it is carried out once."""
    return await sessions.act(caller, session_id, body)


@router.post(
    "/{session_id}/step",
    summary="Take an action in the environment",
    openapi_extra=documented_body(StepRequest),
    responses=documented(*CALL, InvalidRequestError, RequestIdMismatchError, EnvFailedError, TooManyEnvironmentsError),
)
async def step(
    session_id: UUID,
    body: Annotated[StepRequest, Depends(body_of(StepRequest))],
    sessions: Sessions,
    caller: CurrentCaller,
) -> TransitionView:
    """What the action led to. An action that the environment does not have is 422 and changes nothing.

    One call at a time: 409 while another is under way. With a `request_id` a call can be repeated whatever became of
    it: it is carried out once. Where the environment is not in this process any more it is made again, and the stored
    actions are taken again; 409 where it does not come to the same."""
    return await sessions.step(caller, session_id, body)


@router.post(
    "/{session_id}/reset",
    summary="Begin the next episode",
    openapi_extra=documented_body(ResetRequest, optional=True),
    responses=documented(*CALL, InvalidRequestError, RequestIdMismatchError, EnvFailedError, TooManyEnvironmentsError),
)
async def reset(
    session_id: UUID,
    body: Annotated[ResetRequest, Depends(body_of(ResetRequest, optional=True))],
    sessions: Sessions,
    caller: CurrentCaller,
) -> ResetView:
    """An episode that is not over is given up: it counts as cancelled, and no average holds it."""
    return await sessions.reset(caller, session_id, body)


@router.post(
    "/{session_id}/heartbeat",
    summary="Keep a session open",
    responses=documented(NotFoundError, SessionOverError, InvalidRequestError),
)
async def heartbeat(session_id: UUID, sessions: Sessions, caller: CurrentCaller) -> SessionView:
    """Gives it another `ttl_s`, as every call does."""
    return await sessions.heartbeat(caller, session_id)


@router.delete(
    "/{session_id}",
    status_code=204,
    summary="End a session",
    responses=documented(NotFoundError, InvalidRequestError),
)
async def end_session(
    session_id: UUID,
    sessions: Sessions,
    caller: CurrentCaller,
    purge: Annotated[bool, Query(description="Delete all that is stored of it, too.")] = False,
) -> None:
    """Its steps can still be read, unless they are deleted with it. One that is over stays as it is."""
    await sessions.end(caller, session_id, purge=purge)
