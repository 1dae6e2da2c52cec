"""The database: types that read the same from SQLite and Postgres, connections, transactions, migrations."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, Connection, DateTime, MetaData, event, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

RUNS_CHANNEL = "gym_llm_runs"
"""Postgres tells on it the id of each run that has changed."""


class UTCDateTime(TypeDecorator[datetime]):
    """An instant. SQLite forgets the time zone, so UTC goes in and comes out on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


POSTGRES: dict[str, Any] = {
    "pool_pre_ping": True,
    "pool_size": 10,
    # A process that was stopped inside a transaction must not hold up those that take over from it.
    "connect_args": {"options": "-c idle_in_transaction_session_timeout=15000"},
}


class Base(DeclarativeBase):
    """Of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


class Database:
    """Sessions of one database. `reading` and `writing` each are one transaction."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        if self.sqlite and (path := make_url(url).database):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        options = {"connect_args": {"factory": _SQLiteConnection}} if self.sqlite else POSTGRES
        self.engine = create_async_engine(
            url, json_serializer=lambda value: orjson.dumps(value).decode(), json_deserializer=_from_json, **options
        )
        writer = self.engine
        if self.sqlite:
            event.listen(self.engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)
            writer = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        # SQLite takes one writer at a time. Here the others wait in line; there they would poll, up to 0.1 s apart,
        # each with a connection and its thread.
        self._turn: AbstractAsyncContextManager[object] = asyncio.Lock() if self.sqlite else nullcontext()
        self._reading = async_sessionmaker(self.engine, expire_on_commit=False)
        self._writing = async_sessionmaker(writer, expire_on_commit=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A transaction that changes nothing."""
        async with self._reading() as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A transaction that is committed at the end, or rolled back where the block raises."""
        async with self._turn, self._writing() as session, session.begin():
            yield session

    async def migrate(self) -> None:
        """Bring the schema up to date."""
        async with self.engine.begin() as connection:
            await connection.run_sync(_upgrade)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


class _SQLiteConnection(sqlite3.Connection):
    def close(self) -> None:
        # Where a task was cancelled, a cursor may still be open, and SQLite's lock with it.
        self.rollback()
        super().close()


def _from_json(value: Any) -> Any:
    # SQLite keeps a JSON number as a number, not as its text.
    return orjson.loads(value) if isinstance(value, str | bytes) else value


async def announce(session: AsyncSession, run_id: UUID) -> None:
    """Tell every process, once this transaction is committed, that a run has changed."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_notify(RUNS_CHANNEL, str(run_id))))


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own implicit BEGIN would start each write as a read, which two writers at once can't both finish.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, on `connection` where one is given."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    command.upgrade(alembic_config(connection), "head")
