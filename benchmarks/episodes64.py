"""64 episodes of 40 steps against a model that takes 300 ms: the service with all it does, beside a loop by hand."""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.children import MODEL, Sample, measure, scripted_llm
from benchmarks.service import measure_run

ENVIRONMENT = "LunarLanderLLM-v3"
RATIO_GOAL, CPU_GOAL = 1.15, 3.0
"""The project's targets: wall time over the ideal, and ms of CPU a step."""


def main() -> None:
    options = _options()
    episodes, steps = (16, 10) if options.quick else (options.episodes, options.steps)
    repeats = 1 if options.quick else options.repeats
    agent = {"backend": options.backend, "model": MODEL}
    experiment = {"num_runs": episodes, "concurrency": episodes, "max_steps": steps}
    config = {"agent": agent, "environment": {"name": ENVIRONMENT}, "experiment": experiment}
    hand = ("--backend", options.backend, "--environment", ENVIRONMENT, "--episodes", episodes, "--max-steps", steps)
    console = Console(width=120)
    samples: dict[str, list[Sample]] = {"gym-llm, the service": [], f"by hand, {options.backend} SDK": []}
    with scripted_llm(options.port, options.latency_ms) as variables:

        def play_service() -> Sample:
            with tempfile.TemporaryDirectory() as folder:
                return measure_run(options.port + 1, Path(folder), config, **variables)

        ways: Sequence[Callable[[], Sample]] = (
            play_service,
            lambda: measure("benchmarks.hand_loop", *hand, **variables),
        )
        # In turns, so that a noisy minute of the machine hits both.
        for repeat in range(repeats):
            for (name, of_way), play in zip(samples.items(), ways, strict=True):
                of_way.append(sample := play())
                if sample.steps != episodes * steps:
                    raise SystemExit(f"{name}: {sample.steps} steps instead of {episodes * steps}")
                console.print(
                    f"{repeat + 1}/{repeats} {name}: {sample.wall_s:.2f} s, {sample.cpu_ms_per_step:.2f} ms CPU a step"
                )
    title = f"{episodes} episodes x {steps} steps, {options.latency_ms:g} ms a reply, median of {repeats}"
    console.print(table(samples, title, steps * options.latency_ms / 1000))
    console.print(f"All {episodes * steps} steps of every service run came through the event stream and are stored.")


def table(samples: dict[str, list[Sample]], title: str, ideal_s: float) -> Table:
    """Medians, a row for each way."""
    result = Table(title=title, caption=f"goals: {RATIO_GOAL} x ideal ({ideal_s:g} s), {CPU_GOAL:g} ms CPU a step")
    for column in ("", "wall s", "x ideal", "x by hand", "CPU ms a step", "peak MB", "lag ms p50 / p99"):
        result.add_column(column, justify="left" if not column else "right", no_wrap=True)
    by_hand = statistics.median(sample.wall_s for sample in list(samples.values())[-1])
    for name, of_way in samples.items():
        wall = statistics.median(sample.wall_s for sample in of_way)
        lags = [lag for sample in of_way for lag in sample.extra.get("lag_ms", ())]
        cuts = statistics.quantiles(lags, n=100) if lags else []
        result.add_row(
            name,
            f"{wall:.2f}",
            f"{wall / ideal_s:.2f}",
            f"{wall / by_hand:.2f}",
            f"{statistics.median(sample.cpu_ms_per_step for sample in of_way):.2f}",
            f"{statistics.median(sample.peak_mb for sample in of_way):.0f}",
            f"{cuts[49]:.0f} / {cuts[98]:.0f}" if cuts else "-",
        )
    return result


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.episodes64", description=__doc__)
    parser.add_argument("--backend", choices=("openai", "ollama"), default="openai")
    parser.add_argument("--episodes", type=int, default=64, help="played at the same time")
    parser.add_argument("--steps", type=int, default=40, help="of each episode")
    parser.add_argument("--latency-ms", type=float, default=300.0, help="of every reply")
    parser.add_argument("--repeats", type=int, default=3, help="times that each way is measured")
    parser.add_argument("--port", type=int, default=8300, help="this one and the next are used")
    parser.add_argument("--quick", action="store_true", help="16 episodes x 10 steps, once")
    return parser.parse_args()


if __name__ == "__main__":
    main()
