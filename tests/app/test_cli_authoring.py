"""Commands for authors of environments: what they write, and what they find."""

import importlib.resources
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import pytest
from hatchling.builders.wheel import WheelBuilder

import env_plugins
from app.cli.plugin_template import ENDING, PLUGIN_FILES, TEST
from gym_llm.check import check
from tests.app.commands import here as here
from tests.app.commands import invoke

ROOT = Path(__file__).parents[2]
LOADED = tuple(f"env_plugins.{name}" for name in ("cave_walk", "flawed", "broken"))


@pytest.fixture
def plugins() -> Iterator[None]:
    """One plugin; those that a test loads besides are forgotten after it."""
    ids, path = set(gym.registry), list(env_plugins.__path__)
    known = (env_plugins.plugins, env_plugins.failures)
    before = [dict(those) for those in known]
    env_plugins.failures.clear()
    env_plugins.plugins.clear()
    env_plugins.plugins["classic_control"] = before[0]["classic_control"]
    yield
    for id in gym.registry.keys() - ids:
        del gym.registry[id]
    env_plugins.__path__[:] = path
    for those, earlier in zip(known, before, strict=True):
        those.clear()
        those.update(earlier)
    for module in [module for module in sys.modules if module.startswith(LOADED)]:
        del sys.modules[module]


def write(folder: Path, name: str, code: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code)


@pytest.mark.parametrize("command", ["check-environment", "new-environment"])
def test_help_has_examples_and_exit_codes(command: str) -> None:
    code, told, _ = invoke(command, "--help")
    assert code == 0
    assert f"gym-llm {command}" in told.split("Examples:")[1]
    assert "130 interrupted" in told


def test_a_new_environment_works(here: Path, plugins: None) -> None:
    code, told, advice = invoke("new-environment", "cave_walk", "--folder", "plugins")
    assert code == 0
    assert told.splitlines() == [
        "plugins/cave_walk/__init__.py",
        "plugins/cave_walk/env.py",
        "plugins/cave_walk/README.md",
        "tests/plugins/test_cave_walk.py",
    ]
    assert advice == "Next: gym-llm check-environment CaveWalkLLM-v0 --folder plugins\n"

    env_plugins.load(here / "plugins")
    assert env_plugins.failures == {}
    assert env_plugins.plugins["cave_walk"] == ("CaveWalkLLM-v0",)
    assert [finding for finding in check("CaveWalkLLM-v0") if finding.severity == "error"] == []

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml", here / "tests" / "plugins"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "21 passed" in done.stdout

    for checked in (["check", "--ignore", "S101"], ["format", "--check"]):
        settings = ["--no-cache", "--config", ROOT / "pyproject.toml", "--config", f"src = ['{ROOT}']"]
        ruff = [sys.executable, "-m", "ruff", *checked, *settings, here]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["Cave", "cave-walk", "1cave", "class", "", "../cave", "c" * 41, "höhle"])
def test_a_bad_name_is_refused(here: Path, name: str) -> None:
    code, _, problem = invoke("new-environment", name)
    assert code == 2
    assert problem.startswith("Error: NAME: ")
    assert list(here.iterdir()) == []


def test_what_is_there_is_never_written_over(here: Path) -> None:
    (here / "env_plugins" / "cave").mkdir(parents=True)
    code, _, problem = invoke("new-environment", "cave")
    assert (code, problem) == (2, "Error: NAME: env_plugins/cave exists already\n")
    (here / "checks").mkdir()
    (here / "checks" / "test_hill.py").write_text("mine")
    code, _, problem = invoke("new-environment", "hill", "--tests", "checks")
    assert (code, problem) == (2, "Error: NAME: checks/test_hill.py exists already\n")
    assert not (here / "env_plugins" / "hill").exists()


def test_a_folder_that_cannot_be_written_is_named(here: Path) -> None:
    (here / "plugins").write_text("a file")
    code, _, problem = invoke("new-environment", "cave", "--folder", "plugins")
    assert code == 1
    assert problem.startswith("Error: plugins/cave: ")


def test_the_wheel_holds_the_templates() -> None:
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    templates = importlib.resources.files("app.cli") / "templates" / "plugin"
    for file in (*PLUGIN_FILES, TEST):
        assert (templates / f"{file}{ENDING}").is_file()
        assert f"app/cli/templates/plugin/{file}{ENDING}" in packed


def test_check_of_a_good_environment() -> None:
    code, told, _ = invoke("check-environment", "LunarLanderLLM-v3")
    assert code == 0
    assert "good" in told


def test_check_of_an_adapted_environment_warns_only() -> None:
    code, told, _ = invoke("check-environment", "BipedalWalker-v3")
    assert code == 0
    assert "warning" in told
    assert "BipedalWalkerLLM-v3" in told


FLAWED = """
import gymnasium as gym
from gymnasium.envs.classic_control import CartPoleEnv
from gym_llm.llm_env import LLMEnv

class Flawed(gym.Wrapper, LLMEnv):
    def __init__(self, render_mode=None):
        super().__init__(CartPoleEnv(render_mode=render_mode))
    def get_observation_schema(self):
        return {"state": "four numbers"}
    def get_action_schema(self):
        return {0: "left"}
    def get_goal_description(self):
        return "Balance the pole for as long as you can; each step earns 1, and a fall ends it."

gym.register("FlawedLLM-v0", Flawed, max_episode_steps=9)
"""


def test_errors_are_told_with_advice_and_exit_code_1(here: Path, plugins: None) -> None:
    write(here / "plugins", "flawed", FLAWED)
    code, told, _ = invoke("check-environment", "FlawedLLM-v0", "--folder", "plugins")
    assert code == 1
    assert "1 is not described" in told
    assert "Add it to the schema" in told


def test_all_checks_every_plugin_and_tells_those_that_do_not_load(here: Path, plugins: None) -> None:
    code, told, problems = invoke("check-environment", "--all")
    assert (code, problems) == (0, "")
    assert set(env_plugins.plugins["classic_control"]) <= set(told.replace("│", " ").split())
    write(here / "plugins", "broken", "raise RuntimeError('no licence')")
    code, _, problems = invoke("check-environment", "--all", "--folder", "plugins")
    assert code == 1
    assert problems == "plugin broken does not load: RuntimeError: no licence\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give the ID"),
        (["CartPoleLLM-v1", "--all"], "give the ID"),
        (["Nope-v0"], "environment.name"),
        (["CartPoleLLM-v1", "--folder", "nowhere"], "--folder: nowhere is no folder"),
    ],
)
def test_wrong_usage(arguments: list[str], told: str) -> None:
    code, _, problem = invoke("check-environment", *arguments)
    assert code == 2
    assert told in problem
