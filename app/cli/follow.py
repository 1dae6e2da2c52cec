"""Watching a run from a terminal or into a log file."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from app.cli.client import Event, ServiceClient
from app.cli.exits import CommandError
from app.cli.tables import decisions_line, episodes_table, one_line

BRIEF_EVERY = 25
"""In brief, off a terminal: one line for as many decisions."""


class Follower:
    """Shows the events of one run: a line a decision above a progress bar, off a terminal the lines only.

    Args:
        brief: no line for every decision: the newest reflection beside the bar, off a terminal now and then a line.
    """

    def __init__(self, console: Console, *, brief: bool = False) -> None:
        self._console = console
        self._brief = brief
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("episodes"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[newest]}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("connecting", total=None, newest="")
        self._width = max(20, console.width - 62)
        self._decisions = 0
        self.run: dict[str, Any] = {}
        """The run as it was last told of."""
        self.episodes: dict[int, dict[str, Any]] = {}
        """The episodes that ended."""

    def follow(self, events: Iterable[Event]) -> None:
        """Show everything up to the end of the run."""
        with self._bar:
            for event in events:
                self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case Event("run", run):
                self.run = run
                self._bar.update(self._task, total=run["experiment"]["num_runs"], description=run["status"])
            case Event("step", step) if step["decided"]:
                self._decision(step)
            case Event("episode", episode) if episode["episode"] not in self.episodes:
                self.episodes[episode["episode"]] = episode
                self._bar.update(self._task, completed=len(self.episodes))
                self._say(_ended(episode))
            case Event("lost", lost):
                self._bar.update(self._task, description="reconnecting")
                if not self._console.is_terminal:
                    self._say(f"connection lost ({lost['reason']}), reconnecting")
            case _:
                pass

    def _decision(self, step: dict[str, Any]) -> None:
        self._decisions += 1
        thought = f"(no valid reply: {step['problem']})" if step["outcome"] == "fallback" else step["reflection"]
        reflection, action = one_line(thought), one_line(step["action"])
        where = f"episode {step['episode']} step {step['step']}"
        line = f"{where}: action {action}, reward {step['reward']:+.2f}: {reflection}"
        if not self._brief:
            self._say(line)
        elif self._console.is_terminal:
            self._bar.update(self._task, newest=f"#{step['step']} {action} {reflection}"[: self._width])
        elif self._decisions % BRIEF_EVERY == 1:
            self._say(line)

    def _say(self, line: str) -> None:
        text = Text(line)
        if self._console.is_terminal:
            text.truncate(self._console.width, overflow="ellipsis")
        self._console.print(text, highlight=False, soft_wrap=True)


def follow_to_the_end(client: ServiceClient, run_id: str, console: Console) -> None:
    """Show a run until it is over, then its figures and where its files are.

    Raises:
        CommandError: it failed or was cancelled, or the service is gone.
    """
    follower = Follower(console)
    follower.follow(client.events(run_id))
    show_figures(client, follower, console)
    _show_files(client, follower, console)
    if follower.run["status"] != "succeeded":
        raise CommandError(failure(follower.run))


def show_figures(client: ServiceClient, follower: Follower, console: Console) -> None:
    """The table of a finished run."""
    metrics = client.get(f"/runs/{follower.run['id']}/metrics")
    episodes = [follower.episodes[index] for index in sorted(follower.episodes)]
    console.print(episodes_table(episodes, metrics))
    console.print(decisions_line(metrics), highlight=False)


def _show_files(client: ServiceClient, follower: Follower, console: Console) -> None:
    here = f"{client.url}/runs/{follower.run['id']}"
    if follower.episodes and follower.run["experiment"]["save_gif"]:
        first, last = min(follower.episodes), max(follower.episodes)
        which = str(first) if first == last else f"{{{first}..{last}}}"
        console.print(f"GIF: {here}/episodes/{which}/gif", highlight=False, markup=False, soft_wrap=True)
    console.print(f"All files: {here}/archive", highlight=False, markup=False, soft_wrap=True)


def failure(run: dict[str, Any]) -> str:
    """Why a run did not succeed, in one line."""
    if run["status"] == "cancelled":
        return f"run {run['id']} was cancelled"
    error = run["error"] or {"code": "internal", "message": "no reason is known", "episode": None}
    where = "" if error.get("episode") is None else f" in episode {error['episode']}"
    return one_line(f"run {run['id']} failed{where}: {error['code']}: {error['message']}")


def _ended(episode: dict[str, Any]) -> str:
    if episode["status"] != "succeeded":
        reason = f": {one_line(episode['error']['message'])}" if episode.get("error") else ""
        return f"episode {episode['episode']} {episode['status']}{reason}"
    return (
        f"episode {episode['episode']} ended after {episode['num_steps']} steps: "
        f"total reward {episode['total_reward']:.2f}"
    )
