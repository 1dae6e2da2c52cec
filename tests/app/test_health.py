"""Alive, and able to work."""

import httpx
import pytest

from app.bootstrap import Service
from app.db import Database


async def test_alive_and_ready(client: httpx.AsyncClient):
    for path in ("/livez", "/readyz"):
        response = await client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_not_ready_without_a_database(
    client: httpx.AsyncClient, service: Service, tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("gone")
    lost = Database(f"sqlite+aiosqlite:///{folder}")  # A folder is no database.
    client._transport.app.state.database = lost  # type: ignore[attr-defined]
    assert (await client.get("/livez")).status_code == 200
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["type"].endswith("unavailable")
    assert str(folder) not in response.text
    await lost.close()
