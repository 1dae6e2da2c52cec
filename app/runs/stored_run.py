"""Runs as records: complete, line by line, the same in exports, in archives and for whoever reads them back."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from app.db import Database
from app.errors import NotFoundError
from app.runs import repository
from app.runs.schemas import EpisodeView, RunView, StepView
from app.runs.step_log import past_step
from gym_llm.verify import RecordedStep

PAGE = 500
RUN_FILE, EPISODES_FILE, STEPS_FILE = "run.json", "episodes.jsonl", "steps.jsonl"
"""In an archive."""


class RunRecord(RunView):
    """A run: how it was configured, played and ended."""

    type: Literal["run"] = "run"


class EpisodeRecord(EpisodeView):
    """An episode, before its steps."""

    type: Literal["episode"] = "episode"
    run_id: UUID
    final_observation: Any = None


class StepRecord(StepView):
    """A step, with all that it takes to take it again."""

    type: Literal["step"] = "step"
    run_id: UUID
    digest: str
    reply: str | None = None

    def recorded(self) -> RecordedStep:
        """As an audit wants it."""
        return RecordedStep(past_step(self), self.terminated, self.truncated)


Record = RunRecord | EpisodeRecord | StepRecord
any_record: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="type")])


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run in the database, read in pages: however long it is, one page is in memory."""

    database: Database
    record: RunRecord

    @classmethod
    def of(cls, database: Database, view: RunView) -> "StoredRun":
        """The run that `view` shows."""
        return cls(database, RunRecord.model_validate(view.model_dump()))

    async def episodes(self) -> AsyncIterator[EpisodeRecord]:
        """Its episodes by index."""
        after, more = -1, True
        while more:
            async with self.database.reading() as session:
                rows = await repository.list_episodes(session, self.record.id, limit=PAGE, after=after)
            for row in rows:
                after = row.episode
                yield EpisodeRecord.model_validate(row)
            more = len(rows) == PAGE

    async def steps(self, episode: EpisodeRecord) -> AsyncIterator[StepRecord]:
        """The steps that an episode had when it was read, by number.

        Raises:
            NotFoundError: the run was deleted meanwhile.
        """
        after = 0
        while after < episode.num_steps:
            async with self.database.reading() as session:
                rows = await repository.list_episode_steps(
                    session, self.record.id, episode.episode, after=after, up_to=episode.num_steps, limit=PAGE
                )
            if not rows:
                raise NotFoundError("The run was deleted.")
            for row in rows:
                yield StepRecord.model_validate(row)
            after = rows[-1].step

    async def all_steps(self) -> AsyncIterator[StepRecord]:
        """The steps of all episodes, by episode and number."""
        async for episode in self.episodes():
            async for step in self.steps(episode):
                yield step


async def lines(records: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    """Records as JSON lines, many to a piece."""
    piece: list[str] = []
    async for record in records:
        piece.append(record.model_dump_json())
        if len(piece) == PAGE:
            yield _joined(piece)
            piece.clear()
    if piece:
        yield _joined(piece)


def _joined(piece: list[str]) -> bytes:
    return ("\n".join(piece) + "\n").encode()
