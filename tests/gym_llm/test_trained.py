"""Policies of reinforcement learning as baselines."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from gymnasium import spaces

import env_plugins  # noqa: F401
from gym_llm import Agent, get_env, get_env_definition, run_experiment
from gym_llm.backends import BaselineBackend
from gym_llm.errors import ConfigError
from gym_llm.trained import flat_space, flatten, train

CART_POLE = {"name": "CartPoleLLM-v1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where trained policies are. Skips where none can be trained."""
    if importlib.util.find_spec("stable_baselines3") is None:
        reason = "Stable-Baselines3 is not installed: make baselines"
        if os.environ.get("GYM_LLM_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return tmp_path_factory.mktemp("models")


def agent(model: str, folder: Path, environment: dict[str, Any] = CART_POLE) -> tuple[Agent, Any]:
    env = get_env(environment, None)
    made = Agent({"backend": "baseline", "model": model}, **get_env_definition(env), backend=BaselineBackend(folder))
    return made, env


def test_observations_become_vectors() -> None:
    space = spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Box(-1, 1, (2,)), "c": spaces.MultiBinary(2)})
    assert flat_space(space).shape == (7,)
    assert flatten(space, {"a": 1, "b": [0.5, -0.5], "c": [1, 0]}).tolist() == [0, 1, 0, 0.5, -0.5, 1, 0]


@pytest.mark.parametrize("space", [spaces.Text(5), spaces.Sequence(spaces.Discrete(2)), spaces.Dict(m=spaces.Text(3))])
def test_texts_and_lists_are_no_vectors(space: Any) -> None:
    with pytest.raises(ConfigError, match="no vector"):
        flat_space(space)


@pytest.mark.parametrize(("name", "told"), [("sb3/none", "no trained policy 'none'"), ("sb3/junk", "no zip of")])
async def test_a_file_that_is_none_is_told(tmp_path: Path, name: str, told: str) -> None:
    with zipfile.ZipFile(tmp_path / "junk.zip", "w") as junk:
        junk.writestr("hello.txt", "hello")
    playing, env = agent(name, tmp_path)
    observation, _ = env.reset(seed=0)
    with pytest.raises(ConfigError, match=told):
        await playing.act(observation)


@pytest.mark.parametrize("name", ["sb3/../secret", "sb3/", "sb3/a/b", "sb3/.hidden"])
async def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.zip").write_bytes(b"")
    playing, env = agent(name, tmp_path / "models")
    observation, _ = env.reset(seed=0)
    with pytest.raises(ConfigError, match="heuristic, random and sb3/NAME"):
        await playing.act(observation)


@pytest.mark.timeout(300)
async def test_a_trained_policy_plays_what_it_was_trained_for_and_nothing_else(folder: Path) -> None:
    train(lambda: get_env(CART_POLE, None), "ppo", 256, folder / "beginner.zip", envs=2, evaluations=1)
    playing, env = agent("sb3/beginner", folder)
    assert (await playing.backend.status()).models == ("heuristic", "random", "sb3/beginner")
    observation, _ = env.reset(seed=0)
    decisions = [await playing.act(observation) for _ in range(2)]
    assert decisions[0].action == decisions[1].action
    assert decisions[0].action in (0, 1)
    assert (decisions[0].attempts, decisions[0].cost_usd) == (0, 0.0)
    assert "% sure" in decisions[0].reflection
    playing, env = agent("sb3/beginner", folder, {"name": "MountainCarLLM-v0"})
    observation, _ = env.reset(seed=0)
    with pytest.raises(ConfigError, match="not trained for this environment"):
        await playing.act(observation)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("algorithm", "environment", "options"),
    [
        ("a2c", "CartPoleLLM-v1", {}),
        ("dqn", "CartPoleLLM-v1", {"learning_starts": 10}),
        ("sac", "Pendulum-v1", {"learning_starts": 10}),
        ("td3", "Pendulum-v1", {"learning_starts": 10}),
    ],
)
def test_every_algorithm_is_known_by_its_zip(
    folder: Path, algorithm: str, environment: str, options: dict[str, Any]
) -> None:
    from gym_llm.trained import TrainedPolicy

    path = folder / f"{algorithm}.zip"
    train(lambda: gym_make(environment), algorithm, 40, path, envs=1, evaluations=1, options=options)
    env = gym_make(environment)
    observation, _ = env.reset(seed=0)
    advice = TrainedPolicy(path).advise(observation, env.observation_space, env.action_space)
    assert env.action_space.contains(advice.action)
    assert type(TrainedPolicy(path)._model).__name__.lower() == algorithm


def test_what_cannot_be_trained_is_told(folder: Path) -> None:
    with pytest.raises(ConfigError, match="one of ppo, a2c"):
        train(lambda: get_env(CART_POLE, None), "es", 10, folder / "x.zip")
    with pytest.raises(ConfigError, match="sac can't be trained like this"):
        train(lambda: get_env(CART_POLE, None), "sac", 10, folder / "x.zip")
    with pytest.raises(ConfigError, match="wings"):
        train(lambda: get_env(CART_POLE, None), "ppo", 10, folder / "x.zip", options={"wings": 2})
    assert not (folder / "x.zip").exists()


@pytest.mark.timeout(900)
def test_a_few_minutes_of_training_balance_the_pole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYM_LLM_MODEL_DIR", str(folder))
    command = [sys.executable, "-m", "app.cli", "train-baseline", "CartPoleLLM-v1", "--algo", "ppo", "--steps", "50000"]
    trained = subprocess.run(command, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr
    assert "model: sb3/ppo_CartPoleLLM-v1" in trained.stdout
    config = {
        "agent": {"backend": "baseline", "model": "sb3/ppo_CartPoleLLM-v1"},
        "environment": CART_POLE,
        "experiment": {"parent": str(tmp_path), "num_runs": 5, "seed": 100},
    }
    assert run_experiment(config)["total_rewards"] == [500.0] * 5


def gym_make(name: str) -> Any:
    import gymnasium

    return gymnasium.make(name)
