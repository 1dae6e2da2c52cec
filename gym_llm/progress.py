"""What a person sees of an experiment while it runs."""

from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from gym_llm.episode import Step


class Watcher(Protocol):
    """Is told of every step; a context manager around the experiment."""

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...

    def step(self, step: Step) -> None:
        """A step is done; the last one of an episode has `last` set."""
        ...

    def failed(self, episode: int, error: Exception) -> None:
        """An episode has failed."""
        ...


class Silent:
    """Shows nothing."""

    def __enter__(self) -> object:
        return self

    def __exit__(self, *_: object) -> None: ...

    def step(self, step: Step) -> None: ...

    def failed(self, episode: int, error: Exception) -> None: ...


class Lines(Silent):
    """Plain lines, for logs: one a decision, one an episode."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def step(self, step: Step) -> None:
        if step.decision.decided:
            self._say(
                f"episode {step.episode} step {step.step}: action {step.decision.action}, reward {step.reward:+.2f}, "
                f"total {step.total_reward:+.2f}: {_line(step.decision.reflection)}"
            )
        if step.last:
            self._say(f"episode {step.episode} ended after {step.step} steps: total reward {step.total_reward:.2f}")

    def failed(self, episode: int, error: Exception) -> None:
        self._say(f"episode {episode} failed: {error}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Bar(Silent):
    """A progress bar over the episodes with the newest reflection under it, for terminals."""

    def __init__(self, console: Console, episodes: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[newest]}", markup=False),
            console=console,
        )
        self._width = max(20, console.width - 60)
        self._episodes: TaskID = self._progress.add_task("episodes", total=episodes, newest="")

    def __enter__(self) -> object:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, step: Step) -> None:
        if step.decision.decided:
            text = f"#{step.step} {step.decision.action} ({step.total_reward:+.1f}) {_line(step.decision.reflection)}"
            self._progress.update(self._episodes, newest=text[: self._width])
        if step.last:
            text = f"episode {step.episode}: {step.step} steps, total reward {step.total_reward:.2f}"
            self._progress.console.print(text, markup=False, highlight=False)
            self._progress.advance(self._episodes)

    def failed(self, episode: int, error: Exception) -> None:
        self._progress.console.print(f"episode {episode} failed: {error}", markup=False, highlight=False)
        self._progress.advance(self._episodes)


def watcher(verbose: bool, episodes: int, console: Console | None = None) -> Watcher:
    """A bar on a terminal, lines elsewhere, nothing where it is not `verbose`."""
    if not verbose:
        return Silent()
    console = console or Console()
    return Bar(console, episodes) if console.is_terminal else Lines(console)


def _line(text: str) -> str:
    # A model's text must not steer the terminal.
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
