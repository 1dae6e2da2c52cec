"""Agents by name: registering them, and using them."""

import asyncio

import httpx
import pytest
import yaml

from app.access import Role
from app.bootstrap import Service
from tests.app.running import Json, is_over, until

SECTION = {"backend": "baseline", "model": "heuristic", "temperature": None}
NAMED = {"name": "pilot", "agent": SECTION}


def run_by(agent: object, **experiment: object) -> Json:
    return {"agent": agent, "environment": {"name": "Counting-v0"}, "experiment": experiment}


async def test_an_agent_from_its_begin_to_its_end(client: httpx.AsyncClient):
    made = await client.post("/agents", json=NAMED)
    assert made.status_code == 201
    assert made.headers["location"] == "/agents/pilot"
    agent = made.json()
    assert (agent["name"], agent["owner"], agent["agent"]["history"]) == ("pilot", "local", 10)
    assert (await client.get("/agents/pilot")).json() == agent
    taken = await client.post("/agents", json=NAMED)
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:gym-llm:problem:conflict")
    replaced = (await client.put("/agents/pilot", json={"agent": SECTION | {"model": "random"}})).json()
    assert (replaced["agent"]["model"], replaced["id"], replaced["created_at"]) == (
        "random",
        agent["id"],
        agent["created_at"],
    )
    assert replaced["updated_at"] > agent["updated_at"]
    assert (await client.delete("/agents/pilot")).status_code == 204
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"agent": SECTION})):
        assert (await client.request(method, "/agents/pilot", json=body)).status_code == 404
    assert (await client.get("/agents")).json() == {"data": [], "has_more": False}


async def test_yaml_says_the_same(client: httpx.AsyncClient):
    made = await client.post("/agents", content=yaml.safe_dump(NAMED), headers={"Content-Type": "application/yaml"})
    assert (made.status_code, made.json()["agent"]["model"]) == (201, "heuristic")


async def test_lists_come_in_pages_newest_first(client: httpx.AsyncClient):
    for name in "abcde":
        await client.post("/agents", json=NAMED | {"name": name})
    seen: list[Json] = []
    more, params = True, {"limit": "2"}
    while more:
        page = (await client.get("/agents", params=params)).json()
        seen += page["data"]
        more, params = page["has_more"], {"limit": "2", "after": seen[-1]["id"]}
    assert [agent["name"] for agent in seen] == [*"edcba"]


async def test_the_same_name_twice_at_once(client: httpx.AsyncClient):
    answers = await asyncio.gather(*(client.post("/agents", json=NAMED) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Pilot"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"agent": {"backend": "nobody"}}, "agent.backend"),
        ({"agent": SECTION | {"history": 0}}, "agent.history"),
        ({"agent": "pilot"}, "agent"),
        ({"surprise": 1}, "surprise"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_wrong_field_is_named(client: httpx.AsyncClient, change: Json, field: str):
    refused = await client.post("/agents", json=NAMED | change)
    assert refused.status_code == 422
    assert field in [error["field"] for error in refused.json()["errors"]]
    assert (await client.get("/agents")).json()["data"] == []


async def test_a_run_keeps_the_agent_as_it_was(client: httpx.AsyncClient):
    await client.post("/agents", json=NAMED)
    key = {"Idempotency-Key": "one"}
    run = (await client.post("/runs", json=run_by("pilot", seed=3), headers=key)).json()
    assert run["agent"] == (await client.get("/agents/pilot")).json()["agent"]
    await client.put("/agents/pilot", json={"agent": SECTION | {"model": "random"}})
    assert (await until(client, f"/runs/{run['id']}", is_over))["agent"]["model"] == "heuristic"
    later = (await client.post("/runs", json=run_by("pilot"))).json()
    assert later["agent"]["model"] == "random"
    await client.delete("/agents/pilot")
    over = await until(client, f"/runs/{later['id']}", is_over)
    assert (over["status"], over["agent"]["model"]) == ("succeeded", "random")
    again = await client.post("/runs", json=run_by("pilot", seed=3), headers=key)
    assert (again.status_code, again.json()["id"]) == (202, run["id"])
    as_yaml = await client.post("/runs", content="agent: pilot\n", headers={"Content-Type": "application/yaml"})
    assert as_yaml.status_code == 422


@pytest.mark.parametrize("name", ["nobody", "No Body", "", 5, None])
async def test_an_unknown_name_is_named(client: httpx.AsyncClient, name: object):
    refused = await client.post("/runs", json=run_by(name))
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("agent")
    assert "~" not in refused.text
    assert (await client.get("/runs")).json()["data"] == []


async def test_a_session_takes_a_name_too(client: httpx.AsyncClient):
    await client.post("/agents", json=NAMED | {"agent": SECTION | {"model": "random"}})
    definition = {"observation_schema": {"x": "x"}, "action_schema": {"0": "no"}, "goal_description": "?"}
    made = await client.post("/sessions", json={"agent": "pilot", "definition": definition})
    assert (made.status_code, made.json()["agent"]["model"]) == (201, "random")
    await client.delete("/agents/pilot")
    acted = await client.post(f"/sessions/{made.json()['id']}/act", json={"observation": {"x": 1}})
    assert acted.json()["action"] == 0


async def test_names_belong_to_their_owners(client: httpx.AsyncClient, service: Service):
    keys = {}
    for owner, role in (("alice", Role.USER), ("bob", Role.USER), ("ops", Role.ADMIN), ("alice", Role.VIEWER)):
        made = await service.keys.create(f"{owner}-{role}", role, owner)
        keys[owner, role] = {"Authorization": f"Bearer {made.key}"}
    alice, bob = keys["alice", Role.USER], keys["bob", Role.USER]
    admin, viewer = keys["ops", Role.ADMIN], keys["alice", Role.VIEWER]
    assert (await client.post("/agents", json=NAMED, headers=alice)).status_code == 201
    assert (await client.get("/agents/pilot", headers=bob)).status_code == 404
    assert (await client.get("/agents/pilot?owner=alice", headers=bob)).status_code == 404
    assert (await client.delete("/agents/pilot?owner=alice", headers=bob)).status_code == 404
    assert (await client.post("/runs", json=run_by("pilot"), headers=bob)).status_code == 422
    assert (await client.post("/agents", json=NAMED, headers=bob)).status_code == 201
    assert (await client.get("/agents/pilot", headers=viewer)).json()["owner"] == "alice"
    assert (await client.post("/agents", json=NAMED | {"name": "b"}, headers=viewer)).status_code == 403
    assert [agent["owner"] for agent in (await client.get("/agents", headers=alice)).json()["data"]] == ["alice"]
    assert [agent["owner"] for agent in (await client.get("/agents", headers=admin)).json()["data"]] == ["bob", "alice"]
    assert (await client.get("/agents/pilot", headers=admin)).status_code == 404
    assert (await client.get("/agents/pilot?owner=bob", headers=admin)).json()["owner"] == "bob"
    assert (await client.delete("/agents/pilot?owner=bob", headers=admin)).status_code == 204
    assert (await client.get("/agents/pilot", headers=alice)).status_code == 200
