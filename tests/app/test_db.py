"""Transactions, when tasks are cancelled in the middle of them; and types that read back as they were written."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from app.db import Database
from app.runs import repository
from app.runs.models import Run
from tests.app.rows import make_run


async def test_a_cancelled_task_leaves_no_lock(database: Database):
    async def write() -> None:
        async with database.writing() as session:
            (await session.execute(text("INSERT INTO t VALUES (1) RETURNING a"))).scalar()

    async with database.writing() as session:
        await session.execute(text("CREATE TABLE t (a INTEGER)"))
    for round in range(30):
        tasks = [asyncio.create_task(write()) for _ in range(6)]
        await asyncio.sleep(0.0003 * (round % 15))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(20):  # SQLite itself waits for 30 s, then fails.
            await write()


async def test_a_failing_block_is_rolled_back(database: Database):
    run = make_run()
    with suppress(RuntimeError):
        async with database.writing() as session:
            await repository.add_runs(session, [run])
            raise RuntimeError
    async with database.reading() as session:
        assert await repository.get_run(session, run.id) is None


async def test_instants_come_back_in_utc(database: Database):
    there = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    run = make_run(created_at=there)
    async with database.writing() as session:
        await repository.add_runs(session, [run])
    async with database.reading() as session:
        found = await session.scalar(select(Run.created_at))
    assert found == there
    assert found is not None
    assert found.utcoffset() == timedelta()


@pytest.mark.parametrize("value", [None, 1, 1.5, "text", "5", True, [], {}, {"a": [1, None]}, "ä€😀"])
async def test_json_comes_back_as_it_was(database: Database, value: Any):
    run = make_run(id=uuid4(), environment={"value": value})
    async with database.writing() as session:
        await repository.add_runs(session, [run])
        await repository.add_episodes(session, [{"run_id": run.id, "episode": 0, "seed": 0, "status": "running"}])
        await repository.update_episodes(session, run.id, {0: {"final_observation": value}})
    async with database.reading() as session:
        found = await repository.get_run(session, run.id)
        episode = await repository.get_episode(session, run.id, 0)
    assert found is not None
    assert found.environment == {"value": value}
    assert episode is not None
    assert episode.final_observation == value
