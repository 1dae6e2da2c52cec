"""The stand-in itself: it plays from the words alone, and always the same way."""

import json
import subprocess
import sys
import time
import urllib.request
from typing import Any

import gymnasium as gym
import pytest

import env_plugins  # noqa: F401  (registers the environments)
from gym_llm.agent import Agent
from gym_llm.backends.openai import OpenAIBackend
from gym_llm.llm_env import get_env_definition
from tests.scripted_llm.faults import ALWAYS, Fault, parse_faults
from tests.scripted_llm.fixtures import scripted_llm as scripted_llm
from tests.scripted_llm.fixtures import serving
from tests.scripted_llm.players import answer, first


async def _play(env_id: str, seed: int, url: str, **config: Any) -> tuple[float, list[tuple[str, Any, str | None]]]:
    """Total reward, and reflection, action and outcome of each step."""
    env = gym.make(env_id)
    backend = OpenAIBackend(base_url=url, backoff=0.0)
    agent = Agent({"backend": "openai", "model": "scripted"} | config, **get_env_definition(env), backend=backend)
    agent.reset(seed)
    observation, _ = env.reset(seed=seed)
    total, reward, over = 0.0, None, False
    steps: list[tuple[str, Any, str | None]] = []
    while not over:
        decision = await agent.act(observation, reward)
        steps.append((decision.reflection, decision.action, decision.outcome))
        observation, earned, terminated, truncated, _ = env.step(agent.element(decision))
        reward, over = float(earned), terminated or truncated
        total += reward
    await backend.aclose()
    env.close()
    return total, steps


@pytest.mark.parametrize(
    ("env_id", "enough"),
    [("LunarLanderLLM-v3", 200), ("LunarLanderLLM-v2", -100), ("CartPoleLLM-v1", 475), ("MountainCarLLM-v0", -199)],
)
async def test_the_prompt_tells_all_that_it_takes_to_play(env_id: str, enough: float) -> None:
    with serving() as server:
        total, steps = await _play(env_id, 1, server.openai_url)
    assert total >= enough
    assert {outcome for _, _, outcome in steps} == {"valid"}


async def test_disturbances_leave_no_trace_in_what_is_played() -> None:
    with serving(retry_after=0.0) as server:
        _, undisturbed = await _play("CartPoleLLM-v1", 3, server.openai_url)
        server.disturb("2=429,3=500:2,4=drop,5=cut,6=garbage,7=fenced")
        _, disturbed = await _play("CartPoleLLM-v1", 3, server.openai_url)
        assert disturbed == undisturbed
        asked = [server.llm.asked[3, step] for step in range(1, 9)]
        assert asked == [1, 2, 3, 2, 2, 2, 1, 1]


async def test_a_first_spoiled_reply_is_repaired_and_two_are_not() -> None:
    with serving() as server:
        server.disturb("2=invalid-json,3=out-of-range,4=empty,5=length,6=out-of-range:always")
        _, steps = await _play("CartPoleLLM-v1", 3, server.openai_url)
    outcomes = [outcome for _, _, outcome in steps[:7]]
    assert outcomes == ["valid", "repaired", "repaired", "repaired", "repaired", "fallback", "valid"]


def test_an_unknown_environment_gets_the_first_action() -> None:
    schema = {"properties": {"action": {"type": "array", "items": {"type": "number", "minimum": -2}, "minItems": 2}}}
    assert answer([{"role": "user", "content": "hi"}], schema)["action"] == [-2, -2]
    assert first({"type": "integer", "enum": [3, 1]}) == 3


def test_fault_syntax() -> None:
    faults = parse_faults("3=429, 5=hang:always,*=500:2,7=refuse-seed")
    assert faults == {3: Fault("429"), 5: Fault("hang", ALWAYS), 0: Fault("500", 2), 7: Fault("refuse-seed", ALWAYS)}
    for wrong in ("3", "x=429", "3=nonsense", "3=429:often"):
        with pytest.raises(ValueError, match="not a fault"):
            parse_faults(wrong)


def test_it_starts_from_the_shell() -> None:
    with serving() as server:
        port = server.url.rpartition(":")[2]
    process = subprocess.Popen([sys.executable, "-m", "tests.scripted_llm", "--port", port, "--faults", "1=500"])
    try:
        for _ in range(200):
            try:
                log = json.loads(_read(f"http://127.0.0.1:{port}/_log"))
                break
            except OSError:
                time.sleep(0.05)
        assert log == {"total": 0, "peak": 0, "asked": [], "parameters": []}
    finally:
        process.terminate()
        process.wait(timeout=10)


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bytes(answer.read())
