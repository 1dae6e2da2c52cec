"""Parquet: a table of episodes and a table of steps, and the runs as JSON lines, in one zip. Of the extra `parquet`."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import IO, Any, Self

import orjson
import pyarrow as pa
from pyarrow import parquet as pq

from app.artifacts.archive import Content, write_archive
from app.artifacts.base import PIECE
from app.runs.stored_run import EpisodeRecord, RunRecord, StepRecord, StoredRun, lines

GROUP_ROWS, GROUP_BYTES = 10_000, 16 * 2**20
"""A row group is written when it holds as many rows, or as much text."""

_JSON = pa.string()
"""Plain JSON: its shape is the environment's."""

EPISODES = pa.schema(
    {
        "run_id": pa.string(),
        "environment": pa.string(),
        "backend": pa.string(),
        "model": pa.string(),
        "episode": pa.int32(),
        "seed": pa.int64(),
        "status": pa.string(),
        "error": _JSON,
        "total_reward": pa.float64(),
        "num_steps": pa.int32(),
        "terminated": pa.bool_(),
        "truncated": pa.bool_(),
        "success": pa.bool_(),
        "final_observation": _JSON,
        "lessons_before": _JSON,
        "lessons": _JSON,
    }
)
STEPS = pa.schema(
    {
        "run_id": pa.string(),
        "episode": pa.int32(),
        "step": pa.int32(),
        "id": pa.int32(),
        "observation": _JSON,
        "digest": pa.string(),
        "reflection": pa.string(),
        "action": _JSON,
        "reward": pa.float64(),
        "terminated": pa.bool_(),
        "truncated": pa.bool_(),
        "decided": pa.bool_(),
        "outcome": pa.string(),
        "attempts": pa.int32(),
        "problem": pa.string(),
        "latency_ms": pa.float64(),
        "prompt_tokens": pa.int64(),
        "cached_tokens": pa.int64(),
        "completion_tokens": pa.int64(),
        "cost_usd": pa.float64(),
        "reply": pa.string(),
        "notes": _JSON,
        "inherited": pa.bool_(),
        "created_at": pa.timestamp("us", tz="UTC"),
    }
)


async def write_parquet(target: IO[bytes], runs: AsyncIterable[StoredRun], scratch: Callable[[], IO[bytes]]) -> None:
    """Write a zip of `episodes.parquet`, `steps.parquet` and `runs.jsonl`.

    Args:
        target: the file.
        runs: what to write.
        scratch: opens an empty file that is gone when it is closed.
    """
    records: list[RunRecord] = []
    with scratch() as episodes_file, scratch() as steps_file:
        with _Table(episodes_file, EPISODES) as episodes, _Table(steps_file, STEPS) as steps:
            async for run in runs:
                records.append(run.record)
                async for episode in run.episodes():
                    await episodes.add(_episode_row(run.record, episode))
                    async for step in run.steps(episode):
                        await steps.add(_step_row(step))
            await episodes.flush()
            await steps.flush()
        await write_archive(target, _entries(records, {"episodes": episodes_file, "steps": steps_file}))


class _Table:
    """One Parquet file, a row group in memory at a time."""

    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    async def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self._bytes += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(self._rows) >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            await self.flush()

    async def flush(self) -> None:
        if self._rows:
            rows, self._rows, self._bytes = self._rows, [], 0
            await asyncio.to_thread(lambda: self._writer.write_table(pa.Table.from_pylist(rows, self._schema)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def _episode_row(run: RunRecord, episode: EpisodeRecord) -> dict[str, Any]:
    return {
        **episode.model_dump(exclude={"type"}),
        "run_id": str(run.id),
        "environment": run.environment.name,
        "backend": run.agent.backend,
        "model": run.agent.model,
        "error": _json(episode.error.model_dump()) if episode.error else None,
        "final_observation": _json(episode.final_observation),
        "lessons_before": _json(episode.lessons_before) if episode.lessons_before else None,
        "lessons": _json(episode.lessons.model_dump()) if episode.lessons else None,
    }


def _step_row(step: StepRecord) -> dict[str, Any]:
    return {
        **step.model_dump(exclude={"type"}),
        "run_id": str(step.run_id),
        "observation": _json(step.observation),
        "action": _json(step.action),
        "notes": _json(step.notes) if step.notes else None,
    }


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


async def _entries(records: list[RunRecord], files: dict[str, IO[bytes]]) -> AsyncIterator[tuple[str, Content]]:
    yield "runs.jsonl", lines(_each(records))
    for name, file in files.items():
        yield f"{name}.parquet", _pieces(file)


async def _each(records: list[RunRecord]) -> AsyncIterator[RunRecord]:
    for record in records:
        yield record


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    file.seek(0)
    while piece := await asyncio.to_thread(file.read, PIECE):
        yield piece
