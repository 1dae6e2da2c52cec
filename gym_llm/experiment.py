"""One configuration, played from the first episode to the last into a folder."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import yaml

from gym_llm import blocking
from gym_llm.agent import Agent
from gym_llm.backends import Backend, create_backend
from gym_llm.budget import Budget
from gym_llm.config import Config, validate
from gym_llm.env_runner import EnvRunner
from gym_llm.environments import get_env
from gym_llm.episode import Step, play
from gym_llm.errors import GymLLMError
from gym_llm.footage import Footage, wants_frames
from gym_llm.lessons import carried
from gym_llm.progress import Watcher, watcher
from gym_llm.results import CONFIG_FILE, LESSONS, RAW_OUTPUTS, RESULTS_FILE, episode_file, results
from gym_llm.schedule import play_all


def run_experiment(config: Mapping[str, Any] | Config, *, backend: Backend | None = None) -> dict[str, Any]:
    """Play all episodes of `config` and write the experiment's folder.

    The folder is `parent/name`, with the date and time appended where `use_datetime` says so. It holds `config.yaml`,
    `results.json`, and for each episode `run_<i>_seed_<s>_raw_outputs.json` and, where asked for, a GIF and an MP4;
    with the strategy `memory` also `run_<i>_seed_<s>_lessons.json`.

    Args:
        config: what `parse_config` gives, or the same as a `Config`.
        backend: what answers; by default the one that the agent's section names, with its default settings.

    Returns:
        What `results.json` holds, and `folder`, where it is.

    Raises:
        ConfigError: a field is wrong, or no such environment is registered; nothing is played.
        EnvError: an episode failed; the others were still played, and the folder holds their results.
        LLMError: the backend gave no answer; the folder holds the results of the episodes before.
        OutOfTimeError: `timeout_s` is over; likewise.
        BudgetExceededError: `max_cost_usd` or `max_total_tokens` is reached; likewise.
    """
    return blocking.run(_run(validate(Config, config), backend))


async def _run(config: Config, backend: Backend | None) -> dict[str, Any]:
    answers = backend or create_backend(config.agent.backend)
    shown = watcher(config.experiment.verbose, config.experiment.num_runs)
    with shown:
        experiment = _Experiment(config, answers, _make_folder(config), shown)
        try:
            await experiment.play_all()
        finally:
            written = experiment.write_results()
            if backend is None:
                await answers.aclose()
    if experiment.failure is not None:
        raise experiment.failure
    return written | {"folder": str(experiment.folder)}


def _make_folder(config: Config) -> Path:
    name = config.experiment.name
    if config.experiment.use_datetime:
        name += datetime.now().astimezone().strftime("_%Y-%m-%d_%H-%M-%S")
    folder = Path(config.experiment.parent) / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_text(yaml.safe_dump(config.model_dump(), sort_keys=False), encoding="utf-8")
    return folder


@dataclass
class _Experiment:
    config: Config
    backend: Backend
    folder: Path
    shown: Watcher
    last_steps: dict[int, Step] = field(default_factory=dict)
    learned: list[Sequence[str]] = field(default_factory=list)
    """Lessons of the episodes that have ended, in the order in which they ended."""
    failure: GymLLMError | None = None

    def __post_init__(self) -> None:
        self.budget = Budget(self.config.experiment)

    async def play_all(self) -> None:
        settings = self.config.experiment
        try:
            await play_all(
                range(settings.num_runs),
                self._play_episode,
                self._failed,
                concurrency=min(settings.concurrency, settings.num_runs),
                seconds=settings.timeout_s,
            )
        except GymLLMError as error:
            self.failure = self.failure or error

    async def _failed(self, episode: int, error: GymLLMError) -> None:
        self.failure = self.failure or error
        self.shown.failed(episode, error)

    async def _play_episode(self, episode: int) -> None:
        self.budget.check()
        settings = self.config.experiment
        seed = settings.seed + episode
        render_mode = "rgb_array" if wants_frames(settings, self.config.agent) else None
        env = await EnvRunner.make(lambda: get_env(self.config.environment, render_mode))
        outputs: dict[str, Any] = {}
        lessons = carried(self.learned)
        try:
            agent = Agent(self.config.agent, **env.definition, backend=self.backend)
            with Footage(settings, agent.action_schema, self.folder, episode, seed) as footage:
                steps = play(env, agent, seed=seed, episode=episode, max_steps=settings.max_steps, lessons=lessons)
                async with aclosing(steps):
                    async for step in steps:
                        outputs[str(step.step)] = step.decision.raw_output()
                        if step.frame is not None:
                            await asyncio.to_thread(footage.add, step)
                        self.shown.step(step)
                        if step.last:
                            self.last_steps[episode] = step
                            self._learn(step, seed, lessons)
                        self.budget.count(step)
        finally:
            path = self.folder / episode_file(episode, seed, RAW_OUTPUTS)
            path.write_bytes(orjson.dumps(outputs, option=orjson.OPT_INDENT_2))
            await env.close()

    def _learn(self, step: Step, seed: int, before: Sequence[str]) -> None:
        if step.lessons is not None:
            self.learned.append(step.lessons.learned)
            written = {"before": before, **step.lessons.as_json()}
            path = self.folder / episode_file(step.episode, seed, LESSONS)
            path.write_bytes(orjson.dumps(written, option=orjson.OPT_INDENT_2))

    def write_results(self) -> dict[str, Any]:
        """Write the results of the episodes that ended, in their order."""
        last = [self.last_steps[episode] for episode in sorted(self.last_steps)]
        written = results([step.total_reward for step in last], [step.step for step in last])
        (self.folder / RESULTS_FILE).write_bytes(orjson.dumps(written, option=orjson.OPT_INDENT_2))
        return written
