"""Reports: who may have which, and how they are made."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from app.access import Caller
from app.artifacts.report.build import compare
from app.artifacts.report.model import BatchReport
from app.artifacts.report.rows import ReportedRun
from app.db import Database, now
from app.errors import InvalidRequestError
from app.reports.formats import Format, written
from app.reports.gifs import drop_missing_gifs, typical_gifs
from app.reports.reading import GifLink, reported_run
from app.runs.files import RunFiles
from app.runs.schemas import RunView
from app.runs.service import RunService


class ReportService:
    """Makes reports of runs. Resampling and drawing are work for a core: there is one at a time."""

    def __init__(
        self,
        database: Database,
        runs: RunService,
        files: RunFiles,
        reward_threshold: Callable[[str], float | None],
    ) -> None:
        self._database = database
        self._runs = runs
        self._files = files
        self._reward_threshold = reward_threshold
        self._turn = asyncio.Lock()

    async def compare(self, caller: Caller, run_ids: Sequence[UUID], link: GifLink) -> BatchReport:
        """Runs side by side, in the order of their ids here.

        Raises:
            InvalidRequestError: an id is given twice.
            NotFoundError: there is a run that the caller does not see, or that was deleted meanwhile.
        """
        if len(set(run_ids)) < len(run_ids):
            raise InvalidRequestError("run: the same run is named twice.")
        views = [await self._runs.get(caller, run_id) for run_id in run_ids]
        runs = [await self.reported(view, link) for view in views]
        return await self.make(caller, lambda: compare(runs, created_at=now()))

    async def reported(
        self, run: RunView, link: GifLink, *, agent_name: str | None = None, counted: Collection[int] | None = None
    ) -> ReportedRun:
        """A run as a report takes it, see `reported_run`."""
        return await reported_run(
            self._database,
            run,
            link=link,
            reward_threshold=self._reward_threshold(run.environment.name),
            agent_name=agent_name,
            counted=counted,
        )

    async def make(self, caller: Caller, build: Callable[[], BatchReport]) -> BatchReport:
        """The report that `build` makes, of runs that the caller sees."""
        async with self._turn:
            report = await asyncio.to_thread(build)
        await drop_missing_gifs(report, self._files, caller)
        return report

    async def write(self, caller: Caller, report: BatchReport, format: Format) -> bytes:
        """The report in a format; the page with its GIFs."""
        async with self._turn:
            gifs = await typical_gifs(report, self._files, caller) if format == "html" else {}
            return await asyncio.to_thread(written, report, format, gifs)
