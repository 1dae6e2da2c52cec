"""An episode in an environment that lives here, played by somebody elsewhere.

The player takes the place of a model: an agent asks it, and the one step loop steps the environment.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any, Self

from gym_llm.agent import Agent
from gym_llm.backends import BackendStatus, Question, Reply
from gym_llm.config import AgentConfig
from gym_llm.decision import storable
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import PastStep, Step, play
from gym_llm.errors import EnvError, LLMError
from gym_llm.prompt import reply_text
from gym_llm.spaces import from_json, to_json


class Player:
    """A backend whose replies come from outside, one by one."""

    name = "player"

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.observation: Any = None
        """That the player is asked about, as plain JSON."""
        self._replies: asyncio.Queue[Reply] = asyncio.Queue()

    def answer(self, action: Any, reflection: str) -> None:
        """What the player does next."""
        self._replies.put_nowait(Reply(reply_text(reflection, action), requests=0))

    async def ask(self, question: Question) -> Reply:
        """The player's answer, once there is one."""
        if self.asked.is_set() and self._replies.empty():
            raise LLMError("the player's action was checked, and yet refused")
        self.observation = to_json(question.observation)
        self.asked.set()
        return await self._replies.get()

    async def status(self) -> BackendStatus:
        return BackendStatus(name=self.name, configured=True, reachable=True)

    async def aclose(self) -> None:
        """Nothing is held."""


class HostedEpisode:
    """An episode between two steps of its player."""

    def __init__(self, env: EnvRunner, player: Player, steps: AsyncGenerator[Step, None]) -> None:
        self._env = env
        self._player = player
        self._steps = steps
        self._first: asyncio.Task[Step] | None = None
        self.observation: Any = None
        """What the environment shows now, as plain JSON."""

    @classmethod
    async def begin(
        cls, env: EnvRunner, *, seed: int, episode: int, max_steps: int, past: Sequence[PastStep] = ()
    ) -> Self:
        """Reset the environment, and take the steps again that were taken before; `env` is closed where that fails.

        Raises:
            EnvError: the environment failed, or did not repeat `past`.
        """
        player = Player()
        try:
            if past and env.nondeterministic:
                raise EnvError("it is not deterministic")
            agent = Agent(AgentConfig(history=1), **env.definition, backend=player)
        except BaseException:
            await env.close()
            raise
        steps = play(env, agent, seed=seed, episode=episode, max_steps=max_steps, past=past)
        hosted = cls(env, player, steps)
        try:
            for _ in past:
                hosted.observation = (await anext(steps)).next_observation
            if not past:
                await hosted._reset()
        except BaseException:
            await hosted.close()
            raise
        return hosted

    @property
    def nondeterministic(self) -> bool:
        """Whether it can't be begun again and come to the same."""
        return self._env.nondeterministic

    def check(self, action: Any) -> None:
        """Check that the player may do this.

        Raises:
            SpaceError: it is no action; the message names the field.
        """
        from_json(self._env.env.action_space, action)

    async def step(self, action: Any, reflection: str) -> Step:
        """Take one step with a checked action.

        Raises:
            EnvError: the environment failed.
        """
        self._player.answer(action, storable(reflection))
        step = await (self._first or anext(self._steps))
        self._first = None
        self.observation = step.next_observation
        # How long a player took is not known: it may not even have looked yet.
        return replace(step, decision=replace(step.decision, latency_ms=0.0))

    async def close(self) -> None:
        """Let go of the environment."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.gather(self._first, return_exceptions=True)
        await self._steps.aclose()
        await self._env.close()

    async def _reset(self) -> None:
        # The loop resets the environment and then waits for the player, in the middle of the first step.
        self._first = asyncio.create_task(anext(self._steps))
        asked = asyncio.create_task(self._player.asked.wait())
        try:
            await asyncio.wait({self._first, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if self._first.done():
            await self._first
            raise EnvError("the environment did not wait for its player")
        self.observation = self._player.observation
