"""Watching runs: each run's events are read and encoded once per process, however many watch."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from app.db import Database
from app.errors import TooManyWatchersError
from app.runs.events import EventPage, Position, first_page, is_over, read_page

KEPT_EVENTS = 2_000
"""Events of a run kept in memory; a watcher that falls further behind reads the database by itself."""
DONE = b"event: done\ndata: {}\n\n"
PING = b": ping\n\n"


@dataclass(slots=True)
class _Log:
    # The newest events of a run, shared by its watchers, who read it by position.
    watchers: int = 0
    start: Position | None = None
    positions: list[Position] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    done: bool = False
    stale: bool = True
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> Position | None:
        return self.positions[-1] if self.positions else self.start

    def after(self, position: Position) -> list[bytes]:
        return self.events[bisect_right(self.positions, position) :]

    def extend(self, page: EventPage) -> None:
        self.positions += [position for position, _ in page.events]
        self.events += [event for _, event in page.events]
        self.done = page.done
        if (surplus := len(self.events) - KEPT_EVENTS) > KEPT_EVENTS:
            self.start = self.positions[surplus - 1]
            del self.events[:surplus], self.positions[:surplus]


class RunStream:
    """Follows runs. Nothing is told before it is committed; a stream can be taken up again at any step."""

    def __init__(self, database: Database, *, ping_s: float, max_watchers: int) -> None:
        self._database = database
        self._ping_s = ping_s
        self._max_watchers = max_watchers
        self._logs: dict[UUID, _Log] = {}
        self._closed = False

    def wake(self, run_id: UUID) -> None:
        """Tell the watchers of a run that there is something new."""
        if (log := self._logs.get(run_id)) is not None:
            log.stale = True
            log.changed.set()
            log.changed = asyncio.Event()

    def wake_all(self) -> None:
        """Have every watcher look again, as wake-ups may have been missed."""
        for run_id in list(self._logs):
            self.wake(run_id)

    def close(self) -> None:
        """End every stream, as the server is about to stop; watchers come back with their `Last-Event-ID`."""
        self._closed = True
        self.wake_all()

    async def open(self, run_id: UUID, after: int) -> AsyncIterator[bytes]:
        """Encoded events of a run from beyond step `after` of its log to its end.

        Raises:
            NotFoundError: there is no such run.
            TooManyWatchersError: as many streams are open as may be.
        """
        if sum(log.watchers for log in self._logs.values()) >= self._max_watchers:
            raise TooManyWatchersError("As many event streams are open as this server allows; try again later.")
        async with self._database.reading() as session:
            position, snapshot = await first_page(session, run_id, after)
        return self._follow(run_id, position, snapshot)

    async def wait(self, run_id: UUID, seconds: float) -> None:
        """Return when the run is over, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds), self._watching(run_id) as log:
                while not self._closed:
                    changed = log.changed
                    async with self._database.reading() as session:
                        if await is_over(session, run_id):
                            return
                    await _wait(changed, self._ping_s)
        except TimeoutError:
            return

    async def _follow(self, run_id: UUID, position: Position, snapshot: bytes) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n" + snapshot
        async with self._watching(run_id) as log:
            while not self._closed:
                changed = log.changed
                if log.start is None or position < log.start:
                    page = await self._read(run_id, position)
                    events, done = [event for _, event in page.events], page.done
                    position = page.events[-1][0] if page.events else position
                    if log.start is None and not page.more:
                        log.start = position
                else:
                    await self._advance(run_id, log)
                    events, done = log.after(position), log.done
                    position = max(position, log.end() or position)
                if events:
                    yield b"".join(events)
                if done:
                    yield DONE
                    return
                if not events and not await _wait(changed, self._ping_s):
                    log.stale = True  # A wake-up may have been lost on its way.
                    yield PING

    async def _advance(self, run_id: UUID, log: _Log) -> None:
        async with log.reading:
            while log.stale and not log.done:
                log.stale = False
                page = await self._read(run_id, log.end() or Position(0, 0, 0))
                log.extend(page)
                log.stale = log.stale or page.more

    async def _read(self, run_id: UUID, position: Position) -> EventPage:
        async with self._database.reading() as session:
            return await read_page(session, run_id, position)

    @asynccontextmanager
    async def _watching(self, run_id: UUID) -> AsyncIterator[_Log]:
        log = self._logs.setdefault(run_id, _Log())
        log.watchers += 1
        try:
            yield log
        finally:
            log.watchers -= 1
            if log.watchers == 0:
                self._logs.pop(run_id, None)


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
