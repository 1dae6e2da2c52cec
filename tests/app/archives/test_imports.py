"""Archives on their way back in: the same run again, or nothing."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import httpx
import pytest

from app.bootstrap import Service
from tests.app.running import Json, all_steps, body, play
from tests.fakes import FakeBackend, obedient

ZIP = {"Content-Type": "application/zip"}
Change = Callable[[str], str]


async def archived(client: httpx.AsyncClient, **request: Any) -> tuple[Json, bytes]:
    run = await play(client, body(**{"environment": "CartPoleLLM-v1", "max_steps": 12, "model": "random"} | request))
    return run, (await client.get(f"/runs/{run['id']}/archive")).content


def altered(archive: bytes, **changes: Change | bytes | None) -> bytes:
    """An archive whose files, by name without suffix, are rewritten, replaced or left out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            change = changes.get(name.split(".")[0], str)
            if callable(change):
                new.writestr(name, change(old.read(name).decode()) if change is not str else old.read(name))
            elif change is not None:
                new.writestr(name, change)
    return target.getvalue()


def with_step(number: int, **values: Any) -> Change:
    def change(lines: str) -> str:
        records = [json.loads(line) for line in lines.splitlines()]
        records[number - 1] |= values
        return "".join(f"{json.dumps(record)}\n" for record in records)

    return change


async def bring(client: httpx.AsyncClient, archive: bytes, **query: Any) -> httpx.Response:
    return await client.post("/runs/import", content=archive, params=query, headers=ZIP)


async def test_an_imported_run_is_the_same_run(client: httpx.AsyncClient, service: Service):
    run, archive = await archived(client, num_runs=3, concurrency=2, save_gif=True, save_video=True, seed=4)
    response = await bring(client, archive)
    assert response.status_code == 201, response.text
    copy = response.json()
    assert response.headers["location"] == f"/runs/{copy['id']}"
    assert copy["id"] != run["id"]
    origin = copy.pop("imported_from")
    assert (origin["run_id"], origin["verified"]) == (run["id"], True)
    assert {**copy, "id": run["id"], "imported_from": None} == run
    assert await all_steps(client, copy["id"]) == await all_steps(client, run["id"])
    for path in ("/episodes", "/metrics", "/episodes/1/raw_outputs"):
        assert (await client.get(f"/runs/{copy['id']}{path}")).json() == (
            await client.get(f"/runs/{run['id']}{path}")
        ).json()
    for name in ("gif", "video"):
        files = [(await client.get(f"/runs/{id}/episodes/2/{name}")).content for id in (run["id"], copy["id"])]
        assert files[0] == files[1]
    stream = (await client.get(f"/runs/{copy['id']}/events")).text
    assert stream.count("event: episode") == 3
    assert "event: done" in stream
    again = await bring(client, (await client.get(f"/runs/{copy['id']}/archive")).content)
    assert again.json()["imported_from"]["run_id"] == copy["id"]
    assert (await client.post(f"/runs/{copy['id']}/fork", json={"step": 2})).status_code == 202


async def test_what_an_agent_kept_is_imported_too(client: httpx.AsyncClient, service: Service):
    service.backends["ollama"] = FakeBackend(obedient)
    thinker = {"backend": "ollama", "model": "m", "strategy": "memory", "history": 1}
    run, archive = await archived(client, environment="Counting-v0", num_runs=2, **thinker)
    copy = (await bring(client, archive)).json()
    for path in ("/episodes", "/steps", "/metrics", "/episodes/1/raw_outputs", "/export?format=openai"):
        pair = [await client.get(f"/runs/{id}{path}") for id in (run["id"], copy["id"])]
        assert pair[0].status_code == 200
        assert pair[0].content == pair[1].content, path
    _, second = (await client.get(f"/runs/{copy['id']}/episodes")).json()["data"]
    assert second["lessons_before"]
    assert second["lessons"]["learned"]
    assert any(step["notes"] for step in await all_steps(client, copy["id"]))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"reward": 0.5}, "Episode 0 step 3: its reward differs."),
        ({"digest": "0" * 24}, "Episode 0 step 3: its observation differs."),
        ({"terminated": True}, "Episode 0 step 3: the episode terminates here in one of the two only."),
    ],
)
async def test_a_run_that_is_not_true_is_refused_or_marked(client: httpx.AsyncClient, values: Json, told: str):
    _, archive = await archived(client)
    forged = altered(archive, steps=with_step(3, **values))
    response = await bring(client, forged)
    assert (response.status_code, response.json()["detail"]) == (422, told)
    assert response.json()["type"].endswith("not-verified")
    assert len((await client.get("/runs")).json()["data"]) == 1
    marked = await bring(client, forged, verify=False)
    assert marked.status_code == 201
    assert marked.json()["imported_from"]["verified"] is False


