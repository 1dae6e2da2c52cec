"""Runs side by side: every figure recomputed from the steps that clients get."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from app.bootstrap import Service
from app.reports import totals
from gym_llm.backends import Reply, Usage
from tests.app.running import Json, all_steps, body, has_steps, is_over, play, until
from tests.fakes import FakeBackend, answer

POLE: dict[str, Any] = {"num_runs": 5, "concurrency": 2, "seed": 7, "max_steps": 60}


async def compare(client: httpx.AsyncClient, *runs: Json) -> Json:
    response = await client.get("/compare", params={"run": [run["id"] for run in runs]})
    assert response.status_code == 200, response.text
    return dict(response.json())


async def recomputed(client: httpx.AsyncClient, run: Json) -> dict[int, Json]:
    """By episode: what its steps and its lessons come to."""
    steps = await all_steps(client, run["id"])
    episodes = (await client.get(f"/runs/{run['id']}/episodes")).json()["data"]
    lessons = {row["episode"]: [row["lessons"]] for row in episodes if row["lessons"]}
    found: dict[int, Json] = {}
    for episode in sorted({step["episode"] for step in steps}):
        taken = [step for step in steps if step["episode"] == episode]
        decided = [step for step in taken if step["decided"] and not step["inherited"]]
        paid = [*decided, *lessons.get(episode, [])]
        costs = [each["cost_usd"] for each in paid if each["cost_usd"] is not None]
        found[episode] = {
            "total_reward": math.fsum(step["reward"] for step in taken),
            "num_steps": len(taken),
            "totals": {
                "decisions": len(decided),
                "repaired": sum(step["outcome"] == "repaired" for step in decided),
                "fallback": sum(step["outcome"] == "fallback" for step in decided),
                "lessons": len(paid) - len(decided),
                "attempts": sum(each["attempts"] for each in paid),
                "prompt_tokens": sum(each["prompt_tokens"] for each in paid),
                "cached_tokens": sum(each["cached_tokens"] for each in paid),
                "completion_tokens": sum(each["completion_tokens"] for each in paid),
                "priced": len(costs),
                "cost_usd": math.fsum(costs) if costs else None,
                "latency_ms": math.fsum(step["latency_ms"] for step in decided),
                "max_latency_ms": max((step["latency_ms"] for step in decided), default=None),
            },
        }
    return found


def cells(report: Json) -> list[Json]:
    return [cell for environment in report["environments"] for cell in environment["cells"]]


def assert_episodes(cell: Json, expected: Mapping[int, Json]) -> None:
    assert [episode["episode"] for episode in cell["episodes"]] == list(expected)
    for episode in cell["episodes"]:
        for name, value in expected[episode["episode"]].items():
            assert episode[name] == value, name


async def test_two_runs_side_by_side(client: httpx.AsyncClient):
    random = await play(client, body("CartPoleLLM-v1", model="random", **POLE))
    heuristic = await play(client, body("CartPoleLLM-v1", **POLE))
    report = await compare(client, random, heuristic)
    assert (report["id"], report["complete"], report["failures"]) == (None, True, [])
    assert report["configuration"] == {"runs": [random["id"], heuristic["id"]]}
    (environment,) = report["environments"]
    assert environment["configuration"] == {"name": "CartPoleLLM-v1", "kwargs": None, "max_steps": 60}
    assert environment["reward_threshold"] == 475
    assert [cell["agent"] for cell in environment["cells"]] == ["random", "heuristic"]
    rewards = []
    for cell, run in zip(environment["cells"], (random, heuristic), strict=True):
        expected = await recomputed(client, run)
        assert_episodes(cell, expected)
        assert cell["runs"] == [run["id"]]
        assert cell["configuration"] == run["agent"]
        assert [episode["seed"] for episode in cell["episodes"]] == [7, 8, 9, 10, 11]
        of_run = [episode["total_reward"] for episode in expected.values()]
        of_steps = [episode["totals"] for episode in expected.values()]
        figures = cell["statistics"]
        assert figures["n"] == 5
        assert figures["avg_reward"] == math.fsum(of_run) / 5
        assert figures["avg_steps"] == sum(episode["num_steps"] for episode in expected.values()) / 5
        assert figures["decisions"] == sum(each["decisions"] for each in of_steps)
        assert figures["mean_latency_ms"] == math.fsum(each["latency_ms"] for each in of_steps) / figures["decisions"]
        assert figures["max_latency_ms"] == max(each["max_latency_ms"] for each in of_steps)
        rewards.append(of_run)
    by_chance, by_hand = (math.fsum(each) / 5 for each in rewards)
    assert environment["random"] == by_chance
    assert environment["cells"][1]["statistics"]["progress"] == (by_hand - by_chance) / (475 - by_chance)
    (paired,) = environment["comparisons"]
    differences = [first - second for first, second in zip(*rewards, strict=True)]
    assert (paired["first"], paired["second"], paired["pairs"]) == ("random", "heuristic", 5)
    assert [pair["seed"] for pair in paired["differences"]] == [7, 8, 9, 10, 11]
    assert paired["mean_difference"] == math.fsum(differences) / 5
    flipped = [
        abs(math.fsum(sign * difference for sign, difference in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=5)
    ]
    as_far = sum(each >= abs(math.fsum(differences)) for each in flipped)
    assert paired["p_value"] == paired["p_adjusted"] == as_far / len(flipped)


async def test_sums_are_exact_however_they_are_read(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(totals, "PAGE", 3)
    # Ten times 0.1 is 0.9999999999999999 where each sum is rounded.
    service.backends["ollama"] = FakeBackend(lambda _: Reply(answer(1), usage=Usage(10, 4, 2), cost_usd=0.1))
    service.backends["openai"] = FakeBackend(
        lambda question: Reply(answer(1), usage=Usage(7, 0, 1), cost_usd=None if question.step == 4 else 0.1)
    )
    known, unknown, rarely = [
        await play(client, body("Counting-v0", {"length": 10}, model="tiny", num_runs=2, **of_agent))
        for of_agent in ({"backend": "ollama"}, {"backend": "openai"}, {"backend": "ollama", "action_rate": 3})
    ]
    report = await compare(client, known, unknown, rarely)
    for cell, run in zip(cells(report), (known, unknown, rarely), strict=True):
        assert_episodes(cell, await recomputed(client, run))
    first, second, third = cells(report)
    assert [episode["totals"]["cost_usd"] for episode in first["episodes"]] == [1.0, 1.0]
    assert first["statistics"]["cost_usd"] == 2.0
    # A sum that leaves something out is none.
    assert [episode["totals"]["priced"] for episode in second["episodes"]] == [9, 9]
    assert second["statistics"]["cost_usd"] is None
    assert [episode["totals"]["decisions"] for episode in third["episodes"]] == [4, 4]


async def test_failures_are_counted_and_left_out(client: httpx.AsyncClient):
    whole = await play(client, body("Failing-v0", {"at": 9}, num_runs=3))
    failed = await play(client, body("Failing-v0", {"at": 3, "seed": 1}, num_runs=3))
    assert failed["status"] == "failed"
    report = await compare(client, whole, failed)
    assert report["complete"]
    figures = cells(report)[1]["statistics"]
    assert figures["episodes"] == {"succeeded": 2, "failed": 1}
    expected = await recomputed(client, failed)
    assert_episodes(cells(report)[1], expected)
    assert figures["n"] == 2
    assert figures["avg_reward"] == (expected[0]["total_reward"] + expected[2]["total_reward"]) / 2
    # What it took was paid for all the same.
    assert figures["decisions"] == sum(episode["totals"]["decisions"] for episode in expected.values())
    assert [(failure["run_id"], failure["episode"], failure["seed"]) for failure in report["failures"]] == [
        (failed["id"], 1, 1)
    ]
    assert report["failures"][0]["error"]["code"] == "env_error"
    assert "the gear broke" in report["failures"][0]["error"]["message"]


async def test_a_fork_answers_for_its_own_decisions_only(client: httpx.AsyncClient):
    parent = await play(client, body(num_runs=1))
    forked = (await client.post(f"/runs/{parent['id']}/fork", json={"step": 3})).json()
    await until(client, f"/runs/{forked['id']}", is_over)
    before, after = cells(await compare(client, parent, forked))
    assert_episodes(after, await recomputed(client, forked))
    assert after["episodes"][0]["num_steps"] == 5
    assert [cell["statistics"]["decisions"] for cell in (before, after)] == [5, 3]


async def test_a_run_that_is_not_over_is_shown_as_far_as_it_is(client: httpx.AsyncClient):
    over = await play(client, body())
    run = (await client.post("/runs", json=body("Slow-v0", save_gif=True))).json()
    await until(client, f"/runs/{run['id']}", has_steps)
    report = await compare(client, over, run)
    assert not report["complete"]
    (episode,) = cells(report)[1]["episodes"]
    assert (episode["status"], episode["gif"]) == ("running", None)
    assert episode["num_steps"] == episode["totals"]["decisions"] >= 3
    assert cells(report)[1]["statistics"]["n"] == 0
    await client.post(f"/runs/{run['id']}/cancel")
    await until(client, f"/runs/{run['id']}", is_over)


async def test_the_same_agent_twice_is_two_agents(client: httpx.AsyncClient):
    runs = [await play(client, body(num_runs=2)) for _ in range(2)]
    report = await compare(client, *runs)
    assert [cell["agent"] for cell in cells(report)] == ["heuristic #1", "heuristic #2"]
    assert [cell["runs"] for cell in cells(report)] == [[run["id"]] for run in runs]
    assert report["environments"][0]["comparisons"][0]["mean_difference"] == 0


async def test_which_runs_can_be_compared(client: httpx.AsyncClient):
    run = (await play(client, body()))["id"]
    other = "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f"
    session = (await client.post("/sessions", json={"environment": {"name": "Counting-v0"}})).json()["id"]
    for named, status in (
        ([], 422),
        ([run], 422),
        ([run, run], 422),
        ([run, other, run], 422),
        ([run, "none"], 422),
        ([f"{other[:-3]}{index:03}" for index in range(101)], 422),
        ([run, other], 404),
        ([run, session], 404),
    ):
        response = await client.get("/compare", params={"run": named})
        assert response.status_code == status, named
        assert response.headers["content-type"] == "application/problem+json"
    assert (await client.get("/compare", params={"run": [run, other], "format": "pdf"})).status_code == 422
