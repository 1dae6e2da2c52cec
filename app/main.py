"""The ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline

from app import health, problems
from app.agents import routes as agent_routes
from app.agents.schemas import AgentChange, AgentRequest
from app.archives import routes as import_routes
from app.backends import routes as backend_routes
from app.batches import result_routes as batch_result_routes
from app.batches import routes as batch_routes
from app.batches.schemas import BatchRequest, RetryRequest
from app.body import body_schemas
from app.bootstrap import Service, build
from app.deps import SAFE_METHODS, current_caller
from app.environments import routes as environment_routes
from app.errors import ForbiddenError, UnauthorizedError
from app.exports import routes as export_routes
from app.forks import routes as fork_routes
from app.forks.schemas import ForkRequest
from app.keys import routes as key_routes
from app.reports import routes as report_routes
from app.runs import file_routes, routes
from app.runs.schemas import RunRequest
from app.sessions import log_routes
from app.sessions import routes as session_routes
from app.sessions.schemas import ActRequest, ResetRequest, SessionRequest, StepRequest
from app.settings import Settings
from app.telemetry import set_up_logging

BODIES = (
    *(RunRequest, AgentRequest, AgentChange, ForkRequest),
    *(SessionRequest, ActRequest, StepRequest, ResetRequest),
    *(BatchRequest, RetryRequest),
)
"""Of requests that are read by `app.body`."""

PARTS = (
    *("settings", "database", "authenticator", "catalog", "backends"),
    *("stream", "runs", "files", "agents", "sessions"),
    *("exports", "forks", "imports", "reports", "batches", "batch_results", "batch_stream"),
)
"""Of the service, that routes use."""

DESCRIPTION = """\
Runs LLM-powered agents in Gymnasium environments. Before each action the agent reflects on its past observations and
actions; every step's reflection and action is stored, streamed live and replayable.

Start with `POST /runs`, follow `GET /runs/{id}/events`, then look at the GIF and the metrics. Errors are RFC 9457
problem details with a stable `type`.

Where the operator has made API keys, send one along: `Authorization: Bearer glm_...`. A key sees the runs of its owner;
one with the role `viewer` only looks, one with the role `admin` sees and does everything. Browsers can't send a key
with images, downloads and event streams: there, `POST /auth/session` sets a cookie that is good for reading.
"""


def create_app(settings: Settings | None = None, service: Service | None = None, *, insecure: bool = False) -> FastAPI:
    """The application.

    Args:
        settings: None = those of the environment.
        service: replaces the parts that `settings` would give, for tests.
        insecure: as long as no API key was ever made, whoever reaches it is let in; else only this machine is.
    """
    if service is None:
        settings = settings or Settings()
        set_up_logging(settings.log_level)
        service = build(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    # The pages of the API reference come from an installed package: a browser without internet can read them too.
    app: FastAPI = FastAPIOffline(title="gym-llm", version="0.1.0", description=DESCRIPTION, lifespan=lifespan)
    for part in PARTS:
        setattr(app.state, part, getattr(service, part))
    app.state.insecure = insecure
    problems.install(app)
    refusals = problems.documented(UnauthorizedError, ForbiddenError)
    for router in (
        routes.router,
        file_routes.router,
        agent_routes.router,
        session_routes.router,
        log_routes.router,
        export_routes.router,
        import_routes.router,
        fork_routes.router,
        report_routes.router,
        batch_routes.router,
        batch_result_routes.router,
        environment_routes.router,
        backend_routes.router,
    ):
        app.include_router(router, dependencies=[Depends(current_caller)], responses=refusals)
    # These see to themselves who may use them: whoever signs in, and everybody.
    for router in (key_routes.router, health.router):
        app.include_router(router)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    # Only when somebody asks: it takes longer than all the rest of the start.
    document = FastAPI.openapi(app)
    document["components"]["schemas"] |= body_schemas(*BODIES) | problems.schemas()
    # FastAPI can't see that `current_caller`, which alone ends in 403, takes cookies for some methods only.
    for operations in document["paths"].values():
        for method, operation in operations.items():
            if method.upper() not in SAFE_METHODS and str(ForbiddenError.status) in operation["responses"]:
                operation["security"] = [need for need in operation["security"] if "key" in need]
    return document
