"""Calls that are repeated, that come at the same time, to other processes, after restarts, too late."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from app.db import now
from app.sessions.models import Session
from gym_llm.backends import Question, Reply
from tests.app.running import Json, until
from tests.app.sessions.conftest import DEFINITION, Serve, Served
from tests.fakes import answer

SEEN = {"distance": 1.32}
PROBLEM = "urn:gym-llm:problem:"


class Gate:
    """Answers 1, but not before it is opened."""

    def __init__(self, served: Served) -> None:
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        served.backend.ask = self._ask  # type: ignore[method-assign]

    async def _ask(self, question: Question) -> Reply:
        self.asked.set()
        await self.open.wait()
        return Reply(answer(1))


async def steps_of(served: Served, path: str) -> list[Json]:
    return list((await served.get(f"{path}/steps"))["data"])


def kind(answered: httpx.Response) -> tuple[int, str]:
    return answered.status_code, str(answered.json()["type"]).removeprefix(PROBLEM)


async def test_a_request_id_makes_one_call(serve_here: Serve):
    served = await serve_here([answer(1), answer(2), answer(0)])
    path = await served.with_agent()
    first = await served.post(f"{path}/act", observation=SEEN, request_id="a")
    for _ in range(2):
        again = await served.post(f"{path}/act", observation=SEEN, request_id="a")
        assert (again.status_code, again.json()) == (200, first.json())
    assert kind(await served.post(f"{path}/act", observation={}, request_id="a")) == (422, "request-id-mismatch")
    assert kind(await served.post(f"{path}/reset", request_id="a")) == (422, "request-id-mismatch")
    assert (await served.post(f"{path}/act", observation=SEEN, request_id="b")).json()["step"] == 2
    begun = await served.post(f"{path}/reset", request_id="c")
    assert (await served.post(f"{path}/reset", request_id="c")).json() == begun.json()
    other = await served.with_agent()
    assert (await served.post(f"{other}/act", observation={}, request_id="a")).json()["action"] == 0
    assert len(await steps_of(served, path)) == 2
    await served.client.delete(f"/sessions{path}")
    restarted = await serve_here()
    assert (await restarted.post(f"{path}/act", observation=SEEN, request_id="a")).json() == first.json()
    assert restarted.backend.questions == []


async def test_one_call_at_a_time_whichever_process_it_comes_to(serve_here: Serve):
    one, two = await serve_here(), await serve_here(lambda _: answer(2))
    gate = Gate(one)
    path = await one.with_agent()
    first = asyncio.create_task(one.post(f"{path}/act", observation=SEEN, request_id="a"))
    await gate.asked.wait()
    for served in (one, two):
        for body in ({"observation": SEEN}, {"observation": SEEN, "request_id": "a"}):
            assert kind(await served.post(f"{path}/act", **body)) == (409, "busy")
        assert kind(await served.post(f"{path}/reset")) == (409, "busy")
    assert (await two.post(f"{path}/heartbeat")).status_code == 200
    gate.open.set()
    answered = await first
    assert (answered.status_code, answered.json()["action"]) == (200, 1)
    assert (await two.post(f"{path}/act", observation=SEEN, request_id="a")).json() == answered.json()
    assert len(await steps_of(two, path)) == 1


async def test_many_calls_at_the_same_moment(serve_here: Serve):
    both = [await serve_here(lambda _: answer(1)) for _ in range(2)]
    path = await both[0].with_agent()
    calls = [both[index % 2].post(f"{path}/act", observation=SEEN) for index in range(8)]
    answers = await asyncio.gather(*calls)
    good = [answered.json()["step"] for answered in answers if answered.status_code == 200]
    assert {answered.status_code for answered in answers} <= {200, 409}
    assert sorted(good) == [*range(1, len(good) + 1)]
    assert [step["step"] for step in await steps_of(both[1], path)] == [*range(1, len(good) + 1)]


async def test_a_call_goes_on_without_its_client(serve_here: Serve):
    served = await serve_here()
    gate = Gate(served)
    path = await served.with_agent()
    first = asyncio.create_task(served.post(f"{path}/act", observation=SEEN, request_id="a"))
    await gate.asked.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert kind(await served.post(f"{path}/act", observation=SEEN, request_id="a")) == (409, "busy")
    gate.open.set()
    await until(served.client, f"/sessions{path}", lambda session: session["progress"]["steps"] == 1)
    again = await served.post(f"{path}/act", observation=SEEN, request_id="a")
    assert (again.status_code, again.json()["step"]) == (200, 1)
    assert len(await steps_of(served, path)) == 1


async def test_a_lost_call_writes_nothing(serve_here: Serve):
    one, two = await serve_here(), await serve_here(lambda _: answer(2))
    gate = Gate(one)
    path = await one.with_agent()
    lost = asyncio.create_task(one.post(f"{path}/act", observation=SEEN, request_id="a"))
    await gate.asked.wait()
    async with one.service.database.writing() as session:  # As if its process had given no sign of life for long.
        await session.execute(update(Session).values(claimed_until=now() - timedelta(seconds=1)))
    taken = await two.post(f"{path}/act", observation=SEEN, request_id="a")
    assert (taken.status_code, taken.json()["action"]) == (200, 2)
    gate.open.set()
    assert kind(await lost) == (409, "busy")
    assert [step["action"] for step in await steps_of(two, path)] == [2]
    assert (await one.post(f"{path}/act", observation=SEEN)).json()["step"] == 2


async def test_a_call_in_a_session_that_ends(serve_here: Serve):
    served = await serve_here()
    gate = Gate(served)
    path = await served.with_agent()
    call = asyncio.create_task(served.post(f"{path}/act", observation=SEEN))
    await gate.asked.wait()
    assert (await served.client.delete(f"/sessions{path}")).status_code == 204
    gate.open.set()
    assert kind(await call) == (410, "session-over")
    assert await steps_of(served, path) == []


@pytest.mark.parametrize("actions", ["numbers", "objects"])
async def test_the_window_is_the_same_in_every_process(serve_here: Serve, actions: str):
    definition = DEFINITION
    moves: list[Any] = [0, 1, 2]
    if actions == "objects":
        moves = [{"turn": 1, "go": {"y": 2, "x": index}} for index in range(3)]
        definition = {name: DEFINITION[name] for name in ("observation_schema", "goal_description")}
        definition["action_json_schema"] = {"type": "object", "required": ["turn", "go"]}
    script = [answer(moves[index % 3], f"Reflection {index}.") for index in range(9)]
    script[4] = "no JSON at all"  # Repaired by the next one.
    # Fields in another order than that of the schema, and others than it has.
    seen = {"zz": {"b": 1, "a": 2}, "battery": 0.5, "more": [{"d": 1, "c": 2}]}
    bodies: list[Json] = [{"observation": seen | {"distance": index / 7}} for index in range(8)]
    for index in (1, 2, 5, 6):
        bodies[index]["reward"] = index / 2

    async def play(processes: list[Served], replies: Any) -> list[list[Any]]:
        told: list[list[Any]] = []
        path = await processes[0].with_agent(definition, history=2)
        for index, body in enumerate(bodies):
            process = processes[index % len(processes)]
            process.backend._answers = replies
            before = len(process.backend.questions)
            assert (await process.post(f"{path}/act", **body)).status_code == 200
            told += [list(question.messages) for question in process.backend.questions[before:]]
        return told

    alone = await play([await serve_here()], iter(script))
    assert await play([await serve_here() for _ in range(3)], iter(script)) == alone


async def test_sessions_expire(serve_here: Serve):
    served = await serve_here(lambda _: answer(1))
    path = await served.with_agent(ttl_s=0.01)
    swept = await served.with_agent(ttl_s=0.01)
    lasting = await served.with_agent(ttl_s=500)
    await asyncio.sleep(0.05)
    for call in (served.post(f"{path}/act", observation=SEEN), served.post(f"{path}/heartbeat")):
        refused = await call
        assert kind(refused) == (410, "session-over")
        assert "expired" in refused.json()["detail"]
    await served.service.sessions.sweep()
    for over in (path, swept):
        session = await served.get(over)
        assert (session["status"], session["error"]["code"]) == ("cancelled", "timeout")
        assert session["finished_at"] is not None
        events = await served.client.get(f"/sessions{over}/events")
        assert events.text.endswith("event: done\ndata: {}\n\n")
    assert (await served.get(lasting))["status"] == "running"
    assert (await served.post(f"{lasting}/act", observation=SEEN)).status_code == 200
    listed = (await served.client.get("/sessions", params={"status": "running"})).json()["data"]
    assert [f"/{session['id']}" for session in listed] == [lasting]


async def test_an_expiry_does_not_end_a_call_that_is_under_way(serve_here: Serve):
    served = await serve_here()
    gate = Gate(served)
    path = await served.with_agent()
    call = asyncio.create_task(served.post(f"{path}/act", observation=SEEN))
    await gate.asked.wait()
    async with served.service.database.writing() as session:
        await session.execute(update(Session).values(expires_at=now() - timedelta(seconds=1)))
    await served.service.sessions.sweep()
    assert (await served.get(path))["status"] == "running"
    gate.open.set()
    assert (await call).status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_call_that_was_cut_off_does_not_block_the_next_process(serve_here: Serve):
    one = await serve_here()
    path = await one.with_agent()
    async with one.service.database.writing() as session:  # As a killed process leaves it.
        await session.execute(update(Session).values(claimed_until=now() + timedelta(hours=1)))
    two = await serve_here(lambda _: answer(1))
    assert (await two.post(f"{path}/act", observation=SEEN)).status_code == 200


async def test_signs_of_life_prolong(serve_here: Serve):
    served = await serve_here(lambda _: answer(1))
    path = await served.with_agent()
    times = [(await served.get(path))["expires_at"]]
    for call in (
        served.post(f"{path}/heartbeat"),
        served.post(f"{path}/act", observation=SEEN),
        served.post(f"{path}/reset"),
    ):
        assert (await call).status_code == 200
        times.append((await served.get(path))["expires_at"])
    assert times == sorted(set(times))


async def test_ending_purging_and_limits(serve_here: Serve):
    served = await serve_here(lambda _: answer(1), max_sessions_per_owner=2)
    path, other = await served.with_agent(), await served.with_agent()
    full = await served.post("", environment={"name": "Counting-v0"})
    assert kind(full) == (429, "too-many-sessions")
    for _ in range(2):
        assert (await served.client.delete(f"/sessions{path}")).status_code == 204
    assert (await served.get(path))["status"] == "succeeded"
    assert (await served.client.delete(f"/sessions{path}?purge=true")).status_code == 204
    assert (await served.client.get(f"/sessions{path}")).status_code == 404
    assert (await served.post(f"{path}/act", observation=SEEN)).status_code == 404
    await served.post(f"{other}/act", observation=SEEN, request_id="a")
    assert (await served.client.delete(f"/sessions{other}?purge=true")).status_code == 204
    assert (await served.client.get("/sessions")).json()["data"] == []


async def test_sessions_are_no_runs(serve_here: Serve):
    served = await serve_here(lambda _: answer(1))
    path = await served.with_agent()
    await served.post(f"{path}/act", observation=SEEN)
    assert (await served.client.get("/runs")).json()["data"] == []
    for method, rest in (("GET", ""), ("GET", "/steps"), ("GET", "/archive"), ("POST", "/cancel"), ("DELETE", "")):
        assert (await served.client.request(method, f"/runs{path}{rest}")).status_code == 404
    run = (await served.client.post("/runs", json={"environment": {"name": "Counting-v0"}})).json()
    assert (await served.client.get(f"/sessions/{run['id']}")).status_code == 404
    assert (await served.post(f"/{run['id']}/act", observation=SEEN)).status_code == 404
