"""Each format of an export, read back with the tools that it is for."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import minari
import numpy as np
import orjson
import pytest
from pyarrow import parquet as pq

from app.bootstrap import Service
from app.exports import parquet
from app.runs.stored_run import EpisodeRecord, StepRecord
from gym_llm.backends import Question
from gym_llm.config import EnvironmentConfig
from gym_llm.spaces import digest, from_json
from gym_llm.strategies import STRATEGIES
from tests.app.running import Json, all_steps, body, is_over, play, until
from tests.fakes import FakeBackend, answer, asks_for, obedient


async def export(client: httpx.AsyncClient, run: Json, format: str, **options: Any) -> bytes:
    response = await client.get(f"/runs/{run['id']}/export", params={"format": format, **options})
    assert response.status_code == 200, response.text
    assert run["id"] in response.headers["content-disposition"]
    return response.content


async def test_json_lines_hold_everything(client: httpx.AsyncClient):
    run = await play(client, body("CartPoleLLM-v1", num_runs=3, concurrency=2, max_steps=30, model="random"))
    found = [json.loads(line) for line in (await export(client, run, "jsonl")).splitlines()]
    assert found[0] == {**run, "type": "run"}
    kinds = [line["type"] for line in found]
    assert kinds.count("episode") == 3
    steps = [line for line in found if line["type"] == "step"]
    listed = sorted(await all_steps(client, run["id"]), key=lambda step: (step["episode"], step["step"]))
    assert len(steps) == len(listed) > 30
    for exported, step in zip(steps, listed, strict=True):
        assert {name: exported[name] for name in step} == step
        assert exported["run_id"] == run["id"]
        assert exported["digest"] == digest(step["observation"])
    # Each episode stands before its steps.
    assert [line["episode"] for line in found[1:]] == sorted(line["episode"] for line in found[1:])
    assert [kinds[index - 1] for index, line in enumerate(found) if line.get("step") == 1] == ["episode"] * 3


async def test_parquet_is_exact(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 7)
    run = await play(client, body("CartPoleLLM-v1", num_runs=2, max_steps=20, model="random"))
    with zipfile.ZipFile(io.BytesIO(await export(client, run, "parquet"))) as archive:
        assert archive.testzip() is None
        steps = pq.ParquetFile(io.BytesIO(archive.read("steps.parquet")))
        episodes = pq.read_table(io.BytesIO(archive.read("episodes.parquet"))).to_pylist()
        assert [json.loads(line)["id"] for line in archive.read("runs.jsonl").splitlines()] == [run["id"]]
    assert steps.num_row_groups > 1
    rows = steps.read().to_pylist()
    listed = await all_steps(client, run["id"])
    assert len(rows) == len(listed)
    for row, step in zip(rows, listed, strict=True):
        assert orjson.loads(row["observation"]) == step["observation"]
        assert orjson.loads(row["action"]) == step["action"]
        for name in ("reward", "reflection", "latency_ms", "cost_usd", "outcome", "terminated", "step", "episode"):
            assert row[name] == step[name], name
        assert row["created_at"].timestamp() == pytest.approx(
            StepRecord.model_validate({**row, "observation": 0, "action": 0}).created_at.timestamp()
        )
    metrics = (await client.get(f"/runs/{run['id']}/metrics")).json()
    assert [episode["total_reward"] for episode in episodes] == metrics["total_rewards"]
    assert {episode["environment"] for episode in episodes} == {"CartPoleLLM-v1"}


def test_parquet_has_every_field() -> None:
    assert set(parquet.STEPS.names) == StepRecord.model_fields.keys() - {"type"}
    added = {"environment", "backend", "model"}
    assert set(parquet.EPISODES.names) - added == EpisodeRecord.model_fields.keys() - {"type"}


@pytest.mark.parametrize("environment", ["LunarLanderLLM-v2", "CartPoleLLM-v1", "Counting-v0"])
async def test_minari_loads_what_the_environment_gave(
    client: httpx.AsyncClient, service: Service, environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.exports.minari.CHUNK", 4)
    run = await play(client, body(environment, num_runs=2, seed=3, max_steps=11, action_rate=2))
    with zipfile.ZipFile(io.BytesIO(await export(client, run, "minari"))) as archive:
        archive.extractall(tmp_path)
        told = archive.read("README.txt").decode()
    id = f"gym-llm/{environment}/run_{run['id']}-v0"
    assert f'minari.load_dataset("{id}")' in told
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    dataset = minari.load_dataset(id)
    steps = await all_steps(client, run["id"])
    assert (dataset.total_episodes, dataset.total_steps) == (2, len(steps))
    for index, episode in enumerate(dataset.iterate_episodes()):
        recorded = [step for step in steps if step["episode"] == index]
        env = service.catalog.make(EnvironmentConfig(name=environment), None)
        seen = [env.reset(seed=3 + index)[0]]
        actions = [from_json(env.action_space, step["action"]) for step in recorded]
        seen += [env.step(action)[0] for action in actions]
        env.close()
        assert len(episode.rewards) == len(recorded)
        assert_equal(episode.observations, seen)
        assert_equal(episode.actions, actions)
        assert episode.rewards.tolist() == [step["reward"] for step in recorded]
        assert episode.terminations.tolist() == [step["terminated"] for step in recorded]
        assert episode.truncations.tolist() == [step["truncated"] for step in recorded]
        reflections = [text.decode() for text in episode.infos["reflection"]]
        assert reflections == [step["reflection"] for step in recorded]
        assert any(reflections)
        assert episode.infos["decided"].tolist() == [step["decided"] for step in recorded]
    facts = next(iter(dataset.storage.get_episode_metadata([1])))
    assert (facts["seed"], facts["total_steps"], facts["run_id"]) == (4, len(recorded), run["id"])
    assert dataset.storage.metadata["algorithm_name"] == "baseline heuristic"


def assert_equal(columns: Any, elements: list[Any]) -> None:
    """Arrays of a Minari episode against elements of a space: values, types and shapes."""
    if isinstance(columns, dict):
        for name, column in columns.items():
            assert_equal(column, [element[name] for element in elements])
        return
    expected = np.asarray(elements)
    assert columns.dtype == expected.dtype
    np.testing.assert_array_equal(columns, expected)


async def test_openai_lines_are_the_prompts_that_were_sent(client: httpx.AsyncClient, service: Service):
    def reply(question: Question) -> str:
        if question.step == 3 and "could not be used" not in question.messages[-1]["content"]:
            return "nonsense"
        return answer(question.step % 3, "üüü")

    backend = FakeBackend(reply)
    service.backends["ollama"] = backend
    run = await play(client, body(backend="ollama", model="m", history=2, num_runs=2))
    lines = [json.loads(line) for line in (await export(client, run, "openai")).splitlines()]
    sent = [question.messages for question in backend.questions]
    first_tries = [messages for messages in sent if "could not be used" not in messages[-1]["content"]]
    assert len(lines) == len(first_tries) == 10
    for line, messages in zip(lines, first_tries, strict=True):
        assert line.keys() == {"messages"}
        *prompt, last = line["messages"]
        assert [{"role": m["role"], "content": m["content"]} for m in prompt] == list(messages)
        assert [m.get("weight") for m in prompt] == [0 if m["role"] == "assistant" else None for m in messages]
        assert last.keys() == {"role", "content"}
        assert json.loads(last["content"])["reflection"] == "üüü"
    assert "nonsense" not in str(lines)
    valid = (await export(client, run, "openai", only_valid=True)).splitlines()
    assert len(valid) == 8  # The third decision of each episode was repaired.


def unweighted(lines: list[Json]) -> list[list[Json]]:
    """The prompts of `openai` lines, as they were sent."""
    return [[{"role": m["role"], "content": m["content"]} for m in line["messages"][:-1]] for line in lines]


@pytest.mark.parametrize("strategy", list(STRATEGIES))
async def test_openai_lines_of_every_strategy(client: httpx.AsyncClient, service: Service, strategy: str):
    backend = FakeBackend(obedient)
    service.backends["ollama"] = backend
    run = await play(client, body(backend="ollama", model="m", history=1, strategy=strategy, num_runs=2))
    asked = [question for question in backend.questions if asks_for(question) == "action"]
    lines = [json.loads(line) for line in (await export(client, run, "openai")).splitlines()]
    assert unweighted(lines) == [list(question.messages) for question in asked]
    answers = [json.loads(line["messages"][-1]["content"]) for line in lines]
    assert answers == [json.loads(obedient(question)) for question in asked]


async def test_openai_lines_of_a_fork_are_its_own(client: httpx.AsyncClient, service: Service):
    backend = FakeBackend(obedient)
    service.backends["ollama"] = backend
    parent = await play(client, body(backend="ollama", model="m", history=1))
    asked = len(backend.questions)
    request = {"step": 3, "agent": {"strategy": "plan"}}
    forked = (await client.post(f"/runs/{parent['id']}/fork", json=request)).json()
    await until(client, f"/runs/{forked['id']}", is_over)
    lines = [json.loads(line) for line in (await export(client, forked, "openai")).splitlines()]
    # What the parent's agent was sent is the parent's to tell.
    assert unweighted(lines) == [list(question.messages) for question in backend.questions[asked:]]
    assert len(lines) == 3


async def test_openai_takes_the_best(client: httpx.AsyncClient):
    run = await play(client, body("CartPoleLLM-v1", num_runs=5, model="random"))
    totals = (await client.get(f"/runs/{run['id']}/metrics")).json()["total_rewards"]
    best = sorted(totals, reverse=True)
    for options, expected in (
        ({"top_fraction": 0.3}, best[:2]),
        ({"min_return": best[2]}, [total for total in totals if total >= best[2]]),
        ({"min_return": best[0] + 1}, []),
        ({"top_fraction": 0.2, "min_return": best[1]}, best[:1]),
    ):
        lines = (await export(client, run, "openai", **options)).splitlines()
        assert len(lines) == sum(expected), options
    for wrong in ({"top_fraction": 0}, {"top_fraction": 1.1}, {"min_return": "nan"}):
        response = await client.get(f"/runs/{run['id']}/export", params={"format": "openai", **wrong})
        assert response.status_code == 422
        assert next(iter(wrong)) in response.json()["detail"]
    response = await client.get(f"/runs/{run['id']}/export", params={"format": "parquet", "only_valid": True})
    assert (response.status_code, "format=openai" in response.json()["detail"]) == (422, True)
