"""Calling environments: off the event loop, and every fault of theirs named."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gym_llm import limits
from gym_llm.env_runner import EnvRunner
from gym_llm.errors import EnvError
from tests.fakes import CountingEnv

ROOT = Path(__file__).parents[2]


class Faulty(CountingEnv):
    """Does what `fault` says at its third step."""

    def __init__(self, fault: Any = None) -> None:
        super().__init__()
        self.fault = fault
        self.threads: list[str] = []

    def step(self, action: int) -> Any:
        self.threads.append(threading.current_thread().name)
        observation, reward, terminated, truncated, info = super().step(action)
        if self.count == 3 and self.fault == "raise":
            raise RuntimeError("the wheel came off")
        if self.count == 3 and self.fault == "nan":
            observation["noise"] = np.array(np.nan, np.float32)
        if self.count == 3 and self.fault == "outside":
            observation["noise"] = np.array(7, np.float32)
        if self.count == 3 and self.fault == "reward":
            reward = float("inf")
        return observation, reward, terminated, truncated, info


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("raise", "step 3 failed: RuntimeError: the wheel came off"),
        ("nan", "step 3: observation.noise holds NaN"),
        ("outside", "step 3: observation.noise is outside its space"),
        ("reward", "step 3: the reward is inf"),
    ],
)
async def test_a_fault_names_its_step(fault: str, told: str) -> None:
    runner = await EnvRunner.make(lambda: Faulty(fault))
    await runner.reset(0)
    for number in (1, 2):
        await runner.step(0, number)
    with pytest.raises(EnvError, match=told):
        await runner.step(0, 3)
    await runner.close()


async def test_an_environment_that_cannot_be_made_is_an_env_error() -> None:
    def broken() -> CountingEnv:
        raise ImportError("no physics today")

    with pytest.raises(EnvError, match="cannot be made: ImportError: no physics today"):
        await EnvRunner.make(broken)


async def test_an_environment_that_ends_the_program_ends_its_episode() -> None:
    class Quitting(CountingEnv):
        def step(self, action: int) -> Any:
            raise SystemExit(3)

    runner = await EnvRunner.make(Quitting)
    await runner.reset(0)
    with pytest.raises(EnvError, match="step 1 failed: SystemExit: 3"):
        await runner.step(0, 1)
    await runner.close()


@pytest.fixture
def hurried() -> Iterator[None]:
    limits.set_default(0.2)
    yield
    limits.set_default(limits.DEFAULT_S)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("at", [1, 40])
async def test_a_step_that_takes_too_long_is_left_behind(at: int) -> None:
    let_go = threading.Event()

    class Hanging(CountingEnv):
        def step(self, action: int) -> Any:
            if self.count == at - 1:
                let_go.wait(30)
            return super().step(action)

    runner = await EnvRunner.make(lambda: Hanging(length=100))
    await runner.reset(0)
    for number in range(1, at):
        await runner.step(0, number)
    with pytest.raises(EnvError, match=rf"step {at} failed: it took longer than 0\.2 s \(env_timeout_s\)"):
        await runner.step(0, at)
    await runner.close()
    let_go.set()


@pytest.mark.usefixtures("hurried")
async def test_an_environment_that_is_made_too_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gym_llm.env_runner.GRACE_S", 0.0)
    monkeypatch.setattr("gym_llm.limits.MAKE_S", 0.2)
    let_go, closed = threading.Event(), threading.Event()

    class Late(CountingEnv):
        def __init__(self) -> None:
            let_go.wait(30)
            super().__init__()

        def close(self) -> None:
            closed.set()

    with pytest.raises(EnvError, match=r"cannot be made: it took longer than 0\.2 s"):
        await EnvRunner.make(Late)
    let_go.set()
    assert await asyncio.to_thread(closed.wait, 30)


def test_a_hanging_environment_does_not_hold_up_the_end_of_the_process() -> None:
    code = """
import asyncio, threading
from gym_llm import limits
from gym_llm.env_runner import EnvRunner
from gym_llm.errors import EnvError
from tests.fakes import CountingEnv

class Hanging(CountingEnv):
    def step(self, action):
        threading.Event().wait()

async def main():
    runner = await EnvRunner.make(Hanging)
    await runner.reset(0)
    try:
        await runner.step(0, 1)
    except EnvError as error:
        print(error)

limits.set_default(0.1)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stdout) == (
        0,
        "step 1 failed: it took longer than 0.1 s (env_timeout_s) and was left behind\n",
    )


async def test_a_hanging_environment_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gym_llm.env_runner.CLOSE_S", 0.05)
    let_go = threading.Event()

    class Hanging(CountingEnv):
        def step(self, action: int) -> Any:
            let_go.wait(30)
            return super().step(action)

    hanging, other = await EnvRunner.make(Hanging), await EnvRunner.make(CountingEnv)
    await hanging.reset(0)
    await other.reset(0)
    stuck = asyncio.create_task(hanging.step(0, 1))
    for number in range(1, 6):
        await other.step(0, number)
    assert not stuck.done()
    stuck.cancel()
    await hanging.close()
    let_go.set()
    await other.close()
    assert other.env.closed  # type: ignore[attr-defined]


async def test_frames_come_only_where_the_environment_renders() -> None:
    for mode, shape in ((None, None), ("rgb_array", (8, 12, 3))):
        runner = await EnvRunner.make(lambda mode=mode: CountingEnv(render_mode=mode))
        await runner.reset(0)
        taken = await runner.step(0, 1)
        assert (taken.frame.shape if taken.frame is not None else None) == shape
        await runner.close()


async def test_a_fast_environment_lets_others_have_their_turn() -> None:
    runner = await EnvRunner.make(lambda: CountingEnv(length=10**9))
    await runner.reset(0)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(other())
    for number in range(1, 201):
        await runner.step(0, number)
    beside.cancel()
    await runner.close()
    assert turns >= 150
