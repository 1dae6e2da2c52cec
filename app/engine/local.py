"""Runs as asyncio tasks of this process: nothing to install, nothing to start."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from uuid import UUID

import stamina
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from app.engine.base import QUEUE, Execute


class LocalEngine:
    """Carries out at most `slots` runs at a time; the others wait: higher priority first, then in their order."""

    def __init__(self, execute: Execute, unfinished: Callable[[], Awaitable[Sequence[UUID]]], slots: int) -> None:
        self._execute = execute
        self._unfinished = unfinished
        self._slots = _Slots(slots)
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._started: set[UUID] = set()
        self._draining = False

    async def submit(self, session: AsyncSession, run_id: UUID, *, queue: str = QUEUE, priority: int = 0) -> None:
        # There is one worker here, this process, and it takes from every queue.
        event.listen(session.sync_session, "after_commit", lambda _: self._launch(run_id, priority), once=True)

    async def cancel(self, run_id: UUID) -> None:
        # One that still waits for its slot finds out by itself when it is its turn.
        if run_id in self._started:
            self._tasks[run_id].cancel()

    async def start(self) -> None:
        for run_id in await self._unfinished():
            self._launch(run_id)

    async def drain(self) -> None:
        self._draining = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _launch(self, run_id: UUID, priority: int = 0) -> None:
        if run_id not in self._tasks:
            task = asyncio.create_task(self._carry_out(run_id, priority), name=f"run {run_id}")
            self._tasks[run_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(run_id, None))

    async def _carry_out(self, run_id: UUID, priority: int) -> None:
        async with self._slots.slot(priority):
            self._started.add(run_id)
            try:
                async for attempt in stamina.retry_context(on=Exception, attempts=None, timeout=None, wait_max=60.0):
                    with attempt:
                        await self._execute(run_id)
            except asyncio.CancelledError:
                if self._draining:
                    raise
                await self._execute(run_id)  # Interrupted where it could not note that it was cancelled: now it can.
            finally:
                self._started.discard(run_id)


class _Slots:
    # A semaphore whose waiters have priorities.
    def __init__(self, slots: int) -> None:
        self._free = slots
        self._order = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def slot(self, priority: int) -> AsyncIterator[None]:
        if self._free:
            self._free -= 1
        else:
            turn = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (-priority, next(self._order), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give_back()
                raise
        try:
            yield
        finally:
            self._give_back()

    def _give_back(self) -> None:
        while self._waiting:
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
