"""Runs in environments that have processes of their own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.running import TERMINAL, all_steps, body, play
from tests.conftest import Serve
from tests.plugins_apart.loading import APART, loaded


@pytest.fixture(scope="module", autouse=True)
def _walls(_oddities: None) -> Iterator[None]:
    with loaded(APART):
        yield


async def test_it_is_shown_like_any_other(client: httpx.AsyncClient) -> None:
    view = (await client.get("/environments/WallsLLM-v0")).json()
    assert (view["plugin"], view["load_error"], view["description"]) == ("walls", None, "hand-written")
    assert (view["max_steps"], view["reward_threshold"], view["heuristic"]) == (50, 100.0, True)
    assert view["definition"]["action_schema"]["2"] == "two: adds 2"
    assert view["allowed_kwargs"]["at"] == {"type": "int", "default": 3, "required": False}
    assert set(view["allowed_kwargs"]) == {"way", "at", "length", "pause"}
    listed = (await client.get("/environments")).json()["data"]
    assert view in listed
    assert (await client.get("/environments/WallsLLM-v0/preview")).content.startswith(b"\x89PNG")


async def test_its_arguments_are_checked_here(client: httpx.AsyncClient) -> None:
    for kwargs, told in (
        ({"colour": "red"}, "environment.kwargs.colour: Extra inputs"),
        ({"at": "3"}, "environment.kwargs.at: Input should be a valid integer"),
        ({"way": "up"}, "environment.kwargs.way: Input should be"),
    ):
        response = await client.post("/runs", json=body("WallsLLM-v0", kwargs))
        assert response.status_code == 422
        assert told in response.json()["detail"]


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("", None),
        ("segfault", "step 3 failed: its process was ended by SIGSEGV"),
        ("exit", "step 3 failed: its process ended with exit code 7; it said last: the fuel is gone"),
        ("nan", "step 3: observation.noise holds NaN or an infinity"),
    ],
)
async def test_its_end_is_that_of_its_run_only(client: httpx.AsyncClient, way: str, told: str | None) -> None:
    run, other = await asyncio.gather(
        play(client, body("WallsLLM-v0", {"way": way}, save_gif=True)),
        play(client, body("WallsLLM-v0", {"length": 8})),
    )
    assert other["status"] == "succeeded"
    assert other["progress"] == {"episodes_done": 1, "steps": 8}
    steps = await all_steps(client, run["id"])
    if told is None:
        assert (run["status"], len(steps)) == ("succeeded", 6)
        assert (await client.get(f"/runs/{run['id']}/episodes/0/gif")).content.startswith(b"GIF8")
    else:
        assert (run["status"], len(steps)) == ("failed", 2)
        assert run["error"] == {"code": "env_error", "message": told, "episode": 0}


def test_a_run_goes_on_where_its_server_died(serve: Serve, database_url: str) -> None:
    server = serve(database_url=database_url, plugin_path=str(APART))
    request = body("WallsLLM-v0", {"length": 40, "pause": 0.05}, num_runs=2, seed=3)

    def over(client: httpx.Client, run_id: str) -> dict[str, Any]:
        return server.until(
            lambda: run if (run := client.get(f"/runs/{run_id}").json())["status"] in TERMINAL else None
        )

    def steps(client: httpx.Client, run_id: str) -> list[Any]:
        listed = client.get(f"/runs/{run_id}/steps", params={"limit": 100}).json()["data"]
        return [(step["episode"], step["step"], step["observation"], step["action"], step["reward"]) for step in listed]

    with server.client() as client:
        run_id = str(client.post("/runs", json=request).raise_for_status().json()["id"])
        server.until(lambda: client.get(f"/runs/{run_id}").json()["progress"]["steps"] >= 10)
    server.kill()
    server.start()
    with server.client() as client:
        assert over(client, run_id)["status"] == "succeeded"
        undisturbed = str(client.post("/runs", json=request).raise_for_status().json()["id"])
        assert over(client, undisturbed)["status"] == "succeeded"
        assert len(steps(client, run_id)) == 80
        assert steps(client, run_id) == steps(client, undisturbed)


def test_settings_reach_the_service(serve: Serve, tmp_path: Path) -> None:
    server = serve(
        plugin_path=f"{APART}:{tmp_path / 'nowhere'}", isolate="classic_control, oddities", env_timeout_s="2.5"
    )
    with server.client() as client:
        ended = []
        for request in (
            body("Deadly-v0"),
            body("Slow-v0", {"seconds": 30.0}),
            body("WallsLLM-v0", {"length": 3}),
            body("CartPole-v1", max_steps=5),
        ):
            response = client.post("/runs", json=request, headers={"Prefer": "wait=60"})
            ended.append((response.json()["status"], (response.json()["error"] or {}).get("message")))
        assert ended == [
            ("failed", "step 4 failed: its process ended with exit code 1"),
            ("failed", "step 1 failed: no answer within 2.5 s (env_timeout_s); its process was killed"),
            ("succeeded", None),
            ("succeeded", None),
        ]
        failed = {view["plugin"]: view["load_error"] for view in client.get("/environments").json()["data"]}
        assert failed[str(tmp_path / "nowhere")] == "FileNotFoundError: there is no such folder"
