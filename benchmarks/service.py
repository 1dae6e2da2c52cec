"""The service as its users have it: a uvicorn process with SQLite, a run over HTTP, a watcher on its events."""

import sqlite3
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import orjson

from benchmarks.children import Child, Sample


def measure_run(port: int, folder: Path, config: Mapping[str, Any], **variables: str) -> Sample:
    """Start the service on an empty `folder`, play `config` in one run and watch all of its events.

    The clock runs from the request to the `done` event. `extra` holds `lag_ms`, the time from the making of each step
    to its arrival at the watcher, and `folder`, the run's files.

    Raises:
        RuntimeError: the run did not succeed, or a step is missing from the stream or from the database.
    """
    url = f"http://127.0.0.1:{port}"
    settings = {"GYM_LLM_DATA_DIR": str(folder), "GYM_LLM_DATABASE_URL": "", "GYM_LLM_LOG_LEVEL": "WARNING"}
    uvicorn = ("-m", "uvicorn", "--factory", "app.main:create_app", "--port", str(port), "--log-level", "warning")
    with (
        Child(*uvicorn, **settings, **variables) as service,
        httpx.Client(base_url=url, timeout=None, trust_env=False) as client,
    ):
        service.wait_for(f"{url}/readyz")
        cpu, started = service.cpu_s(), time.perf_counter()
        run = client.post("/runs", json=config).raise_for_status().json()
        lags = watch(client, run["id"])
        wall = time.perf_counter() - started
        sample = Sample(
            wall,
            service.cpu_s() - cpu,
            service.peak_mb(),
            len(lags),
            {"lag_ms": lags, "folder": str(folder / "runs" / run["id"])},
        )
        run = client.get(f"/runs/{run['id']}").raise_for_status().json()
    check_stored(folder / "gym-llm.db", run, sample.steps)
    return sample


def watch(client: httpx.Client, run_id: str) -> list[float]:
    """Follow a run to its end; for each step, the ms from its making to its arrival here.

    Raises:
        RuntimeError: a step is missing, came twice, or the stream broke off.
    """
    lags: list[float] = []
    with httpx_sse.connect_sse(client, "GET", f"/runs/{run_id}/events") as source:
        for event in source.iter_sse():
            if event.event == "done":
                return lags
            if event.event == "step":
                made = datetime.fromisoformat(orjson.loads(event.data)["created_at"])
                lags.append((datetime.now(UTC) - made).total_seconds() * 1000)
                if int(event.id) != len(lags):
                    raise RuntimeError(f"step {len(lags)} was due, step {event.id} came")
    raise RuntimeError("the stream ended before the run")


def check_stored(database: Path, run: Mapping[str, Any], steps: int) -> None:
    """Raises RuntimeError unless the run succeeded with `steps` steps, all of them in the database."""
    connection = sqlite3.connect(database)
    try:
        (stored,) = connection.execute("SELECT count(*) FROM (SELECT DISTINCT episode, step FROM steps)").fetchone()
    finally:
        connection.close()
    if run["status"] != "succeeded" or not run["progress"]["steps"] == stored == steps:
        told = f"{run['status']}: {run['error']}, {run['progress']}"
        raise RuntimeError(f"{told}, {stored} steps stored, {steps} streamed")
