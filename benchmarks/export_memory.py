"""The memory of exports: each format of a small run and of a large one, each in a process of its own.

The runs are true ones of MountainCar with random actions, 200 steps an episode, written straight into SQLite: the
formats that take episodes again really do. `openai` sends prompts of ten turns, ten times the data of the others.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import gymnasium as gym
from rich.console import Console
from rich.table import Table
from uuid_utils.compat import uuid7

import env_plugins  # noqa: F401 (registers the environments)
from app.access import LOCAL
from app.bootstrap import build
from app.db import Database, now
from app.exports.selection import Selection
from app.exports.service import Format
from app.runs import repository
from app.runs.models import Run
from app.settings import Settings
from benchmarks.children import Sample, measure, play_on_command
from gym_llm.config import AgentConfig, EnvironmentConfig, ExperimentConfig
from gym_llm.spaces import digest, to_json

ENVIRONMENT = "MountainCarLLM-v0"
FORMATS: tuple[Format, ...] = ("jsonl", "parquet", "minari", "openai")
PAGE = 10_000


def settings(folder: Path) -> Settings:
    return Settings(_env_file=None, data_dir=folder)


async def write_run(folder: Path, steps: int) -> UUID:
    """Store a run of so many steps."""
    database = Database(settings(folder).database_url)
    await database.migrate()
    run = Run(
        id=uuid7(),
        owner="local",
        status="succeeded",
        agent=AgentConfig(backend="baseline", model="random").model_dump(),
        environment=EnvironmentConfig(name=ENVIRONMENT).model_dump(),
        experiment=ExperimentConfig(num_runs=10_000).model_dump(),
        backend="baseline",
        model="random",
        environment_id=ENVIRONMENT,
        losses=0,
        episodes_done=0,
        steps=steps,
        created_at=now(),
    )
    async with database.writing() as session:
        await repository.add_runs(session, [run])
    env = gym.make(ENVIRONMENT)
    rows: list[dict[str, Any]] = []
    episodes: list[dict[str, Any]] = []
    done = 0
    while done < steps:
        episode, total, number, ended = len(episodes), 0.0, 0, False
        seen, _ = env.reset(seed=episode)
        env.action_space.seed(episode)
        while not ended:
            plain, action = to_json(seen), int(env.action_space.sample())
            seen, reward, terminated, truncated, _ = env.step(action)
            ended, number, done, total = terminated or truncated, number + 1, done + 1, total + float(reward)
            rows.append(
                {
                    **{"run_id": run.id, "id": done, "episode": episode, "step": number, "observation": plain},
                    **{"digest": digest(plain), "action": action, "reward": float(reward), "terminated": terminated},
                    **{"truncated": truncated, "decided": True, "outcome": "valid", "attempts": 0, "latency_ms": 0.1},
                    **{"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "cost_usd": 0.0},
                    **{"problem": None, "reply": None, "created_at": now()},
                    "reflection": f"Step {number}: the car is in the valley and rocks to gain speed, so push on.",
                }
            )
        values = {"total_reward": total, "num_steps": number, "terminated": terminated, "truncated": truncated}
        ends = {"status": "succeeded", "done_order": episode + 1, "done_at_step": done}
        episodes.append({"run_id": run.id, "episode": episode, "seed": episode, **values, **ends})
        if len(rows) >= PAGE or done >= steps:
            async with database.writing() as session:
                await repository.add_steps(session, rows)
            rows.clear()
    async with database.writing() as session:
        await repository.add_episodes(session, episodes)
    await database.close()
    return run.id


async def export(folder: Path, run_id: UUID, format: Format) -> dict[str, Any]:
    """Export a run as the service does; how many steps and bytes that was."""
    service = build(settings(folder))
    try:
        run = await service.exports.run(LOCAL, run_id)

        async def just() -> Any:
            yield run

        with await service.exports.file(just(), format, Selection(), "benchmark") as file:
            return {"steps": run.record.progress.steps, "bytes": file.seek(0, 2)}
    finally:
        await service.database.close()


def child(arguments: argparse.Namespace) -> None:
    folder, run_id, format = arguments.child
    play_on_command(lambda: asyncio.run(export(Path(folder), UUID(run_id), format)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=1_000_000, help="of the large run")
    parser.add_argument("--small", type=int, default=20_000, help="steps of the small run")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return
    table = Table("format", "steps", "s", "us a step", "MB written", "peak MB", "growth MB")
    with tempfile.TemporaryDirectory() as folder:
        runs = [asyncio.run(write_run(Path(folder), steps)) for steps in (arguments.small, arguments.steps)]
        for format in arguments.formats:
            samples: list[Sample] = []
            for run_id in runs:
                sample = measure("benchmarks.export_memory", "--child", folder, run_id, format)
                samples.append(sample)
                growth = f"{sample.peak_mb - samples[0].peak_mb:+.0f}" if len(samples) > 1 else ""
                table.add_row(
                    *(format, f"{sample.steps:,}", f"{sample.wall_s:.1f}", f"{1e6 * sample.wall_s / sample.steps:.0f}"),
                    *(f"{sample.extra['bytes'] / 1e6:.1f}", f"{sample.peak_mb:.0f}", growth),
                )
    Console().print(table)


if __name__ == "__main__":
    main()
