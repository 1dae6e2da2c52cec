"""run_experiment: the folder, the results, the failures."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import yaml
from PIL import Image

import gym_llm
from gym_llm.backends import Reply
from gym_llm.errors import BudgetExceededError, ConfigError, EnvError, LLMError, OutOfTimeError
from tests.fakes import CountingEnv, FakeBackend, answer, obedient

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


def test_lessons_go_from_episode_to_episode_and_into_the_folder(tmp_path: Path) -> None:
    wanted = config(tmp_path, {"length": 4}, num_runs=3)
    wanted["agent"] = {"backend": "openai", "strategy": "memory", "history": 2}
    backend = FakeBackend(obedient)
    gym_llm.run_experiment(wanted, backend=backend)
    files = [tmp_path / "counting" / f"run_{episode}_seed_{episode}_lessons.json" for episode in range(3)]
    written = [json.loads(file.read_text()) for file in files]
    assert written[0]["before"] == []
    # The one that all episodes have taught is told once, in its newest place.
    *_, count = written[0]["learned"]
    assert written[1]["before"] == written[0]["learned"]
    assert written[2]["before"] == [written[0]["learned"][0], *written[1]["learned"]]
    assert written[2]["before"][-1] == count == "Count."
    for episode, lessons in enumerate(written):
        first = next(question for question in backend.questions if question.seed == episode)
        assert json.loads(first.messages[1]["content"]).get("lessons", []) == lessons["before"]
        assert (lessons["problem"], lessons["attempts"], lessons["cost_usd"]) == (None, 1, 0.5)


def test_other_strategies_write_no_lessons(tmp_path: Path) -> None:
    wanted = config(tmp_path, {"length": 3})
    wanted["agent"] = {"backend": "openai", "strategy": "plan"}
    gym_llm.run_experiment(wanted, backend=FakeBackend(obedient))
    assert not list((tmp_path / "counting").glob("*_lessons.json"))
    outputs = json.loads((tmp_path / "counting" / "run_0_seed_0_raw_outputs.json").read_text())
    assert ["plan" in output for output in outputs.values()] == [True, False, False]


def test_time_runs_out(tmp_path: Path) -> None:
    with pytest.raises(OutOfTimeError, match="the time allowed is over"):
        gym_llm.run_experiment(config(tmp_path, {"length": 10**9}, timeout_s=0.2))
    stored = json.loads((tmp_path / "counting" / "results.json").read_text())
    assert stored == {"total_rewards": [], "total_steps": [], "avg_reward": None, "avg_steps": None}


@pytest.mark.parametrize(
    ("limits", "asked", "finished", "told"),
    [
        ({"max_total_tokens": 7 * 12}, 7, 1, "max_total_tokens is 84, and 84 are used"),
        ({"max_total_tokens": 7 * 12 - 11}, 7, 1, "max_total_tokens is 73, and 84 are used"),
        ({"max_total_tokens": 5 * 12}, 5, 1, "max_total_tokens is 60, and 60 are used"),
        ({"max_cost_usd": 5.25}, 11, 2, "max_cost_usd is 5.25, and 5.5 are spent"),
    ],
)
def test_the_budget_ends_an_experiment_and_keeps_what_was_played(
    tmp_path: Path, limits: dict[str, Any], asked: int, finished: int, told: str
) -> None:
    backend = FakeBackend(lambda _: answer(1))  # 12 tokens and 0.5 USD each
    with pytest.raises(BudgetExceededError, match=told):
        gym_llm.run_experiment(config(tmp_path, num_runs=3, save_gif=True, **limits), backend=backend)
    assert len(backend.questions) == asked
    stored = json.loads((tmp_path / "counting" / "results.json").read_text())
    assert stored["total_rewards"] == [5.0] * finished
    assert len(list((tmp_path / "counting").glob("*.gif"))) >= finished


def test_a_budget_that_lasts_to_the_end_is_no_failure(tmp_path: Path) -> None:
    backend = FakeBackend(lambda _: answer(1))
    written = gym_llm.run_experiment(config(tmp_path, num_runs=2, max_total_tokens=120), backend=backend)
    assert written["total_rewards"] == [5.0, 5.0]


def test_all_episodes_draw_on_one_budget(tmp_path: Path) -> None:
    backend = FakeBackend(lambda _: answer(1))
    wanted = config(tmp_path, {"length": 1000}, num_runs=8, concurrency=8, max_total_tokens=50 * 12)
    with pytest.raises(BudgetExceededError):
        gym_llm.run_experiment(wanted, backend=backend)
    assert 50 <= len(backend.questions) <= 50 + 8


def test_a_cost_that_is_not_known_cannot_be_limited(tmp_path: Path) -> None:
    backend = FakeBackend(lambda _: Reply(answer(1)))
    with pytest.raises(BudgetExceededError, match="max_cost_usd cannot be held: the price of this model is not known"):
        gym_llm.run_experiment(config(tmp_path, max_cost_usd=1000), backend=backend)
    assert len(backend.questions) == 1
    assert gym_llm.run_experiment(config(tmp_path, max_total_tokens=1000), backend=backend)["avg_steps"] == 5


def test_repeated_actions_cost_nothing(tmp_path: Path) -> None:
    backend = FakeBackend(lambda _: answer(1))
    wanted = config(tmp_path, max_cost_usd=1.75)  # Three of the five frames are decided on.
    wanted["agent"]["action_rate"] = 2
    assert gym_llm.run_experiment(wanted, backend=backend)["avg_steps"] == 5


def test_a_wrong_configuration_plays_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"experiment\.num_runs"):
        gym_llm.run_experiment(config(tmp_path, num_runs=0))
    assert not (tmp_path / "counting").exists()


def test_lines_where_there_is_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gym_llm.run_experiment(config(tmp_path, verbose=True))
    told = capsys.readouterr().out
    assert "episode 0 step 1: action 2, reward +2.00, total +2.00: After 0 steps, 2 is still the most." in told
    assert "episode 0 ended after 5 steps: total reward 10.00" in told
