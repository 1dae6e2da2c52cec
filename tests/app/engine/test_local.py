"""Runs as tasks of one process: slots, order, cancelling, draining."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from app.db import Database
from app.engine.local import LocalEngine

FIRST, SECOND, THIRD = uuid4(), uuid4(), uuid4()


class Work:
    """What an engine is given to do: it notes what happens, and ends when it is let go."""

    def __init__(self) -> None:
        self.log: list[tuple[str, UUID]] = []
        self.gates = {run_id: asyncio.Event() for run_id in (FIRST, SECOND, THIRD)}
        self.changed = asyncio.Condition()

    async def execute(self, run_id: UUID) -> None:
        await self.note("start", run_id)
        try:
            await self.gates[run_id].wait()
        except asyncio.CancelledError:
            self.log.append(("interrupted", run_id))
            self.gates[run_id].set()
            raise
        await self.note("end", run_id)

    async def note(self, what: str, run_id: UUID) -> None:
        async with self.changed:
            self.log.append((what, run_id))
            self.changed.notify_all()

    async def until(self, *entry: object) -> None:
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(lambda: entry in self.log)


@pytest.fixture
def work() -> Work:
    return Work()


@asynccontextmanager
async def engine_of(work: Work, slots: int, unfinished: Sequence[UUID] = ()) -> AsyncIterator[LocalEngine]:
    async def left() -> Sequence[UUID]:
        return unfinished

    engine = LocalEngine(work.execute, left, slots)
    await engine.start()
    yield engine
    await engine.drain()


async def test_slots_and_order(work: Work):
    async with engine_of(work, 1, [FIRST, SECOND, THIRD]):
        await work.until("start", FIRST)
        await asyncio.sleep(0.05)
        assert work.log == [("start", FIRST)]
        for run_id in (THIRD, SECOND, FIRST):
            work.gates[run_id].set()
        await work.until("end", THIRD)
    assert [run_id for what, run_id in work.log if what == "start"] == [FIRST, SECOND, THIRD]


async def test_a_higher_priority_goes_first(work: Work, database: Database):
    async with engine_of(work, 1, [FIRST]) as engine:
        await work.until("start", FIRST)
        async with database.writing() as session:
            await engine.submit(session, SECOND)
            await engine.submit(session, THIRD, priority=5)
        for gate in work.gates.values():
            gate.set()
        await work.until("end", SECOND)
    assert [run_id for what, run_id in work.log if what == "start"] == [FIRST, THIRD, SECOND]


async def test_what_is_rolled_back_never_starts(work: Work, database: Database):
    async with engine_of(work, 2) as engine:
        with pytest.raises(ZeroDivisionError):
            await fail_after_submitting(engine, database)
        async with database.writing() as session:
            await engine.submit(session, SECOND)
            await asyncio.sleep(0.05)
            assert work.log == []
        await work.until("start", SECOND)
    assert ("start", FIRST) not in work.log


async def fail_after_submitting(engine: LocalEngine, database: Database) -> None:
    async with database.writing() as session:
        await engine.submit(session, FIRST)
        raise ZeroDivisionError


async def test_cancelling_interrupts_what_runs_and_only_that(work: Work):
    async with engine_of(work, 1, [FIRST, SECOND]) as engine:
        await work.until("start", FIRST)
        await engine.cancel(SECOND)
        await engine.cancel(THIRD)
        assert work.log == [("start", FIRST)]
        await engine.cancel(FIRST)
        # Carried out again, so that it finds out that it was cancelled even where it had not noticed.
        await work.until("end", FIRST)
        await work.until("start", SECOND)
    assert work.log[:4] == [("start", FIRST), ("interrupted", FIRST), ("start", FIRST), ("end", FIRST)]


async def test_draining_interrupts_everything_and_starts_nothing(work: Work):
    async with engine_of(work, 1, [FIRST, SECOND]):
        await work.until("start", FIRST)
    assert work.log == [("start", FIRST), ("interrupted", FIRST)]


async def test_what_fails_is_tried_again():
    calls: list[UUID] = []
    done = asyncio.Event()

    async def execute(run_id: UUID) -> None:
        calls.append(run_id)
        if len(calls) < 3:
            raise ConnectionError
        done.set()

    async def left() -> Sequence[UUID]:
        return [FIRST]

    engine = LocalEngine(execute, left, 1)
    await engine.start()
    async with asyncio.timeout(60):
        await done.wait()
    await engine.drain()
    assert calls == [FIRST] * 3
