"""Variations of the environment that counts."""

import os
import secrets
import time
from typing import Any

import numpy as np

from gym_llm.errors import EnvError
from gym_llm.llm_env import Advice
from tests.fakes import CountingEnv


class Counting(CountingEnv):
    """Behaves. Its arguments are those that requests may give."""

    def __init__(
        self, render_mode: str | None = None, length: int = 5, label: str = "plain", odds: float = 0.5
    ) -> None:
        super().__init__(render_mode, length)
        self.label = label
        self.odds = odds


class Failing(CountingEnv):
    """Fails in the way, at the step and with the seeds that it is told; step 0 is the reset."""

    def __init__(
        self, render_mode: str | None = None, way: str = "raise", at: int = 3, seed: int | None = None
    ) -> None:
        if way == "make":
            raise RuntimeError("no display")
        super().__init__(render_mode, length=6)
        self.way, self.at, self.seed = way, at, seed

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        seen = super().reset(seed=seed, options=options)
        self.armed = self.seed is None or seed == self.seed
        if self.armed and self.at == 0:
            raise RuntimeError("stuck")
        return seen

    def step(self, action: int) -> Any:
        observation, reward, *rest = super().step(action)
        if self.armed and self.count == self.at:
            match self.way:
                case "raise":
                    raise RuntimeError("the gear broke")
                case "nan":
                    observation["noise"] = np.float32("nan")
                case "out of space":
                    observation["noise"] = np.asarray(2, np.float32)
                case "nan reward":
                    reward = float("nan")
        return observation, reward, *rest


class Slow(CountingEnv):
    """Takes its time, in a thread of its own."""

    def __init__(self, render_mode: str | None = None, length: int = 100, seconds: float = 0.05) -> None:
        super().__init__(render_mode, length)
        self.seconds = seconds

    def step(self, action: int) -> Any:
        time.sleep(self.seconds)
        return super().step(action)


class Deadly(CountingEnv):
    """Takes the whole process with it."""

    def step(self, action: int) -> Any:
        if self.count == 3:
            time.sleep(0.2)  # Until the steps before are stored.
            os._exit(1)
        return super().step(action)


class Random(Slow):
    """Is another one each time, whatever the seed."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=secrets.randbelow(2**31), options=options)


class Mute(CountingEnv):
    """Brings no policy of its own."""

    def heuristic(self, observation: Any) -> Advice | None:
        return None


class Blind(CountingEnv):
    """Can say nothing of itself."""

    def get_observation_schema(self) -> Any:
        raise EnvError("nothing can be said of this environment")

    def render(self) -> Any:
        raise RuntimeError("too dark")
