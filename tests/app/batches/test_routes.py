"""Batches over HTTP: made once, followed, retried, cancelled and deleted as one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse

from app.bootstrap import build
from app.main import create_app
from app.settings import Settings
from gym_llm.backends import BaselineBackend, Question, Reply, Usage
from gym_llm.errors import LLMError
from tests.app.running import Json, all_steps, until
from tests.conftest import Serve
from tests.fakes import FakeBackend, answer

RANDOM = {"backend": "baseline", "model": "random"}
HEURISTIC = {"backend": "baseline", "model": "heuristic"}
PAID = {"backend": "openai", "model": "fake"}
COUNTING = {"name": "Counting-v0", "kwargs": {"length": 4}}
OVER = ("succeeded", "failed", "cancelled")


def asked(agents: list[Any] | None = None, environments: list[Any] | None = None, **fields: Any) -> Json:
    top = {name: fields.pop(name) for name in ("name", "max_cost_usd") if name in fields}
    return {
        "agents": agents or [RANDOM, HEURISTIC],
        "environments": environments or [COUNTING],
        "experiment": {"num_runs": 3, **fields},
        **top,
    }


async def start(client: httpx.AsyncClient, body: Json, **headers: str) -> Json:
    response = await client.post("/batches", json=body, headers=headers)
    assert response.status_code == 202, response.text
    assert response.headers["Location"] == f"/batches/{response.json()['id']}"
    return dict(response.json())


async def over(client: httpx.AsyncClient, batch: Json) -> Json:
    return await until(client, f"/batches/{batch['id']}", lambda found: found["status"] in OVER)


async def runs_of(client: httpx.AsyncClient, batch: Json) -> list[Json]:
    return list(reversed((await client.get("/runs", params={"batch": batch["id"], "limit": 100})).json()["data"]))


@asynccontextmanager
async def answering(settings: Settings, answers: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service whose backend `openai` answers so."""
    service = build(settings, {"openai": FakeBackend(answers), "baseline": BaselineBackend()})
    async with service.running():
        transport = httpx.ASGITransport(create_app(service=service))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
            yield client


async def test_every_agent_plays_every_environment_with_the_same_seeds(client: httpx.AsyncClient):
    started = await start(client, asked(environments=[COUNTING, {"name": "CartPoleLLM-v1"}], seed=5, max_steps=9))
    batch = await over(client, started)
    assert batch["status"] == "succeeded"
    assert batch["progress"] == {"cells": {"succeeded": 4}, "episodes_done": 12, "episodes": 12}
    assert [(cell["agent"], cell["environment"]) for cell in batch["cells"]] == [
        (agent, environment) for agent in ("random", "heuristic") for environment in ("Counting-v0", "CartPoleLLM-v1")
    ]
    runs = await runs_of(client, batch)
    assert [(run["batch_id"], run["cell"]) for run in runs] == [(batch["id"], index) for index in range(4)]
    for run, cell in zip(runs, batch["cells"], strict=True):
        episodes = (await client.get(f"/runs/{run['id']}/episodes")).json()["data"]
        assert [episode["seed"] for episode in episodes] == [5, 6, 7]
        rewards = [episode["total_reward"] for episode in episodes]
        assert cell["runs"] == [run["id"]]
        assert cell["episodes"] == {"succeeded": 3}
        assert cell["avg_reward"] == pytest.approx(sum(rewards) / 3)
        assert cell["steps"] == sum(episode["num_steps"] for episode in episodes)


async def test_the_yaml_of_a_file_and_a_registered_agent(client: httpx.AsyncClient):
    await client.post("/agents", json={"name": "mine", "agent": HEURISTIC})
    text = "name: trial\nagents: [mine]\nenvironments:\n  - name: Counting-v0\nexperiment: {num_runs: 2}\n"
    response = await client.post("/batches", content=text, headers={"Content-Type": "application/yaml"})
    batch = await over(client, response.json())
    assert (batch["name"], batch["cells"][0]["agent"]) == ("trial", "mine")
    [run] = await runs_of(client, batch)
    assert (run["experiment"]["name"], run["agent"]["model"]) == ("trial", "heuristic")


async def test_the_same_key_gives_the_same_batch(client: httpx.AsyncClient):
    made = await asyncio.gather(*(start(client, asked(), **{"Idempotency-Key": "k"}) for _ in range(4)))
    assert len({batch["id"] for batch in made}) == 1
    assert len((await client.get("/runs")).json()["data"]) == 2
    other = await client.post("/batches", json=asked(num_runs=4), headers={"Idempotency-Key": "k"})
    assert (other.status_code, other.json()["type"]) == (422, "urn:gym-llm:problem:idempotency-mismatch")
    await over(client, made[0])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (asked([{"backend": "baseline", "model": "random", "temprature": 1}]), "agents.0.temprature"),
        (asked(["nobody"]), "no registered agent of this name"),
        (asked(environments=[{"name": "Nowhere-v0"}]), "environment.name"),
        (asked(environments=[{"name": "Counting-v0", "grid": {"length": ["long"]}}]), "environment.kwargs.length"),
        (asked(num_runs=10**4), "experiment.num_runs"),
        (asked([RANDOM, RANDOM]), "agents: two of them are the same"),
        ({"environments": [COUNTING]}, "agents"),
        (asked() | {"agents": []}, "agents"),
    ],
)
async def test_what_is_refused_leaves_nothing(client: httpx.AsyncClient, body: Json, words: str):
    response = await client.post("/batches", json=body)
    assert response.status_code == 422, response.text
    assert words in response.json()["detail"]
    assert (await client.get("/batches")).json() == {"data": [], "has_more": False}
    assert (await client.get("/runs")).json()["data"] == []


