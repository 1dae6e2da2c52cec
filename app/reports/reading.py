"""Runs as a report takes them."""

from collections.abc import Callable, Collection
from uuid import UUID

from app.artifacts.report.rows import ReportedEpisode, ReportedRun
from app.db import Database
from app.errors import NotFoundError
from app.reports.totals import episode_totals
from app.runs import repository
from app.runs.schemas import RunView
from app.runs.stored_run import StoredRun

GifLink = Callable[[UUID, int], str]
"""Of a run's episode: the address of its GIF."""


async def reported_run(
    database: Database,
    run: RunView,
    *,
    link: GifLink,
    reward_threshold: float | None,
    agent_name: str | None = None,
    counted: Collection[int] | None = None,
) -> ReportedRun:
    """A run and its episodes.

    Args:
        database: where it is.
        run: which.
        link: where its GIFs are.
        reward_threshold: of its environment.
        agent_name: what the report calls its agent; None = made from the agent's configuration.
        counted: the episodes that count, by index; None = all that have begun.

    Raises:
        NotFoundError: it was deleted meanwhile.
    """
    episodes = []
    async for episode in StoredRun.of(database, run).episodes():
        if counted is not None and episode.episode not in counted:
            continue
        totals = await episode_totals(database, run.id, episode)
        kept = run.experiment.save_gif and episode.status != "running"
        found = episode.model_dump(include=set(ReportedEpisode.model_fields))
        gif = link(run.id, episode.episode) if kept else None
        episodes.append(ReportedEpisode.model_validate(found | {"totals": totals, "gif": gif}))
    # A run goes with all its steps: as long as it is there, so were they.
    async with database.reading() as session:
        if await repository.get_run(session, run.id) is None:
            raise NotFoundError("The run was deleted.")
    return ReportedRun(
        **run.model_dump(include={"id", "status", "error", "agent", "environment"}),
        agent_name=agent_name,
        max_steps=run.experiment.max_steps,
        reward_threshold=reward_threshold,
        episodes=episodes,
    )
