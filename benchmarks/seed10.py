"""Ten episodes of LunarLander with GIFs: the classic sequential way beside `run_experiment` and the service."""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.children import MODEL, Sample, measure, scripted_llm
from benchmarks.service import measure_run

ENVIRONMENT = "LunarLanderLLM-v3"
CLASSIC = "classic, sequential"


def main() -> None:
    options = _options()
    console = Console(width=120)
    agent = {"backend": options.backend, "model": MODEL}
    experiment = {
        "num_runs": options.episodes,
        "save_gif": True,
        "gif_fps": options.fps,
        "max_steps": options.max_steps,
    }
    config: dict[str, Any] = {"agent": agent, "environment": {"name": ENVIRONMENT}, "experiment": experiment}
    at_once = {**config, "experiment": {**experiment, "concurrency": options.episodes}}
    with scripted_llm(options.port, options.latency_ms) as variables, tempfile.TemporaryDirectory() as parent:
        folders = Path(parent)

        def classic() -> Sample:
            (folder := folders / "classic").mkdir()
            arguments: dict[str, object] = {"--folder": folder, "--episodes": options.episodes, "--fps": options.fps}
            arguments |= {"--backend": options.backend}
            arguments |= {"--max-steps": options.max_steps} if options.max_steps else {}
            return measure("benchmarks.classic", *(word for pair in arguments.items() for word in pair), **variables)

        def library(config: dict[str, Any], name: str) -> Sample:
            path = folders / f"{name}.yaml"
            experiment = {**config["experiment"], "parent": str(folders), "name": name}
            path.write_text(yaml.safe_dump({**config, "experiment": experiment}))
            return measure("benchmarks.library", path, **variables)

        ways: Mapping[str, Callable[[], Sample]] = {
            CLASSIC: classic,
            "run_experiment, sequential": lambda: library(config, "sequential"),
            f"run_experiment, {options.episodes} at once": lambda: library(at_once, "at_once"),
            f"service, {options.episodes} at once": lambda: measure_run(
                options.port + 1, folders / "service", at_once, **variables
            ),
        }
        samples: dict[str, Sample] = {}
        for name, play in ways.items():
            samples[name] = play()
            console.print(f"{name}: {samples[name].wall_s:.1f} s")
        title = f"{options.episodes} episodes of LunarLander with GIFs, {options.latency_ms:g} ms a reply"
        console.print(table(samples, title))
    if len({sample.steps for sample in samples.values()}) > 1:
        raise SystemExit("The ways did not play the same episodes: compare only what is given by the step.")


def table(samples: Mapping[str, Sample], title: str) -> Table:
    """A row for each way. `frames` are those of all GIFs; as many were rendered as there are steps."""
    result = Table(title=title)
    for column in ("", "steps", "wall s", "x classic", "CPU ms a step", "peak MB", "frames", "lost", "GIF MB"):
        result.add_column(column, justify="left" if not column else "right", no_wrap=True)
    for name, sample in samples.items():
        gifs = sorted(Path(sample.extra["folder"]).glob("*.gif"))
        frames = sum(count_frames(gif) for gif in gifs)
        result.add_row(
            name,
            f"{sample.steps}",
            f"{sample.wall_s:.1f}",
            f"{sample.wall_s / samples[CLASSIC].wall_s:.3f}",
            f"{sample.cpu_ms_per_step:.1f}",
            f"{sample.peak_mb:.0f}",
            f"{frames}",
            f"{sample.steps - frames}",
            f"{sum(gif.stat().st_size for gif in gifs) / 2**20:.1f}",
        )
    return result


def count_frames(gif: Path) -> int:
    """How many frames a GIF has."""
    with Image.open(gif) as image:
        return int(getattr(image, "n_frames", 1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seed10", description=__doc__)
    parser.add_argument("--backend", choices=("openai", "ollama"), default="openai")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--max-steps", type=int, help="of each episode; none: until it ends by itself")
    parser.add_argument("--fps", type=int, default=30, help="of the GIFs")
    parser.add_argument("--latency-ms", type=float, default=20.0, help="of every reply")
    parser.add_argument("--port", type=int, default=8300, help="this one and the next are used")
    return parser.parse_args()


if __name__ == "__main__":
    main()
