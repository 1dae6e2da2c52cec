"""Processes of environments: which interpreter they are, and that they never outlive us."""

import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import gymnasium as gym
import pytest

from gym_llm.errors import EnvError
from gym_llm.isolation.env import load
from gym_llm.isolation.process import ChildProcess, Program
from tests.plugins_apart.loading import APART

ROOT = Path(__file__).parents[3]
ALL_IT_NEEDS = ("gymnasium", "numpy", "numpy.libs", "cloudpickle", "farama_notifications", "typing_extensions.py")
STARTS_ONE = """
import os, sys
import env_plugins
env_plugins.load({folder!r})
import gymnasium as gym
env = gym.make("WallsLLM-v0", way="{way}", at=1)
_, info = env.reset(seed=0)
print(info["pid"], flush=True)
{then}
"""


def alive(pid: int) -> bool:
    """Whether a process that is not ours, and may wait to be reaped by somebody else, still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("way", "then"), [("", "env.step(0); sys.stdin.read()"), ("hold", "env.step(0)")])
def test_it_ends_when_we_are_killed(way: str, then: str) -> None:
    code = STARTS_ONE.format(folder=str(APART), way=way, then=then)
    ours = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    with ours:
        assert ours.stdout is not None
        lines = iter(ours.stdout.readline, "")
        pid = int(next(lines))
        assert alive(pid)
        time.sleep(0.2)  # Until it is in its step.
        ours.kill()
    until_ended(pid)


def test_it_ends_with_us() -> None:
    code = STARTS_ONE.format(folder=str(APART), way="", then="sys.exit()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    until_ended(int(done.stdout))


def until_ended(pid: int) -> None:
    for _ in range(600):
        if not alive(pid):
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the process outlived us")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that has nothing but Gymnasium, and what Gymnasium needs."""
    folder = tmp_path_factory.mktemp("foreign")
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    installed = Path(gym.__file__).parents[1]
    for name in ALL_IT_NEEDS:
        if (installed / name).exists():
            (packages / name).symlink_to(installed / name)
    return folder


PLUGIN = """
import importlib.util, sys
import gymnasium as gym
from gym_llm import LLMEnv
from gym_llm.llm_env import Advice, LLMEnv as same
assert same is LLMEnv and Advice
for name in ("pydantic", "openai", "app", "tests", "yaml"):
    assert importlib.util.find_spec(name) is None, name
place = sys.prefix.rpartition('/')[2].title()
gym.register(id=f"In{place}-v0", entry_point="gymnasium.envs.classic_control:CartPoleEnv")
"""


@pytest.mark.parametrize("python", ["", "bin/python"])
def test_it_may_be_another_interpreter(foreign: Path, tmp_path: Path, python: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/__init__.py").write_text(PLUGIN)
    program = Program("elsewhere", "env_plugins.elsewhere", folders=(str(tmp_path),), python=str(foreign / python))
    child = ChildProcess(program)
    told = load(child, program, 60)
    child.kill()
    assert [entry["id"] for entry in told["environments"]] == [f"In{foreign.name.title()}-v0"]
    assert told["versions"]["gymnasium"] == gym.__version__


def test_an_interpreter_that_is_not_there_says_so() -> None:
    with pytest.raises(EnvError, match="/nowhere/python: No such file or directory"):
        ChildProcess(Program("x", "env_plugins.x", python="/nowhere/python"))


def test_an_interpreter_without_gymnasium_says_so(tmp_path: Path) -> None:
    venv.create(tmp_path, symlinks=True)
    program = Program("x", "env_plugins.x", python=str(tmp_path))
    with pytest.raises(
        EnvError, match=r"exit code 1; it said last: .*ModuleNotFoundError: No module named 'gymnasium'"
    ):
        load(ChildProcess(program), program, 60)
