"""run_experiment: the folder, the results, the failures."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import yaml
from PIL import Image

import gym_llm
from gym_llm.errors import ConfigError, EnvError, LLMError, OutOfTimeError
from tests.fakes import CountingEnv, FakeBackend, answer

ID = "Counting-v0"


class Moody(CountingEnv):
    """Raises when it is made to start from `broken_seed`."""

    def __init__(self, render_mode: str | None = None, length: int = 5, broken_seed: int = -1) -> None:
        super().__init__(render_mode, length)
        self.broken_seed = broken_seed

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if seed == self.broken_seed:
            raise RuntimeError("not today")
        return super().reset(seed=seed)


@pytest.fixture(autouse=True)
def registered() -> Any:
    gym.register(ID, entry_point=Moody)
    yield
    del gym.registry[ID]


def config(tmp_path: Path, environment: Any = None, **experiment: Any) -> dict[str, Any]:
    return {
        "agent": {"backend": "baseline", "model": "heuristic"},
        "environment": {"name": ID, "kwargs": environment},
        "experiment": {"parent": str(tmp_path), "name": "counting", **experiment},
    }


def test_the_folder_has_the_classic_files_and_keys(tmp_path: Path) -> None:
    results = gym_llm.run_experiment(config=config(tmp_path, seed=4, num_runs=2, save_gif=True))
    folder = tmp_path / "counting"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml",
        "results.json",
        "run_0_seed_4.gif",
        "run_0_seed_4_raw_outputs.json",
        "run_1_seed_5.gif",
        "run_1_seed_5_raw_outputs.json",
    ]
    stored = json.loads((folder / "results.json").read_text())
    assert stored == {"total_rewards": [10.0, 10.0], "total_steps": [5, 5], "avg_reward": 10.0, "avg_steps": 5.0}
    assert results == {**stored, "folder": str(folder)}
    outputs = json.loads((folder / "run_0_seed_4_raw_outputs.json").read_text())
    assert list(outputs) == ["1", "2", "3", "4", "5"]
    assert outputs["3"] == {"reflection": "After 2 steps, 2 is still the most.", "action": 2}
    with Image.open(folder / "run_0_seed_4.gif") as gif:
        assert gif.n_frames == 5  # type: ignore[attr-defined]
    assert yaml.safe_load((folder / "config.yaml").read_text())["experiment"]["seed"] == 4


def test_the_written_config_runs_again(tmp_path: Path) -> None:
    gym_llm.run_experiment(config(tmp_path, num_runs=1))
    again = gym_llm.parse_config(tmp_path / "counting" / "config.yaml")
    assert gym_llm.run_experiment(again)["total_rewards"] == [10.0]


def test_the_datetime_goes_to_the_name(tmp_path: Path) -> None:
    folder = Path(gym_llm.run_experiment(config(tmp_path, use_datetime=True))["folder"])
    assert folder.parent == tmp_path
    assert folder.name.startswith("counting_20")


def test_concurrency_changes_nothing_but_time(tmp_path: Path) -> None:
    def play(name: str, concurrency: int) -> dict[str, Any]:
        wanted = config(tmp_path, num_runs=7, name=name, concurrency=concurrency)
        wanted["agent"]["model"] = "random"
        return gym_llm.run_experiment(wanted)

    one, many = play("one", 1), play("many", 4)
    assert one["total_rewards"] == many["total_rewards"]
    assert len(set(one["total_rewards"])) > 1


def test_captions_make_the_picture_taller(tmp_path: Path) -> None:
    gym_llm.run_experiment(config(tmp_path, save_gif=True, caption=True, save_video=True))
    with Image.open(tmp_path / "counting" / "run_0_seed_0.gif") as gif:
        assert gif.n_frames == 5  # type: ignore[attr-defined]
        assert gif.width >= 480
    assert (tmp_path / "counting" / "run_0_seed_0.mp4").stat().st_size > 0


def test_a_failed_episode_is_left_out_and_told(tmp_path: Path) -> None:
    with pytest.raises(EnvError, match="reset failed: RuntimeError: not today"):
        gym_llm.run_experiment(config(tmp_path, {"broken_seed": 1}, num_runs=3))
    stored = json.loads((tmp_path / "counting" / "results.json").read_text())
    assert stored["total_rewards"] == [10.0, 10.0]


def test_a_dead_backend_keeps_what_was_played(tmp_path: Path) -> None:
    backend = FakeBackend([answer(1)] * 7 + [LLMError("gone")])
    with pytest.raises(LLMError, match="gone"):
        gym_llm.run_experiment(config(tmp_path, num_runs=3), backend=backend)
    stored = json.loads((tmp_path / "counting" / "results.json").read_text())
    assert stored["total_rewards"] == [5.0]
    unfinished = json.loads((tmp_path / "counting" / "run_1_seed_1_raw_outputs.json").read_text())
    assert list(unfinished) == ["1", "2"]


def test_time_runs_out(tmp_path: Path) -> None:
    with pytest.raises(OutOfTimeError, match="the time allowed is over"):
        gym_llm.run_experiment(config(tmp_path, {"length": 10**9}, timeout_s=0.2))
    stored = json.loads((tmp_path / "counting" / "results.json").read_text())
    assert stored == {"total_rewards": [], "total_steps": [], "avg_reward": None, "avg_steps": None}


def test_a_wrong_configuration_plays_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"experiment\.num_runs"):
        gym_llm.run_experiment(config(tmp_path, num_runs=0))
    assert not (tmp_path / "counting").exists()


def test_lines_where_there_is_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gym_llm.run_experiment(config(tmp_path, verbose=True))
    told = capsys.readouterr().out
    assert "episode 0 step 1: action 2, reward +2.00, total +2.00: After 0 steps, 2 is still the most." in told
    assert "episode 0 ended after 5 steps: total reward 10.00" in told
