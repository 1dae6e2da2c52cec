"""What every test may use: the two databases, a service in this process, and one in a process of its own."""

import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

with warnings.catch_warnings():
    # Its compiled part warns while it is imported; turned into an error there, the warning ends the interpreter.
    warnings.simplefilter("ignore")
    import Box2D  # noqa: F401

from app.bootstrap import Service, build
from app.db import Database
from app.main import create_app
from app.settings import Settings
from app.telemetry import set_up_logging
from tests.databases import Postgres, SQLite, postgres_server
from tests.processes import Server
from tests.scripted_llm.fixtures import scripted_llm as scripted_llm


@pytest.fixture(autouse=True)
def _logging() -> None:
    set_up_logging("WARNING")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> SQLite:
    return SQLite(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database, or, for tests marked `empty_database`, an empty one. Whatever uses it is tested on both."""
    migrated = request.node.get_closest_marker("empty_database") is None
    if request.param == "sqlite":
        sqlite: SQLite = request.getfixturevalue("sqlite")
        yield sqlite.database(tmp_path, migrated=migrated)
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    with postgres.database(migrated=migrated) as url:
        yield url


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings that depend on nothing of this machine."""
    return Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        database_url=database_url,
        embedded_worker=True,
        commit_within_ms=5,
        ping_s=1,
    )


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A migrated database."""
    connected = Database(settings.database_url)
    await connected.migrate()
    yield connected
    await connected.close()


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The whole service, running in this process; its language models are those that the environment names."""
    built = build(settings)
    async with built.running():
        yield built


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to `service` without a network."""
    transport = httpx.ASGITransport(create_app(service=service), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as connected:
        yield connected


Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a server in a process of its own; keywords become its settings."""
    with ExitStack() as servers:

        def start(**settings: Any) -> Server:
            server = Server(tmp_path / "server", settings)
            servers.callback(server.kill)
            server.start()
            return server

        yield start


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on each of the databases, shared by the tests of a file."""
    with ExitStack() as stack:
        settings: dict[str, Any] = {"ping_s": 0.2, "max_watchers": 4}
        if request.param == "postgres":
            postgres: Postgres = request.getfixturevalue("postgres")
            settings["database_url"] = stack.enter_context(postgres.database())
        server = Server(tmp_path_factory.mktemp("server"), settings)
        stack.callback(server.kill)
        server.start()
        yield server
