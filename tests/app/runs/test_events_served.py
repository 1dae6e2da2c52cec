"""Watching runs of a real server, over real connections."""

import threading
from collections import Counter
from contextlib import ExitStack
from typing import Any

import httpx
import orjson

from tests.app.running import body
from tests.app.watching import Event, read_events, watch
from tests.processes import Server


def start(client: httpx.Client, request: dict[str, Any]) -> str:
    return str(client.post("/runs", json=request).raise_for_status().json()["id"])


def steps_of(events: list[Event]) -> list[tuple[int, int, int]]:
    return [(e.data["id"], e.data["episode"], e.data["step"]) for e in events if e.kind == "step"]


def check_whole(events: list[Event], episodes: int, length: int) -> None:
    """A watcher saw every step of a run once, in order, each episode's end after its last step, and the run's end."""
    kinds = [event.kind for event in events]
    assert kinds[0] == "run"
    assert kinds[-2:] == ["run", "done"]
    assert all((event.id is not None) == (event.kind == "step") for event in events)
    assert all(event.id == str(event.data["id"]) for event in events if event.kind == "step")
    steps = steps_of(events)
    assert [id for id, _, _ in steps] == list(range(1, episodes * length + 1))
    for episode in range(episodes):
        assert [step for _, e, step in steps if e == episode] == list(range(1, length + 1))
        end = next(i for i, e in enumerate(events) if e.kind == "episode" and e.data["episode"] == episode)
        last = next(
            i
            for i, e in enumerate(events)
            if e.kind == "step" and e.data["episode"] == episode and e.data["step"] == length
        )
        assert last < end
    assert events[-2].data["status"] == "succeeded"


def test_watchers_who_stay_leave_and_come_late_see_the_same(server: Server):
    with server.client() as client:
        run_id = start(client, body("Slow-v0", {"length": 12, "seconds": 0.02}, num_runs=6, concurrency=3))
        seen: dict[str, list[Event]] = {"stays": [], "leaves": []}

        def follow(name: str, leave_after: int | None) -> None:
            seen[name] += watch(server, run_id, leave_after=leave_after)

        threads = [threading.Thread(target=follow, args=who) for who in (("stays", None), ("leaves", 5))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        check_whole(seen["stays"], 6, 12)
        assert Counter(e.kind for e in seen["stays"])["episode"] == 6
        assert steps_of(seen["leaves"]) == steps_of(seen["stays"])
        assert {e.data["episode"] for e in seen["leaves"] if e.kind == "episode"} == set(range(6))

        late = list(watch(server, run_id))
        check_whole(late, 6, 12)
        assert [e for e in late if e.kind == "step"] == [e for e in seen["stays"] if e.kind == "step"]
        stored = client.get(f"/runs/{run_id}/steps", headers={"Accept": "application/jsonl"}).text
        assert [orjson.loads(line) for line in stored.splitlines()] == [e.data for e in late if e.kind == "step"]

        for after in (0, 1, 12, 40, 71, 72):
            by_query = read_events(client.get(f"/runs/{run_id}/events", params={"after": after}).text)
            by_header = read_events(client.get(f"/runs/{run_id}/events", headers={"Last-Event-ID": str(after)}).text)
            assert by_query == by_header
            assert [id for id, _, _ in steps_of(by_query)] == list(range(after + 1, 73))
            assert by_query[-1].kind == "done"


def test_a_place_that_the_log_does_not_have(server: Server):
    with server.client() as client:
        run_id = client.post("/runs", json=body(), headers={"Prefer": "wait=60"}).json()["id"]
        beyond = client.get(f"/runs/{run_id}/events", params={"after": 100_000})
        assert [event.kind for event in read_events(beyond.text)] == ["run", "episode", "run", "done"]
        for wrong in ("-1", "x", str(2**40)):
            assert client.get(f"/runs/{run_id}/events", params={"after": wrong}).status_code == 422
        for odd in ("abc", "-5", "", "9" * 30, "1.5"):
            answer = client.get(f"/runs/{run_id}/events", headers={"Last-Event-ID": odd})
            assert read_events(answer.text)[-1].kind == "done"


def test_a_watcher_who_leaves_never_touches_the_run(server: Server):
    with server.client() as client:
        run_id = start(client, body("Slow-v0", {"length": 20, "seconds": 0.05}))
        for _ in range(5):
            watcher = watch(server, run_id)
            next(watcher)
            watcher.close()
        check_whole(list(watch(server, run_id)), 1, 20)


def test_pings_keep_a_quiet_stream_open_and_watchers_are_limited(server: Server):
    with server.client() as client, ExitStack() as streams:
        run_id = start(client, body("Slow-v0", {"length": 60, "seconds": 1.0}))
        opened = [streams.enter_context(client.stream("GET", f"/runs/{run_id}/events")) for _ in range(4)]
        lines = [stream.iter_lines() for stream in opened]
        for of_one in lines:
            assert next(line for line in of_one if line.startswith(":")) == ": ping"
        refused = client.get(f"/runs/{run_id}/events")
        assert refused.status_code == 503
        assert refused.json()["type"].endswith("too-many-watchers")
        client.post(f"/runs/{run_id}/cancel")
        assert all("event: done" in list(of_one) for of_one in lines)
        assert read_events(client.get(f"/runs/{run_id}/events").text)[-1].kind == "done"


def test_cancelling_ends_the_stream(server: Server):
    with server.client() as client:
        run_id = start(client, body("Slow-v0"))
        events: list[Event] = []
        for event in watch(server, run_id):
            events.append(event)
            if event.kind == "step" and event.data["id"] == 3:
                client.post(f"/runs/{run_id}/cancel")
        assert [e.data["status"] for e in events if e.kind == "run"][-1] == "cancelled"
        assert events[-1].kind == "done"


def test_failed_episodes_are_told_of(server: Server):
    with server.client() as client:
        run_id = start(client, body("Failing-v0", {"at": 2, "seed": 1}, num_runs=3))
        events = list(watch(server, run_id))
        assert [e.data["status"] for e in events if e.kind == "episode"] == ["succeeded", "failed", "succeeded"]
        last = next(e for e in reversed(events) if e.kind == "run").data
        assert (last["status"], last["error"]["code"], last["error"]["episode"]) == ("failed", "env_error", 1)
        never_made = start(client, body("Failing-v0", {"way": "make"}))
        assert [e.kind for e in watch(server, never_made)][-3:] == ["episode", "run", "done"]
