"""The GIFs that stand for the cells of a report."""

from collections.abc import AsyncIterator

from app.access import Caller
from app.artifacts.base import StoredFile
from app.artifacts.report.html import EMBEDDED_BYTES
from app.artifacts.report.model import BatchReport, CellEpisode, ReportedCell
from app.errors import NotFoundError, UnavailableError
from app.runs.files import RunFiles
from gym_llm.results import GIF


async def drop_missing_gifs(report: BatchReport, files: RunFiles, caller: Caller) -> None:
    """Take out of the report what would lead nowhere: not every environment can be drawn, and files get lost."""
    async for cell, typical, file in _typical(report, files, caller):
        if file is None:
            cell.episodes = [
                each.model_copy(update={"gif": None}) if each is typical else each for each in cell.episodes
            ]
            cell.typical = None


async def typical_gifs(report: BatchReport, files: RunFiles, caller: Caller) -> dict[str, bytes]:
    """The GIFs that a page shows, by their addresses, as far as they can be had now."""
    read: dict[str, bytes] = {}
    room = EMBEDDED_BYTES
    async for _, typical, file in _typical(report, files, caller):
        if file is None or typical.gif is None or file.size > room:
            continue
        try:
            read[typical.gif] = await file.read(0, file.size)
        except (OSError, UnavailableError):
            continue
        room -= file.size
    return read


async def _typical(
    report: BatchReport, files: RunFiles, caller: Caller
) -> AsyncIterator[tuple[ReportedCell, CellEpisode, StoredFile | None]]:
    for _, cell in report.cells():
        if cell.typical is None:
            continue
        try:
            found = await files.episode_file(caller, cell.typical.run_id, cell.typical.episode, GIF)
        except NotFoundError:
            yield cell, cell.typical, None
        except (OSError, UnavailableError):
            return  # Nothing is known of it, nor of any other.
        else:
            yield cell, cell.typical, found
