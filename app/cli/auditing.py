"""Recorded runs, taken again on this machine."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.archives.audit import Audited, audit
from app.archives.reading import Archive, read_lines
from app.cli.exits import USAGE, CommandError
from app.environments.catalog import Catalog
from app.errors import ProblemError
from app.runs.stored_run import Record, RunRecord

MAX_UNPACKED = 2**40
"""Nobody sends an archive here but its user, and nothing of it is kept."""


def replay(path: Path) -> list[Audited]:
    """Audit the run in an archive, or in an export as JSON lines.

    Raises:
        CommandError: the file can't be read.
    """
    with _records(path) as records:
        return asyncio.run(_audit(records))


@contextmanager
def _records(path: Path) -> Iterator[Iterator[Record]]:
    try:
        with path.open("rb") as file:
            yield Archive(file, MAX_UNPACKED).records() if path.suffix == ".zip" else read_lines(file)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", USAGE) from None
    except ProblemError as error:
        raise CommandError(f"{path.name}: {error.title}. {error.detail}", USAGE) from None


async def _audit(records: Iterator[Record]) -> list[Audited]:
    run = next(records)
    assert isinstance(run, RunRecord)  # noqa: S101 - `in_order` has seen to it
    return [audited async for audited in audit(Catalog().make, run, records)]
