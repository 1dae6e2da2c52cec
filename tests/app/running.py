"""Runs for tests, in the few words that differ from test to test."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from tests.processes import DEADLINE_S

TERMINAL = ("succeeded", "failed", "cancelled")
Json = dict[str, Any]


def body(environment: str = "Counting-v0", kwargs: Mapping[str, Any] | None = None, **fields: Any) -> Json:
    """A request for a run; `fields` go to the agent or to the experiment, whichever has them."""
    agent = {"backend": "baseline", "model": "heuristic", "temperature": None}
    of_agent = ("backend", "model", "temperature", "history", "action_rate", "max_tokens", "on_invalid")
    of_agent += ("strategy", "system_prompt", "vision", "image_history", "frames")
    agent |= {name: fields.pop(name) for name in of_agent if name in fields}
    return {"agent": agent, "environment": {"name": environment, "kwargs": kwargs}, "experiment": fields}


async def play(client: httpx.AsyncClient, request: Json, **headers: str) -> Json:
    """Post a run and wait until it is over."""
    response = await client.post("/runs", json=request, headers={"Prefer": "wait=60", **headers})
    assert response.status_code == 200, response.text
    return dict(response.json())


async def until(client: httpx.AsyncClient, path: str, found: Callable[[Json], bool]) -> Json:
    """The answer of `path` once it is as `found` wants it."""
    answer: Json = {}
    for _ in range(DEADLINE_S * 50):
        answer = (await client.get(path)).json()
        if found(answer):
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError(f"{path} stayed at {answer}")


def is_over(run: Json) -> bool:
    """Whether a run has ended."""
    return run["status"] in TERMINAL


def has_steps(run: Json) -> bool:
    """Whether a run has taken its first steps."""
    return bool(run["progress"]["steps"] >= 3)


async def all_steps(client: httpx.AsyncClient, run_id: str) -> list[Json]:
    """Every step of a run, page by page."""
    steps: list[Json] = []
    more = True
    while more:
        page = (await client.get(f"/runs/{run_id}/steps", params={"after": steps[-1]["id"] if steps else 0})).json()
        steps += page["data"]
        more = page["has_more"]
    return steps
