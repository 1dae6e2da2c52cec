"""An isolated environment is like any other, and what it does to its process stays there."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from gym_llm import Agent, limits
from gym_llm.backends import BaselineBackend
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import play
from gym_llm.errors import EnvError
from gym_llm.isolation.env import IsolatedEnv, IsolatedLLMEnv
from gym_llm.llm_env import find_llm_env, get_env_definition

SHORT_S = 1.0
Make = Callable[..., Any]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Makes environments that are closed at the end."""
    made: list[EnvRunner] = []

    async def start(id: str = "WallsLLM-v0", **kwargs: Any) -> EnvRunner:
        made.append(await EnvRunner.make(lambda: gym.make(id, **kwargs)))
        return made[-1]

    yield start
    for runner in made:
        await runner.close()


def isolated(runner: EnvRunner) -> IsolatedEnv:
    env = runner.env.unwrapped
    assert isinstance(env, IsolatedEnv)
    return env


def gone(pid: int) -> bool:
    """Whether a process of ours has ended; it is reaped, so its number is free."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def steps(runner: EnvRunner, seed: int = 0) -> list[Any]:
    _, first = await runner.reset(seed)
    seen: list[Any] = [first]
    for number in range(1, 7):
        taken = await runner.step(np.int64(2), number)
        seen.append((taken.plain, taken.reward, taken.terminated, taken.truncated, taken.info))
        if taken.terminated:
            break
    return seen


async def test_it_is_what_it_would_be_here(make: Make) -> None:
    runner = await make(render_mode="rgb_array")
    seen = await steps(runner)
    assert seen[-1] == ({"count": 6, "noise": seen[-1][0]["noise"]}, 2.0, True, False, {"is_success": True})
    assert seen == await steps(await make())
    assert seen != await steps(runner, seed=1)
    assert runner.env.spec is not None
    assert (runner.env.spec.max_episode_steps, runner.env.spec.reward_threshold) == (50, 100.0)
    frame = await runner.frame()
    assert (frame.shape, frame[0, 0, 0]) == ((8, 12, 3), 6)
    assert runner.env.metadata["render_modes"] == ["rgb_array"]
    observation, info = isolated(runner).reset(seed=4)
    assert runner.env.observation_space.contains(observation)
    assert info == {"pid": isolated(runner).child.pid, "number": 3}
    assert info["pid"] != os.getpid()


async def test_its_words_are_those_of_the_plugin(make: Make) -> None:
    runner = await make()
    definition = get_env_definition(runner.env)
    assert definition["action_schema"] == {0: "nothing: waits", 1: "one: adds 1", 2: "two: adds 2"}
    assert definition["goal_description"] == "Earn as much as you can."
    layer = find_llm_env(runner.env)
    assert isinstance(layer, IsolatedLLMEnv)
    assert layer.has_heuristic
    assert layer.safe_action() == 1
    wordless = await make("Wordless-v0")
    with pytest.raises(EnvError, match="does not describe itself"):
        get_env_definition(wordless.env)


async def test_an_agent_plays_it(make: Make) -> None:
    runner = await make(length=4)
    config = {"backend": "baseline", "model": "heuristic"}
    agent = Agent(config, **runner.definition, backend=BaselineBackend())
    played = [step async for step in play(runner, agent, seed=0)]
    assert [step.decision.action for step in played] == [2, 2, 2, 2]
    assert played[2].decision.reflection == "After 2 steps, 2 is still the most."
    assert played[-1].success


async def test_arguments_and_versions(make: Make) -> None:
    assert len(await steps(await make("WallsLLM-v1"))) == 5
    runner = await make("WallsLLM-v1", length=2)
    assert len(await steps(runner)) == 3
    assert runner.nondeterministic
    with pytest.raises(EnvError, match=r"cannot be made: TypeError: .*unexpected keyword argument 'colour'"):
        await make(colour="red")


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("exit", "step 3 failed: its process ended with exit code 7; it said last: the fuel is gone"),
        ("kill", "step 3 failed: its process was ended by SIGKILL"),
        ("segfault", "step 3 failed: its process was ended by SIGSEGV"),
        ("raise", "step 3 failed: RuntimeError: the wall fell over"),
        ("quit", "step 3 failed: SystemExit: 5"),
        ("nan", "step 3: observation.noise holds NaN"),
        ("huge", "step 3 failed: WireError: .* bytes are more than the 67,108,864 that one message may have"),
        ("object", "step 3 failed: WireError: a lock has no form that can cross"),
    ],
)
async def test_what_it_does_to_itself_is_told_and_harms_no_other(make: Make, way: str, told: str) -> None:
    harmed, other = await make(way=way), await make()
    await harmed.reset(0)
    for number in (1, 2):
        await harmed.step(0, number)
    with pytest.raises(EnvError, match=told):
        await harmed.step(0, 3)
    assert len(await steps(other)) == 7


@pytest.mark.parametrize("way", ["sleep", "hold"])
async def test_one_that_hangs_is_killed(make: Make, way: str) -> None:
    hanging, other = await make(way=way, at=1), await make()
    env = isolated(hanging)
    env._timeout_s = SHORT_S
    await hanging.reset(0)
    stuck = asyncio.create_task(hanging.step(0, 1))
    assert len(await steps(other)) == 7
    assert not stuck.done()
    with pytest.raises(
        EnvError, match=r"step 1 failed: no answer within 1 s \(env_timeout_s\); its process was killed"
    ):
        await stuck
    assert gone(env.child.pid)
    with pytest.raises(EnvError, match="step 2 failed: its process has ended"):
        await hanging.step(0, 2)


async def test_a_policy_that_hangs_holds_up_nobody(make: Make) -> None:
    runner = await make(way="sleep", at=0)
    isolated(runner)._timeout_s = SHORT_S
    agent = Agent({"backend": "baseline", "model": "heuristic"}, **runner.definition, backend=BaselineBackend())
    observation, _ = await runner.reset(0)
    asked = asyncio.ensure_future(agent.act(observation, None))
    await asyncio.sleep(0)
    assert not asked.done()
    with pytest.raises(EnvError, match="no answer within 1 s"):
        await asked


@pytest.mark.parametrize("way", ["print", "read"])
async def test_what_it_prints_and_reads_is_not_the_line(make: Make, way: str) -> None:
    assert len(await steps(await make(way=way))) == 7


async def test_its_process_ends_when_it_is_closed(make: Make) -> None:
    runner = await make()
    pid = isolated(runner).child.pid
    assert not gone(pid)
    await runner.close()
    assert gone(pid)


def test_its_process_ends_when_it_is_forgotten() -> None:
    env = gym.make("WallsLLM-v0")
    child = env.unwrapped.child  # type: ignore[attr-defined]
    pid = child.pid
    del env, child
    assert gone(pid)


def test_its_limit_is_that_of_the_manifest() -> None:
    assert limits.timeout_s("WallsLLM-v0") == 20
    assert limits.timeout_s("CartPoleLLM-v1") == limits.DEFAULT_S


async def test_secrets_stay_here(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("WALLS", "of its own")
    pid = isolated(await make()).child.pid
    with open(f"/proc/{pid}/environ") as environ:  # noqa: PTH123, ASYNC230
        variables = environ.read()
    assert "WALLS=of its own" in variables
    assert "sk-secret" not in variables


async def test_many_at_the_same_time(make: Make) -> None:
    started = time.monotonic()
    runners = await asyncio.gather(*(make() for _ in range(4)))
    assert len({isolated(runner).child.pid for runner in runners}) == 4
    assert len({len(seen) for seen in await asyncio.gather(*map(steps, runners))}) == 1
    print(f"4 processes made and played in {time.monotonic() - started:.2f} s")
