"""The rules of forks: a run that keeps the first steps of another one's episode, and goes on in its own way."""

from uuid import UUID

import gymnasium as gym

from app.access import Caller
from app.body import checked
from app.db import Database
from app.errors import ConflictError, InvalidRequestError, NotFoundError
from app.forks.diff import diff
from app.forks.schemas import DiffView, ForkRequest
from app.runs import repository
from app.runs.schemas import Parent, RunRequest, RunView
from app.runs.service import RunService
from app.runs.stored_run import EpisodeRecord, StoredRun


class ForkService:
    """Forks runs, and compares what became of them."""

    def __init__(self, database: Database, runs: RunService) -> None:
        self._database = database
        self._runs = runs

    async def fork(self, caller: Caller, run_id: UUID, request: ForkRequest, idempotency_key: str | None) -> RunView:
        """Start a run of one episode: the parent's, up to the step before `request.step`.

        Raises:
            NotFoundError: no such run or episode.
            InvalidRequestError: the parent has no such step, or the changed agent is not valid.
            ConflictError: the environment does not repeat itself.
            TooManyRunsError: as many runs of the caller are active as may be.
        """
        run = await self._runs.get(caller, run_id)
        episode = await self._runs.episode(caller, run_id, request.episode)
        ended = episode.terminated or episode.truncated
        last = episode.num_steps + (0 if ended else 1)
        if request.step > last:
            raise InvalidRequestError(f"step: episode {request.episode} can be forked at the steps 1 to {last}.")
        experiment = run.experiment.model_dump() | {"seed": episode.seed, "num_runs": 1, "concurrency": 1}
        asked = {
            "agent": run.agent.model_dump() | request.agent,
            "environment": run.environment.model_dump(),
            "experiment": experiment,
        }
        changed = checked(RunRequest, asked)
        spec = gym.registry.get(run.environment.name)
        if spec is not None and spec.nondeterministic:
            raise ConflictError("The environment declares itself nondeterministic: its episodes can't be taken again.")
        parent = Parent(run_id=run_id, episode=request.episode, step=request.step)
        return await self._runs.create(caller, changed, idempotency_key, parent)

    async def diff(
        self, caller: Caller, run_id: UUID, other_id: UUID, episode: int | None, other_episode: int | None
    ) -> DiffView:
        """Compare an episode of a run with one of another run.

        Where no episodes are named, they are those that belong together if one run is a fork of the other, else the
        first ones.

        Raises:
            NotFoundError: no such run or episode.
        """
        run, other = await self._runs.get(caller, run_id), await self._runs.get(caller, other_id)
        if run.parent is not None and run.parent.run_id == other_id and other_episode is None:
            other_episode = run.parent.episode
        if other.parent is not None and other.parent.run_id == run_id and episode is None:
            episode = other.parent.episode
        return await diff(await self._episode(run, episode or 0), await self._episode(other, other_episode or 0))

    async def _episode(self, run: RunView, index: int) -> tuple[StoredRun, EpisodeRecord]:
        async with self._database.reading() as session:
            row = await repository.get_episode(session, run.id, index)
        if row is None:
            raise NotFoundError(f"Run {run.id} has no episode {index}, or it has not started yet.")
        return StoredRun.of(self._database, run), EpisodeRecord.model_validate(row)
