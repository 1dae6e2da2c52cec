"""What is left of runs after a disturbance, held against what must be left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from uuid import UUID

from tests.chaos.deployment import EPISODES, MAX_STEPS, Deployment, Row, exact

ACTIVE = ("queued", "running", "cancelling")
HEAD = ("scenario", "runs", "steps", "lost", "doubled", "other", "repeated", "needless", "taken up", "takeover s")


@dataclass
class Entry:
    """One line of the table."""

    scenario: str
    statuses: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    lost: int = 0
    doubled: int = 0
    other: int = 0
    """Steps that are not what an undisturbed run plays."""
    repeated: int = 0
    """Calls for a step that had been asked for before, and was not stored when the run was taken up again."""
    needless: int = 0
    """Calls for a step that was stored."""
    interruptions: int = 0
    takeovers: list[float] = field(default_factory=list)
    """Seconds from the last step of a worker that was lost to the next claim."""
    wrong: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Why runs failed."""

    def verify(self) -> None:
        """Nothing is lost, doubled, different, asked for without need, or written late."""
        found = (self.lost, self.doubled, self.other, self.needless, self.wrong)
        assert found == (0, 0, 0, 0, []), f"lost, doubled, other, needless calls, wrong: {found}"


def examine(deployment: Deployment, scenario: str, runs: Mapping[UUID, int]) -> Entry:
    """Read all that the runs have left in the database and at the language model."""
    entry = Entry(scenario)
    for run_id, seed in runs.items():
        [run] = deployment.rows("SELECT * FROM runs WHERE id = %s", run_id)
        steps = deployment.steps(run_id)
        history = deployment.rows("SELECT * FROM audit WHERE run_id = %s ORDER BY at", run_id)
        entry.statuses[run["status"]] += 1
        if run["error"] is not None:
            entry.failures.append(f"{run['id']}: {run['error']['code']}: {run['error']['message']}")
        entry.steps += len(steps)
        _examine_log(entry, deployment, run, seed, steps)
        _examine_history(entry, run, steps, history)
        _examine_calls(entry, deployment, seed, steps, history)
    return entry


def _examine_log(entry: Entry, deployment: Deployment, run: Row, seed: int, steps: Sequence[Row]) -> None:
    played = Counter((step["seed"], step["step"]) for step in steps)
    entry.doubled += len(steps) - len(played)
    entry.lost += max(run["steps"], max((step["id"] for step in steps), default=0)) - len(steps)
    for episode in range(EPISODES):
        numbers = [step["step"] for step in steps if step["episode"] == episode]
        entry.lost += max(numbers, default=0) - len(set(numbers))
    if run["status"] == "succeeded":
        entry.lost += sum(
            (seed + episode, step) not in played
            for episode in range(EPISODES)
            for step in range(1, MAX_STEPS + 1)
            if (seed + episode, step) in deployment.undisturbed
        )
    entry.other += sum(exact(step) != deployment.undisturbed.get((step["seed"], step["step"])) for step in steps)
    if open_ := deployment.rows("SELECT 1 FROM episodes WHERE run_id = %s AND status = 'running'", run["id"]):
        entry.wrong.append(f"{run['id']}: {len(open_)} episodes are still open")


def _examine_history(entry: Entry, run: Row, steps: Sequence[Row], history: Sequence[Row]) -> None:
    ends = [row for row in history if row["was"] in ACTIVE and row["status"] not in ACTIVE]
    late = [row for row in history if row["was"] not in ACTIVE]
    if run["status"] in ACTIVE or len(ends) != 1 or late:
        entry.wrong.append(f"{run['id']}: {run['status']}, {len(ends)} ends, {len(late)} changes after the end")
    entry.interruptions += max(0, sum(row["claimed"] for row in history) - 1)
    for claim in history:
        if claim["lost"]:
            before = [step["created_at"] for step in steps if step["id"] <= claim["steps"]]
            if before:
                entry.takeovers.append((claim["at"] - max(before)).total_seconds())


def _examine_calls(
    entry: Entry, deployment: Deployment, seed: int, steps: Sequence[Row], history: Sequence[Row]
) -> None:
    ids = {(step["seed"], step["step"]): step["id"] for step in steps}
    again = [claim["steps"] for claim in history if claim["claimed"]][1:]
    for call, count in deployment.llm.llm.asked.items():
        if call[0] is not None and seed <= call[0] < seed + EPISODES:
            allowed = 1 + sum(stored < ids.get(call, stored + 1) for stored in again)
            entry.repeated += min(count, allowed) - 1
            entry.needless += max(0, count - allowed)


def table(entries: Sequence[Entry]) -> list[str]:
    """Lines for the terminal."""
    lines = [HEAD, *(_cells(entry) for entry in entries)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _cells(entry: Entry) -> tuple[str, ...]:
    takeovers = entry.takeovers
    seconds = f"{median(takeovers):.1f}, max {max(takeovers):.1f}" if takeovers else "-"
    runs = " + ".join(f"{count} {status}" for status, count in sorted(entry.statuses.items()))
    numbers = (entry.steps, entry.lost, entry.doubled, entry.other, entry.repeated, entry.needless, entry.interruptions)
    return (entry.scenario, runs, *map(str, numbers), seconds)
