"""Runs as jobs in Postgres: taken on with their transaction, given back, put back, interrupted."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import procrastinate
import psycopg
import pytest
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.db import Database
from app.engine.lease import SWEEP_LOCK, Lease, Outages, retry_stalled
from app.engine.procrastinate import RETRY_MAX_S, ProcrastinateEngine, PutBack
from app.runs import repository
from tests.app.rows import make_run
from tests.databases import Postgres

JOB = Job(id=1, queue="runs", lock="", queueing_lock=None, task_name="carry_out")
JOBS = "SELECT id, status::text, lock, attempts, worker_id, abort_requested FROM procrastinate_jobs"
TO_ANOTHER = """
    WITH another AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() + interval '1 hour') RETURNING id)
    UPDATE procrastinate_jobs SET worker_id = another.id FROM another
"""
PUT_BACK = "SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs"
TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
LEASE = Lease(heartbeat_s=0.2, lost_after_s=0.6)


class Work:
    """What an engine is given to do: it goes on until it is let go, and counts what happens."""

    def __init__(self) -> None:
        self.begun: Counter[UUID] = Counter()
        self.interrupted: Counter[UUID] = Counter()
        self.let_go = asyncio.Event()

    async def execute(self, run_id: UUID) -> None:
        self.begun[run_id] += 1
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.interrupted[run_id] += 1
            raise


class EachLetGo(Work):
    """Lets go of each thing that it was given to do by itself, in the order in which they were begun."""

    def __init__(self) -> None:
        super().__init__()
        self.each: list[asyncio.Event] = []

    async def execute(self, run_id: UUID) -> None:
        self.begun[run_id] += 1
        self.each.append(asyncio.Event())
        await self.each[-1].wait()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    with postgres.database(migrated=True) as url:
        yield url.replace("postgresql://", "postgresql+psycopg://")


@asynccontextmanager
async def engine_of(database: Database, work: Work, slots: int = 0) -> AsyncIterator[ProcrastinateEngine]:
    url = database.engine.url.render_as_string(hide_password=False)
    engine = ProcrastinateEngine(url, work.execute, slots=slots, lease=LEASE)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.drain()


async def submit(engine: ProcrastinateEngine, database: Database, fail: bool = False) -> UUID:
    run = make_run()
    async with database.writing() as session:
        await repository.add_runs(session, [run])
        await engine.submit(session, run.id)
        if fail:
            raise ZeroDivisionError
    return run.id


async def jobs(database: Database) -> list[dict[str, Any]]:
    async with database.reading() as session:
        return [dict(row) for row in (await session.execute(text(JOBS))).mappings()]


async def until(probe: Callable[[], bool]) -> None:
    for _ in range(3000):
        if probe():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not get there")


async def until_jobs(database: Database, *statuses: str) -> None:
    """Return when the jobs have these statuses."""
    for _ in range(3000):
        if [job["status"] for job in await jobs(database)] == [*statuses]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"the jobs stayed at {await jobs(database)}")


async def test_a_run_and_its_job_are_committed_together_or_not_at_all(database: Database, work: Work):
    async with engine_of(database, work) as engine:
        with pytest.raises(ZeroDivisionError):
            await submit(engine, database, fail=True)
        async with database.reading() as session:
            assert await repository.unfinished_runs(session) == []
        assert await jobs(database) == []
        run_id = await submit(engine, database)
        async with database.reading() as session:
            assert await repository.unfinished_runs(session) == [run_id]
        assert [(job["status"], job["lock"]) for job in await jobs(database)] == [("todo", str(run_id))]


async def test_what_is_carried_out_leaves_no_job(database: Database, work: Work):
    work.let_go.set()
    async with engine_of(database, work, slots=2) as engine:
        run_id = await submit(engine, database)
        await until(lambda: work.begun[run_id] == 1)
        await until_jobs(database)
    assert work.begun == {run_id: 1}


@pytest.mark.parametrize("error", [asyncio.CancelledError(), OperationalError("SELECT 1", {}, Exception("gone"))])
def test_what_is_interrupted_goes_back_into_the_queue_soon(error: BaseException):
    assert _wait_s(error) <= 1


def test_what_fails_again_and_again_waits_longer_and_is_never_given_up():
    waits = [_wait_s(KeyError("a bug"), attempts) for attempts in (0, 2, 4, 1000)]
    assert waits == sorted(waits)
    assert 50 < waits[-1] <= RETRY_MAX_S


def _wait_s(error: BaseException, attempts: int = 0) -> float:
    at = PutBack().get_retry_decision(exception=error, job=JOB.evolve(attempts=attempts)).retry_at
    return (at - datetime.now(UTC)).total_seconds() if at else 0


@pytest.mark.parametrize("error", [psycopg.OperationalError("gone"), ConnectionResetError(), KeyError("a bug")])
async def test_whatever_goes_wrong_the_job_is_put_back_and_carried_out_again(database: Database, error: Exception):
    calls: list[UUID] = []

    async def execute(run_id: UUID) -> None:
        calls.append(run_id)
        if len(calls) == 1:
            raise error

    work = Work()
    work.execute = execute  # type: ignore[method-assign]
    async with engine_of(database, work, slots=1) as engine:
        run_id = await submit(engine, database)
        await until(lambda: len(calls) == 2)
    assert calls == [run_id, run_id]


async def test_draining_gives_jobs_back(database: Database, work: Work):
    async with engine_of(database, work, slots=2) as engine:
        run_id = await submit(engine, database)
        await until(lambda: work.begun[run_id] == 1)
        await until_jobs(database, "doing")
    assert work.interrupted == {run_id: 1}
    assert [job["status"] for job in await jobs(database)] == ["todo"]
    async with engine_of(database, work, slots=2):
        await until(lambda: work.begun[run_id] == 2)


async def test_cancelling_interrupts_what_runs_and_only_that(database: Database, work: Work):
    async with engine_of(database, work) as elsewhere, engine_of(database, work, slots=2) as engine:
        first, second = await submit(engine, database), await submit(engine, database)
        await until(lambda: work.begun.total() == 2)
        await elsewhere.cancel(first)
        await until(lambda: work.interrupted[first] == 1)
        assert work.interrupted == {first: 1}
        await elsewhere.cancel(UUID(int=0))
        work.let_go.set()
        await until(lambda: work.begun[second] == 1)
    assert work.interrupted == {first: 1}


async def test_the_job_of_a_lost_worker_is_put_back_once_by_any_number_of_sweepers(database: Database, work: Work):
    conninfo = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    apps = [procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo)) for _ in range(2)]
    async with engine_of(database, work) as engine, apps[0].open_async(), apps[1].open_async():
        await submit(engine, database)
        worker_id = await apps[0].job_manager.register_worker()
        job = await apps[0].job_manager.fetch_job(queues=["runs"], worker_id=worker_id)
        assert job is not None
        sweepers = [asyncio.create_task(retry_stalled(app, LEASE)) for app in apps for _ in range(2)]
        await until_jobs(database, "todo")
        # Time for several more looks: there is nothing left to put back.
        await asyncio.sleep(4 * LEASE.sweep_s)
        [again] = await jobs(database)
        for sweeper in sweepers:
            sweeper.cancel()
        await asyncio.gather(*sweepers, return_exceptions=True)
    assert (again["status"], again["attempts"]) == ("todo", 1)


class Told(Outages):
    """Keeps what it has said."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.said: list[bool] = []

    def over(self) -> bool:
        self.said.append(super().over())
        return self.said[-1]


