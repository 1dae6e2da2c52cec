"""Watching batches: what has changed is told, cell by cell."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

from app.batches import repository
from app.batches.schemas import BatchSummary, BatchView, CellView
from app.batches.state import OVER, batch_views
from app.db import Database
from app.errors import NotFoundError, TooManyWatchersError
from app.runs.events import encode
from app.runs.stream import DONE, PING

LOOK_S = 0.5
"""Between two looks at a batch that is watched."""


class BatchStream:
    """Follows batches. Whoever comes back gets all cells anew: there are far fewer of them than steps."""

    def __init__(self, database: Database, *, ping_s: float, max_watchers: int) -> None:
        self._database = database
        self._ping_s = ping_s
        self._max_watchers = max_watchers
        self._watchers = 0
        self._closed = asyncio.Event()

    def close(self) -> None:
        """End every stream, as the server is about to stop."""
        self._closed.set()

    async def open(self, batch_id: UUID) -> AsyncIterator[bytes]:
        """Encoded events of a batch to its end.

        Raises:
            NotFoundError: there is no such batch.
            TooManyWatchersError: as many streams are open as may be.
        """
        if self._watchers >= self._max_watchers:
            raise TooManyWatchersError("As many event streams are open as this server allows; try again later.")
        if (view := await self._read(batch_id)) is None:
            raise NotFoundError("There is no such batch.")
        return self._follow(view)

    async def _follow(self, view: BatchView) -> AsyncIterator[bytes]:
        self._watchers += 1
        try:
            told: dict[int, CellView] = {}
            summary: BatchSummary | None = None
            yield b"retry: 1000\n\n"
            spoke = time.monotonic()
            while not self._closed.is_set():
                events = [encode("cell", cell) for cell in view.cells if told.get(cell.cell) != cell]
                told = {cell.cell: cell for cell in view.cells}
                now = view.summary()
                if now != summary:
                    events.insert(0, encode("batch", now))
                    summary = now
                if view.status in OVER:
                    yield b"".join([*events, DONE])
                    return
                if events or time.monotonic() - spoke >= self._ping_s:
                    yield b"".join(events) or PING
                    spoke = time.monotonic()
                await self._pause()
                found = await self._read(view.id)
                if found is None:  # It was deleted.
                    yield DONE
                    return
                view = found
        finally:
            self._watchers -= 1

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._closed.wait()
        except TimeoutError:
            return

    async def _read(self, batch_id: UUID) -> BatchView | None:
        async with self._database.reading() as session:
            batch = await repository.get_batch(session, batch_id)
            return (await batch_views(session, [batch]))[0] if batch is not None else None
