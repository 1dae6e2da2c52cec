"""Archives and JSON lines, read back. They may come from anywhere: nothing in them is believed unseen.

Nothing is ever unpacked to where a file says that it belongs: entries are looked up by the names that we expect.
"""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from app.errors import InvalidArchiveError
from app.runs.models import TERMINAL
from app.runs.stored_run import (
    EPISODES_FILE,
    RUN_FILE,
    STEPS_FILE,
    EpisodeRecord,
    Record,
    RunRecord,
    StepRecord,
    any_record,
)

MAX_LINE = 16 * 2**20
"""Bytes of one line, or of `run.json`."""
MAX_EPISODES = 10_000
PIECE = 1 << 16
Model = TypeVar("Model", bound=BaseModel)


class Archive:
    """The zip of a run.

    Args:
        file: the zip; closing it is the caller's.
        max_bytes: that may be unpacked of it, all in all.

    Raises:
        InvalidArchiveError: from here and from every method: it is no archive of a run, or too large.
    """

    def __init__(self, file: IO[bytes], max_bytes: int) -> None:
        self._left = max_bytes
        with _readable():
            self._zip = zipfile.ZipFile(file)

    def records(self) -> Iterator[Record]:
        """The run, then each episode followed by its steps."""
        with _readable():
            run = RunRecord.model_validate_json(_line(next(self._lines(RUN_FILE, whole=True)), RUN_FILE, 1))
        return in_order(self._unchecked(run))

    def file(self, name: str) -> Iterator[bytes] | None:
        """The pieces of a file, None where there is none of that name."""
        return self._pieces(name) if name in self._zip.namelist() else None

    def _unchecked(self, run: RunRecord) -> Iterator[Record]:
        yield run
        steps = _parsed(StepRecord, self._lines(STEPS_FILE), STEPS_FILE)
        for episode in _parsed(EpisodeRecord, self._lines(EPISODES_FILE), EPISODES_FILE):
            yield episode
            yield from islice(steps, max(0, episode.num_steps))
        if next(steps, None) is not None:
            raise InvalidArchiveError(f"{STEPS_FILE} holds more steps than {EPISODES_FILE} tells of.")

    def _lines(self, name: str, *, whole: bool = False) -> Iterator[bytes]:
        if name not in self._zip.namelist():
            raise InvalidArchiveError(f"There is no {name} in it: it is no archive of a run, or one of an old version.")
        with _readable(), self._zip.open(name) as entry:
            while line := (entry.read(MAX_LINE + 1) if whole else entry.readline(MAX_LINE + 1)):
                self._count(len(line))
                if len(line) > MAX_LINE:
                    raise InvalidArchiveError(f"{name} has a line of more than {MAX_LINE} bytes.")
                yield line

    def _pieces(self, name: str) -> Iterator[bytes]:
        with _readable(), self._zip.open(name) as entry:
            while piece := entry.read(PIECE):
                self._count(len(piece))
                yield piece

    def _count(self, read: int) -> None:
        self._left -= read
        if self._left < 0:
            raise InvalidArchiveError("It unpacks to more than is accepted.")


def read_lines(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records of an export as JSON lines.

    Raises:
        InvalidArchiveError: it is none, or holds more than one run.
    """
    return in_order(_parsed_any(lines))


def in_order(records: Iterator[Record]) -> Iterator[Record]:
    """The records, while they are complete: a run that is over, its episodes, each with all of its steps.

    Raises:
        InvalidArchiveError: they are not.
    """
    run = next(records, None)
    if not isinstance(run, RunRecord):
        raise InvalidArchiveError("It does not begin with a run.")
    if run.status not in TERMINAL:
        raise InvalidArchiveError(f"The run is {run.status}: only one that is over can be read.")
    yield run
    episode: EpisodeRecord | None = None
    number = 0
    for record in records:
        match record:
            case StepRecord() if episode and (record.episode, record.step) == (episode.episode, number + 1):
                number += 1
            case EpisodeRecord() if number == (episode.num_steps if episode else 0) and _follows(episode, record):
                episode, number = record, 0
            case _:
                raise InvalidArchiveError(f"A {record.type} is out of order, or steps are missing before it.")
        if record.run_id != run.id:
            raise InvalidArchiveError("It holds records of another run.")
        yield record
    if episode is not None and number != episode.num_steps:
        raise InvalidArchiveError(f"Steps of episode {episode.episode} are missing.")


def _follows(before: EpisodeRecord | None, episode: EpisodeRecord) -> bool:
    return (before.episode if before else -1) < episode.episode < MAX_EPISODES and episode.status != "running"


def _parsed(model: type[Model], lines: Iterator[bytes], name: str) -> Iterator[Model]:
    for number, line in enumerate(lines, 1):
        with _readable(f"{name} line {number}"):
            record = model.model_validate_json(_line(line, name, number))
        yield record


def _parsed_any(lines: Iterable[bytes]) -> Iterator[Record]:
    adapter: TypeAdapter[Record] = any_record
    for number, line in enumerate(lines, 1):
        with _readable(f"line {number}"):
            record = adapter.validate_json(_line(line, "it", number))
        yield record


def _line(line: bytes, name: str, number: int) -> bytes:
    if b"\\u0000" in line:
        raise InvalidArchiveError(f"{name} line {number} holds a NUL character.")
    return line


@contextmanager
def _readable(where: str = "run.json") -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise InvalidArchiveError(f"{where}: {field + ': ' if field else ''}{problem['msg']:.300}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OverflowError) as error:
        raise InvalidArchiveError(f"It can't be unpacked: {error!s:.200}") from None
