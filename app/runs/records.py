"""What is stored of runs, as callers see it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.access import Caller
from app.artifacts.metrics import Metrics, metrics
from app.db import Database
from app.errors import NotFoundError
from app.runs import repository
from app.runs.models import Episode, Run
from app.runs.schemas import EpisodeView, Page, StepView
from gym_llm.results import results


class Records:
    """Reads the runs of one kind: those of others do not exist for a caller."""

    def __init__(self, database: Database, kind: str) -> None:
        self._database = database
        self._kind = kind

    async def row(self, caller: Caller, run_id: UUID) -> Run:
        """A run.

        Raises:
            NotFoundError: there is none that the caller sees.
        """
        async with self._database.reading() as session:
            run = await repository.get_run(session, run_id, caller.sees, self._kind)
        if run is None:
            raise NotFoundError(f"There is no such {self._kind}.")
        return run

    async def rows(
        self, caller: Caller, *, limit: int, after: UUID | None, filters: Mapping[str, str | UUID | None]
    ) -> Sequence[Run]:
        """Runs, newest first."""
        async with self._database.reading() as session:
            return await repository.list_runs(
                session, caller.sees, kind=self._kind, limit=limit, after=after, filters=filters
            )

    async def episodes(self, caller: Caller, run_id: UUID, *, limit: int, after: int) -> Page[EpisodeView]:
        """Episodes by index."""
        await self.row(caller, run_id)
        async with self._database.reading() as session:
            rows = await repository.list_episodes(session, run_id, limit=limit + 1, after=after)
        return Page(data=[EpisodeView.model_validate(row) for row in rows[:limit]], has_more=len(rows) > limit)

    async def episode(self, caller: Caller, run_id: UUID, episode: int) -> Episode:
        """One episode.

        Raises:
            NotFoundError: it does not exist, or has not started yet.
        """
        await self.row(caller, run_id)
        async with self._database.reading() as session:
            row = await repository.get_episode(session, run_id, episode)
        if row is None:
            raise NotFoundError("There is no such episode, or it has not started yet.")
        return row

    async def steps(
        self, caller: Caller, run_id: UUID, *, limit: int, after: int, episode: int | None
    ) -> Page[StepView]:
        """Steps in the order of the log."""
        await self.row(caller, run_id)
        async with self._database.reading() as session:
            rows = await repository.list_steps(session, run_id, limit=limit + 1, after=after, episode=episode)
        return Page(data=[StepView.model_validate(row) for row in rows[:limit]], has_more=len(rows) > limit)

    async def raw_outputs(self, caller: Caller, run_id: UUID, episode: int) -> dict[str, dict[str, Any]]:
        """Step number -> reflection and action, and what the agent's strategy kept."""
        await self.episode(caller, run_id, episode)
        async with self._database.reading() as session:
            rows = await repository.list_steps(session, run_id, limit=None, episode=episode)
        return {
            str(row.step): {"reflection": row.reflection, "action": row.action, **(row.notes or {})} for row in rows
        }

    async def metrics(self, caller: Caller, run_id: UUID) -> Metrics:
        """The figures of a run, so far or final."""
        await self.row(caller, run_id)
        async with self._database.reading() as session:
            episodes = await repository.list_episodes(session, run_id)
            totals = await repository.step_totals(session, run_id)
        return metrics(episodes, totals)

    async def results(self, caller: Caller, run_id: UUID) -> dict[str, Any]:
        """What `results.json` holds."""
        figures = await self.metrics(caller, run_id)
        return results(figures.total_rewards, figures.total_steps)