async def test_totals_are_verified_too(client: httpx.AsyncClient):
    _, archive = await archived(client)
    for name, value in (("total_reward", 999.0), ("final_observation", {"cart_position": 0.0})):
        response = await bring(client, altered(archive, episodes=with_step(1, **{name: value})))
        assert response.status_code == 422
        assert name.replace("_observation", " observation") in response.json()["detail"]


async def test_what_can_not_be_played_again_needs_to_be_taken_as_it_is(
    client: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
):
    _, honest = await archived(
        client, environment="HonestlyRandom-v0", kwargs={"length": 3, "seconds": 0}, model="random"
    )
    response = await bring(client, honest)
    assert "nondeterministic" in response.json()["detail"]
    _, gone = await archived(client, environment="Counting-v0")
    monkeypatch.delitem(gym.registry, "Counting-v0")
    monkeypatch.setattr(service.catalog, "_entries", {})
    response = await bring(client, gone)
    assert "is not loaded on this server" in response.json()["detail"]
    assert (await bring(client, gone, verify=False)).status_code == 201


def broken(archive: bytes) -> dict[str, tuple[bytes, str]]:
    lines = with_step
    without_last: Change = lambda text: text[: text.rstrip("\n").rindex("\n") + 1]  # noqa: E731
    return {
        "no zip": (b"PK nothing", "can't be unpacked"),
        "cut": (archive[: len(archive) // 2], "can't be unpacked"),
        "no steps": (altered(archive, steps=None), "There is no steps.jsonl"),
        "no run": (altered(archive, run=None), "There is no run.json"),
        "not JSON": (altered(archive, steps=b"{oops\n"), "steps.jsonl line 1: Invalid JSON"),
        "half a line": (altered(archive, steps=lambda text: text[:-20]), "steps.jsonl line 12: Invalid JSON"),
        "a step missing": (altered(archive, steps=without_last), "Steps of episode 0 are missing"),
        "a step too many": (altered(archive, steps=lambda text: text + text.splitlines()[-1]), "more steps"),
        "numbers": (altered(archive, steps=lines(2, step=7)), "out of order"),
        "ids": (altered(archive, steps=lines(2, id=99)), "ids of its steps"),
        "the same id": (altered(archive, steps=lines(2, id=1)), "database refuses"),
        "too large a number": (altered(archive, steps=lines(2, attempts=10**12)), "database refuses"),
        "another run": (
            altered(archive, steps=lines(2, run_id="019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f")),
            "another run",
        ),
        "unknown agent": (
            altered(archive, run=lambda text: text.replace('"backend": "baseline"', '"backend": "x"')),
            "agent.backend",
        ),
        "still playing": (altered(archive, run=lambda text: text.replace("succeeded", "running")), "is running"),
        "NUL": (altered(archive, steps=lines(2, reflection="a\0b")), "NUL"),
        "a bomb": (altered(archive, run_0_seed_0=b"GIF8" + bytes(40_000_000)), "accepted"),
        "a long line": (altered(archive, run=b" " * (16 * 2**20 + 1)), "a line of more"),
        "no GIF": (altered(archive, run_0_seed_0=b"<html>"), "is not what its name says"),
    }


async def test_broken_archives_leave_nothing_behind(client: httpx.AsyncClient, service: Service):
    service.imports.max_bytes = 2**20  # Twenty times that may be unpacked.
    _, archive = await archived(client, save_gif=True)
    with zipfile.ZipFile(io.BytesIO(archive)) as names:
        assert "run_0_seed_0.gif" in names.namelist()
    for name, (content, told) in broken(archive).items():
        if name == "too large a number" and service.database.sqlite:
            continue  # There it is a number like any other.
        for verify in (True, False):
            response = await bring(client, content, verify=verify)
            assert response.status_code == 422, (name, response.text)
            assert response.json()["type"].endswith(("invalid-archive", "not-verified")), name
            assert told in response.json()["detail"] or verify, (name, response.json()["detail"])
    assert len((await client.get("/runs")).json()["data"]) == 1
    folders = [path.name for path in (service.settings.data_dir / "runs").iterdir()]
    assert len([name for name in folders if not name.startswith(".")]) == 1
    assert not list((service.settings.data_dir / "runs" / ".staging").glob("import-*"))


async def test_names_in_an_archive_lead_nowhere(client: httpx.AsyncClient, service: Service):
    _, archive = await archived(client)
    file = io.BytesIO(archive)
    with zipfile.ZipFile(file, "a") as target:
        for name in ("../../evil.txt", "/evil.txt", "run_9_seed_9.gif"):
            target.writestr(name, "evil")
    assert (await bring(client, file.getvalue())).status_code == 201
    assert not list(service.settings.data_dir.parent.rglob("*evil*"))
    assert not list(service.settings.data_dir.rglob("run_9*"))


async def test_bodies_that_are_refused_at_once(client: httpx.AsyncClient, service: Service):
    service.imports.max_bytes = 1000
    response = await bring(client, b"x" * 1001)
    assert (response.status_code, response.json()["type"].split(":")[-1]) == (413, "body-too-large")
    response = await client.post("/runs/import", json={})
    assert response.status_code == 415