async def test_a_sweeper_that_comes_second_has_reached_the_database_too(database: Database):
    outages = Told(LEASE)
    conninfo = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo))
    async with app.open_async(), await psycopg.AsyncConnection.connect(conninfo) as other:
        await other.execute("SELECT pg_advisory_lock(hashtext(%s))", (SWEEP_LOCK,))
        sweeper = asyncio.create_task(retry_stalled(app, LEASE, outages))
        await until(lambda: len(outages.said) >= 3)
        sweeper.cancel()
        await asyncio.gather(sweeper, return_exceptions=True)


async def test_signs_of_life_that_the_database_could_not_take_are_waited_for(database: Database, work: Work):
    at, step = [0.0], [0.0]

    def clock() -> float:
        at[0] += step[0]
        return at[0]

    conninfo = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo))
    async with engine_of(database, work) as engine, app.open_async():
        await submit(engine, database)
        await app.job_manager.fetch_job(queues=["runs"], worker_id=await app.job_manager.register_worker())
        outages = Told(LEASE, clock)
        at[0] += 100 * LEASE.sweep_s  # It was away from now on, and has just come back.
        sweeper = asyncio.create_task(retry_stalled(app, LEASE, outages))
        await asyncio.sleep(2 * LEASE.lost_after_s)  # By now the worker's only sign of life is older than its lease.
        await until(lambda: len(outages.said) >= 3)
        assert not any(outages.said)
        assert [job["status"] for job in await jobs(database)] == ["doing"]
        step[0] = LEASE.sweep_s
        await until_jobs(database, "todo")
        sweeper.cancel()
        await asyncio.gather(sweeper, return_exceptions=True)


