"""Rows for tests that talk to the database without a service."""

from typing import Any

from uuid_utils.compat import uuid7

from app.db import Database, now
from app.runs import repository
from app.runs.models import Run
from gym_llm.config import AgentConfig, EnvironmentConfig, ExperimentConfig


def make_run(**columns: Any) -> Run:
    """A run that waits to be carried out."""
    agent = AgentConfig(backend="baseline", model="heuristic")
    values: dict[str, Any] = {
        "id": uuid7(),
        "owner": "local",
        "status": "queued",
        "agent": agent.model_dump(),
        "environment": EnvironmentConfig(name="Counting-v0").model_dump(),
        "experiment": ExperimentConfig().model_dump(),
        "backend": "baseline",
        "model": "heuristic",
        "environment_id": "Counting-v0",
        "losses": 0,
        "episodes_done": 0,
        "steps": 0,
        "created_at": now(),
    }
    return Run(**(values | columns))


async def stored_run(database: Database, **columns: Any) -> Run:
    """A run that is in the database."""
    run = make_run(**columns)
    async with database.writing() as session:
        await repository.add_runs(session, [run])
    return run


def step_row(run: Run, id: int, episode: int = 0, step: int | None = None, **columns: Any) -> dict[str, Any]:
    """The columns of a step."""
    values = {
        "run_id": run.id,
        "id": id,
        "episode": episode,
        "step": id if step is None else step,
        "observation": {"count": id},
        "digest": "0" * 32,
        "reflection": "Because.",
        "action": 1,
        "reward": 1.0,
        "terminated": False,
        "truncated": False,
        "decided": True,
        "outcome": "valid",
        "attempts": 1,
        "latency_ms": 1.0,
        "prompt_tokens": 10,
        "cached_tokens": 5,
        "completion_tokens": 2,
        "cost_usd": None,
        "problem": None,
        "reply": None,
        "created_at": now(),
    }
    return values | columns
