"""A report in a folder: as data, as Markdown, and as a page; its GIFs beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.artifacts.report.html import EMBEDDED_BYTES, report_html, typical_gifs
from app.artifacts.report.markdown import report_markdown
from app.artifacts.report.model import BatchReport, CellEpisode
from app.cli.client import ServiceClient
from app.cli.exits import UNREACHABLE, CommandError
from gym_llm.results import GIF, episode_file

GIFS = "gifs"
Place = Callable[[CellEpisode, bool], str | None]
"""Of an episode with a GIF, and whether it stands for its cell: where the report finds the GIF, from its folder."""


def read_report(client: ServiceClient, path: str, **query: Any) -> BatchReport:
    """The report at `path`.

    Raises:
        CommandError: it can't be had, or is none.
    """
    try:
        return BatchReport.model_validate_json(client.read(path, format="json", **query))
    except ValidationError:
        raise CommandError(f"{client.url} does not answer as gym-llm does", UNREACHABLE) from None


def played_here(folder: Path) -> Place:
    """Where GIFs are that a service with its data in `folder` has made."""

    def place(episode: CellEpisode, _typical: bool) -> str | None:
        path = f"runs/{episode.run_id}/{episode_file(episode.episode, episode.seed, GIF)}"
        return path if (folder / path).is_file() else None

    return place


def downloaded(client: ServiceClient, folder: Path) -> Place:
    """Brings the GIFs that stand for cells into `folder`; the others are linked to."""

    def place(episode: CellEpisode, typical: bool) -> str | None:
        path = f"{GIFS}/{episode.run_id}_{episode.episode}{GIF}"
        if not typical:
            return episode.gif
        if not (folder / path).is_file():
            (folder / GIFS).mkdir(exist_ok=True)
            client.download(f"/runs/{episode.run_id}/episodes/{episode.episode}/gif", folder / path)
        return path

    return place


def write_report(report: BatchReport, folder: Path, place: Place) -> Path:
    """Write `report.json`, `report.md` and `report.html`; returns the page.

    Raises:
        CommandError: they can't be written, or a GIF can't be had.
    """
    page = folder / "report.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _move_gifs(report, place)
        _replace(folder / "report.json", report.model_dump_json(indent=2))
        _replace(folder / "report.md", report_markdown(report))
        _replace(page, report_html(report, _embedded(report, folder)))
    except OSError as error:
        raise CommandError(f"{error.filename or folder}: {error.strerror}") from None
    return page


def _move_gifs(report: BatchReport, place: Place) -> None:
    for _, cell in report.cells():
        standing = None if cell.typical is None else (cell.typical.run_id, cell.typical.episode)
        cell.typical = None
        for index, episode in enumerate(cell.episodes):
            if episode.gif is None:
                continue
            stands = standing == (episode.run_id, episode.episode)
            moved = cell.episodes[index] = episode.model_copy(update={"gif": place(episode, stands)})
            if stands and moved.gif is not None:
                cell.typical = moved


def _embedded(report: BatchReport, folder: Path) -> dict[str, bytes]:
    read: dict[str, bytes] = {}
    room = EMBEDDED_BYTES
    for address in typical_gifs(report):
        path = folder / address
        if (size := path.stat().st_size) <= room:
            read[address] = path.read_bytes()
            room -= size
    return read


def _replace(path: Path, text: str) -> None:
    # Whoever looks at the report while it is written sees the one before.
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
