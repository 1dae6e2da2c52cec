"""Watching a batch from a terminal or into a log file."""

import time
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.cli.client import Event
from app.cli.tables import one_line

Json = dict[str, Any]
COLORS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}
ACTIVE = ("queued", "running")
FIRST_SHOWN = ("running", "failed", "cancelled", "queued", "succeeded")
"""Where not all cells fit on the terminal."""
OTHER_LINES = 9
"""Of the table on a terminal: its frame, its head, its totals, and what else is there."""


class BatchFollower:
    """Shows the events of one batch: a live table with a row a cell, off a terminal a line for each cell that ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._reconnecting = False
        self.batch: Json = {}
        """The batch as it was last told of."""
        self.cells: dict[int, Json] = {}

    def follow(self, events: Iterable[Event]) -> None:
        """Show everything up to the end of the batch, then the whole table."""
        live = Live(self, console=self._console, transient=True)
        with live if self._console.is_terminal else nullcontext():
            for event in events:
                self.show(event)
        self._console.print(self.table())

    def show(self, event: Event) -> None:
        """Take in one event."""
        self._reconnecting = event.kind == "lost"
        match event:
            case Event("batch", batch):
                self.batch = batch
            case Event("cell", cell):
                before = self.cells.get(cell["cell"], {}).get("status")
                self.cells[cell["cell"]] = cell
                if cell["status"] not in (*ACTIVE, before):
                    self._say(_ended(cell))
            case Event("lost", lost):
                self._say(f"connection lost ({lost['reason']}), reconnecting")
            case _:
                pass

    def table(self, limit: int | None = None) -> Table:
        """A row a cell, and one of totals.

        Args:
            limit: on the rows of cells; those with something to see come first.
        """
        table = Table()
        for column in ("agent", "environment", "status"):
            table.add_column(column, no_wrap=True)
        for column in ("episodes", "mean reward", "steps", "cost"):
            table.add_column(column, justify="right")
        cells = [self.cells[index] for index in sorted(self.cells)]
        shown = sorted(cells, key=lambda cell: FIRST_SHOWN.index(cell["status"]))[:limit] if limit else cells
        for cell in sorted(shown, key=lambda cell: int(cell["cell"])):
            reward = "-" if cell["avg_reward"] is None else f"{cell['avg_reward']:.2f}"
            table.add_row(
                Text(one_line(cell["agent"])),
                Text(one_line(cell["environment"])),
                _status(cell["status"]),
                f"{_done(cell)}/{cell['num_runs']}",
                reward,
                f"{cell['steps']:,}",
                _cost(cell["cost_usd"]),
            )
        if len(shown) < len(cells):
            table.add_row(f"{len(cells) - len(shown)} more")
        table.add_section()
        table.add_row(*self._totals())
        return table

    def __rich__(self) -> Table:
        """The table as it fits on the terminal."""
        return self.table(max(1, self._console.height - OTHER_LINES))

    def _totals(self) -> tuple[str | Text, ...]:
        if not self.batch:
            return ("connecting",)
        elapsed = timedelta(seconds=int(time.monotonic() - self._started))
        progress = self.batch["progress"]
        limit = self.batch["max_cost_usd"]
        return (
            f"{len(self.cells)} cells",
            str(elapsed),
            Text("reconnecting", "yellow") if self._reconnecting else _status(self.batch["status"]),
            f"{progress['episodes_done']}/{progress['episodes']}",
            "",
            f"{sum(cell['steps'] for cell in self.cells.values()):,}",
            _cost(self.batch["cost_usd"]) + (f" of ${limit:g}" if limit is not None else ""),
        )

    def _say(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(Text(line), highlight=False, soft_wrap=True)


def cell_name(cell: Json) -> str:
    """Which cell it is, in words."""
    return f"{one_line(cell['agent'])} in {one_line(cell['environment'])}"


def _ended(cell: Json) -> str:
    reward = "" if cell["avg_reward"] is None else f", mean reward {cell['avg_reward']:.2f}"
    return (
        f"{cell_name(cell)} {cell['status']}: {_done(cell)}/{cell['num_runs']} episodes{reward}, "
        f"{cell['steps']} steps, {_cost(cell['cost_usd'])}"
    )


def _done(cell: Json) -> int:
    return sum(count for status, count in cell["episodes"].items() if status != "running")


def _status(status: str) -> Text:
    return Text(status, COLORS.get(status, ""))


def _cost(usd: float) -> str:
    return f"${usd:.4f}" if usd else "$0"
