"""What came of batches: their reports, and their data."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from uuid import UUID

from app.access import Caller
from app.artifacts.report.build import batch_report
from app.artifacts.report.model import BatchReport
from app.batches import repository
from app.batches.service import BatchService
from app.db import Database, now
from app.reports.reading import GifLink
from app.reports.service import ReportService
from app.runs.schemas import RunView
from app.runs.stored_run import StoredRun
from app.runs.views import run_view


@dataclass(frozen=True, slots=True)
class BatchResults:
    """Reads what the runs of batches have left behind."""

    database: Database
    batches: BatchService
    reports: ReportService

    async def report(self, caller: Caller, batch_id: UUID, link: GifLink) -> BatchReport:
        """The report of a batch, so far or final.

        Raises:
            NotFoundError: there is no such batch that the caller sees, or a run of it was deleted meanwhile.
        """
        batch = await self.batches.row(caller, batch_id)
        counted: dict[UUID, set[int]] = {}
        async with self.database.reading() as session:
            views = [run_view(run) for run in await repository.runs_of(session, [batch_id])]
            for episode in await repository.counted_episodes(session, batch_id):
                counted.setdefault(episode.run_id, set()).add(episode.episode)
        reported = []
        for index, cell in enumerate(batch.cells):
            of_cell = [view for view in views if view.cell == index]
            for run in of_cell:
                row = await self.reports.reported(
                    run, link, agent_name=cell["agent"], counted=counted.get(run.id, frozenset())
                )
                reported.append(row.model_copy(update={"error": None}) if _played_again(run, of_cell) else row)
        return await self.reports.make(
            caller,
            lambda: batch_report(
                reported, title=batch.name, created_at=now(), id=batch.id, configuration=batch.request
            ),
        )

    async def runs(self, caller: Caller, batch_id: UUID) -> AsyncIterator[StoredRun]:
        """All runs of a batch, oldest first, those too whose place others have taken.

        Raises:
            NotFoundError: there is no such batch that the caller sees.
        """
        await self.batches.row(caller, batch_id)
        async with self.database.reading() as session:
            views = [run_view(run) for run in await repository.runs_of(session, [batch_id])]
        return _each(self.database, views)


def _played_again(run: RunView, of_cell: Iterable[RunView]) -> bool:
    """Whether a later run was made for seeds on which this one had no success: then its failure is history."""
    return any(
        later.id > run.id
        and later.experiment.seed < run.experiment.seed + run.experiment.num_runs
        and run.experiment.seed < later.experiment.seed + later.experiment.num_runs
        for later in of_cell
    )


async def _each(database: Database, views: Iterable[RunView]) -> AsyncIterator[StoredRun]:
    for view in views:
        yield StoredRun.of(database, view)
