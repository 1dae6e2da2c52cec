"""Watching a run in this process: what watchers see when they are slow, early, late or too many."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from app.db import Database
from app.errors import NotFoundError, TooManyWatchersError
from app.runs import events, repository, stream
from app.runs.models import Run
from app.runs.stream import RunStream
from tests.app.rows import step_row, stored_run
from tests.app.watching import Event, read_events


class Script:
    """A run whose steps are written when the test says so."""

    def __init__(self, database: Database, watched: RunStream, run: Run, token: UUID) -> None:
        self.database, self.watched, self.run, self.token = database, watched, run, token
        self.steps = 0
        self.ended = 0

    async def step(self, count: int = 1) -> None:
        async with self.database.writing() as session:
            rows = [step_row(self.run, self.steps + n) for n in range(1, count + 1)]
            self.steps += count
            assert await repository.holds(session, self.run.id, self.token, steps=self.steps)
            await repository.add_steps(session, rows)
        self.watched.wake(self.run.id)

    async def end_episode(self) -> None:
        async with self.database.writing() as session:
            await repository.add_episodes(
                session, [{"run_id": self.run.id, "episode": self.ended, "seed": self.ended, "status": "running"}]
            )
            values = {"status": "succeeded", "done_order": self.ended + 1, "done_at_step": self.steps}
            await repository.update_episodes(session, self.run.id, {self.ended: values})
        self.ended += 1
        self.watched.wake(self.run.id)

    async def finish(self) -> None:
        async with self.database.writing() as session:
            await repository.holds(session, self.run.id, self.token, status="succeeded")
        self.watched.wake(self.run.id)


@pytest.fixture
def watched(database: Database) -> RunStream:
    return RunStream(database, ping_s=0.05, max_watchers=3)


@pytest.fixture
async def script(database: Database, watched: RunStream) -> Script:
    run, token = await stored_run(database), uuid7()
    async with database.writing() as session:
        await repository.claim(session, run.id, token)
    return Script(database, watched, run, token)


async def following(watched: RunStream, run_id: UUID, after: int = 0) -> AsyncGenerator[Event, None]:
    """The events of a stream one by one; pings are passed over."""
    async with aclosing(await watched.open(run_id, after)) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            for event in read_events(chunk.decode()):
                yield event


async def whole(watched: RunStream, run_id: UUID, after: int = 0) -> list[Event]:
    async with asyncio.timeout(60):
        return [event async for event in following(watched, run_id, after)]


def shape(seen: list[Event]) -> list[Any]:
    """Steps by their id, other events by their kind."""
    return [int(event.id) if event.id else event.kind for event in seen]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAGE", 4)
    monkeypatch.setattr(stream, "KEPT_EVENTS", 5)


@pytest.mark.usefixtures("small_pages")
async def test_a_watcher_who_falls_behind_misses_nothing(watched: RunStream, script: Script):
    slow = following(watched, script.run.id)
    seen = [await anext(slow)]
    fast = asyncio.create_task(whole(watched, script.run.id))
    for _ in range(12):
        await script.step(3)
        await asyncio.sleep(0.01)
        seen.append(await anext(slow))
    await script.end_episode()
    await script.finish()
    seen += [event async for event in slow]
    expected = ["run", *range(1, 37), "episode", "run", "done"]
    assert shape(seen) == expected
    assert shape(await fast) == expected
    assert shape(await whole(watched, script.run.id)) == expected


@pytest.mark.parametrize("paged", [False, True])
async def test_every_place_can_be_resumed_from(
    watched: RunStream, script: Script, paged: bool, request: pytest.FixtureRequest
):
    if paged:
        request.getfixturevalue("small_pages")
    for length in (3, 4, 2):
        await script.step(length)
        await script.end_episode()
    for after in range(11):
        live = asyncio.create_task(whole(watched, script.run.id, after))
        await asyncio.sleep(0.02)
        live.cancel()
        await asyncio.wait([live])
    await script.finish()
    ends = {3, 7, 9}
    for after in range(10):
        expected: list[Any] = ["run"] + ["episode"] * (after in ends)
        for step in range(after + 1, 10):
            expected += [step] + ["episode"] * (step in ends)
        assert shape(await whole(watched, script.run.id, after)) == [*expected, "run", "done"]


async def test_an_episode_that_ends_without_a_step_is_told(watched: RunStream, script: Script):
    live = asyncio.create_task(whole(watched, script.run.id))
    await script.end_episode()
    await script.end_episode()
    await script.step()
    await script.finish()
    assert shape(await live) == ["run", "episode", "episode", 1, "run", "done"]
    assert shape(await whole(watched, script.run.id)) == ["run", "episode", "episode", 1, "run", "done"]


async def test_each_status_is_told(watched: RunStream, database: Database):
    run, token = await stored_run(database), uuid7()
    script = Script(database, watched, run, token)
    watcher = following(watched, run.id)
    assert (await anext(watcher)).data["status"] == "queued"
    async with database.writing() as session:
        await repository.claim(session, run.id, token)
    watched.wake(run.id)
    assert (await anext(watcher)).data["status"] == "running"
    async with database.writing() as session:
        await repository.request_cancel(session, run.id)
    watched.wake(run.id)
    assert (await anext(watcher)).data["status"] == "cancelling"
    await script.finish()
    assert [event.kind async for event in watcher] == ["run", "done"]


async def test_a_lost_wake_up_is_made_up_for(watched: RunStream, script: Script, database: Database):
    other = RunStream(database, ping_s=1000, max_watchers=1)
    script.watched = other  # Another process: nobody here is woken.
    live = asyncio.create_task(whole(watched, script.run.id))
    await script.step(2)
    await script.finish()
    assert shape(await live) == ["run", 1, 2, "run", "done"]


async def test_watchers_are_limited_and_give_back_their_place(watched: RunStream, script: Script):
    open_ones = [following(watched, script.run.id) for _ in range(3)]
    for one in open_ones:
        await anext(one)
    await script.step()
    for one in open_ones:
        await anext(one)
    with pytest.raises(TooManyWatchersError):
        await watched.open(script.run.id, 0)
    await open_ones[0].aclose()
    await watched.open(script.run.id, 0)


async def test_closing_ends_every_stream(watched: RunStream, script: Script):
    live = asyncio.create_task(whole(watched, script.run.id))
    await script.step()
    await asyncio.sleep(0.02)
    watched.close()
    assert shape(await live)[-1] != "done"


async def test_an_unknown_run(watched: RunStream):
    with pytest.raises(NotFoundError):
        await watched.open(uuid4(), 0)


async def test_waiting(watched: RunStream, script: Script):
    async with asyncio.timeout(30):
        await watched.wait(script.run.id, 0.05)
        waiting = asyncio.create_task(watched.wait(script.run.id, 1000))
        await script.step()
        await asyncio.sleep(0.02)
        assert not waiting.done()
        await script.finish()
        await waiting
        await watched.wait(script.run.id, 1000)
        await watched.wait(uuid4(), 1000)
