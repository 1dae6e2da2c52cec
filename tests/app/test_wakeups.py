"""News of runs that come from other connections, also after the listening one was lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from app.db import RUNS_CHANNEL
from app.wakeups import WakeUps
from tests.databases import Postgres

LISTENERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Heard:
    """What a listener was told."""

    def __init__(self) -> None:
        self.news: asyncio.Queue[UUID] = asyncio.Queue()
        self.all = asyncio.Semaphore(0)

    async def next(self) -> UUID:
        """The run that is told of next."""
        async with asyncio.timeout(60):
            return await self.news.get()

    async def everything(self) -> None:
        """Return when everybody was told to look again, once more."""
        async with asyncio.timeout(60):
            await self.all.acquire()


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
async def other(url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection of another process."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def heard(url: str) -> AsyncIterator[Heard]:
    """What is heard by wake-ups that listen already."""
    heard = Heard()
    wake_ups = WakeUps(url.replace("postgresql://", "postgresql+psycopg://"), heard.news.put_nowait, heard.all.release)
    wake_ups.start()
    await heard.everything()
    yield heard
    await wake_ups.stop()


async def tell(connection: psycopg.AsyncConnection, run_id: UUID) -> None:
    await connection.execute("SELECT pg_notify(%s, %s)", (RUNS_CHANNEL, str(run_id)))


async def test_news_of_other_connections_wake(heard: Heard, other: psycopg.AsyncConnection):
    for run_id in (first := uuid4(), second := uuid4()):
        await tell(other, run_id)
    assert [await heard.next(), await heard.next()] == [first, second]


async def test_news_are_told_once_they_are_committed(heard: Heard, other: psycopg.AsyncConnection):
    never, committed = uuid4(), uuid4()
    async with other.transaction(force_rollback=True):
        await tell(other, never)
    async with other.transaction():
        await tell(other, committed)
        await asyncio.sleep(0.05)
        assert heard.news.empty()
    assert await heard.next() == committed


async def test_a_lost_connection_is_made_again_and_everybody_looks(heard: Heard, other: psycopg.AsyncConnection):
    await other.execute(f"SELECT pg_terminate_backend(pid) {LISTENERS}".encode())
    await heard.everything()
    await tell(other, run_id := uuid4())
    assert await heard.next() == run_id


async def test_nothing_is_left_of_one_that_stopped(url: str, other: psycopg.AsyncConnection):
    heard = Heard()
    wake_ups = WakeUps(url, heard.news.put_nowait, heard.all.release)
    wake_ups.start()
    await heard.everything()
    await wake_ups.stop()
    for _ in range(3000):
        if await (await other.execute(f"SELECT 1 {LISTENERS}".encode())).fetchone() is None:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it still listens")
