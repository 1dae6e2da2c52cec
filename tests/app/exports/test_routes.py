"""What can't be exported, and why."""

import sys
from uuid import UUID

import gymnasium as gym
import httpx
import pytest

from app.access import LOCAL
from app.bootstrap import Service
from app.errors import NotFoundError
from app.runs.stored_run import StoredRun
from tests.app.running import body, has_steps, is_over, play, until

REPLAYED = ("minari", "openai")


@pytest.mark.parametrize(("format", "needs"), [("parquet", "pyarrow"), ("minari", "minari")])
async def test_a_missing_extra_is_named(
    client: httpx.AsyncClient, format: str, needs: str, monkeypatch: pytest.MonkeyPatch
):
    run = await play(client, body())
    for name in [name for name in sys.modules if name.split(".")[0] == needs]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, needs, None)
    monkeypatch.delitem(sys.modules, f"app.exports.{format}", raising=False)
    response = await client.get(f"/runs/{run['id']}/export", params={"format": format})
    assert response.status_code == 501
    assert response.json()["detail"] == f"This needs the extra {format}: pip install 'gym-llm[{format}]'"
    assert (await client.get(f"/runs/{run['id']}/export")).status_code == 200


async def test_environments_that_are_gone_or_do_not_repeat_themselves(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
):
    gone = await play(client, body())
    monkeypatch.delitem(gym.registry, "Counting-v0")
    monkeypatch.setattr(service.catalog, "_entries", {})
    honest = await play(client, body("HonestlyRandom-v0", {"length": 3, "seconds": 0}))
    random = await play(client, body("Random-v0", {"length": 3, "seconds": 0}))
    for run, reason in (
        (gone, "is not loaded on this server"),
        (honest, "declares itself nondeterministic"),
        (random, "step 1: not deterministic"),
    ):
        for format in REPLAYED:
            response = await client.get(f"/runs/{run['id']}/export", params={"format": format})
            assert response.status_code == 409, response.text
            assert reason in response.json()["detail"]
            assert "jsonl and parquet" in response.json()["detail"]
        for format in ("jsonl", "parquet"):
            assert (await client.get(f"/runs/{run['id']}/export", params={"format": format})).status_code == 200
    staging = service.settings.data_dir / "runs" / ".staging"
    assert not list(staging.glob("minari-*"))


async def test_only_finished_episodes_are_taken_again(client: httpx.AsyncClient):
    failed = await play(client, body("Failing-v0", {"at": 3, "seed": 0}, seed=0, num_runs=2))
    lines = (await client.get(f"/runs/{failed['id']}/export", params={"format": "openai"})).text.splitlines()
    assert len(lines) == 6
    nothing = await play(client, body("Failing-v0", {"at": 3}))
    response = await client.get(f"/runs/{nothing['id']}/export", params={"format": "minari"})
    assert response.status_code == 409
    assert "no finished episode" in response.json()["detail"]


async def test_a_run_can_be_exported_while_it_plays(client: httpx.AsyncClient):
    run = (await client.post("/runs", json=body("Slow-v0"))).json()
    await until(client, f"/runs/{run['id']}", has_steps)
    lines = (await client.get(f"/runs/{run['id']}/export")).text.splitlines()
    assert len(lines) > 3
    assert '"status":"running"' in lines[1]
    await client.post(f"/runs/{run['id']}/cancel")
    await until(client, f"/runs/{run['id']}", is_over)


async def test_a_run_that_is_deleted_meanwhile_is_not_cut_short_in_silence(client: httpx.AsyncClient, service: Service):
    run = await play(client, body())
    stored = StoredRun.of(service.database, await service.runs.get(LOCAL, UUID(run["id"])))
    episode = await anext(stored.episodes())
    await client.delete(f"/runs/{run['id']}")
    with pytest.raises(NotFoundError, match="deleted"):
        _ = [step async for step in stored.steps(episode)]
