"""Audits: recorded actions are taken again, and what comes of them is held against the record."""

from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from gym_llm.agent import Agent
from gym_llm.backends import BaselineBackend
from gym_llm.config import AgentConfig
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import PastStep, Step, play
from gym_llm.errors import EnvError, GymLLMError, NotDeterministicError

NOBODY = AgentConfig(backend="baseline", model="random", history=1)
"""Takes recorded actions, and never makes one up."""


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """A step, as far as it can be checked."""

    past: PastStep
    terminated: bool
    truncated: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of taking an episode again."""

    steps: int
    """Steps that are as they were recorded, from the first on."""
    problem: str | None = None
    """The first thing that differs, in words."""
    step: int | None = None
    """The step at which it differs, where it is at a step."""
    last: Step | None = None
    """The newest step that was verified."""
    nondeterministic: bool = False
    """The environment declares that it does not repeat itself: nothing could be verified."""

    @property
    def verified(self) -> bool:
        """Whether everything is as it was recorded."""
        return self.problem is None


class _Differs(Exception):  # noqa: N818 - a finding, no error
    def __init__(self, step: int, problem: str) -> None:
        super().__init__(problem)
        self.step = step


async def verify(make_env: Callable[[], gym.Env[Any, Any]], seed: int, steps: AsyncIterable[RecordedStep]) -> Verdict:
    """Play an episode again from its seed and its actions, and compare every observation, reward and ending.

    Args:
        make_env: makes the environment of the episode; called in a thread of its own.
        seed: of the episode.
        steps: its record, in order; asked for one by one.
    """
    try:
        env = await EnvRunner.make(make_env)
    except EnvError as error:
        return Verdict(0, str(error))
    try:
        if env.nondeterministic:
            return Verdict(0, "the environment declares itself nondeterministic", nondeterministic=True)
        return await _compare(env, seed, aiter(steps))
    finally:
        await env.close()


async def _compare(env: EnvRunner, seed: int, records: AsyncIterator[RecordedStep]) -> Verdict:
    last: Step | None = None
    record: RecordedStep | None = None

    async def past() -> AsyncIterator[PastStep]:
        nonlocal record
        async for record in records:
            yield record.past

    try:
        agent = Agent(NOBODY, **env.definition, backend=BaselineBackend())
        async with aclosing(play(env, agent, seed=seed, past=past(), go_on=False)) as played:
            async for step in played:
                if record is not None:
                    _check_end(step, record)
                last = step
        if last is not None and last.last and await anext(records, None) is not None:
            raise _Differs(last.step + 1, "it is recorded, but the episode ends before it")
    except NotDeterministicError as error:
        return Verdict(last.step if last else 0, f"its {error.what} differs", error.step, last)
    except _Differs as finding:
        return Verdict(last.step if last else 0, str(finding), finding.step, last)
    except GymLLMError as error:  # The environment failed, or an action is none of its own.
        return Verdict(last.step if last else 0, str(error), last.step + 1 if last else 1, last)
    return Verdict(last.step if last else 0, last=last)


def _check_end(step: Step, record: RecordedStep) -> None:
    if step.terminated != record.terminated:
        raise _Differs(step.step, "the episode terminates here in one of the two only")
    # Whoever played it may have truncated it earlier than the environment does.
    if step.truncated and not record.truncated:
        raise _Differs(step.step, "the environment truncates the episode here, which is not recorded")
