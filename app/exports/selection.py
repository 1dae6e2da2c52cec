"""What of some runs is worth learning from."""

import math
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from app.runs.stored_run import EpisodeRecord, StepRecord, StoredRun


async def finished(run: StoredRun) -> AsyncIterator[EpisodeRecord]:
    """The episodes of a run that ended by themselves: what failed is never scored, nor learned from."""
    async for episode in run.episodes():
        if episode.status == "succeeded":
            yield episode


@dataclass(frozen=True, slots=True)
class Selection:
    """Which finished episodes, and which of their decisions."""

    min_return: float | None = None
    top_fraction: float | None = None
    """Of the episodes of all runs together, by return, rounded up."""
    only_valid: bool = False
    """Leave out decisions that needed a repair turn."""

    def takes(self, step: StepRecord) -> bool:
        """Whether a decision is taken. A fallback never is: no model has answered it. Nor is one that a fork has
        inherited: another agent may have made it, and the prompt that it was sent is found in the parent only."""
        if step.inherited:
            return False
        return step.outcome == "valid" or (step.outcome == "repaired" and not self.only_valid)

    async def episodes(self, runs: AsyncIterable[StoredRun]) -> AsyncIterator[tuple[StoredRun, EpisodeRecord]]:
        """The episodes that are taken, in their order."""
        of_all: list[tuple[float, UUID, int]] = []
        known: list[StoredRun] = []
        async for run in runs:
            known.append(run)
            of_all += [(episode.total_reward, run.record.id, episode.episode) async for episode in finished(run)]
        # The best first; of equals, the first.
        best = sorted(of_all, key=lambda episode: -episode[0])
        best = best[: math.ceil(len(best) * (1.0 if self.top_fraction is None else self.top_fraction))]
        least = -math.inf if self.min_return is None else self.min_return
        taken = {(run_id, index) for total, run_id, index in best if total >= least}
        for run in known:
            async for episode in finished(run):
                if (run.record.id, episode.episode) in taken:
                    yield run, episode
