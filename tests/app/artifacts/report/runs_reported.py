"""Runs as a report takes them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np

from app.artifacts.report.build import batch_report
from app.artifacts.report.model import BatchReport
from app.artifacts.report.rows import ReportedRun

NOW = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
RANDOM = {"backend": "baseline", "model": "random"}
HEURISTIC = {"backend": "baseline", "model": "heuristic"}
GIF = bytes.fromhex("47494638396101000100800000ff0000ffffff21f90400000000002c00000000010001000002024401003b")
"""One red pixel."""


def run(number: int, agent: dict[str, Any], rewards: Sequence[float | None], **fields: Any) -> ReportedRun:
    """A run with seeds from 0; a reward that is None belongs to an episode that failed."""
    episodes = [
        {
            "episode": index,
            "seed": index,
            "status": "succeeded" if reward is not None else "failed",
            "error": None if reward is not None else {"code": "llm_error", "message": "no answer"},
            "total_reward": reward or 0.0,
            "num_steps": 100 + index,
            "success": None if reward is None else reward >= 200,
            "totals": {"decisions": 100, "repaired": 3, "priced": 100, "cost_usd": 0.01, "latency_ms": 4000.0},
            "gif": f"gifs/{number}/{index}.gif",
        }
        for index, reward in enumerate(rewards)
    ]
    row: dict[str, Any] = {
        "id": UUID(int=number),
        "status": "succeeded",
        "agent": agent,
        "environment": {"name": "LunarLanderLLM-v3", "kwargs": None},
        "reward_threshold": 200.0,
        "episodes": episodes,
    }
    return ReportedRun.model_validate(row | fields)


def llm(model: str, **fields: Any) -> dict[str, Any]:
    return {"backend": "ollama", "model": model, "temperature": 0.2, "history": 10} | fields


def lander_batch() -> BatchReport:
    """Four agents in two environments, with failures."""
    drawn = np.random.default_rng(7)
    lander = {
        "random": (RANDOM, drawn.normal(-180, 90, 20).round(2)),
        "heuristic": (HEURISTIC, np.where(drawn.random(20) < 0.9, drawn.normal(255, 22, 20), -90).round(2)),
        "small": (llm("llama3.1"), drawn.normal(-40, 120, 20).round(2)),
        "large": (llm("gpt-4o-mini", backend="openai"), drawn.normal(120, 110, 20).round(2)),
    }
    runs = [run(number, agent, list(rewards)) for number, (agent, rewards) in enumerate(lander.values(), 1)]
    runs[2] = run(3, lander["small"][0], [None, *lander["small"][1][1:]], status="failed")
    pole = {"environment": {"name": "CartPoleLLM-v1", "kwargs": None}, "reward_threshold": 475.0}
    runs.append(run(11, RANDOM, list(drawn.integers(9, 45, 20).astype(float)), **pole))
    runs.append(run(12, HEURISTIC, [500.0] * 20, **pole))
    runs.append(run(13, llm("llama3.1"), list(drawn.integers(30, 400, 20).astype(float)), **pole))
    return batch_report(runs, title="Lander and pole", created_at=NOW, id=UUID(int=99), configuration={"num_runs": 20})
