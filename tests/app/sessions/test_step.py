"""Sessions whose environment lives here: played from outside, in one process or in many."""

from typing import Any

import httpx
import pytest

from tests.app.running import Json, body, play
from tests.app.sessions.conftest import Serve, Served
from tests.app.watching import read_events

PROBLEM = "urn:gym-llm:problem:"


def kind(answered: httpx.Response) -> tuple[int, str]:
    return answered.status_code, str(answered.json()["type"]).removeprefix(PROBLEM)


async def steps_of(served: Served, path: str) -> list[Json]:
    return list((await served.get(f"{path}/steps"))["data"])


async def test_an_episode_played_from_outside_is_that_of_a_run(serve_here: Serve):
    served = await serve_here()
    run = await play(served.client, body("Counting-v0", seed=5))
    of_run = (await served.client.get(f"/runs/{run['id']}/steps")).json()["data"]
    made = await served.post("", environment={"name": "Counting-v0"}, seed=5)
    path = f"/{made.json()['id']}"
    assert made.json()["observation"] == of_run[0]["observation"]
    assert (made.json()["agent"], made.json()["definition"]) == (None, None)
    for index, step in enumerate(of_run):
        taken = await served.post(f"{path}/step", action=step["action"], reflection=f"Move {index}.")
        assert taken.status_code == 200, taken.text
        transition = taken.json()
        assert (transition["step"], transition["reward"]) == (step["step"], step["reward"])
        assert transition["terminated"] == step["terminated"] == (index == 4)
        if index < 4:
            assert transition["observation"] == of_run[index + 1]["observation"]
    assert transition["total_reward"] == 10
    own = await steps_of(served, path)
    same = ("id", "episode", "step", "observation", "action", "reward", "terminated", "truncated", "outcome", "decided")
    assert [[step[name] for name in same] for step in own] == [[step[name] for name in same] for step in of_run]
    assert [step["reflection"] for step in own] == [f"Move {index}." for index in range(5)]
    assert {(step["attempts"], step["latency_ms"], step["cost_usd"]) for step in own} == {(0, 0.0, None)}
    over = await served.post(f"{path}/step", action=1)
    assert kind(over) == (409, "conflict")
    assert "reset" in over.json()["detail"]
    episode = await served.get(f"{path}/episodes/0")
    assert (episode["status"], episode["total_reward"], episode["seed"]) == ("succeeded", 10, 5)
    assert (await served.get(f"{path}/metrics"))["total_rewards"] == [10]
    await served.client.delete(f"/sessions{path}")
    events = read_events((await served.client.get(f"/sessions{path}/events")).text)
    assert [event.kind for event in events] == ["session", *["step"] * 5, "episode", "session", "done"]


async def test_a_session_is_no_run(serve_here: Serve):
    served = await serve_here()
    run = await play(served.client, body("Counting-v0"))
    path = await served.with_environment()
    await served.post(f"{path}/step", action=1)
    formats = [f"/runs{path}/export?format={format}" for format in ("jsonl", "parquet", "minari", "openai")]
    for url in (f"/runs{path}", f"/runs{path}/archive", *formats, f"/runs{path}/diff?with={run['id']}"):
        assert kind(await served.client.get(url)) == (404, "not-found"), url
    assert kind(await served.client.get(f"/runs/{run['id']}/diff?with={path[1:]}")) == (404, "not-found")
    assert kind(await served.client.post(f"/runs{path}/fork", json={"step": 1})) == (404, "not-found")


async def test_episodes_and_their_seeds(serve_here: Serve):
    served = await serve_here()
    path = await served.with_environment(kwargs={"length": 2}, seed=2**31 - 1)
    first = (await served.get(path))["observation"]
    await served.post(f"{path}/step", action=1)
    begun = (await served.client.post(f"/sessions{path}/reset")).json()
    assert (begun["episode"], begun["seed"]) == (1, 0)
    assert (await served.get(path))["observation"] == begun["observation"] != first
    again = (await served.post(f"{path}/reset", seed=2**31 - 1, request_id="again")).json()
    assert (again["episode"], again["observation"]) == (2, first)
    assert (await served.post(f"{path}/reset", seed=2**31 - 1, request_id="again")).json() == again
    for _ in range(2):
        transition = (await served.post(f"{path}/step", action=2)).json()
    assert (transition["episode"], transition["terminated"], transition["total_reward"]) == (2, True, 4)
    episodes = (await served.get(f"{path}/episodes"))["data"]
    assert [episode["status"] for episode in episodes] == ["cancelled", "cancelled", "succeeded"]
    assert (await served.get(f"{path}/metrics"))["total_rewards"] == [4]


@pytest.mark.parametrize("action", [3, -1, "1", None, 1.5, [1], {"a": 1}, True])
async def test_what_is_no_action_changes_nothing(serve_here: Serve, action: Any):
    served = await serve_here()
    path = await served.with_environment()
    await served.post(f"{path}/step", action=1)
    before = await served.get(path)
    refused = await served.post(f"{path}/step", action=action, request_id="a")
    assert kind(refused) == (422, "invalid-request")
    assert "action" in refused.json()["detail"]
    assert (await served.get(path)) == before
    assert (await served.post(f"{path}/step", action=2, request_id="a")).json()["step"] == 2


