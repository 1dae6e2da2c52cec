"""Training the yardstick: a policy of reinforcement learning, for the baseline backend."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.exits import USAGE, CommandError

if TYPE_CHECKING:
    import gymnasium as gym


def train_baseline(
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT", show_default=False)],
    algo: Annotated[str, typer.Option(help="ppo, a2c, dqn, sac or td3.")] = "ppo",
    steps: Annotated[int, typer.Option(min=1, help="Of all environments together.")] = 100_000,
    name: Annotated[
        str | None,
        typer.Option(
            help="One for several environments: sb3/NAME plays each with the policy trained for it; "
            "default: ALGO_ENVIRONMENT, for this one.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    envs: Annotated[int, typer.Option(min=1, help="Played at the same time.")] = 8,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the algorithm, as n_steps=64.", show_default=False)
    ] = None,
) -> None:
    """Train a policy with Stable-Baselines3 (extra `sb3`), to play as a baseline beside language models.

    Examples:

    \b
    gym-llm train-baseline CartPoleLLM-v1 --algo ppo --steps 50000
    gym-llm train-baseline LunarLanderLLM-v3 --steps 500000 --option gamma=0.999
    gym-llm train-baseline FrozenLakeLLM-v1 --name ppo   # sb3/ppo plays whatever was trained under this name
    """
    model, path, reward = _train(environment, algo, steps, name, seed, envs, option or [])
    typer.echo(f"{path}: mean reward {reward:.1f} in its best evaluation. Play it:")
    typer.echo(f"agent: {{backend: baseline, model: {model}}}")


def _train(
    environment: str, algorithm: str, steps: int, name: str | None, seed: int, envs: int, options: list[str]
) -> tuple[str, Path, float]:
    # The model name for configurations, the file, and the mean reward of the best look.
    import env_plugins  # noqa: F401 - registers the environments
    from app.cli.configured import read_settings
    from gym_llm.environments import get_env
    from gym_llm.errors import ConfigError
    from gym_llm.trained import NAME, train, unseen

    stem = name or f"{algorithm}_{environment.replace('/', '_')}"
    if not re.fullmatch(NAME, stem):
        raise CommandError(f"--name {stem:.80}: letters, digits, dots, hyphens and underscores only", USAGE)
    models = read_settings().model_dir
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(f"{algorithm} on {environment}", total=steps)

        def progress(done: int, best: float) -> None:
            told = f", best mean reward {best:.1f}" if best > -math.inf else ""
            bar.update(task, completed=done, description=f"{algorithm} on {environment}{told}")

        def make() -> "gym.Env[Any, Any]":
            return get_env({"name": environment}, None)

        try:
            with make() as env:
                assert env.spec is not None  # noqa: S101 - it comes from the registry
                # Other than asked for where a plugin describes that: `CartPoleLLM-v1` for `CartPole-v1`.
                path = models / (f"{stem}.zip" if name is None else f"{name}/{env.spec.id}.zip")
                left_out = unseen(env.observation_space)
            if left_out:
                typer.echo(f"It sees no texts, so none of these fields: {', '.join(left_out)}", err=True)
            reward = train(
                make,
                algorithm,
                steps,
                path,
                seed=seed,
                envs=envs,
                options=dict(_option(option) for option in options),
                progress=progress,
            )
        except ConfigError as error:
            raise CommandError(str(error), USAGE) from None
    return f"sb3/{stem}", path, reward


def _option(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise CommandError(f"--option {text}: give it as NAME=VALUE", USAGE)
    return name, yaml.safe_load(value)
