"""The live table of a batch, and its report as files."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.cli.batch_table import BatchFollower
from app.cli.client import Event
from app.cli.exits import CommandError
from app.cli.report_files import played_here, write_report
from gym_llm.results import episode_file
from tests.app.artifacts.report.runs_reported import GIF, lander_batch


def cell(index: int, status: str, **changes: Any) -> Event:
    return Event(
        "cell",
        {
            "cell": index,
            "agent": f"agent {index}",
            "environment": "CartPoleLLM-v1",
            "status": status,
            "num_runs": 20,
            "episodes": {},
            "avg_reward": None,
            "steps": 0,
            "cost_usd": 0.0,
            "error": None,
        }
        | changes,
    )


def summary(status: str, done: int, cost: float = 0.0, limit: float | None = None) -> Event:
    progress = {"cells": {}, "episodes_done": done, "episodes": 40}
    return Event("batch", {"status": status, "progress": progress, "cost_usd": cost, "max_cost_usd": limit})


PLAYED = [
    summary("queued", 0, limit=5.0),
    cell(0, "queued"),
    cell(1, "queued"),
    summary("running", 3, 0.0123, 5.0),
    cell(0, "running", episodes={"succeeded": 3, "running": 2}, avg_reward=21.456, steps=1234, cost_usd=0.0123),
    cell(0, "succeeded", episodes={"succeeded": 20}, avg_reward=22.0, steps=4321, cost_usd=0.0123),
    Event("lost", {"reason": "gone"}),
    summary("failed", 24, 0.0123, 5.0),
    cell(0, "succeeded", episodes={"succeeded": 20}, avg_reward=22.0, steps=4321, cost_usd=0.0123),
    cell(1, "failed", episodes={"failed": 4}),
    Event("done", {}),
]


def rows(console: Console) -> list[list[str]]:
    text = console.export_text()
    return [[part.strip() for part in line.split("│")[1:-1]] for line in text.splitlines() if line.count("│") == 8]


def test_the_live_table_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=120, height=40)
    follower = BatchFollower(console)
    console.print(follower.table())
    assert rows(console) == [["connecting"] + [""] * 6]
    for event in PLAYED[:5]:
        follower.show(event)
    console.print(follower)
    (first, second, total) = rows(console)
    assert first == ["agent 0", "CartPoleLLM-v1", "running", "3/20", "21.46", "1,234", "$0.0123"]
    assert second == ["agent 1", "CartPoleLLM-v1", "queued", "0/20", "-", "0", "$0"]
    assert total[0] == "2 cells"
    assert total[1].startswith("0:00:")
    assert total[2:] == ["running", "3/40", "", "1,234", "$0.0123 of $5"]
    follower.show(Event("lost", {"reason": "gone"}))
    console.print(follower)
    assert rows(console)[2][2] == "reconnecting"


def test_on_a_terminal_nothing_but_the_table_stays() -> None:
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=120, height=40)
    BatchFollower(console).follow(PLAYED)
    assert [row[2] for row in rows(console)][-3:] == ["succeeded", "failed", "failed"]
    assert "mean reward 22.00" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_off_a_terminal_a_line_for_each_cell_that_ends() -> None:
    console = Console(file=io.StringIO(), width=120)
    BatchFollower(console).follow(PLAYED)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[:3] == [
        "agent 0 in CartPoleLLM-v1 succeeded: 20/20 episodes, mean reward 22.00, 4321 steps, $0.0123",
        "connection lost (gone), reconnecting",
        "agent 1 in CartPoleLLM-v1 failed: 4/20 episodes, 0 steps, $0",
    ]
    assert lines[3].startswith("┏")


def test_a_small_terminal_shows_what_is_going_on() -> None:
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=120, height=12)
    follower = BatchFollower(console)
    for event in (summary("running", 0), *(cell(index, "succeeded") for index in range(30)), cell(30, "running")):
        follower.show(event)
    console.print(follower)
    shown = rows(console)
    assert [row[0] for row in shown] == ["agent 0", "agent 1", "agent 30", "28 more", "31 cells"]
    console.print(follower.table())
    assert len(rows(console)) == 32


def test_what_a_service_tells_cannot_steer_the_terminal() -> None:
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=120)
    follower = BatchFollower(console)
    follower.show(summary("running", 0))
    follower.show(cell(0, "running", agent="[red]a\x1b[2Jb"))
    console.print(follower)
    assert rows(console)[0][0] == "[red]a [2Jb"


def test_links_lead_to_what_is_there(tmp_path: Path) -> None:
    report = lander_batch()
    kept = next(cell for _, cell in report.cells() if cell.typical is not None)
    assert kept.typical is not None
    name = episode_file(kept.typical.episode, kept.typical.seed, ".gif")
    path = tmp_path / "runs" / str(kept.typical.run_id) / name
    path.parent.mkdir(parents=True)
    path.write_bytes(GIF)
    page = write_report(report, tmp_path, played_here(tmp_path))
    assert kept.typical is not None
    assert kept.typical.gif == f"runs/{kept.typical.run_id}/{name}"
    links = [episode.gif for _, cell in report.cells() for episode in cell.episodes if episode.gif is not None]
    assert links == [kept.typical.gif]
    assert [cell.typical for _, cell in report.cells() if cell is not kept] == [None] * (len(list(report.cells())) - 1)
    assert page.read_text().count("data:image/gif;base64,") >= 1
    assert "gifs/" not in (tmp_path / "report.md").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json", "report.md", "runs"]


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="file"):
        write_report(lander_batch(), tmp_path / "file", lambda episode, typical: None)
