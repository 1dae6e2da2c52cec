"""How two episodes differ: from which step on, in what, and what that was worth."""

from collections.abc import AsyncIterator

from app.forks.schemas import Difference, DiffView, Side
from app.runs.schemas import StepView
from app.runs.stored_run import EpisodeRecord, StepRecord, StoredRun


class _Tally:
    # What is to be told of one side, while its steps go by.
    def __init__(self, episode: EpisodeRecord) -> None:
        self._episode = episode
        self._there: StepRecord | None = None
        self._reward = 0.0

    def add(self, step: StepRecord | None, *, first: bool) -> None:
        if first:
            self._there = step
        if step is not None:
            self._reward += step.reward or 0.0

    def side(self) -> Side:
        episode, there = self._episode, self._there
        return Side(
            run_id=episode.run_id,
            episode=episode.episode,
            status=episode.status,
            num_steps=episode.num_steps,
            total_reward=episode.total_reward,
            reward_from_there=self._reward,
            step=StepView.model_validate(there.model_dump()) if there is not None else None,
        )


async def diff(run: tuple[StoredRun, EpisodeRecord], other: tuple[StoredRun, EpisodeRecord]) -> DiffView:
    """Compare two episodes; a page of each is in memory at a time."""
    first: int | None = None
    first_other_action: int | None = None
    differs: list[Difference] = []
    tallies = _Tally(run[1]), _Tally(other[1])
    number = 0
    async for one, two in _pairs(run[0].steps(run[1]), other[0].steps(other[1])):
        number += 1
        found = _differences(one, two)
        here = first is None and bool(found)
        if here:
            first, differs = number, found
        if first_other_action is None and "action" in found:
            first_other_action = number
        if first is not None:
            for tally, step in zip(tallies, (one, two), strict=True):
                tally.add(step, first=here)
    return DiffView(
        first_difference=first,
        differs=differs,
        first_other_action=first_other_action,
        run=tallies[0].side(),
        other=tallies[1].side(),
    )


async def _pairs(
    ones: AsyncIterator[StepRecord], twos: AsyncIterator[StepRecord]
) -> AsyncIterator[tuple[StepRecord | None, StepRecord | None]]:
    while True:
        one, two = await anext(ones, None), await anext(twos, None)
        if one is None and two is None:
            return
        yield one, two


def _differences(one: StepRecord | None, two: StepRecord | None) -> list[Difference]:
    if one is None or two is None:
        return ["length"]
    different: dict[Difference, bool] = {
        "observation": one.digest != two.digest,
        "action": one.action != two.action,
        "reflection": one.reflection != two.reflection,
        "reward": one.reward != two.reward,
    }
    return [name for name, differs in different.items() if differs]