async def test_all_of_its_runs_are_taken_on_or_none(settings: Settings):
    few = settings.model_copy(update={"max_active_runs_per_owner": 3})
    async with answering(few, lambda _: answer(1)) as client:
        four = asked(environments=[COUNTING, {"name": "Slow-v0"}])
        assert (await client.post("/batches", json=four)).status_code == 429
        slow = (await client.post("/runs", json={"agent": RANDOM, "environment": {"name": "Slow-v0"}})).json()["id"]
        three = asked([RANDOM, HEURISTIC, {**RANDOM, "history": 3}])
        refused = await client.post("/batches", json=three)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:gym-llm:problem:too-many-runs")
        assert (await client.get("/batches")).json()["data"] == []
        assert [run["id"] for run in (await client.get("/runs")).json()["data"]] == [slow]
        await over(client, await start(client, asked()))
        await client.post(f"/runs/{slow}/cancel")


async def test_a_batch_stops_at_what_it_may_cost(settings: Settings):
    def priced(_: Question) -> Reply:
        return Reply(answer(1), usage=Usage(10, 4, 2), cost_usd=0.1)

    agents = [PAID, {**PAID, "history": 3}, {**PAID, "history": 4}, RANDOM]
    async with answering(settings.model_copy(update={"max_running_runs": 1}), priced) as client:
        batch = await over(client, await start(client, asked(agents, max_cost_usd=1.95)))
        assert batch["status"] == "failed"
        # The first cell takes 12 answers, the second is stopped in its second episode, the third asks nothing at all.
        assert [cell["status"] for cell in batch["cells"]] == ["succeeded", "failed", "failed", "failed"]
        assert batch["cost_usd"] == pytest.approx(2.0)
        assert [cell["cost_usd"] for cell in batch["cells"]] == pytest.approx([1.2, 0.8, 0.0, 0.0])
        assert {cell["error"]["code"] for cell in batch["cells"][1:]} == {"budget_exceeded"}
        again = await over(client, (await client.post(f"/batches/{batch['id']}/retry")).json())
        assert again["cost_usd"] == pytest.approx(2.0)
        raised = (await client.post(f"/batches/{batch['id']}/retry", json={"max_cost_usd": 100})).json()
        ended = await over(client, raised)
        assert (ended["status"], ended["max_cost_usd"]) == ("succeeded", 100)
        assert ended["progress"]["episodes_done"] == 12


async def test_a_price_that_is_not_known_is_no_bargain(settings: Settings):
    unpriced = Reply(answer(1), usage=Usage(10, 4, 2), cost_usd=None)
    async with answering(settings, lambda _: unpriced) as client:
        batch = await over(client, await start(client, asked([PAID], max_cost_usd=1)))
        assert batch["cells"][0]["error"]["code"] == "budget_exceeded"
        assert batch["cells"][0]["steps"] == 1


async def test_only_what_failed_is_played_again_and_once(settings: Settings):
    broken = {1, 2, 5}

    def answers(question: Question) -> str:
        if question.seed in broken and question.agent.history == 3:
            raise LLMError("openai: HTTP 500")
        return answer(1)

    async with answering(settings, answers) as client:
        agents = [PAID, {**PAID, "history": 3}]
        batch = await over(client, await start(client, asked(agents, num_runs=7, concurrency=7)))
        assert [cell["status"] for cell in batch["cells"]] == ["succeeded", "failed"]
        [bad] = [run for run in await runs_of(client, batch) if run["cell"] == 1]
        episodes = (await client.get(f"/runs/{bad['id']}/episodes")).json()["data"]
        good = {episode["seed"] for episode in episodes if episode["status"] == "succeeded"}
        broken.clear()
        url = f"/batches/{batch['id']}/retry"
        answers_to_retry = await asyncio.gather(*(client.post(url) for _ in range(3)))
        assert [each.status_code for each in answers_to_retry] == [202] * 3
        ended = await over(client, batch)
        new = [run for run in await runs_of(client, batch) if run["cell"] == 1 and run["id"] != bad["id"]]
        again = [run["experiment"]["seed"] + n for run in new for n in range(run["experiment"]["num_runs"])]
        assert sorted(again) == sorted(set(range(7)) - good)
        assert (ended["status"], ended["cells"][1]["episodes"]) == ("succeeded", {"succeeded": 7})
        assert len(ended["cells"][0]["runs"]) == 1
        assert len(await runs_of(client, (await client.post(url)).json())) == 2 + len(new)
        outside = await client.post(url, json={"cells": [2]})
        assert (outside.status_code, "0 to 1" in outside.text) == (422, True)