async def test_the_job_of_a_worker_lost_while_it_was_cancelled_is_put_back_too(database: Database, work: Work):
    conninfo = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    lost = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo))
    async with engine_of(database, work) as engine, lost.open_async():
        run_id = await submit(engine, database)
        await lost.job_manager.fetch_job(queues=["runs"], worker_id=await lost.job_manager.register_worker())
        await engine.cancel(run_id)
        async with engine_of(database, work, slots=1):
            await until(lambda: work.begun[run_id] == 1)
        assert work.begun == {run_id: 1}


@pytest.mark.parametrize("name", ["update_heartbeat", "listen_for_jobs"])
async def test_what_a_worker_does_beside_its_jobs_outlives_a_broken_connection(
    database: Database, work: Work, monkeypatch: pytest.MonkeyPatch, name: str
):
    does: Callable[..., Awaitable[None]] = getattr(JobManager, name)
    calls: list[object] = []

    async def breaks_once(self: JobManager, *arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            await asyncio.sleep(0.2)  # By then procrastinate does not watch over it any more.
            raise procrastinate.exceptions.ConnectorException
        await does(self, *arguments, **options)

    monkeypatch.setattr(JobManager, name, breaks_once)
    async with engine_of(database, work, slots=1) as engine:
        run_id = await submit(engine, database)
        await until(lambda: work.begun[run_id] == 1 and len(calls) >= 2)
        await asyncio.sleep(3 * LEASE.lost_after_s)  # Time for several looks for lost workers.
        assert [job["status"] for job in await jobs(database)] == ["doing"]
        assert work.interrupted == {}


async def test_a_job_that_another_worker_has_by_now_is_left_to_it(database: Database, work: Work):
    async with engine_of(database, work, slots=1) as engine:
        run_id = await submit(engine, database)
        await until(lambda: work.begun[run_id] == 1)
        async with database.writing() as session:
            await session.execute(text(TO_ANOTHER))
        work.let_go.set()
        other_id = await submit(engine, database)
        await until(lambda: work.begun[other_id] == 1)
        await until_jobs(database, "doing")
        assert [job["lock"] for job in await jobs(database)] == [str(run_id)]
    assert work.begun[run_id] == 1


async def test_a_job_that_its_worker_has_taken_up_again_is_left_to_the_second_time(database: Database):
    work = EachLetGo()
    async with engine_of(database, work, slots=2) as engine:
        run_id = await submit(engine, database)
        await until(lambda: len(work.each) == 1)
        async with database.writing() as session:
            await session.execute(text(PUT_BACK))  # As where the worker counted as lost, and was cut off only.
        await until(lambda: len(work.each) == 2)
        work.each[0].set()
        other_id = await submit(engine, database)
        await until(lambda: work.begun[other_id] == 1)  # There is a place for it now: the first time is settled.
        work.each[2].set()
        await until_jobs(database, "doing")
        assert [job["lock"] for job in await jobs(database)] == [str(run_id)]
        work.each[1].set()
        await until_jobs(database)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_job_is_settled_though_the_connection_breaks_just_then(database: Database, fails: bool):
    begun: Counter[UUID] = Counter()

    async def execute(run_id: UUID) -> None:
        begun[run_id] += 1
        async with database.writing() as session:
            await session.execute(text(TERMINATE))
        if fails and begun[run_id] == 1:
            raise KeyError("a bug")

    work = Work()
    work.execute = execute  # type: ignore[method-assign]
    async with engine_of(database, work, slots=1) as engine:
        run_id = await submit(engine, database)
        await until(lambda: begun[run_id] == 1 + fails)
        await until_jobs(database)
    assert begun == {run_id: 1 + fails}
