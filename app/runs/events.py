"""The step log as server-sent events, one page of the database at a time."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFoundError
from app.runs import repository
from app.runs.models import TERMINAL
from app.runs.schemas import EpisodeView, StepView
from app.runs.views import event_view

PAGE = 500
RANK = {"queued": 0, "running": 1, "cancelling": 2} | dict.fromkeys(TERMINAL, 3)
"""The order in which a run can go through its statuses."""


class Position(NamedTuple):
    """Where a watcher is in a run: it only ever grows."""

    step: int
    """Id of the newest step it has."""
    episodes: int
    """Ended episodes it was told of."""
    rank: int
    """Of the status it was told of."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order, each with the position that it brings a watcher to."""

    events: list[tuple[Position, bytes]]
    more: bool
    """Whether there is more to read at once."""
    done: bool
    """Whether the run is over and these are its last events."""


def encode(event: str, data: BaseModel, step_id: int | None = None) -> bytes:
    """One server-sent event; only steps carry an id, since only they can be resumed from."""
    head = f"id: {step_id}\nevent: {event}\n" if step_id is not None else f"event: {event}\n"
    return f"{head}data: {data.model_dump_json()}\n\n".encode()


async def first_page(session: AsyncSession, run_id: UUID, after: int) -> tuple[Position, bytes]:
    """Where a watcher begins who has every step up to `after`, and the run as it is now.

    Raises:
        NotFoundError: there is no such run.
    """
    run = await repository.get_run(session, run_id)
    if run is None:
        raise NotFoundError("There is no such run.")
    after = min(after, run.steps)
    episodes = await repository.count_done_before(session, run_id, after)
    # A run that is over is told at the end, after its steps.
    return Position(after, episodes, min(RANK[run.status], 2)), encode(run.kind, event_view(run))


async def is_over(session: AsyncSession, run_id: UUID) -> bool:
    """Whether a run has ended or is gone."""
    run = await repository.get_run(session, run_id)
    return run is None or run.status in TERMINAL


async def read_page(session: AsyncSession, run_id: UUID, position: Position) -> EventPage:
    """What comes after `position`, up to `PAGE` steps of it.

    Raises:
        NotFoundError: the run is gone.
    """
    # The run before its steps: a run that is read as over has no steps that could be missed below.
    run = await repository.get_run(session, run_id)
    if run is None:
        raise NotFoundError("The run was deleted.")
    steps = await repository.list_steps(session, run_id, limit=PAGE, after=position.step)
    up_to = steps[-1].id if steps else position.step
    ended = list(await repository.done_episodes(session, run_id, position.episodes, up_to))
    events: list[tuple[Position, bytes]] = []

    def tell_ended(step_id: int) -> None:
        nonlocal position
        while ended and (ended[0].done_at_step or 0) <= step_id:
            episode = ended.pop(0)
            position = position._replace(episodes=episode.done_order or 0)
            events.append((position, encode("episode", EpisodeView.model_validate(episode))))

    tell_ended(position.step)
    for step in steps:
        position = position._replace(step=step.id)
        events.append((position, encode("step", StepView.model_validate(step), step.id)))
        tell_ended(step.id)
    more = len(steps) == PAGE
    if not more and RANK[run.status] > position.rank:
        position = position._replace(rank=RANK[run.status])
        events.append((position, encode(run.kind, event_view(run))))
    done = not more and run.status in TERMINAL
    return EventPage(events, more, done)
