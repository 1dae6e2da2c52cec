"""Calls an environment without ever holding up the event loop, and turns its failures into `EnvError`."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import gymnasium as gym
import numpy as np

from gym_llm import limits
from gym_llm.env_thread import EnvThread
from gym_llm.errors import EnvError, GymLLMError, SpaceError
from gym_llm.limits import SelfLimiting
from gym_llm.llm_env import EnvDefinition, get_env_definition
from gym_llm.recording import Frame
from gym_llm.spaces import check_contains, to_json

log = logging.getLogger(__name__)

T = TypeVar("T")

CLOSE_S = 5.0
"""How long an environment may take to close before it is left behind."""
GRACE_S = 5.0
"""What an environment that keeps its limit itself is given on top of it."""


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

    Every observation is checked against the environment's own space, and every failure is an `EnvError`. A call that
    takes too long (`gym_llm.limits`) is one, too; its thread is left behind, as Python cannot end it.
    """

    def __init__(self, env: gym.Env[Any, Any], thread: EnvThread | None = None) -> None:
        self.env = env
        self._thread = thread or EnvThread()
        self._renders = env.render_mode == "rgb_array"
        self._timeout_s = limits.timeout_s(env.spec.id if env.spec is not None else None)
        self._stuck = False

    @classmethod
    async def make(cls, make: Callable[[], gym.Env[Any, Any]]) -> Self:
        """Make the environment in the thread that will run it.

        Raises:
            EnvError: it could not be made.
        """
        thread = EnvThread()
        timeout_s = limits.make_s()
        too_late = False

        def made() -> gym.Env[Any, Any]:
            env = _attributed("cannot be made", make)
            if too_late:
                env.close()
            return env

        try:
            return cls(await thread.run(made, timeout_s + GRACE_S), thread)
        except BaseException as error:
            too_late = True
            thread.stop()
            if isinstance(error, TimeoutError):
                raise EnvError(f"cannot be made: {_too_long(timeout_s)}") from None
            raise

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
        if not np.isfinite(reward):
            raise EnvError(f"step {number}: the reward is {reward}")
        return Transition(observation, plain, reward, terminated, truncated, info, frame)

    async def frame(self) -> Frame | None:
        """The picture of the present state, where the environment was made to render."""
        return await self._call("render failed", self._render)

    async def close(self) -> None:
        """Close the environment and give back its thread; one that hangs is left behind."""
        try:
            if not self._stuck:
                await self._thread.run(lambda: _attributed("close failed", self.env.close), CLOSE_S)
        except (EnvError, TimeoutError) as error:
            log.warning("an environment did not close: %s", error)
        finally:
            self._stuck = True  # Its thread is gone: closing it once more does nothing.
            self._thread.stop()

    def _step_and_render(self, action: Any) -> tuple[tuple[Any, float, bool, bool, dict[str, Any]], Frame | None]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return (observation, float(reward), bool(terminated), bool(truncated), info), self._render()

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
        # Never in place, however fast it has been so far: the way to the thread and back is 0.1 ms, and a call that
        # does not come back would stop everything else in this process.
        itself = self.env.unwrapped if isinstance(self.env.unwrapped, SelfLimiting) else None
        limit = self._timeout_s + (GRACE_S if itself else 0)
        try:
            return await self._thread.run(lambda: _attributed(failure, call), limit)
        except TimeoutError:
            self._stuck = True
            if itself:
                threading.Thread(target=itself.give_up, daemon=True).start()
            raise EnvError(f"{failure}: {_too_long(self._timeout_s)}") from None


def _too_long(seconds: float) -> str:
    return f"it took longer than {seconds:g} s (env_timeout_s) and was left behind"


def _attributed(failure: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except EnvError as error:
        raise EnvError(f"{failure}: {error}") from error
    except GymLLMError:
        raise
    except (Exception, SystemExit) as error:
        raise EnvError(f"{failure}: {type(error).__name__}: {error}") from error
