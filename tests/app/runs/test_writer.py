"""Many steps, few transactions; and what happens to them when the database does not take them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import pytest
import stamina
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.db import Database
from app.errors import ClaimLostError
from app.runs import repository
from app.runs.models import Run
from app.runs.writer import StepWrite, StepWriter
from tests.app.rows import step_row, stored_run


class CountingDatabase(Database):
    """Counts its transactions, and refuses the next few where it is told to."""

    transactions = 0
    refused = 0

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        self.transactions += 1
        if self.refused > 0:
            self.refused -= 1
            raise OperationalError("INSERT", {}, Exception("disk full"))
        async with super().writing() as session:
            yield session


@pytest.fixture
async def counting(database: Database, settings: Any) -> AsyncIterator[CountingDatabase]:
    connected = CountingDatabase(settings.database_url)
    yield connected
    await connected.close()


@pytest.fixture
def quick_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.fixture
async def woken() -> list[UUID]:
    return []


@pytest.fixture
async def writer(counting: CountingDatabase, woken: list[UUID]) -> AsyncIterator[StepWriter]:
    started = StepWriter(counting, woken.append, 0.02)
    started.start()
    yield started
    async with asyncio.timeout(30):
        await started.stop()


async def claimed(database: Database) -> tuple[Run, UUID]:
    """A run, and the token of the worker that holds it."""
    run, token = await stored_run(database), uuid7()
    async with database.writing() as session:
        await repository.claim(session, run.id, token)
        await repository.add_episodes(session, [{"run_id": run.id, "episode": 0, "seed": 0, "status": "running"}])
    return run, token


def write(run: Run, token: UUID, id: int, **columns: Any) -> StepWrite:
    return StepWrite(
        run_id=run.id,
        token=token,
        episode=0,
        row=step_row(run, id, **columns),
        episode_values={"num_steps": id, "total_reward": float(id)},
        run_values={"steps": id},
    )


async def results(writes: list[StepWrite]) -> list[Any]:
    async with asyncio.timeout(30):
        return await asyncio.gather(*(write.stored for write in writes), return_exceptions=True)


async def ids(database: Database, run: Run) -> list[int]:
    async with database.reading() as session:
        return [step.id for step in await repository.list_steps(session, run.id, limit=None)]


async def test_many_steps_share_few_transactions(counting: CountingDatabase, writer: StepWriter, woken: list[UUID]):
    runs = [await claimed(counting) for _ in range(3)]
    before = counting.transactions
    writes = [write(run, token, id) for id in range(1, 101) for run, token in runs]
    for one in writes:
        writer.submit(one)
    assert await results(writes) == [None] * 300
    assert counting.transactions - before <= 2
    for run, _ in runs:
        assert await ids(counting, run) == list(range(1, 101))
        async with counting.reading() as session:
            found = await repository.get_run(session, run.id)
            episode = await repository.get_episode(session, run.id, 0)
        assert found is not None
        assert episode is not None
        assert (found.steps, episode.num_steps, episode.total_reward) == (100, 100, 100.0)
    assert set(woken) == {run.id for run, _ in runs}


async def test_two_claims_of_one_process_do_not_share_their_check(counting: CountingDatabase, writer: StepWriter):
    run, stale = await claimed(counting)
    token = uuid7()
    async with counting.writing() as session:
        await repository.claim(session, run.id, token)
    kept, lost = write(run, token, 1), write(run, stale, 1)
    for one in (kept, lost):
        writer.submit(one)
    first, second = await results([kept, lost])
    assert first is None
    assert isinstance(second, ClaimLostError)
    assert await ids(counting, run) == [1]


async def test_a_stale_worker_writes_nothing_and_disturbs_nobody(counting: CountingDatabase, writer: StepWriter):
    (taken, stale), (held, token) = await claimed(counting), await claimed(counting)
    async with counting.writing() as session:
        await repository.claim(session, taken.id, uuid7())
    lost, kept = write(taken, stale, 1), write(held, token, 1)
    for one in (lost, kept):
        writer.submit(one)
    first, second = await results([lost, kept])
    assert isinstance(first, ClaimLostError)
    assert second is None
    assert await ids(counting, taken) == []
    assert await ids(counting, held) == [1]


async def test_a_passing_failure_is_retried(counting: CountingDatabase, writer: StepWriter, quick_retries: None):
    run, token = await claimed(counting)
    counting.refused = 3
    one = write(run, token, 1)
    writer.submit(one)
    assert await results([one]) == [None]
    assert await ids(counting, run) == [1]


async def test_after_a_lasting_failure_the_log_has_no_gap(
    counting: CountingDatabase, writer: StepWriter, quick_retries: None
):
    run, token = await claimed(counting)
    counting.refused = 5
    writes = [write(run, token, 1), write(run, token, 2)]
    writer.submit(writes[0])
    with suppress(OperationalError):
        await writes[0].stored
    # The run's worker has not noticed yet.
    writer.submit(writes[1])
    assert isinstance((await results(writes))[0], OperationalError)
    assert await ids(counting, run) == []


@pytest.mark.parametrize(
    "poison",
    [{"reflection": None}, {"step": 1}, {"reflection": "\ud800"}, {"observation": {"a": object()}}],
)
async def test_one_bad_run_does_not_take_the_others_along(
    counting: CountingDatabase, writer: StepWriter, quick_retries: None, poison: dict[str, Any]
):
    (bad, bad_token), (good, good_token) = await claimed(counting), await claimed(counting)
    writes = [write(bad, bad_token, 1), write(bad, bad_token, 2, **poison), write(good, good_token, 1)]
    for one in writes:
        writer.submit(one)
    outcomes = await results(writes)
    assert isinstance(outcomes[1], Exception)
    assert outcomes[2] is None
    assert await ids(counting, good) == [1]
    later = write(good, good_token, 2)
    writer.submit(later)
    assert await results([later]) == [None]


async def test_stopping_stores_what_was_submitted(counting: CountingDatabase, woken: list[UUID]):
    run, token = await claimed(counting)
    writer = StepWriter(counting, woken.append, 0.0)
    writer.start()
    writes = [write(run, token, id) for id in range(1, 51)]
    for one in writes:
        writer.submit(one)
    await writer.stop()
    assert await results(writes) == [None] * 50
    assert await ids(counting, run) == list(range(1, 51))
