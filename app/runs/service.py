"""The rules of runs: what may be asked for, and what that does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.access import Caller
from app.artifacts.base import ArtifactStore
from app.body import FindAgent, fingerprint
from app.db import Database, now
from app.engine.base import Engine
from app.errors import (
    ConflictError,
    IdempotencyMismatchError,
    InvalidRequestError,
    TooManyRunsError,
)
from app.runs import repository
from app.runs.models import RUN, TERMINAL, Run
from app.runs.records import Records
from app.runs.schemas import Page, Parent, RunRequest, RunView
from app.runs.stream import RunStream
from app.runs.views import run_view
from gym_llm.config import EnvironmentConfig


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that may be asked for."""

    episodes: int
    concurrency: int
    steps: int
    active_runs: int
    """Of one owner at the same time."""


class RunService(Records):
    """Runs, as callers see them."""

    def __init__(
        self,
        *,
        database: Database,
        engine: Engine,
        store: ArtifactStore,
        stream: RunStream,
        check_environment: Callable[[EnvironmentConfig], None],
        find_agent: FindAgent,
        limits: Limits,
    ) -> None:
        super().__init__(database, RUN)
        self._engine = engine
        self._store = store
        self._stream = stream
        self._check_environment = check_environment
        self._find_agent = find_agent
        self._limits = limits

    async def create(
        self, caller: Caller, request: RunRequest, idempotency_key: str | None, parent: Parent | None = None
    ) -> RunView:
        """Store a run and have it carried out; under a key that was used before, the run made then.

        With a `parent`, it begins with copies of the parent's steps, if any, and with the lessons that the parent's
        episode began with, and goes on like any run that was interrupted there.

        Raises:
            InvalidRequestError: unknown agent or environment, argument not allowed, or past a limit.
            IdempotencyMismatchError: the key was used with another body.
            TooManyRunsError: as many runs of its owner are active as may be.
        """
        beside = {"parent": parent.model_dump(mode="json")} if parent else {}
        digest = fingerprint(request, **beside)
        if idempotency_key and (earlier := await self._earlier(caller, idempotency_key, digest)):
            return earlier
        run = await self.prepare(
            caller,
            request,
            idempotency_key=idempotency_key,
            request_digest=digest,
            steps=parent.step - 1 if parent else 0,
            **beside,
        )
        try:
            async with self._database.writing() as session:
                await self.start(session, [run])
                if parent is not None:
                    await repository.inherit(session, run, parent.run_id, parent.episode)
        except (IntegrityError, TooManyRunsError):
            # The same key twice at the same time: the other request was faster.
            if idempotency_key and (earlier := await self._earlier(caller, idempotency_key, digest)):
                return earlier
            raise
        return run_view(run)

    async def prepare(self, caller: Caller, request: RunRequest, **columns: Any) -> Run:
        """A run that can be started; `columns` are those that the request does not tell.

        Raises:
            InvalidRequestError: unknown agent or environment, argument not allowed, or past a limit.
        """
        self._check(request)
        agent = await self._find_agent(caller, request.agent)
        values: dict[str, Any] = {"losses": 0, "episodes_done": 0, "steps": 0, "cost_usd": 0.0}
        return Run(
            id=uuid7(),
            owner=caller.owner,
            status="queued",
            agent=agent.model_dump(),
            environment=request.environment.model_dump(),
            experiment=request.experiment.model_dump(),
            backend=agent.backend,
            model=agent.model,
            environment_id=request.environment.name,
            created_at=now(),
            **values | columns,
        )

    async def start(self, session: AsyncSession, runs: Sequence[Run]) -> None:
        """Store prepared runs of one owner and have them carried out, once the transaction is committed.

        Raises:
            TooManyRunsError: more runs of their owner would be active than may be.
        """
        if not runs:
            return
        if await repository.count_active(session, runs[0].owner, RUN) + len(runs) > self._limits.active_runs:
            raise TooManyRunsError(
                f"{self._limits.active_runs} runs of one owner may be queued or running at the same time; "
                "wait until some are over, or cancel some."
            )
        await repository.add_runs(session, runs)
        for run in runs:
            await self._engine.submit(
                session, run.id, queue=run.experiment["queue"], priority=run.experiment["priority"]
            )

    async def wait(self, caller: Caller, run_id: UUID, seconds: float) -> RunView:
        """The run once it is over, or as it is after `seconds`."""
        await self._stream.wait(run_id, seconds)
        return await self.get(caller, run_id)

    async def get(self, caller: Caller, run_id: UUID) -> RunView:
        """A run.

        Raises:
            NotFoundError: there is none that the caller sees.
        """
        return run_view(await self.row(caller, run_id))

    async def list(
        self, caller: Caller, *, limit: int, after: UUID | None, filters: Mapping[str, str | UUID | None]
    ) -> Page[RunView]:
        """Runs, newest first."""
        rows = await self.rows(caller, limit=limit + 1, after=after, filters=filters)
        return Page(data=[run_view(row) for row in rows[:limit]], has_more=len(rows) > limit)

    async def cancel(self, caller: Caller, run_id: UUID) -> RunView:
        """Stop a run; one that is over stays as it is."""
        await self.row(caller, run_id)
        async with self._database.writing() as session:
            interrupt = await repository.request_cancel(session, run_id)
        if interrupt:  # Once: a second interruption would hit the worker while it writes that it has stopped.
            await self._engine.cancel(run_id)
        self._stream.wake(run_id)
        return await self.get(caller, run_id)

    async def delete(self, caller: Caller, run_id: UUID) -> None:
        """Delete a run that is over, with its files.

        Raises:
            ConflictError: it is not over.
            UnavailableError: its files can't be reached now.
        """
        if (await self.row(caller, run_id)).status not in TERMINAL:
            raise ConflictError("Only a run that is over can be deleted; cancel it first.")
        await self._store.delete(run_id)  # First: where that fails, the run is still there to be deleted again.
        async with self._database.writing() as session:
            await repository.delete_finished(session, run_id)

    async def _earlier(self, caller: Caller, key: str, digest: str) -> RunView | None:
        async with self._database.reading() as session:
            run = await repository.find_by_idempotency_key(session, caller.owner, key)
        if run is None:
            return None
        if run.request_digest != digest:
            raise IdempotencyMismatchError("This Idempotency-Key was used with another body.")
        return run_view(run)

    def _check(self, request: RunRequest) -> None:
        asked = request.experiment
        for field, value, limit in (
            ("num_runs", asked.num_runs, self._limits.episodes),
            ("concurrency", asked.concurrency, self._limits.concurrency),
            ("max_steps", asked.max_steps or 1, self._limits.steps),
        ):
            if value > limit:
                raise InvalidRequestError(f"experiment.{field}: this server allows at most {limit}.")
        self._check_environment(request.environment)
