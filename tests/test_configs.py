"""The configurations that come with gym-llm."""

from pathlib import Path

import gymnasium as gym
import pytest
import yaml

import env_plugins
from app.batches.schemas import BatchRequest
from gym_llm import parse_config, run_experiment

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
BATCHES = sorted((Path(__file__).parents[1] / "configs/batches").glob("*.yaml"))
BASELINES = [path for path in CONFIGS if parse_config(path)["agent"]["backend"] == "baseline"]


def name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", CONFIGS, ids=name)
def test_each_is_valid_and_named_after_what_it_plays(path: Path) -> None:
    config = parse_config(path)
    assert config["environment"]["name"] in gym.registry
    assert config["experiment"]["name"].startswith(path.stem.removesuffix("_openai"))
    assert config["experiment"]["use_datetime"]


def test_there_are_some_for_each_plugin_and_backend() -> None:
    played = [parse_config(path) for path in CONFIGS]
    environments = {config["environment"]["name"] for config in played}
    for plugin in ("lunar_lander", "classic_control"):
        assert environments >= set(env_plugins.plugins[plugin])
    for plugin in ("toy_text", "minigrid"):
        assert environments & set(env_plugins.plugins[plugin])
    assert {config["agent"]["backend"] for config in played} == {"ollama", "openai", "baseline"}


@pytest.mark.parametrize("path", BASELINES, ids=name)
def test_each_baseline_runs(path: Path, tmp_path: Path) -> None:
    config = parse_config(path)
    config["experiment"] |= {"parent": str(tmp_path), "num_runs": 2, "max_steps": 8, "verbose": False}
    results = run_experiment(config)
    assert len(results["total_rewards"]) == 2
    gifs = list(Path(results["folder"]).glob("*.gif"))
    assert len(gifs) == (2 if config["experiment"]["save_gif"] else 0)


def batch(path: Path) -> BatchRequest:
    return BatchRequest.model_validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", BATCHES, ids=name)
def test_each_batch_is_valid_and_named_after_its_file(path: Path) -> None:
    request = batch(path)
    assert request.name == path.stem
    assert {environment.name for environment in request.environments} <= set(gym.registry)
    assert request.experiment.num_runs >= 10
    assert request.experiment.save_gif


def test_the_batches_measure_models_against_yardsticks() -> None:
    for path in BATCHES:
        sections = [agent for agent in batch(path).agents if not isinstance(agent, str)]
        played = {(agent.backend, agent.model) for agent in sections}
        assert {("baseline", "random"), ("baseline", "heuristic")} < played
        assert "ollama" in {backend for backend, _ in played}
    assert [path.stem for path in BATCHES] == ["baselines", "seed_results"]
