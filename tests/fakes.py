"""Stand-ins for both ends of an agent: a backend that answers from a list, and an environment that counts."""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

import gymnasium as gym
import numpy as np
import orjson

from gym_llm.backends import BackendStatus, Question, Reply, Usage
from gym_llm.llm_env import Advice, LLMEnv

Answer = str | Reply | Exception


def answer(action: Any, reflection: str = "Because.") -> str:
    """A well-formed reply text."""
    return orjson.dumps({"reflection": reflection, "action": action}).decode()


def obedient(question: Question) -> str:
    """Holds every key that is asked for, and tells by its words whether the question was the same."""
    heard = blake2b(repr(question.messages).encode(), digest_size=4).hexdigest()
    values = {
        "reflection": f"I heard {heard}.",
        "plan": f"1. Wait. 2. Win. ({heard})" if question.step % 3 == 1 else None,
        "action": question.step % 3,
        "summary": f"Much happened before step {question.step}: {heard}.",
        "lessons": [f"Listen to {heard}.", "Count."],
    }
    return orjson.dumps({name: values[name] for name in question.reply_schema["properties"]}).decode()


def asks_for(question: Question) -> str:
    """What a question is there for: `action`, `summary` or `lessons`."""
    return list(question.reply_schema["properties"])[-1]


class FakeBackend:
    """Gives its answers in turn, or what a function makes of each question, and remembers the questions."""

    name = "fake"

    def __init__(self, answers: Iterable[Answer] | Callable[[Question], Answer]) -> None:
        self._answers = answers if callable(answers) else iter(answers)
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> Reply:
        self.questions.append(question)
        given = self._answers(question) if callable(self._answers) else next(self._answers)
        if isinstance(given, Exception):
            raise given
        return given if isinstance(given, Reply) else Reply(given, usage=Usage(10, 4, 2), cost_usd=0.5)

    async def status(self) -> BackendStatus:
        return BackendStatus(self.name, configured=True, reachable=True)

    async def aclose(self) -> None: ...


class CountingEnv(gym.Env[dict[str, Any], int], LLMEnv):
    """Counts its steps; the reward is the action. Ends after `length` steps."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012 - Gymnasium's own declaration

    def __init__(self, render_mode: str | None = None, length: int = 5, actions: int = 3) -> None:
        self.render_mode = render_mode
        self.length = length
        self.observation_space = gym.spaces.Dict(
            {"count": gym.spaces.Discrete(10**9), "noise": gym.spaces.Box(0, 1, (), np.float32)}
        )
        self.action_space = gym.spaces.Discrete(actions)
        self.closed = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.count = 0
        return self._see(), {}

    def step(self, action: int) -> Any:
        self.count += 1
        return self._see(), float(action), self.count >= self.length, False, {}

    def render(self) -> Any:
        return np.full((8, 12, 3), self.count % 256, np.uint8)

    def close(self) -> None:
        self.closed = True

    def get_observation_schema(self) -> Any:
        return {"count": {"description": "steps taken", "type": "int"}, "noise": {"description": "noise"}}

    def get_action_schema(self) -> Any:
        return {0: "nothing: waits", 1: "one: adds 1", 2: "two: adds 2"}

    def get_goal_description(self) -> str:
        return "Earn as much as you can."

    def heuristic(self, observation: Any) -> Advice:
        return Advice(2, f"After {observation['count']} steps, 2 is still the most.")

    def safe_action(self) -> int:
        return 1

    def _see(self) -> dict[str, Any]:
        return {"count": np.int64(self.count), "noise": np.asarray(self.np_random.random(), np.float32)}
