"""One writer for the steps of all live runs: steps that arrive together share one commit."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import stamina
import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.errors import ClaimLostError
from app.runs import repository

log = structlog.get_logger()

PASSING = (OperationalError, InterfaceError)
"""What may be gone at the next attempt; anything else is the fault of a step."""


@dataclass(slots=True)
class StepWrite:
    """A step or the begin of an episode, and how it changes its episode and its run. `stored` is set once committed."""

    run_id: UUID
    token: UUID
    episode: int
    row: dict[str, Any] | None
    """Columns of the step; None where an episode begins, or ends without one."""
    episode_values: dict[str, Any]
    run_values: dict[str, Any]
    new_episode: dict[str, Any] | None = None
    """Columns of the episode, where it begins."""
    stored: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


Writes = dict[tuple[UUID, UUID], list[StepWrite]]
"""By run and token: a process can hold a run anew while its earlier claim on it still writes."""


class StepWriter:
    """Commits steps in the order of their arrival, those of one `gather_s` in one transaction.

    Each transaction first checks that the run is still held by the token of the write: a worker that lost its claim
    writes nothing, and its writes end in `ClaimLostError`.
    """

    def __init__(self, database: Database, wake: Callable[[UUID], None], gather_s: float) -> None:
        self._database = database
        self._wake = wake
        self._gather_s = gather_s
        self._queue: asyncio.Queue[StepWrite | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_all(), name="step writer")

    async def stop(self) -> None:
        """Commit what has been submitted, then end."""
        if self._task is not None:
            self._queue.put_nowait(None)
            await self._task

    def submit(self, write: StepWrite) -> None:
        """Hand over a step; await its `stored` to know that it is committed."""
        self._queue.put_nowait(write)

    async def _write_all(self) -> None:
        more = True
        while more:
            batch = [await self._queue.get()]
            await asyncio.sleep(self._gather_s)
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            more = None not in batch
            writes: Writes = {}
            for write in batch:
                if write is not None:
                    writes.setdefault((write.run_id, write.token), []).append(write)
            if writes:
                await self._commit(writes)

    async def _commit(self, writes: Writes) -> None:
        try:
            async for attempt in stamina.retry_context(on=PASSING, attempts=5, wait_initial=0.2, wait_max=5.0):
                with attempt:
                    async with self._database.writing() as session:
                        lost = {claim for claim, of_claim in writes.items() if not await store(session, of_claim)}
        except Exception as error:  # noqa: BLE001 - whatever it is, its runs are told, and the others go on
            if len(writes) > 1 and not isinstance(error, PASSING):
                for claim, of_claim in writes.items():
                    await self._commit({claim: of_claim})
                return
            log.error("steps not stored", runs=[str(run_id) for run_id, _ in writes], error=type(error).__name__)
            _settle(writes, set(writes), error)
            return
        _settle(writes, lost, ClaimLostError())
        for run_id, _ in writes:
            self._wake(run_id)


async def store(session: AsyncSession, writes: list[StepWrite]) -> bool:
    """Carry out writes under one claim, in one transaction; False where the claim is lost, and nothing was written."""
    # Later values of the run and of each episode win.
    run_values: dict[str, Any] = {}
    episodes: dict[int, dict[str, Any]] = {}
    for write in writes:
        run_values |= write.run_values
        if write.episode_values:
            episodes.setdefault(write.episode, {}).update(write.episode_values)
    first = writes[0]
    # Steps before these may have failed to be stored, and the worker not know it yet: the log must have no gap.
    before = first.run_values["steps"] - (first.row is not None)
    if not await repository.holds(session, first.run_id, first.token, at_step=before, **run_values):
        return False
    if begun := [write.new_episode for write in writes if write.new_episode is not None]:
        await repository.add_episodes(session, begun)
    if rows := [write.row for write in writes if write.row is not None]:
        await repository.add_steps(session, rows)
    if episodes:
        await repository.update_episodes(session, first.run_id, episodes)
    return True


def _settle(writes: Writes, failed: Collection[tuple[UUID, UUID]], error: Exception) -> None:
    for claim, of_claim in writes.items():
        for write in of_claim:
            if write.stored.done():
                continue
            if claim in failed:
                write.stored.set_exception(error)
                write.stored.exception()  # Seen: the executor may have stopped caring for it.
            else:
                write.stored.set_result(None)
