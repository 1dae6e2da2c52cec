"""Recomputes the figures of a batch's report from its exported Parquet, with nothing but numpy, scipy and pyarrow.

It shares no code with what made the report: only the method that the report states in words.

    python tests/recompute.py EXPORT.zip REPORT.json

prints every figure that differs in any digit, and ends with 1 if there is one.
"""

import io
import itertools
import json
import math
import statistics
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pyarrow.parquet as pq
from scipy import stats

Row = dict[str, Any]


def read(path: Path) -> tuple[list[Row], list[Row], list[Row]]:
    """Runs, episodes and steps of an export."""
    with zipfile.ZipFile(path) as zipped:
        names = {name.rpartition("/")[2]: name for name in zipped.namelist()}
        runs = [json.loads(line) for line in zipped.read(names["runs.jsonl"]).splitlines()]
        tables = [pq.read_table(io.BytesIO(zipped.read(names[f"{each}.parquet"]))) for each in ("episodes", "steps")]
    return runs, tables[0].to_pylist(), tables[1].to_pylist()


def counted(runs: list[Row], episodes: list[Row]) -> dict[int, list[Row]]:
    """By cell, the episode of each seed that counts: that of the newest run."""
    cells = {run["id"]: run["cell"] for run in runs if run["cell"] is not None}
    newest: dict[tuple[int, int], Row] = {}
    for episode in sorted(episodes, key=lambda episode: episode["run_id"]):
        if episode["run_id"] in cells:
            newest[cells[episode["run_id"]], episode["seed"]] = episode
    found: dict[int, list[Row]] = {}
    for (cell, _), episode in sorted(newest.items()):
        found.setdefault(cell, []).append(episode)
    return found


def figures(episodes: list[Row], steps: list[Row], random: float | None, threshold: float | None) -> Row:
    """All that the report says of a cell."""
    played = {(episode["run_id"], episode["episode"]) for episode in episodes}
    decided = [
        step
        for step in steps
        if (step["run_id"], step["episode"]) in played and step["decided"] and not step["inherited"]
    ]
    scored = [episode for episode in episodes if episode["status"] == "succeeded"]
    rewards = [episode["total_reward"] for episode in scored]
    judged = [episode["success"] for episode in scored if episode["success"] is not None]
    mean = math.fsum(rewards) / len(rewards) if rewards else None
    error = statistics.stdev(rewards) / math.sqrt(len(rewards)) if len(rewards) > 1 else None
    outcomes = Counter(step["outcome"] for step in decided)
    lessons = [
        {**json.loads(episode["lessons"]), "run_id": episode["run_id"], "episode": episode["episode"]}
        for episode in episodes
        if episode["lessons"]
    ]
    paid = [*decided, *lessons]
    costs = [each["cost_usd"] for each in paid]
    latencies = [step["latency_ms"] for step in decided]
    progress = None
    if mean is not None and random is not None and threshold is not None and threshold > random:
        progress = (mean - random) / (threshold - random)
    return {
        "episodes": dict(Counter(episode["status"] for episode in episodes)),
        "n": len(rewards),
        "avg_reward": mean,
        "standard_error": error,
        "bootstrap_ci95": bootstrap(rewards, np.mean),
        "t_ci95": student(rewards) if spread(rewards) else None,
        "iqm": float(stats.trim_mean(np.sort(rewards), 0.25)) if rewards else None,
        "iqm_ci95": bootstrap(rewards, lambda values, axis: stats.trim_mean(values, 0.25, axis=axis)),
        "success_rate": sum(judged) / len(judged) if judged else None,
        "success_ci95": wilson(sum(judged), len(judged)),
        "avg_steps": sum(episode["num_steps"] for episode in scored) / len(scored) if scored else None,
        "progress": progress,
        "decisions": len(decided),
        "repaired": outcomes["repaired"],
        "fallback": outcomes["fallback"],
        "invalid_action_rate": (outcomes["repaired"] + outcomes["fallback"]) / len(decided) if decided else None,
        "fallback_rate": outcomes["fallback"] / len(decided) if decided else None,
        **{
            name: sum(each[name] for each in paid)
            for name in ("attempts", "prompt_tokens", "cached_tokens", "completion_tokens")
        },
        "cost_usd": None if None in costs or not costs else by_episode(paid, "cost_usd"),
        "mean_latency_ms": by_episode(decided, "latency_ms") / len(decided) if decided else None,
        "max_latency_ms": max(latencies, default=None),
    }


def by_episode(paid: list[Row], name: str) -> float:
    """A sum, rounded once for each episode and once over all."""
    episodes: dict[tuple[str, int], list[float]] = {}
    for each in paid:
        episodes.setdefault((each["run_id"], each["episode"]), []).append(each[name])
    return math.fsum(math.fsum(values) for values in episodes.values())


