"""Callers of every kind."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from app.access import Role
from app.bootstrap import Service
from app.settings import Settings

Headers = dict[str, str]
MakeKey = Callable[..., Awaitable[Headers]]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Of a process that carries out runs itself, whatever the database."""
    return Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        database_url=database_url,
        commit_within_ms=5,
        ping_s=1,
        embedded_worker=True,
        max_active_runs_per_owner=3,
    )


@pytest.fixture
def make_key(service: Service) -> MakeKey:
    """Makes a key; returns the headers to send."""

    async def make(owner: str, role: Role = Role.USER) -> Headers:
        made = await service.keys.create(f"{owner}-{role}", role, owner)
        return {"Authorization": f"Bearer {made.key}"}

    return make
