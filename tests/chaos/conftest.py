"""Deployments to disturb, and the table of what came of it."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

import pytest

from tests.chaos.deployment import Deployment, deployed
from tests.chaos.ledger import Entry, examine, table
from tests.chaos.servers import OwnPostgres
from tests.databases import Postgres

LONG = os.environ.get("GYM_LLM_CHAOS") == "long"
ENTRIES = pytest.StashKey[list[Entry]]()
Settle = Callable[..., Entry]


@pytest.fixture(scope="session")
def runs() -> int:
    """How many go on at the same time."""
    return 60 if LONG else 6


@pytest.fixture(scope="session")
def blows() -> int:
    """How many times a scenario strikes at most."""
    return 20 if LONG else 4


@pytest.fixture(scope="module")
def deployment(postgres: Postgres, runs: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with postgres.database() as url, deployed(tmp_path_factory.mktemp("deployment"), url, runs) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    server = OwnPostgres()
    yield server
    server.close()


@pytest.fixture(scope="module")
def fragile(own_postgres: OwnPostgres, runs: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment whose Postgres can be restarted."""
    folder = tmp_path_factory.mktemp("fragile")
    with own_postgres.server.database() as url, deployed(folder, url, runs) as deployment:
        yield deployment


@pytest.fixture
def settle(request: pytest.FixtureRequest) -> Settle:
    """Waits for the end of runs, notes what has come of them, and holds it against what must have."""

    def settle(deployment: Deployment, runs: Mapping[UUID, int], scenario: str) -> Entry:
        deployment.until_over(list(runs))
        entry = examine(deployment, scenario, runs)
        request.config.stash.setdefault(ENTRIES, []).append(entry)
        entry.verify()
        return entry

    return settle


@pytest.fixture(autouse=True)
def _afresh(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every scenario starts with all processes at work, and with an empty log of the language model."""
    name = "fragile" if "fragile" in request.fixturenames else "deployment"
    deployment: Deployment = request.getfixturevalue(name)
    deployment.until_ready()
    _ = deployment.undisturbed
    deployment.llm.llm.forget()
    yield
    for worker in deployment.workers:
        worker.signal(signal.SIGCONT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if entries := config.stash.get(ENTRIES, []):
        terminalreporter.section("chaos")
        for line in table(entries):
            terminalreporter.write_line(line)
