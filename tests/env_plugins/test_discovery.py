"""Where plugins come from, and that a broken one is told of and breaks nothing."""

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import pytest

import env_plugins
from env_plugins._manifest import Manifest, read
from gym_llm import limits
from gym_llm.isolation.env import IsolatedEnv
from tests.plugins_apart.loading import restored

ROOT = Path(__file__).parents[2]
ENV = """
import gymnasium as gym

class Env(gym.Env):
    def __init__(self, render_mode=None, size: int = 3):
        self.render_mode = render_mode
        self.observation_space = self.action_space = gym.spaces.Discrete(size)
"""


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    with restored():
        yield


def plugin(folder: Path, name: str, id: str, *, manifest: str = "", more: str = "") -> None:
    (folder / name).mkdir(parents=True)
    register = f"gym.register(id={id!r}, entry_point='env_plugins.{name}:Env')\n"
    (folder / name / "__init__.py").write_text(f"{ENV}\n{register}{more}\n")
    if manifest:
        (folder / name / "plugin.toml").write_text(manifest)


def test_folders_of_the_operator(tmp_path: Path) -> None:
    plugin(tmp_path / "one", "red", "Red-v0")
    plugin(tmp_path / "two", "blue", "Blue-v0")
    env_plugins.use(os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "nowhere"), str(tmp_path / "two")]))
    assert (env_plugins.plugins["red"], env_plugins.plugins["blue"]) == (("Red-v0",), ("Blue-v0",))
    assert str(env_plugins.failures[str(tmp_path / "nowhere")]) == "there is no such folder"
    plugin(tmp_path / "nowhere", "green", "Green-v0")
    env_plugins.use(str(tmp_path / "nowhere"))
    assert env_plugins.plugins["green"] == ("Green-v0",)
    assert str(tmp_path / "nowhere") not in env_plugins.failures


def test_a_name_that_is_taken_is_told(tmp_path: Path) -> None:
    plugin(tmp_path / "one", "red", "Red-v0")
    plugin(tmp_path / "two", "red", "Rouge-v0")
    for _ in range(2):
        env_plugins.use(f"{tmp_path / 'one'}{os.pathsep}{tmp_path / 'two'}")
    told = f"red ({tmp_path / 'two'})"
    assert str(env_plugins.failures[told]) == f"the name is taken by the plugin in {tmp_path / 'one'}"
    assert list(env_plugins.failures) == [told]
    assert "Rouge-v0" not in gym.registry


