"""Calls an environment without ever holding up the event loop, and turns its failures into `EnvError`."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import gymnasium as gym
import numpy as np

from gym_llm.errors import EnvError, GymLLMError, SpaceError
from gym_llm.llm_env import EnvDefinition, get_env_definition
from gym_llm.recording import Frame
from gym_llm.spaces import check_contains, to_json

log = logging.getLogger(__name__)

T = TypeVar("T")

INLINE_BELOW_S = 0.001
"""An environment that answers faster than this is called in place: the way to a thread and back costs 0.3 ms."""
CLOSE_S = 5.0
"""How long an environment may take to close before it is left behind."""
TRIAL_CALLS = 8
"""Calls in the thread before an environment may count as fast, and again after each slow one."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What one `env.step` gave: the observation as given and as plain JSON, and the frame after it."""

    observation: Any
    plain: Any
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]
    frame: Frame | None


class EnvRunner:
    """One environment with a thread of its own: a slow or hanging one delays nobody else.

    Every observation is checked against the environment's own space, and every failure is an `EnvError`.
    """

    def __init__(self, env: gym.Env[Any, Any], thread: ThreadPoolExecutor | None = None) -> None:
        self.env = env
        self._thread = thread or ThreadPoolExecutor(1, thread_name_prefix="env")
        self._renders = env.render_mode == "rgb_array"
        self._trial_calls_left = TRIAL_CALLS

    @classmethod
    async def make(cls, make: Callable[[], gym.Env[Any, Any]]) -> Self:
        """Make the environment in the thread that will run it.

        Raises:
            EnvError: it could not be made.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="env")
        try:
            env = await asyncio.get_running_loop().run_in_executor(thread, _attributed, "cannot be made", make)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(env, thread)

    @property
    def nondeterministic(self) -> bool:
        """Whether the environment declares that the same seed and actions may not lead to the same episode."""
        return self.env.spec is not None and self.env.spec.nondeterministic

    @property
    def definition(self) -> EnvDefinition:
        """What an agent needs to know of the environment."""
        return get_env_definition(self.env)

    async def reset(self, seed: int) -> tuple[Any, Any]:
        """Start an episode; the first observation as given and as plain JSON.

        Raises:
            EnvError: the environment raised, or its observation is not one of its space.
        """
        observation, _ = await self._call("reset failed", lambda: self.env.reset(seed=seed))
        return observation, self._checked(observation, "reset")

    async def step(self, action: Any, number: int) -> Transition:
        """Take the action of step `number`, and render where the environment was made to.

        Raises:
            EnvError: naming the step; the environment raised or broke its own contract.
        """
        (observation, reward, terminated, truncated, info), frame = await self._call(
            f"step {number} failed", lambda: self._step_and_render(action)
        )
        plain = self._checked(observation, f"step {number}")
        reward = float(reward)
        if not np.isfinite(reward):
            raise EnvError(f"step {number}: the reward is {reward}")
        return Transition(observation, plain, reward, bool(terminated), bool(truncated), info, frame)

    async def frame(self) -> Frame | None:
        """The picture of the present state, where the environment was made to render."""
        return await self._call("render failed", self._render)

    async def close(self) -> None:
        """Close the environment and give back its thread; one that hangs is left behind."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._call("close failed", self.env.close)
        except (EnvError, TimeoutError) as error:
            log.warning("an environment did not close: %s", error)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _step_and_render(self, action: Any) -> tuple[tuple[Any, Any, Any, Any, dict[str, Any]], Frame | None]:
        return self.env.step(action), self._render()

    def _render(self) -> Frame | None:
        return np.asarray(self.env.render(), dtype=np.uint8) if self._renders else None

    def _checked(self, observation: Any, where: str) -> Any:
        try:
            plain = to_json(observation)
            check_contains(self.env.observation_space, observation)
        except SpaceError as error:
            raise EnvError(f"{where}: {error}") from error
        return plain

    async def _call(self, failure: str, call: Callable[[], T]) -> T:
        if self._trial_calls_left > 0:
            result, seconds = await asyncio.get_running_loop().run_in_executor(
                self._thread, _timed, lambda: _attributed(failure, call)
            )
        else:
            # Others get their turn all the same: with a fast agent, nothing else in an episode waits for anything.
            await asyncio.sleep(0)
            result, seconds = _timed(lambda: _attributed(failure, call))
        self._trial_calls_left = TRIAL_CALLS if seconds > INLINE_BELOW_S else max(0, self._trial_calls_left - 1)
        return result


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started


def _attributed(failure: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except GymLLMError:
        raise
    except Exception as error:
        raise EnvError(f"{failure}: {type(error).__name__}: {error}") from error
