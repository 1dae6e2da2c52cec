"""Runs in environments on OpenEnv servers."""

from collections.abc import Iterator

import httpx
import pytest

import env_plugins
from app.bootstrap import build
from app.environments import catalog
from app.main import create_app
from app.settings import Settings
from tests.app.running import body, play
from tests.gym_llm.openenv.server import openenv
from tests.plugins_apart.loading import restored


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    with restored():
        yield


async def test_a_run_and_a_server_that_is_down(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "RETRY_S", 0.0)
    with openenv() as gone:
        pass
    with openenv() as served:
        settings = settings.model_copy(update={"openenv": f"Guess-v0={served.url},Gone-v0={gone.url}"})
        service = build(settings)
        transport = httpx.ASGITransport(create_app(service=service), raise_app_exceptions=False)
        async with service.running(), httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            run = await play(client, body("Guess-v0", model="random", seed=3, num_runs=2))
            assert (run["status"], run["progress"]["episodes_done"]) == ("succeeded", 2)
            failed = await play(client, body("Gone-v0", model="random"))
            assert failed["status"] == "failed"
            assert failed["error"]["code"] == "env_error"
            assert failed["error"]["message"] == "cannot be made: the server can't be reached: ConnectError"
            views = {view["id"]: view for view in (await client.get("/environments")).json()["data"]}
            assert (views["Guess-v0"]["plugin"], views["Guess-v0"]["description"]) == ("openenv", "adapted")
            assert views["Guess-v0"]["definition"]["goal_description"].startswith("Guess a number")
            assert "can't be reached" in views["Gone-v0"]["load_error"]
            for kwargs in ({"url": "http://127.0.0.1:9"}, {"id": "x"}):
                refused = await client.post("/runs", json=body("Guess-v0", kwargs))
                assert refused.status_code == 422
    assert env_plugins.plugins["openenv"] == ("Guess-v0", "Gone-v0")