@pytest.mark.filterwarnings("ignore:.*Overriding environment")
@pytest.mark.parametrize("manifest", ["", "isolated = true"])
def test_an_id_that_is_taken_is_told(tmp_path: Path, manifest: str) -> None:
    first = gym.registry["CartPoleLLM-v1"]
    more = "gym.register(id='Other-v0', entry_point='env_plugins.thief:Env')"
    plugin(tmp_path, "thief", "CartPoleLLM-v1", manifest=manifest, more=more)
    env_plugins.load(tmp_path)
    assert str(env_plugins.failures["thief"]) == "CartPoleLLM-v1 is registered already"
    assert gym.registry["CartPoleLLM-v1"] is first
    assert "Other-v0" not in gym.registry


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, entry_point: str, code: str) -> None:
    """Install a package, as far as Python can tell."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(code)
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[gym_llm.environments]\n{entry_point}\n")
    monkeypatch.syspath_prepend(folder)


def test_entry_points_of_installed_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registers = "import gymnasium as gym\ndef all(id='ByCall-v0'): gym.register(id, 'gymnasium:Env')\n"
    package(tmp_path, monkeypatch, "gardens", "gardens = gardens", f"{registers}all('ByImport-v0')")
    package(tmp_path, monkeypatch, "parks", "parks = parks:all", registers)
    package(tmp_path, monkeypatch, "ruins", "ruins = ruins", "raise RuntimeError('fallen')")
    package(tmp_path, monkeypatch, "fakes_a_lander", "lunar_lander = fakes_a_lander", "raise SystemExit")
    assert len(importlib.metadata.entry_points(group="gym_llm.environments")) == 4
    env_plugins._from_environment()
    assert env_plugins.plugins["gardens"] == ("ByImport-v0",)
    assert env_plugins.plugins["parks"] == ("ByCall-v0",)
    assert str(env_plugins.failures["ruins"]) == "fallen"
    assert "the name is taken" in str(env_plugins.failures["lunar_lander (fakes_a_lander)"])


def test_an_entry_point_can_be_isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"{ENV}\ndef all(): gym.register('Apart-v0', 'apart:Env')"
    package(tmp_path, monkeypatch, "apart", "apart = apart:all", code)
    (tmp_path / "apart" / "plugin.toml").write_text("isolated = true\nenv_timeout_s = 7")
    env_plugins._from_environment()
    assert env_plugins.plugins["apart"] == ("Apart-v0",), env_plugins.failures
    assert "apart" not in sys.modules
    assert limits.timeout_s("Apart-v0") == 7
    env = gym.make("Apart-v0", size=5)
    assert isinstance(env.unwrapped, IsolatedEnv)
    assert env.action_space == gym.spaces.Discrete(5)
    env.close()


def test_the_operator_isolates_a_plugin_that_is_loaded_already(tmp_path: Path) -> None:
    plugin(tmp_path, "red", "Red-v0")
    env_plugins.use(str(tmp_path))
    assert not isinstance(gym.make("Red-v0").unwrapped, IsolatedEnv)
    for _ in range(2):
        env_plugins.use(str(tmp_path), isolate=" red,another")
        assert env_plugins.plugins["red"] == ("Red-v0",)
        env = gym.make("Red-v0")
        assert isinstance(env.unwrapped, IsolatedEnv)
        env.close()
    assert not env_plugins.failures


def test_an_isolated_plugin_that_fails_is_told_of(tmp_path: Path) -> None:
    plugin(tmp_path, "a_raising", "A-v0", manifest="isolated = true", more="raise RuntimeError('no simulator here')")
    plugin(tmp_path, "b_dying", "B-v0", manifest="isolated = true", more="import os; os._exit(3)")
    plugin(tmp_path, "c_foreign", "C-v0", manifest="python = 'not/there'")
    plugin(tmp_path, "d_misspelt", "D-v0", manifest="isolatd = true")
    plugin(tmp_path, "e_good", "E-v0", manifest="isolated = true")
    env_plugins.load(tmp_path)
    told = {name: str(error) for name, error in env_plugins.failures.items()}
    assert told == {
        "a_raising": "RuntimeError: no simulator here",
        "b_dying": "its process ended with exit code 3",
        "c_foreign": f"{tmp_path / 'c_foreign/not/there'}: No such file or directory",
        "d_misspelt": "plugin.toml: isolatd: no such key; there are isolated, python and env_timeout_s",
    }
    assert env_plugins.plugins["e_good"] == ("E-v0",)


def test_a_manifest(tmp_path: Path) -> None:
    assert read(tmp_path) == Manifest()
    (tmp_path / "plugin.toml").write_text("python = '../venv'\nenv_timeout_s = 2.5")
    assert read(tmp_path) == Manifest(isolated=True, python=str(tmp_path / "../venv"), env_timeout_s=2.5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("isolated = 1", "isolated: must be true or false"),
        ("python = 3", "python: must be the path"),
        ("env_timeout_s = 0", "env_timeout_s: must be a number of seconds above 0"),
        ("env_timeout_s = true", "env_timeout_s: must be a number"),
        ("isolated = false\npython = '/x'", "isolated: an interpreter of its own"),
        ("isolated =", "Invalid value"),
    ],
)
def test_a_manifest_that_is_wrong_names_the_key(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "plugin.toml").write_text(text)
    with pytest.raises(ValueError, match=told):
        read(tmp_path)


def test_openenv_servers_are_listed_as_a_plugin() -> None:
    env_plugins.use(openenv="Echo-v0=http://127.0.0.1:9")
    env_plugins.use(openenv="Echo-v0=http://127.0.0.1:9,More-v0=http://127.0.0.1:9")
    assert env_plugins.plugins["openenv"] == ("Echo-v0", "More-v0")
    env_plugins.use(openenv="Echo-v0=nowhere")
    assert "url must be" in str(env_plugins.failures["openenv"])
    assert "Echo-v0" not in gym.registry


def test_the_command_line_looks_there_too(tmp_path: Path) -> None:
    plugin(tmp_path / "plugins", "red", "RedLLM-v0")
    (tmp_path / ".env").write_text("GYM_LLM_PLUGIN_PATH=plugins\nGYM_LLM_ISOLATE=red\nGYM_LLM_ENV_TIMEOUT_S=3\n")
    code = (
        "import env_plugins, gymnasium\n"
        "from gym_llm import limits\n"
        "made = type(gymnasium.make('RedLLM-v0').unwrapped).__name__\n"
        "print(env_plugins.plugins['red'], made, limits.timeout_s(None))"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GYM_LLM_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=kept | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "('RedLLM-v0',) IsolatedEnv 3.0\n"), done.stderr