async def test_cancelled_as_one_and_played_to_its_end_later(client: httpx.AsyncClient):
    batch = await start(client, asked(environments=[{"name": "Slow-v0"}], num_runs=2))
    assert (await client.delete(f"/batches/{batch['id']}")).status_code == 409
    assert (await client.post(f"/batches/{batch['id']}/cancel")).status_code == 202
    cancelled = await over(client, batch)
    assert (cancelled["status"], cancelled["progress"]["cells"]) == ("cancelled", {"cancelled": 2})
    await client.post(f"/batches/{batch['id']}/retry")
    assert (await over(client, batch))["status"] == "succeeded"


async def test_deleted_with_all_its_runs(client: httpx.AsyncClient):
    kept = await over(client, await start(client, asked()))
    batch = await over(client, await start(client, asked(save_gif=True)))
    [run, _] = await runs_of(client, batch)
    assert (await client.delete(f"/batches/{batch['id']}")).status_code == 204
    for url in (f"/batches/{batch['id']}", f"/batches/{batch['id']}/events", f"/runs/{run['id']}"):
        assert (await client.get(url)).status_code == 404
    assert [each["id"] for each in (await client.get("/batches")).json()["data"]] == [kept["id"]]
    assert len((await client.get("/runs")).json()["data"]) == 2


async def test_batches_are_listed_in_pages_newest_first(client: httpx.AsyncClient):
    made = [await over(client, await start(client, asked([RANDOM], name=f"b{n}"))) for n in range(3)]
    first = (await client.get("/batches", params={"limit": 2})).json()
    assert ([each["name"] for each in first["data"]], first["has_more"]) == (["b2", "b1"], True)
    rest = (await client.get("/batches", params={"after": first["data"][-1]["id"]})).json()
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == ([made[0]["id"]], False)


def test_the_stream_tells_every_cell_and_every_change(server: Any):
    body = asked([RANDOM, HEURISTIC], [{"name": "Slow-v0"}, COUNTING], num_runs=2)
    with server.client() as client:
        batch = client.post("/batches", json=body).json()

        async def follow() -> list[tuple[str, Json]]:
            async with (
                httpx.AsyncClient(base_url=server.url, timeout=60) as connected,
                aconnect_sse(connected, "GET", f"/batches/{batch['id']}/events") as source,
            ):
                assert source.response.headers["content-type"].startswith("text/event-stream")
                return [(event.event, event.json()) async for event in source.aiter_sse() if event.data]

        events = asyncio.run(follow())
        final = client.get(f"/batches/{batch['id']}").json()
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "batch"
    assert kinds[-1] == "done"
    assert kinds.count("batch") > 1
    newest = {data["cell"]: data for kind, data in events if kind == "cell"}
    assert [newest[index] for index in range(4)] == final["cells"]
    assert {name: final[name] for name in events[0][1]} == [data for kind, data in events if kind == "batch"][-1]
    seen = [data["status"] for kind, data in events if kind == "cell" and data["cell"] == 0]
    assert seen[-1] == "succeeded"
    assert "running" in seen


def test_a_killed_server_goes_on_with_its_batches(serve: Serve, database_url: str):
    server = serve(database_url=database_url, embedded_worker=True, heartbeat_s=0.2, lost_after_s=0.6)
    body = asked(environments=[{"name": "Slow-v0"}, COUNTING], num_runs=4, concurrency=2)
    with server.client() as client:
        batch = client.post("/batches", json=body).json()
        while client.get(f"/batches/{batch['id']}").json()["cells"][0]["steps"] < 5:
            pass
    server.kill()
    server.start()
    with server.client() as client:
        while (found := client.get(f"/batches/{batch['id']}").json())["status"] not in OVER:
            pass
        assert found["status"] == "succeeded"
        assert found["progress"]["episodes_done"] == 16
        for cell in found["cells"]:
            [run] = cell["runs"]
            steps = client.get(f"/runs/{run}/steps", headers={"Accept": "application/jsonl"}).text.splitlines()
            assert len(steps) == cell["steps"]


async def test_what_a_run_has_cost_is_in_its_row(settings: Settings):
    async with answering(settings, lambda _: Reply(answer(1), usage=Usage(1, 0, 1), cost_usd=0.25)) as client:
        batch = await over(client, await start(client, asked([PAID])))
        steps = await all_steps(client, batch["cells"][0]["runs"][0])
        assert batch["cost_usd"] == batch["cells"][0]["cost_usd"] == sum(step["cost_usd"] for step in steps) == 3.0
