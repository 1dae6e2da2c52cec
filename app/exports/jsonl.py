"""JSON lines: each run, each of its episodes, each of their steps, in that order."""

from collections.abc import AsyncIterable, AsyncIterator

from app.runs.stored_run import Record, StoredRun, lines


def jsonl(runs: AsyncIterable[StoredRun]) -> AsyncIterator[bytes]:
    """The lines of some runs, a piece at a time. Each has a `type`: `run`, `episode` or `step`."""
    return lines(_records(runs))


async def _records(runs: AsyncIterable[StoredRun]) -> AsyncIterator[Record]:
    async for run in runs:
        yield run.record
        async for episode in run.episodes():
            yield episode
            async for step in run.steps(episode):
                yield step
