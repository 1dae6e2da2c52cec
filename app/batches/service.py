"""The rules of batches: what may be asked for, and what that does. What plays them is their runs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.access import Caller
from app.batches import repository
from app.batches.grid import cells, count
from app.batches.models import Batch
from app.batches.schemas import BatchList, BatchRequest, BatchView, CellView, RetryRequest
from app.batches.state import batch_views
from app.body import FindAgent, fingerprint
from app.db import Database, now
from app.errors import ConflictError, IdempotencyMismatchError, InvalidRequestError, NotFoundError, TooManyRunsError
from app.runs.models import ACTIVE, Run
from app.runs.schemas import RunRequest
from app.runs.service import RunService
from gym_llm.config import AgentConfig

CHAINED = ("memory",)
"""Strategies that carry something from one episode to the next: their episodes can't be played again one by one."""


class BatchService:
    """Batches, as callers see them."""

    def __init__(self, database: Database, runs: RunService, find_agent: FindAgent, *, max_cells: int) -> None:
        self._database = database
        self._runs = runs
        self._find_agent = find_agent
        self._max_cells = max_cells

    async def create(self, caller: Caller, request: BatchRequest, idempotency_key: str | None) -> BatchView:
        """Store a batch and have all its runs carried out; under a key that was used before, the batch made then.

        Raises:
            InvalidRequestError: unknown agent or environment, a grid that is not valid, or past a limit.
            IdempotencyMismatchError: the key was used with another body.
            TooManyRunsError: more runs of the caller would be active than may be.
        """
        digest = fingerprint(request)
        if idempotency_key and (earlier := await self._earlier(caller, idempotency_key, digest)):
            return earlier
        if count(request) > self._max_cells:
            raise TooManyRunsError(f"These are {count(request)} cells; {self._max_cells} runs may be active.")
        names = {entry for entry in request.agents if isinstance(entry, str)}
        registered: dict[str, AgentConfig] = {name: await self._find_agent(caller, name) for name in sorted(names)}
        made = cells(request, registered)
        batch = Batch(
            id=uuid7(),
            owner=caller.owner,
            name=request.name,
            request=request.model_dump(exclude_unset=True) | {"experiment": request.experiment.model_dump()},
            cells=[
                {"agent": each.agent, "environment": each.environment, "run": each.run.model_dump()} for each in made
            ],
            max_cost_usd=request.max_cost_usd,
            idempotency_key=idempotency_key,
            request_digest=digest,
            created_at=now(),
        )
        runs = [
            await self._runs.prepare(caller, cell.run, batch_id=batch.id, cell=index) for index, cell in enumerate(made)
        ]
        try:
            async with self._database.writing() as session:
                await repository.add_batch(session, batch)
                await self._runs.start(session, runs)
        except (IntegrityError, TooManyRunsError):
            # The same key twice at the same time: the other request was faster.
            if idempotency_key and (earlier := await self._earlier(caller, idempotency_key, digest)):
                return earlier
            raise
        return await self._view(batch)

    async def get(self, caller: Caller, batch_id: UUID) -> BatchView:
        """A batch.

        Raises:
            NotFoundError: there is none that the caller sees.
        """
        return await self._view(await self.row(caller, batch_id))

    async def row(self, caller: Caller, batch_id: UUID) -> Batch:
        """A batch, as it is stored; `get` tells what is raised."""
        async with self._database.reading() as session:
            return await _found(session, caller, batch_id)

    async def list(self, caller: Caller, *, limit: int, after: UUID | None) -> BatchList:
        """Batches, newest first."""
        async with self._database.reading() as session:
            rows = await repository.list_batches(session, caller.sees, limit=limit + 1, after=after)
            views = await batch_views(session, rows[:limit])
        return BatchList(data=[view.summary() for view in views], has_more=len(rows) > limit)

    async def retry(self, caller: Caller, batch_id: UUID, request: RetryRequest) -> BatchView:
        """Play again what did not succeed, and nothing else.

        Raises:
            NotFoundError: there is no such batch that the caller sees.
            InvalidRequestError: there is no such cell.
            TooManyRunsError: more runs of its owner would be active than may be.
        """
        async with self._database.writing() as session:
            batch = await _found(session, caller, batch_id, lock=True)
            if request.max_cost_usd is not None:
                await repository.set_limit(session, batch_id, request.max_cost_usd)
                batch.max_cost_usd = request.max_cost_usd
            chosen = range(len(batch.cells)) if request.cells is None else sorted(set(request.cells))
            if any(index >= len(batch.cells) for index in chosen):
                raise InvalidRequestError(f"cells: this batch has the cells 0 to {len(batch.cells) - 1}.")
            [view] = await batch_views(session, [batch])
            succeeded: dict[int, set[int]] = {}
            for episode in await repository.counted_episodes(session, batch_id):
                if episode.status == "succeeded":
                    succeeded.setdefault(episode.cell, set()).add(episode.seed)
            owner = replace(caller, owner=batch.owner)
            runs: list[Run] = []
            for index in chosen:
                runs += await self._again(session, owner, batch, view.cells[index], succeeded.get(index, set()))
            await self._runs.start(session, runs)
        return await self.get(caller, batch_id)

    async def cancel(self, caller: Caller, batch_id: UUID) -> BatchView:
        """Cancel whatever is not over."""
        await self.row(caller, batch_id)
        for run in await self._all_runs(batch_id):
            if run.status in ACTIVE:
                await self._runs.cancel(caller, run.id)
        return await self.get(caller, batch_id)

    async def delete(self, caller: Caller, batch_id: UUID) -> None:
        """Delete a batch that is over, with its runs and their files.

        Raises:
            NotFoundError: there is no such batch that the caller sees.
            ConflictError: it is not over.
            UnavailableError: files can't be reached now.
        """
        await self.row(caller, batch_id)
        runs = await self._all_runs(batch_id)
        if any(run.status in ACTIVE for run in runs):
            raise ConflictError("Only a batch that is over can be deleted; cancel it first.")
        for run in runs:
            await self._runs.delete(caller, run.id)
        async with self._database.writing() as session:
            await repository.delete_batch(session, batch_id)

    async def _again(
        self, session: AsyncSession, owner: Caller, batch: Batch, cell: CellView, succeeded: set[int]
    ) -> Sequence[Run]:
        if cell.status not in ("failed", "cancelled"):
            return []
        whole = RunRequest.model_validate(batch.cells[cell.cell]["run"])
        experiment = whole.experiment
        seeds = range(experiment.seed, experiment.seed + experiment.num_runs)
        if isinstance(whole.agent, AgentConfig) and whole.agent.strategy in CHAINED:
            await repository.leave_cell(session, batch.id, cell.cell)
            succeeded = set()
        runs = []
        for first, length in _stretches([seed for seed in seeds if seed not in succeeded]):
            changed: dict[str, Any] = {"seed": first, "num_runs": length}
            if batch.max_cost_usd is not None:
                asked = batch.request["experiment"].get("max_cost_usd")
                changed["max_cost_usd"] = min(batch.max_cost_usd, asked or batch.max_cost_usd)
            part = whole.model_copy(update={"experiment": experiment.model_copy(update=changed)})
            runs.append(await self._runs.prepare(owner, part, batch_id=batch.id, cell=cell.cell))
        return runs

    async def _all_runs(self, batch_id: UUID) -> Sequence[Run]:
        async with self._database.reading() as session:
            return await repository.runs_of(session, [batch_id])

    async def _view(self, batch: Batch) -> BatchView:
        async with self._database.reading() as session:
            return (await batch_views(session, [batch]))[0]

    async def _earlier(self, caller: Caller, key: str, digest: str) -> BatchView | None:
        async with self._database.reading() as session:
            batch = await repository.find_by_idempotency_key(session, caller.owner, key)
        if batch is None:
            return None
        if batch.request_digest != digest:
            raise IdempotencyMismatchError("This Idempotency-Key was used with another body.")
        return await self._view(batch)


async def _found(session: AsyncSession, caller: Caller, batch_id: UUID, *, lock: bool = False) -> Batch:
    batch = await repository.get_batch(session, batch_id, caller.sees, lock=lock)
    if batch is None:
        raise NotFoundError("There is no such batch.")
    return batch


def _stretches(seeds: Sequence[int]) -> Iterator[tuple[int, int]]:
    # Seeds that follow each other, as their first one and their number: a run can play those.
    start = 0
    for index in range(1, len(seeds) + 1):
        if index == len(seeds) or seeds[index] != seeds[index - 1] + 1:
            yield seeds[start], index - start
            start = index
