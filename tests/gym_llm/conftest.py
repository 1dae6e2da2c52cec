"""The table of what became of each fault of a language model's server."""

from collections.abc import Callable

import pytest

HEAD = ("fault", "backend", "outcome", "attempts", "problem", "went on")
ENTRIES = pytest.StashKey[list[tuple[str, ...]]]()
Note = Callable[..., None]


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Takes a line for the table: a cell for each column, in the order of `HEAD`."""

    def note(*cells: object) -> None:
        line = tuple("-" if cell is None else str(cell) for cell in cells)
        request.config.stash.setdefault(ENTRIES, []).append(line)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if entries := config.stash.get(ENTRIES, []):
        lines = [HEAD, *sorted(entries)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
        terminalreporter.section("faults of language models")
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())