def comparison(first: list[Row], second: list[Row]) -> Row:
    """All that the report says of two agents in one environment, but the adjusted p-value."""
    ours, theirs = by_seed(first), by_seed(second)
    seeds = sorted(ours.keys() & theirs.keys())
    differences = [ours[seed] - theirs[seed] for seed in seeds]
    p_value = None
    if len(differences) > 1:
        test = stats.permutation_test(
            (np.sort(differences),),
            np.mean,
            permutation_type="samples",
            n_resamples=9999,
            vectorized=True,
            rng=np.random.default_rng(0),
        )
        p_value = float(test.pvalue)
    return {
        "pairs": len(seeds),
        "unpaired_first": len(ours) - len(seeds),
        "unpaired_second": len(theirs) - len(seeds),
        "mean_difference": math.fsum(differences) / len(differences) if differences else None,
        "bootstrap_ci95": bootstrap(differences, np.mean),
        "t_ci95": student(differences) if spread(differences) else None,
        "p_value": p_value,
        "p_exact": None if p_value is None else 2 ** len(seeds) <= 9999,
        "differences": [{"seed": seed, "first": ours[seed], "second": theirs[seed]} for seed in seeds],
    }


def by_seed(episodes: list[Row]) -> dict[int, float]:
    """Total rewards of scored episodes."""
    return {episode["seed"]: episode["total_reward"] for episode in episodes if episode["status"] == "succeeded"}


def bootstrap(values: list[float], statistic: Any) -> list[float] | None:
    """The percentile interval."""
    if not spread(values):
        return None
    interval = stats.bootstrap(
        (np.sort(values),), statistic, n_resamples=9999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    low, high = float(interval.low), float(interval.high)
    return [low, high] if low < high else None


def student(values: list[float]) -> list[float]:
    """Student's t interval."""
    mean = math.fsum(values) / len(values)
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * (statistics.stdev(values) / math.sqrt(len(values)))
    return [mean - reach, mean + reach]


def wilson(successes: int, count: int) -> list[float] | None:
    """Wilson's interval."""
    if not count:
        return None
    interval = stats.binomtest(successes, count).proportion_ci(0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def spread(values: list[float]) -> bool:
    """Whether values differ by more than rounding errors."""
    return len(values) > 1 and max(values) - min(values) > 1e-12 * max(1.0, *map(abs, values))


def holm(p_values: list[float | None]) -> list[float | None]:
    """Adjusted p-values."""
    known = sorted((p_value, at) for at, p_value in enumerate(p_values) if p_value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    for rank, (_, at) in enumerate(known):
        adjusted[at] = max(
            min(1.0, p_value * (len(known) - other)) for other, (p_value, _) in enumerate(known[: rank + 1])
        )
    return adjusted


def differences(export: Path, report: Row) -> list[str]:
    """Every figure of the report that is not what the export comes to."""
    runs, episodes, steps = read(export)
    cells = counted(runs, episodes)
    cell_of = {run["id"]: run["cell"] for run in runs}
    configured = {run["cell"]: run for run in runs if run["cell"] is not None}
    wrong: list[str] = []
    shown: set[int] = set()
    for environment in report["environments"]:
        by_agent = {}
        for cell in environment["cells"]:
            [index] = {cell_of[run_id] for run_id in cell["runs"]}
            by_agent[cell["agent"]] = cells[index]
            shown.add(index)
        threshold = threshold_of(environment["name"])
        random = next(
            (
                [e["total_reward"] for e in of_agent if e["status"] == "succeeded"]
                for agent, of_agent in by_agent.items()
                if is_random(configured[cell_of[of_agent[0]["run_id"]]])
            ),
            [],
        )
        yardstick = math.fsum(random) / len(random) if random else None
        told = {"random": yardstick, "reward_threshold": threshold}
        wrong += compare(environment["name"], {name: environment[name] for name in told}, told)
        for cell in environment["cells"]:
            where = f"{cell['agent']} in {environment['name']}"
            wrong += compare(where, cell["statistics"], figures(by_agent[cell["agent"]], steps, yardstick, threshold))
        pairs = list(itertools.combinations(by_agent, 2))
        made = [comparison(by_agent[first], by_agent[second]) for first, second in pairs]
        adjusted = holm([each["p_value"] for each in made])
        expected = [
            each | {"first": first, "second": second, "p_adjusted": p_value}
            for each, (first, second), p_value in zip(made, pairs, adjusted, strict=True)
        ]
        if len(expected) != len(environment["comparisons"]):
            wrong.append(f"{environment['name']}: {len(environment['comparisons'])} comparisons, not {len(expected)}")
        for one, other in zip(environment["comparisons"], expected, strict=False):
            wrong += compare(f"{one['first']} against {one['second']} in {environment['name']}", one, other)
    if shown != cells.keys():
        wrong.append(f"cells {sorted(shown)} are shown, of {sorted(cells)}")
    return wrong


def compare(where: str, told: Row, found: Row) -> list[str]:
    """Figures that differ in any digit, or that only one of the two has."""
    return [
        f"{where}: {name} is {told.get(name)!r}, and comes to {found.get(name)!r}"
        for name in sorted(told.keys() | found.keys())
        if told.get(name, ...) != found.get(name, ...)
    ]


def threshold_of(name: str) -> float | None:
    """What Gymnasium itself says of the environment that `<name>LLM-vN` describes."""
    threshold = gymnasium.spec(name.replace("LLM-", "-")).reward_threshold
    return None if threshold is None else float(threshold)


def is_random(run: Row) -> bool:
    """Whether the agent of a run is the random one."""
    return (run["agent"]["backend"], run["agent"]["model"]) == ("baseline", "random")


if __name__ == "__main__":
    found = differences(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    print("\n".join(found) or "Every figure is the same, to the last digit.")
    sys.exit(bool(found))
