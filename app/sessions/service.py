"""The rules of sessions: how they begin, how long they live, how they end."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from app.access import Caller
from app.body import FindAgent
from app.db import Database, now
from app.errors import ConflictError, InvalidRequestError, NotFoundError, TooManySessionsError
from app.runs import repository as runs
from app.runs.models import SESSION, TERMINAL, Run
from app.runs.records import Records
from app.runs.schemas import Page
from app.sessions import repository
from app.sessions.agent_play import AgentPlay
from app.sessions.calls import Calls, Claim
from app.sessions.env_play import EnvPlay
from app.sessions.models import Session
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
from app.sessions.views import session_view
from gym_llm.config import EnvironmentConfig, ExperimentConfig

SWEEP_S = 5.0
"""Between two looks for sessions whose time is over."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The most that may be asked for."""

    sessions: int
    """Open at the same time, of one owner."""
    ttl_s: float


class SessionService:
    """Sessions, as callers see them. What is stored of them is read through `records`."""

    def __init__(
        self,
        *,
        database: Database,
        calls: Calls,
        agents: AgentPlay,
        environments: EnvPlay,
        check_environment: Callable[[EnvironmentConfig], None],
        find_agent: FindAgent,
        limits: SessionLimits,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.records = Records(database, SESSION)
        self._database = database
        self._calls = calls
        self._agents = agents
        self._environments = environments
        self._check_environment = check_environment
        self._find_agent = find_agent
        self._limits = limits
        self._clock = clock
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look for sessions whose time is over."""
        if self._database.sqlite:  # Here only one process works, so a claim that is left over is of one that is gone.
            async with self._database.writing() as session:
                await repository.release_all(session)
        self._sweeper = asyncio.create_task(self._sweep_for_ever(), name="sessions")

    async def stop(self) -> None:
        """Interrupt calls, and let go of environments; sessions go on when the service is back."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await self._calls.stop()
        await self._environments.live.close()

    async def create(self, caller: Caller, request: SessionRequest) -> SessionView:
        """Begin a session.

        Raises:
            InvalidRequestError: unknown agent or environment, argument not allowed, or past a limit.
            TooManySessionsError: as many sessions of its owner are open as may be.
            TooManyEnvironmentsError: as many environments are in use as may be.
            EnvFailedError: the environment could not be made or reset.
        """
        if request.ttl_s > self._limits.ttl_s:
            raise InvalidRequestError(f"ttl_s: this server allows at most {self._limits.ttl_s:g}.")
        run, row = self._rows(caller, request)
        if request.environment is not None:
            self._check_environment(request.environment)
            async with self._environments.begin(run.id, request.environment, 0, request.seed) as used:
                row.observation = used.thing.observation
                await self._add(run, row, episode_seed=request.seed)
        elif request.agent is not None and request.definition is not None:
            agent = await self._find_agent(caller, request.agent)
            self._agents.check(agent, request.definition)
            run.agent, run.backend, run.model = agent.model_dump(), agent.backend, agent.model
            await self._add(run, row)
        return session_view(run, row)

    async def get(self, caller: Caller, session_id: UUID) -> SessionView:
        """A session.

        Raises:
            NotFoundError: there is none that the caller sees.
        """
        run = await self.records.row(caller, session_id)
        async with self._database.reading() as session:
            return session_view(run, await repository.get_session(session, session_id))

    async def list(
        self, caller: Caller, *, limit: int, after: UUID | None, filters: Mapping[str, str | None]
    ) -> Page[SessionView]:
        """Sessions, newest first."""
        rows = await self.records.rows(caller, limit=limit + 1, after=after, filters=filters)
        async with self._database.reading() as session:
            found = await repository.list_sessions(session, [run.id for run in rows])
        shown = [session_view(run, found[run.id]) for run in rows[:limit] if run.id in found]
        return Page(data=shown, has_more=len(rows) > limit)

    async def act(self, caller: Caller, session_id: UUID, request: ActRequest) -> ActView:
        """Have the agent decide; `Calls.make` and `AgentPlay.act` tell what is raised."""

        async def act(claim: Claim) -> ActView:
            if not claim.run.agent:
                raise ConflictError("The agent of this session lives elsewhere; it plays with /step.")
            return await self._agents.act(claim, request)

        return await self._calls.make(caller, session_id, request, ActView, act)

    async def step(self, caller: Caller, session_id: UUID, request: StepRequest) -> TransitionView:
        """Step the environment; `Calls.make` and `EnvPlay.step` tell what is raised."""

        async def step(claim: Claim) -> TransitionView:
            if not claim.run.environment:
                raise ConflictError("The environment of this session lives elsewhere; ask its agent with /act.")
            return await self._environments.step(claim, request)

        return await self._calls.make(caller, session_id, request, TransitionView, step)

    async def reset(self, caller: Caller, session_id: UUID, request: ResetRequest) -> ResetView:
        """Begin the next episode; `Calls.make` and `EnvPlay.reset` tell what is raised."""

        async def reset(claim: Claim) -> ResetView:
            return await (self._environments if claim.run.environment else self._agents).reset(claim, request)

        return await self._calls.make(caller, session_id, request, ResetView, reset)

    async def heartbeat(self, caller: Caller, session_id: UUID) -> SessionView:
        """Prolong a session.

        Raises:
            NotFoundError: there is none that the caller sees.
            SessionOverError: it has ended.
        """
        await self._calls.prolong(caller, session_id)
        return await self.get(caller, session_id)

    async def end(self, caller: Caller, session_id: UUID, *, purge: bool) -> None:
        """End a session; one that is over stays as it is.

        Args:
            caller: who asks.
            session_id: of the session.
            purge: whether to delete all that is stored of it, too.

        Raises:
            NotFoundError: there is none that the caller sees.
        """
        async with self._database.writing() as session:
            found = await repository.lock(session, session_id, caller.sees)
            if found is None:
                raise NotFoundError("There is no such session.")
            run, _ = found
            if run.status not in TERMINAL:
                await repository.end(session, run, self._clock(), "succeeded")
            if purge:
                await runs.delete_finished(session, session_id)
        self._calls.wake(session_id)
        await self._let_go(session_id)

    async def sweep(self) -> None:
        """End the sessions whose time is over, and let go of what this process keeps of those that have ended."""
        async with self._database.reading() as session:
            expired = await repository.expired(session, self._clock())
        for session_id in expired:
            await self._calls.expire(session_id)
        kept = self._environments.live.sessions() + self._agents.live.sessions()
        async with self._database.reading() as session:
            over = await repository.over(session, kept)
        for session_id in over:
            await self._let_go(session_id)

    def _rows(self, caller: Caller, request: SessionRequest) -> tuple[Run, Session]:
        at, session_id = self._clock(), uuid7()
        environment = request.environment
        run = Run(
            id=session_id,
            kind=SESSION,
            owner=caller.owner,
            status="running",
            agent={},
            environment=environment.model_dump() if environment else {},
            experiment=ExperimentConfig(name="session", seed=request.seed).model_dump(),
            backend="",
            model="",
            environment_id=environment.name if environment else "",
            losses=0,
            episodes_done=0,
            steps=0,
            created_at=at,
            started_at=at,
        )
        row = Session(
            run_id=session_id,
            definition=request.definition.model_dump() if request.definition else None,
            ttl_s=request.ttl_s,
            expires_at=at + timedelta(seconds=request.ttl_s),
        )
        return run, row

    async def _add(self, run: Run, row: Session, episode_seed: int | None = None) -> None:
        async with self._database.writing() as session:
            if await runs.count_active(session, run.owner, SESSION) >= self._limits.sessions:
                raise TooManySessionsError(
                    f"{self._limits.sessions} sessions of one owner may be open at the same time; end one, or wait."
                )
            await repository.add_session(session, run, row)
            if episode_seed is not None:
                episode = {"run_id": run.id, "episode": 0, "seed": episode_seed, "status": "running"}
                await runs.add_episodes(session, [episode])

    async def _let_go(self, session_id: UUID) -> None:
        await self._environments.live.drop(session_id)
        await self._agents.live.drop(session_id)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            with suppress(SQLAlchemyError, OSError):  # Out of reach: the next look makes up for it.
                await self.sweep()
