"""An environment that counts until it does what it was told to do; it needs Gymnasium, NumPy and `LLMEnv` only."""

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Any, Literal

import gymnasium as gym
import numpy as np

from gym_llm import LLMEnv
from gym_llm.llm_env import Advice

Way = Literal[
    "", "exit", "kill", "segfault", "sleep", "hold", "raise", "quit", "nan", "huge", "object", "print", "read"
]


class Wordless(gym.Env[Any, Any]):
    """Counts to `length`, and at step `at` does this."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - Gymnasium's own declaration

    def __init__(
        self, render_mode: str | None = None, way: Way = "", at: int = 3, length: int = 6, pause: float = 0.0
    ) -> None:
        self.render_mode = render_mode
        self.way, self.at, self.length, self.pause = way, at, length, pause
        self.observation_space = gym.spaces.Dict(
            {"count": gym.spaces.Discrete(1000), "noise": gym.spaces.Box(0, 1, (), np.float32)}
        )
        self.action_space = gym.spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.count = 0
        return self.see(), {"pid": os.getpid(), "what cannot cross": threading.Lock(), "number": np.int64(3)}

    def step(self, action: Any) -> Any:
        time.sleep(self.pause)
        self.count += 1
        observation: dict[str, Any] = self.see()
        if self.count == self.at:
            self.harm(observation)
        return observation, float(action), self.count >= self.length, False, {"is_success": True}

    def harm(self, observation: dict[str, Any]) -> None:
        match self.way:
            case "exit":
                print("the fuel is gone", file=sys.stderr, flush=True)
                os._exit(7)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "segfault":
                ctypes.string_at(0)
            case "sleep":
                time.sleep(1000)
            case "hold":  # In C, without letting Python's lock go: no thread of this process gets its turn.
                ctypes.PyDLL(None).sleep(1000)
            case "raise":
                raise RuntimeError("the wall fell over")
            case "quit":
                sys.exit(5)
            case "nan":
                observation["noise"] = np.array(np.nan, np.float32)
            case "huge":
                observation["noise"] = np.zeros(2**27)
            case "object":
                observation["noise"] = threading.Lock()
            case "print":
                print("x" * 1_000_000)
                print("y" * 1_000_000, file=sys.stderr)
                os.system("echo a program that it starts prints, too")
            case "read":
                observation["count"] = np.int64(len(sys.stdin.read()))

    def render(self) -> Any:
        return np.full((8, 12, 3), self.count, np.uint8)

    def see(self) -> dict[str, Any]:
        return {"count": np.int64(self.count), "noise": np.asarray(self.np_random.random(), np.float32)}


class Walls(Wordless, LLMEnv):
    """The same, in words."""

    def get_observation_schema(self) -> Any:
        return {"count": {"description": "steps taken", "type": "int"}, "noise": {"description": "noise"}}

    def get_action_schema(self) -> Any:
        return {0: "nothing: waits", 1: "one: adds 1", 2: "two: adds 2"}

    def get_goal_description(self) -> str:
        return "Earn as much as you can."

    def heuristic(self, observation: Any) -> Advice:
        if self.way == "sleep" and self.at == 0:
            time.sleep(1000)
        return Advice(np.int64(2), f"After {observation['count']} steps, 2 is still the most.")

    def safe_action(self) -> int:
        return 1
