"""What a run leaves behind: pictures, videos, raw outputs, figures, archives."""

import io
import json
import zipfile
from typing import Any

import httpx
import imageio.v3 as iio
import pytest
import yaml
from PIL import Image

from app.bootstrap import Service
from tests.app.running import all_steps, body, has_steps, is_over, play, until


async def test_pictures_and_videos_can_be_fetched_in_parts(client: httpx.AsyncClient):
    run = await play(client, body(save_gif=True, save_video=True, seed=4))
    episode = f"/runs/{run['id']}/episodes/0"
    for name, kind in (("gif", "image/gif"), ("video", "video/mp4")):
        found = await client.get(f"{episode}/{name}")
        assert found.status_code == 200
        assert found.headers["content-type"] == kind
        etag = found.headers["etag"]
        same = await client.get(f"{episode}/{name}", headers={"If-None-Match": etag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        part = await client.get(f"{episode}/{name}", headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, found.content[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(found.content)}"
        rest = await client.get(f"{episode}/{name}", headers={"Range": "bytes=-5", "If-Range": etag})
        assert (rest.status_code, rest.content) == (206, found.content[-5:])
        changed = await client.get(f"{episode}/{name}", headers={"Range": "bytes=0-1", "If-Range": '"older"'})
        assert (changed.status_code, changed.content) == (200, found.content)
        beyond = await client.get(f"{episode}/{name}", headers={"Range": "bytes=99999999-"})
        assert beyond.status_code == 416
    assert Image.open(io.BytesIO((await client.get(f"{episode}/gif")).content)).format == "GIF"
    assert len(iio.imread((await client.get(f"{episode}/video")).content, extension=".mp4")) == 5
    frame = await client.get(f"{episode}/frame")
    assert frame.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(frame.content)).size == (12, 8)


async def test_frames_are_there_while_an_episode_is_played(client: httpx.AsyncClient, service: Service):
    run = (await client.post("/runs", json=body("Slow-v0", save_gif=True))).json()
    await until(client, f"/runs/{run['id']}", has_steps)
    live = await client.get(f"/runs/{run['id']}/episodes/0/frame")
    assert live.status_code == 200
    assert Image.open(io.BytesIO(live.content)).getpixel((0, 0)) != (0, 0, 0)
    early = await client.get(f"/runs/{run['id']}/episodes/0/gif")
    assert early.status_code == 404
    assert "still being played" in early.json()["detail"]
    await client.post(f"/runs/{run['id']}/cancel")
    await until(client, f"/runs/{run['id']}", is_over)


async def test_what_was_not_asked_for_is_not_there(client: httpx.AsyncClient):
    run = await play(client, body())
    for name in ("gif", "video", "frame"):
        response = await client.get(f"/runs/{run['id']}/episodes/0/{name}")
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
        assert (await client.get(f"/runs/{run['id']}/episodes/7/{name}")).status_code == 404


async def test_raw_outputs(client: httpx.AsyncClient):
    run = await play(client, body(num_runs=2))
    steps = await all_steps(client, run["id"])
    for episode in range(2):
        outputs = (await client.get(f"/runs/{run['id']}/episodes/{episode}/raw_outputs")).json()
        assert list(outputs) == ["1", "2", "3", "4", "5"]
        assert outputs == {
            str(step["step"]): {"reflection": step["reflection"], "action": step["action"]}
            for step in steps
            if step["episode"] == episode
        }


async def test_figures_follow_from_the_steps(client: httpx.AsyncClient):
    run = await play(client, body("CartPoleLLM-v1", model="random", num_runs=4, concurrency=2, action_rate=2))
    steps = await all_steps(client, run["id"])
    figures = (await client.get(f"/runs/{run['id']}/metrics")).json()
    by_episode = [[step for step in steps if step["episode"] == episode] for episode in range(4)]
    rewards = [sum(step["reward"] for step in of_one) for of_one in by_episode]
    lengths = [len(of_one) for of_one in by_episode]
    assert figures["total_rewards"] == rewards
    assert figures["total_steps"] == lengths
    assert figures["avg_reward"] == pytest.approx(sum(rewards) / 4)
    assert figures["avg_steps"] == pytest.approx(sum(lengths) / 4)
    assert figures["decisions"] == sum(step["decided"] for step in steps)
    assert figures["attempts"] == sum(step["attempts"] for step in steps)
    assert figures["invalid_action_rate"] == 0
    assert figures["cost_usd"] == 0
    low, high = figures["ci95"]
    assert low < figures["avg_reward"] < high
    assert figures["episodes"] == {"succeeded": 4, "failed": 0, "cancelled": 0, "running": 0}


async def test_an_archive_is_the_folder_of_an_experiment(client: httpx.AsyncClient, settings: Any):
    run = await play(client, body(num_runs=2, seed=5, save_gif=True, name="packed"))
    response = await client.get(f"/runs/{run['id']}/archive")
    assert response.headers["content-type"] == "application/zip"
    assert f"run_{run['id']}.zip" in response.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            *("config.yaml", "episodes.jsonl", "results.json", "run.json"),
            *("run_0_seed_5.gif", "run_0_seed_5_raw_outputs.json"),
            *("run_1_seed_6.gif", "run_1_seed_6_raw_outputs.json"),
            "steps.jsonl",
        ]
        config = yaml.safe_load(archive.read("config.yaml"))
        assert config == {name: run[name] for name in ("agent", "environment", "experiment")}
        results = json.loads(archive.read("results.json"))
        assert results == {
            "total_rewards": [10.0, 10.0],
            "total_steps": [5, 5],
            "avg_reward": 10.0,
            "avg_steps": 5.0,
        }
        assert json.loads(archive.read("run.json"))["versions"]["plugin"] == "oddities"
        recorded = [json.loads(line) for line in archive.read("steps.jsonl").splitlines()]
        assert [(step["episode"], step["step"]) for step in recorded] == [(e, s) for e in (0, 1) for s in range(1, 6)]
        assert all(step["digest"] for step in recorded)
        assert len(archive.read("episodes.jsonl").splitlines()) == 2
        outputs = json.loads(archive.read("run_1_seed_6_raw_outputs.json"))
        assert outputs == (await client.get(f"/runs/{run['id']}/episodes/1/raw_outputs")).json()
        gif = (await client.get(f"/runs/{run['id']}/episodes/0/gif")).content
        assert archive.read("run_0_seed_5.gif") == gif
    again = await client.post("/runs", content=yaml.safe_dump(config), headers={"Content-Type": "application/yaml"})
    assert again.status_code == 202
    assert not list((settings.data_dir / "runs" / run["id"]).glob("*.zip"))
