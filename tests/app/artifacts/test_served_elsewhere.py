"""A worker on one machine plays, the API on another one serves the files."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from PIL import Image

from app.access import LOCAL
from app.artifacts.frames import LiveFrames
from app.artifacts.local import LocalFile, LocalStore
from app.artifacts.staging import Staging
from app.bootstrap import Service, build
from app.db import Database
from app.main import create_app
from app.runs.files import RunFiles
from app.runs.models import Episode
from app.settings import Settings
from tests.app.artifacts.making import FailingStore, publish
from tests.app.running import body, has_steps, is_over, play, until
from tests.databases import Postgres

Machine = Callable[..., Service]
URL = "/runs/{}/episodes/0/{}".format


@pytest.fixture(params=["shared folder", "s3"])
def machine(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Any:
    """Makes services that share a database and a store, and nothing else."""
    s3_url = request.getfixturevalue("s3_url") if request.param == "s3" else ""
    with postgres.database(migrated=True) as database_url:

        def make(name: str, *, worker: bool = False) -> Service:
            settings = Settings(
                _env_file=None,
                data_dir=tmp_path / (name if s3_url else "shared"),
                artifacts_url=s3_url,
                database_url=database_url,
                commit_within_ms=5,
                heartbeat_s=0.2,
                lost_after_s=1,
            )
            return build(settings, worker=worker)

        yield make


@asynccontextmanager
async def talking_to(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(service=service), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client:
        yield client


@pytest.fixture
async def client(machine: Machine) -> AsyncIterator[httpx.AsyncClient]:
    """Of an API process, which plays nothing."""
    async with AsyncExitStack() as stack:
        service = machine("api")
        await stack.enter_async_context(service.running())
        yield await stack.enter_async_context(talking_to(service))


async def test_the_files_of_a_run(machine: Machine, client: httpx.AsyncClient):
    async with machine("worker", worker=True).running():
        run = await play(client, body(save_gif=True, save_video=True, num_runs=2, concurrency=2))
    assert run["status"] == "succeeded"
    gif = await client.get(URL(run["id"], "gif"))
    assert gif.status_code == 200
    with Image.open(io.BytesIO(gif.content)) as picture:
        assert picture.n_frames == 5  # type: ignore[attr-defined]
    etag = gif.headers["etag"]
    assert (await client.get(URL(run["id"], "gif"), headers={"If-None-Match": etag})).status_code == 304
    part = await client.get(URL(run["id"], "gif"), headers={"Range": "bytes=0-5"})
    assert (part.status_code, part.content) == (206, gif.content[:6])
    video = await client.get(URL(run["id"], "video"))
    assert video.content[4:8] == b"ftyp"
    frame = await client.get(URL(run["id"], "frame"))
    with Image.open(io.BytesIO(frame.content)) as picture:
        assert picture.format == "PNG"
    archive = await client.get(f"/runs/{run['id']}/archive")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
        assert files.testzip() is None
        kinds = (".gif", ".mp4", "_raw_outputs.json")
        names = {f"run_{episode}_seed_{episode}{kind}" for episode in range(2) for kind in kinds}
        records = {"config.yaml", "results.json", "run.json", "episodes.jsonl", "steps.jsonl"}
        assert set(files.namelist()) == records | names
        assert files.read("run_0_seed_0.gif") == gif.content
    assert (await client.delete(f"/runs/{run['id']}")).status_code == 204


async def test_while_it_is_played(machine: Machine, client: httpx.AsyncClient):
    async with machine("worker", worker=True).running():
        run = (await client.post("/runs", json=body("Slow-v0", save_gif=True))).json()
        await until(client, f"/runs/{run['id']}", has_steps)
        for _ in range(100):
            frame = await client.get(URL(run["id"], "frame"))
            if frame.status_code == 200:
                break
            await asyncio.sleep(0.05)
        assert frame.headers["content-type"] == "image/png"
        gif = await client.get(URL(run["id"], "gif"))
        assert (gif.status_code, gif.json()["detail"]) == (404, "The episode is still being played.")
        await client.post(f"/runs/{run['id']}/cancel")
        await until(client, f"/runs/{run['id']}", is_over)
        assert (await client.get(URL(run["id"], "gif"))).status_code == 200  # As far as it came.


async def test_another_worker_goes_on_with_the_recording(machine: Machine, client: httpx.AsyncClient):
    async with machine("first", worker=True).running():
        request = body("Slow-v0", {"length": 40}, save_gif=True)
        run = (await client.post("/runs", json=request)).json()
        await until(client, f"/runs/{run['id']}", has_steps)
    assert (await client.get(URL(run["id"], "gif"))).status_code == 404
    async with machine("second", worker=True).running():
        await until(client, f"/runs/{run['id']}", is_over)
    gif = await client.get(URL(run["id"], "gif"))
    with Image.open(io.BytesIO(gif.content)) as picture:
        assert picture.n_frames == 40  # type: ignore[attr-defined]


async def test_what_a_lost_worker_left_is_cleared_away_at_a_start(machine: Machine, client: httpx.AsyncClient):
    worker = machine("worker", worker=True)
    async with worker.running():
        run = await play(client, body(save_gif=True))
    left = worker.staging.stage(UUID(run["id"]), uuid4())
    await left.open()
    (left.folder / ".run_0_seed_0.gif.1234.part").write_bytes(b"half")
    async with machine("worker", worker=True).running():
        assert not left.folder.exists()
    assert (await client.get(URL(run["id"], "gif"))).status_code == 200


async def test_a_frame_that_is_replaced_while_it_is_read(tmp_path: Path, database: Database):
    class Runs:
        async def episode(self, *_: object) -> Episode:
            return Episode(seed=0, status="running")

    class BusyStore(LocalStore):
        busy = 2

        async def find(self, run_id: UUID, name: str) -> LocalFile | None:
            found = await super().find(run_id, name)
            if self.busy:
                self.busy -= 1
                await publish(self, tmp_path, run_id, name, b"x" * (self.busy + 2))
            return found

    store, run_id = BusyStore(tmp_path / "runs"), uuid4()
    await publish(store, tmp_path, run_id, "run_0_seed_0.png", b"first")
    files = RunFiles(database, Runs(), store, LiveFrames(), Staging(tmp_path, store))  # type: ignore[arg-type]
    assert await files.frame(LOCAL, run_id, 0) == b"xx"


async def test_a_failed_episode_can_be_looked_at(machine: Machine, client: httpx.AsyncClient):
    async with machine("worker", worker=True).running():
        run = await play(client, body("Failing-v0", save_gif=True))
    assert run["status"] == "failed"
    assert (await client.get(URL(run["id"], "gif"))).status_code == 200


async def test_a_store_that_is_down_costs_files_and_no_steps(machine: Machine, client: httpx.AsyncClient):
    worker = machine("worker", worker=True)
    worker.staging._store = FailingStore(worker.staging._store, 10**6)
    async with worker.running():
        run = await play(client, body(save_gif=True))
    assert (run["status"], run["progress"]["steps"]) == ("succeeded", 5)
    gif = await client.get(URL(run["id"], "gif"))
    assert gif.status_code == 404
    assert "could not be stored" in gif.json()["detail"]
    assert (await client.get(URL(run["id"], "video"))).json()["detail"] == "The run was not asked to keep this file."
    archive = await client.get(f"/runs/{run['id']}/archive")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
        assert "run_0_seed_0_raw_outputs.json" in files.namelist()
        assert "run_0_seed_0.gif" not in files.namelist()
    assert not list(worker.staging._root.glob("*/*"))
