"""Making runs, looking at them, cancelling and deleting them."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest
import yaml

from tests.app.running import all_steps, body, has_steps, is_over, play, until

NOBODY = "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f"
PROBLEM = "application/problem+json"


async def test_a_run_is_accepted_and_played(client: httpx.AsyncClient):
    response = await client.post("/runs", json=body(num_runs=2, seed=7, name="first"))
    assert response.status_code == 202
    run = response.json()
    assert response.headers["location"] == f"/runs/{run['id']}"
    assert run["status"] == "queued"
    assert run["progress"] == {"episodes_done": 0, "steps": 0}
    assert run["started_at"] is None
    over = await until(client, f"/runs/{run['id']}", is_over)
    assert over["status"] == "succeeded"
    assert over["error"] is None
    assert over["progress"] == {"episodes_done": 2, "steps": 10}
    assert over["created_at"] <= over["started_at"] <= over["finished_at"]
    assert over["agent"] | {"backend": "baseline", "model": "heuristic"} == over["agent"]
    assert over["experiment"]["seed"] == 7
    assert {*over} == {
        *("id", "status", "error", "agent", "environment", "experiment", "progress"),
        *("created_at", "started_at", "finished_at", "versions", "parent", "imported_from", "batch_id", "cell"),
    }


async def test_yaml_says_the_same_as_json(client: httpx.AsyncClient):
    asked = body(num_runs=1, name="as yaml")
    for kind in ("application/yaml", "application/x-yaml", "text/yaml", "APPLICATION/YAML; charset=utf-8"):
        response = await client.post("/runs", content=yaml.safe_dump(asked), headers={"Content-Type": kind})
        assert response.status_code == 202
        assert response.json()["experiment"]["name"] == "as yaml"


async def test_prefer_wait(client: httpx.AsyncClient):
    response = await client.post("/runs", json=body(), headers={"Prefer": "respond-async, wait=30"})
    assert response.status_code == 200
    assert response.json()["status"] == "succeeded"
    assert "wait" in response.headers["preference-applied"]
    assert response.headers["location"] == f"/runs/{response.json()['id']}"
    response = await client.post("/runs", json=body("Slow-v0"), headers={"Prefer": "wait=0"})
    assert response.status_code == 202
    assert response.json()["status"] in ("queued", "running")


async def test_an_idempotency_key_makes_one_run(client: httpx.AsyncClient):
    key = {"Idempotency-Key": "one"}
    answers = await asyncio.gather(*(client.post("/runs", json=body(seed=3), headers=key) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    again = await client.post("/runs", json=body(seed=3), headers=key)
    assert again.json()["id"] == answers[0].json()["id"]
    spelled_out = body(seed=3)
    spelled_out["experiment"] |= {"concurrency": 1, "queue": "runs"}  # As by default.
    assert (await client.post("/runs", json=spelled_out, headers=key)).json()["id"] == again.json()["id"]
    other = await client.post("/runs", json=body(seed=4), headers=key)
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency-mismatch")
    assert len((await client.get("/runs")).json()["data"]) == 1
    second = await client.post("/runs", json=body(seed=4), headers={"Idempotency-Key": "two"})
    assert second.json()["id"] != again.json()["id"]


async def test_lists_come_in_pages_newest_first(client: httpx.AsyncClient):
    made = [(await client.post("/runs", json=body(seed=seed))).json()["id"] for seed in range(5)]
    seen: list[str] = []
    more, params = True, {"limit": "2"}
    while more:
        page = (await client.get("/runs", params=params)).json()
        seen += [run["id"] for run in page["data"]]
        assert len(page["data"]) <= 2
        more, params = page["has_more"], {"limit": "2", "after": seen[-1]}
    assert seen == made[::-1]


async def test_lists_can_be_filtered(client: httpx.AsyncClient):
    heuristic = await play(client, body())
    drawn = await play(client, body(model="random"))
    failed = await play(client, body("Failing-v0"))
    found = {
        (field, value): [run["id"] for run in (await client.get("/runs", params={field: value})).json()["data"]]
        for field, value in (
            ("status", "failed"),
            ("model", "random"),
            ("environment", "Counting-v0"),
            ("backend", "baseline"),
            ("backend", "openai"),
        )
    }
    assert list(found.values()) == [
        [failed["id"]],
        [drawn["id"]],
        [drawn["id"], heuristic["id"]],
        [failed["id"], drawn["id"], heuristic["id"]],
        [],
    ]


@pytest.mark.parametrize(
    "path",
    ["/runs?limit=0", "/runs?limit=101", "/runs?limit=x", "/runs?status=lost", "/runs?after=5", "/runs/not-an-id"],
)
async def test_wrong_parameters_are_named(client: httpx.AsyncClient, path: str):
    response = await client.get(path)
    assert response.status_code == 422
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["errors"]


@pytest.mark.parametrize("field", ["model", "environment", "backend"])
async def test_a_filter_that_no_database_can_hold_finds_nothing(client: httpx.AsyncClient, field: str):
    response = await client.get("/runs", params={field: "a\x00b"})
    assert response.status_code in (200, 422)


@pytest.mark.parametrize(
    "path",
    [
        *("", "/events", "/steps", "/episodes", "/metrics", "/archive"),
        *(f"/episodes/0{file}" for file in ("", "/gif", "/video", "/frame", "/raw_outputs")),
    ],
)
async def test_an_unknown_run_is_not_found(client: httpx.AsyncClient, path: str):
    response = await client.get(f"/runs/{NOBODY}{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["type"] == "urn:gym-llm:problem:not-found"


async def test_unknown_runs_and_paths_are_problems_too(client: httpx.AsyncClient):
    for response, status in (
        (await client.post(f"/runs/{NOBODY}/cancel"), 404),
        (await client.delete(f"/runs/{NOBODY}"), 404),
        (await client.get("/nowhere"), 404),
        (await client.put("/runs"), 405),
        (await client.get(f"/runs/{NOBODY}/steps", headers={"Accept": "application/jsonl"}), 404),
    ):
        assert response.status_code == status
        assert response.headers["content-type"] == PROBLEM
        assert response.json()["status"] == status


async def test_episodes(client: httpx.AsyncClient):
    run = await play(client, body(num_runs=3, seed=5))
    page = (await client.get(f"/runs/{run['id']}/episodes", params={"limit": 2})).json()
    assert page["has_more"]
    rest = (await client.get(f"/runs/{run['id']}/episodes", params={"after": page["data"][-1]["episode"]})).json()
    assert not rest["has_more"]
    episodes = page["data"] + rest["data"]
    assert [(e["episode"], e["seed"], e["status"]) for e in episodes] == [
        (index, 5 + index, "succeeded") for index in range(3)
    ]
    first = (await client.get(f"/runs/{run['id']}/episodes/0")).json()
    assert first == episodes[0]
    assert first | {"total_reward": 10.0, "num_steps": 5, "terminated": True, "truncated": False} == first
    assert first["success"] is None
    assert (await client.get(f"/runs/{run['id']}/episodes/3")).status_code == 404
    assert (await client.get(f"/runs/{run['id']}/episodes/-1")).status_code == 422


async def test_steps_come_in_pages_by_episode_and_as_lines(client: httpx.AsyncClient):
    run = await play(client, body(num_runs=3, concurrency=3, action_rate=2))
    steps = await all_steps(client, run["id"])
    assert [step["id"] for step in steps] == list(range(1, 16))
    assert {(step["episode"], step["step"]) for step in steps} == {(e, s) for e in range(3) for s in range(1, 6)}
    assert all(step["decided"] == (step["step"] % 2 == 1) for step in steps)
    assert {step["observation"]["count"] + 1 == step["step"] for step in steps} == {True}
    of_one = (await client.get(f"/runs/{run['id']}/steps", params={"episode": 1, "limit": 3})).json()
    assert of_one["has_more"]
    assert of_one["data"] == [step for step in steps if step["episode"] == 1][:3]
    lines = await client.get(f"/runs/{run['id']}/steps", headers={"Accept": "application/jsonl"})
    assert lines.headers["content-type"].startswith("application/jsonl")
    assert [orjson.loads(line) for line in lines.text.splitlines()] == steps
    lines = await client.get(
        f"/runs/{run['id']}/steps", params={"after": 9, "episode": 2}, headers={"Accept": "application/jsonl"}
    )
    assert [orjson.loads(line) for line in lines.text.splitlines()] == [
        step for step in steps if step["episode"] == 2 and step["id"] > 9
    ]


async def test_cancelling_takes_at_most_one_further_step(client: httpx.AsyncClient):
    run = (await client.post("/runs", json=body("Slow-v0", num_runs=3, concurrency=2))).json()
    await until(client, f"/runs/{run['id']}", has_steps)
    response = await client.post(f"/runs/{run['id']}/cancel")
    assert response.status_code == 202
    assert response.json()["status"] in ("cancelling", "cancelled")
    told = await all_steps(client, run["id"])
    over = await until(client, f"/runs/{run['id']}", is_over)
    assert over["status"] == "cancelled"
    assert over["finished_at"] is not None
    steps = await all_steps(client, run["id"])
    for episode in range(3):
        assert len([s for s in steps if s["episode"] == episode]) <= 1 + len(
            [s for s in told if s["episode"] == episode]
        )
    assert over["progress"]["steps"] == len(steps)
    episodes = (await client.get(f"/runs/{run['id']}/episodes")).json()["data"]
    assert {episode["status"] for episode in episodes} == {"cancelled"}


async def test_cancelling_many_times_at_once(client: httpx.AsyncClient):
    run = (await client.post("/runs", json=body("Slow-v0"))).json()
    await until(client, f"/runs/{run['id']}", has_steps)
    answers = await asyncio.gather(*(client.post(f"/runs/{run['id']}/cancel") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert (await until(client, f"/runs/{run['id']}", is_over))["status"] == "cancelled"
    again = await client.post(f"/runs/{run['id']}/cancel")
    assert (again.status_code, again.json()["status"]) == (202, "cancelled")


async def test_cancelling_at_every_moment_of_a_start(client: httpx.AsyncClient):
    async def start_and_cancel(ticks: int) -> str:
        run = (await client.post("/runs", json=body("Slow-v0"))).json()
        for _ in range(ticks):
            await asyncio.sleep(0)
        await client.post(f"/runs/{run['id']}/cancel")
        return str(run["id"])

    for run_id in [await start_and_cancel(ticks) for ticks in range(0, 40, 2)]:
        assert (await until(client, f"/runs/{run_id}", is_over))["status"] == "cancelled"


async def test_cancelling_what_is_over_changes_nothing(client: httpx.AsyncClient):
    run = await play(client, body())
    response = await client.post(f"/runs/{run['id']}/cancel")
    assert response.status_code == 202
    assert response.json() == run


async def test_deleting(client: httpx.AsyncClient, settings: Any):
    run = (await client.post("/runs", json=body("Slow-v0", save_gif=True))).json()
    await until(client, f"/runs/{run['id']}", has_steps)
    refused = await client.delete(f"/runs/{run['id']}")
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("conflict")
    await client.post(f"/runs/{run['id']}/cancel")
    await until(client, f"/runs/{run['id']}", is_over)
    folder = settings.data_dir / "runs" / run["id"]
    assert list(folder.iterdir())
    assert (await client.delete(f"/runs/{run['id']}")).status_code == 204
    assert not folder.exists()
    assert (await client.get(f"/runs/{run['id']}")).status_code == 404
    assert (await client.delete(f"/runs/{run['id']}")).status_code == 404
    assert (await client.get("/runs")).json() == {"data": [], "has_more": False}
