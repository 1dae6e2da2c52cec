"""Workers that are told to stop, at any time and more than once: they let go of their runs."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from app.db import Database
from app.runs import repository
from gym_llm.config import AgentConfig, ExperimentConfig
from tests.app.executing import executing
from tests.app.rows import stored_run
from tests.fakes import FakeBackend, answer

AGENT = AgentConfig(backend="openai", model="fake")


@pytest.mark.parametrize("turns", [0, 1, 3, 10, 30, 100])
async def test_no_worker_that_was_told_to_stop_counts_as_lost(database: Database, tmp_path: Path, turns: int):
    run = await stored_run(
        database,
        agent=AGENT.model_dump(),
        backend=AGENT.backend,
        model=AGENT.model,
        environment={"name": "Counting-v0", "kwargs": {"length": 500}},
        experiment=ExperimentConfig(num_runs=2, concurrency=2).model_dump(),
    )
    async with executing(database, tmp_path, FakeBackend(lambda _: answer(1))) as executor:
        working = asyncio.create_task(executor.execute(run.id))
        for _ in range(turns):
            await asyncio.sleep(0.002)
        while not working.done():
            working.cancel()
            await asyncio.sleep(0)
        with suppress(asyncio.CancelledError):
            await working
    async with database.reading() as session:
        left = await repository.get_run(session, run.id)
        steps = await repository.list_steps(session, run.id, limit=None)
    assert left is not None
    assert (left.worker_token, left.losses, left.status in ("queued", "running")) == (None, 0, True)
    assert [step.id for step in steps] == list(range(1, left.steps + 1))
