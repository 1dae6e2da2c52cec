"""Exports: which format is made how, and what it needs."""

import asyncio
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import IO, Literal
from uuid import UUID

from app.access import Caller
from app.artifacts.staging import Staging
from app.db import Database
from app.errors import MissingExtraError
from app.exports.jsonl import jsonl
from app.exports.openai import write_openai
from app.exports.retaking import MakeEnv
from app.exports.selection import Selection
from app.runs.service import RunService
from app.runs.stored_run import StoredRun

Format = Literal["jsonl", "parquet", "minari", "openai"]
AT_A_TIME = 2
"""Exports to files that are made at the same time: each is work for a core."""


class ExportService:
    """Writes runs in the formats of others. No format ever holds more than a part of a run in memory."""

    def __init__(self, database: Database, runs: RunService, staging: Staging, make_env: MakeEnv) -> None:
        self._database = database
        self._runs = runs
        self._staging = staging
        self._make_env = make_env
        self._turns = asyncio.Semaphore(AT_A_TIME)

    async def run(self, caller: Caller, run_id: UUID) -> StoredRun:
        """A run, to be exported.

        Raises:
            NotFoundError: there is none that the caller sees.
        """
        return StoredRun.of(self._database, await self._runs.get(caller, run_id))

    def lines(self, runs: AsyncIterable[StoredRun]) -> AsyncIterator[bytes]:
        """Runs as JSON lines."""
        return jsonl(runs)

    async def file(self, runs: AsyncIterable[StoredRun], format: Format, selection: Selection, name: str) -> IO[bytes]:
        """Runs in a file without a name; closing it is the caller's.

        Args:
            runs: what to write.
            format: any.
            selection: of what `openai` takes.
            name: of a Minari dataset.

        Raises:
            MissingExtraError: the format needs what is not installed.
            ConflictError: the format needs episodes to be taken again, which can't be done.
            NotFoundError: a run was deleted meanwhile.
        """
        async with self._turns:
            file = await asyncio.to_thread(self._staging.nameless)
            try:
                await self._write(file, runs, format, selection, name)
            except BaseException:
                file.close()
                raise
            return file

    async def _write(
        self, file: IO[bytes], runs: AsyncIterable[StoredRun], format: Format, selection: Selection, name: str
    ) -> None:
        match format:
            case "jsonl":
                async for piece in jsonl(runs):
                    file.write(piece)
            case "openai":
                await write_openai(file, runs, self._make_env, selection)
            case "parquet":
                try:
                    from app.exports.parquet import write_parquet  # Of an extra, as below.
                except ImportError as error:
                    raise MissingExtraError("parquet") from error
                await write_parquet(file, runs, self._staging.nameless)
            case "minari":
                try:
                    from app.exports.minari import write_minari
                except ImportError as error:
                    raise MissingExtraError("minari") from error
                with tempfile.TemporaryDirectory(prefix="minari-", dir=self._staging.folder()) as folder:
                    await write_minari(file, runs, self._make_env, name, Path(folder))