async def test_any_process_can_take_the_next_step(serve_here: Serve):
    processes = [await serve_here() for _ in range(3)]
    path = await processes[0].with_environment(kwargs={"length": 8}, seed=4)
    alone = await processes[0].with_environment(kwargs={"length": 8}, seed=4)
    for index in range(8):
        told = await processes[index % 3].post(f"{path}/step", action=index % 3, request_id=f"{index}")
        assert told.status_code == 200, told.text
        assert told.json() == (await processes[0].post(f"{alone}/step", action=index % 3)).json()
        again = await processes[(index + 1) % 3].post(f"{path}/step", action=index % 3, request_id=f"{index}")
        assert again.json() == told.json()
    begun = await processes[2].client.post(f"/sessions{path}/reset")
    assert begun.json()["episode"] == 1
    assert (await processes[1].post(f"{path}/step", action=1)).json() | {"episode": 1, "step": 1}
    observations = [step["observation"] for step in await steps_of(processes[0], path)]
    assert [seen["count"] for seen in observations] == [*range(8), 0]


@pytest.mark.parametrize("name", ["Random-v0", "HonestlyRandom-v0"])
async def test_what_is_not_deterministic_stays_in_its_process(serve_here: Serve, name: str):
    one, two = await serve_here(), await serve_here()
    path = await one.with_environment(name, {"seconds": 0})
    assert (await one.post(f"{path}/step", action=1)).status_code == 200
    elsewhere = await two.post(f"{path}/step", action=1)
    assert kind(elsewhere) == (409, "conflict")
    assert "not deterministic" in elsewhere.json()["detail"]
    assert (await one.post(f"{path}/step", action=1)).json()["step"] == 2
    assert (await two.client.post(f"/sessions{path}/reset")).json()["episode"] == 1
    assert (await two.post(f"{path}/step", action=1)).status_code == 200


async def test_a_first_observation_that_is_another_one(serve_here: Serve):
    one, two = await serve_here(), await serve_here()
    path = await one.with_environment("Random-v0", {"seconds": 0})
    assert kind(await two.post(f"{path}/step", action=1)) == (409, "conflict")
    assert (await one.post(f"{path}/step", action=1)).status_code == 200


async def test_a_failing_environment(serve_here: Serve):
    served = await serve_here()
    path = await served.with_environment("Failing-v0", {"at": 2})
    assert (await served.post(f"{path}/step", action=1)).status_code == 200
    failed = await served.post(f"{path}/step", action=1)
    assert kind(failed) == (502, "env-error")
    assert failed.json()["code"] == "env_error"
    assert "step 2 failed: RuntimeError: the gear broke" in failed.json()["detail"]
    episode = await served.get(f"{path}/episodes/0")
    assert (episode["status"], episode["error"]["code"]) == ("failed", "env_error")
    assert kind(await served.post(f"{path}/step", action=1)) == (409, "conflict")
    assert (await served.client.post(f"/sessions{path}/reset")).json()["episode"] == 1
    assert (await served.post(f"{path}/step", action=1)).status_code == 200
    figures = await served.get(f"{path}/metrics")
    assert (figures["episodes"]["failed"], figures["total_rewards"]) == (1, [])


@pytest.mark.parametrize("kwargs", [{"way": "make"}, {"at": 0}])
async def test_an_environment_that_does_not_even_begin(serve_here: Serve, kwargs: Json):
    served = await serve_here()
    refused = await served.post("", environment={"name": "Failing-v0", "kwargs": kwargs})
    assert kind(refused) == (502, "env-error")
    assert (await served.client.get("/sessions")).json()["data"] == []
    assert kind(await served.post("", environment={"name": "Blind-v0"})) == (502, "env-error")


async def test_few_environments_for_many_sessions(serve_here: Serve):
    served = await serve_here(max_live_environments=1)
    paths = [await served.with_environment(kwargs={"length": 4}, seed=seed) for seed in range(3)]
    for step in range(1, 5):
        for path in paths:
            assert (await served.post(f"{path}/step", action=1)).json()["step"] == step
    lasting = await served.with_environment("HonestlyRandom-v0", {"seconds": 0})
    assert kind(await served.post("", environment={"name": "Counting-v0"})) == (503, "too-many-environments")
    assert kind(await served.client.post(f"/sessions{paths[0]}/reset")) == (503, "too-many-environments")
    assert (await served.post(f"{lasting}/step", action=1)).status_code == 200
    await served.client.delete(f"/sessions{lasting}")
    assert (await served.client.post(f"/sessions{paths[0]}/reset")).status_code == 200


async def test_an_episode_is_truncated_at_last(serve_here: Serve):
    served = await serve_here(max_episode_steps=2)
    path = await served.with_environment()
    transitions = [(await served.post(f"{path}/step", action=1)).json() for _ in range(2)]
    assert [transition["truncated"] for transition in transitions] == [False, True]


async def test_an_environment_is_let_go_of_when_its_session_ends_elsewhere(serve_here: Serve):
    one, two = await serve_here(), await serve_here()
    path = await one.with_environment()
    await two.client.delete(f"/sessions{path}")
    live = one.service.sessions._environments.live
    assert [f"/{session_id}" for session_id in live.sessions()] == [path]
    await one.service.sessions.sweep()
    assert live.sessions() == []


async def test_an_environment_does_not_act(serve_here: Serve):
    served = await serve_here()
    path = await served.with_environment()
    assert kind(await served.post(f"{path}/act", observation=1)) == (409, "conflict")
    assert (await served.post(f"{path}/step")).status_code == 422
    assert (await served.post(f"{path}/step", action=1)).json()["step"] == 1
