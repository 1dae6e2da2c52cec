"""Whether a recorded run is true: each of its episodes is taken again and held against its record."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym

from app.runs.stored_run import EpisodeRecord, Record, RunRecord, StepRecord
from gym_llm.config import EnvironmentConfig
from gym_llm.verify import RecordedStep, Verdict, verify

MakeEnv = Callable[[EnvironmentConfig, str | None], gym.Env[Any, Any]]


@dataclass(frozen=True, slots=True)
class Audited:
    """An episode and what was found."""

    episode: EpisodeRecord
    verdict: Verdict


class _Records:
    # The records of a run, one after the other, and a look at the next one.
    def __init__(self, records: Iterator[Record]) -> None:
        self._records = records
        self.next = next(records, None)

    def take(self) -> None:
        self.next = next(self._records, None)

    async def steps(self) -> AsyncIterator[RecordedStep]:
        while isinstance(step := self.next, StepRecord):
            self.take()
            yield step.recorded()


async def audit(make_env: MakeEnv, run: RunRecord, records: Iterator[Record]) -> AsyncIterator[Audited]:
    """Verify episodes, one by one.

    Args:
        make_env: makes environments.
        run: whose they are.
        records: the episodes, each followed by its steps.
    """
    left = _Records(records)
    while isinstance(episode := left.next, EpisodeRecord):
        left.take()
        verdict = await verify(lambda: make_env(run.environment, None), episode.seed, left.steps())
        async for _ in left.steps():
            pass  # What comes after a difference says nothing.
        yield Audited(episode, _completed(verdict, episode))


def _completed(verdict: Verdict, episode: EpisodeRecord) -> Verdict:
    """The verdict on the steps, and on what the episode says of itself."""
    last = verdict.last
    if not verdict.verified or last is None:
        return verdict
    found = {
        "total_reward": (last.total_reward, episode.total_reward),
        "num_steps": (last.step, episode.num_steps),
        "terminated": (last.terminated, episode.terminated),
        "success": (last.success if last.last else episode.success, episode.success),
    }
    if episode.final_observation is not None:
        found["final observation"] = (last.next_observation, episode.final_observation)
    for name, (again, recorded) in found.items():
        if again != recorded:
            return replace(verdict, problem=f"the episode's {name} differs", step=last.step)
    return verdict
