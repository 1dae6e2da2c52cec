"""From runs to a report."""

from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from app.artifacts.report.build import batch_report, compare
from app.artifacts.report.labels import labels
from app.artifacts.report.model import BatchReport
from app.artifacts.report.rows import ReportedRun
from tests.app.artifacts.report.runs_reported import HEURISTIC, NOW, RANDOM, lander_batch, llm, run


def report(*runs: ReportedRun) -> BatchReport:
    return batch_report(runs, title="T", created_at=NOW)


def test_a_cell_is_one_agent_in_one_environment_however_many_runs_it_has():
    made = report(run(1, RANDOM, [1.0, 2.0]), run(2, HEURISTIC, [9.0]), run(3, RANDOM, [3.0]))
    [environment] = made.environments
    assert [(cell.agent, cell.statistics.n) for cell in environment.cells] == [("random", 3), ("heuristic", 1)]
    assert environment.cells[0].runs == [UUID(int=1), UUID(int=3)]
    assert [episode.run_id.int for episode in environment.cells[0].episodes] == [1, 1, 3]


def test_the_figures_are_those_of_scipy():
    made = lander_batch()
    lander = made.environments[0]
    drawn = np.random.default_rng(7)
    random = drawn.normal(-180, 90, 20).round(2)
    found = lander.cells[0].statistics
    assert found.avg_reward == pytest.approx(random.mean())
    expected = stats.bootstrap((np.sort(random),), np.mean, method="percentile", rng=np.random.default_rng(0))
    assert found.bootstrap_ci95 == pytest.approx(tuple(expected.confidence_interval))
    assert lander.random == found.avg_reward
    heuristic = lander.cells[1].statistics
    assert heuristic.avg_reward is not None
    assert heuristic.progress == pytest.approx((heuristic.avg_reward - random.mean()) / (200 - random.mean()))


def test_agents_are_compared_in_their_own_environment_only():
    made = lander_batch()
    assert [len(environment.comparisons) for environment in made.environments] == [6, 3]
    assert {found.pairs for found in made.environments[0].comparisons if "llama3.1" in (found.first, found.second)} == {
        19
    }


def test_other_arguments_are_another_environment():
    windy = {"name": "LunarLanderLLM-v3", "kwargs": {"enable_wind": True}}
    made = report(run(1, RANDOM, [1.0]), run(2, RANDOM, [2.0], environment=windy), run(3, RANDOM, [3.0], max_steps=50))
    assert [environment.name for environment in made.environments] == [
        "LunarLanderLLM-v3 (kwargs default, max_steps default)",
        "LunarLanderLLM-v3 (kwargs enable_wind=True, max_steps default)",
        "LunarLanderLLM-v3 (kwargs default, max_steps 50)",
    ]
    assert all(environment.comparisons == [] for environment in made.environments)


def test_no_kwargs_and_empty_kwargs_are_the_same_environment():
    empty = {"name": "LunarLanderLLM-v3", "kwargs": {}}
    assert len(report(run(1, RANDOM, [1.0]), run(2, HEURISTIC, [1.0], environment=empty)).environments) == 1


def test_runs_side_by_side_are_agents_of_their_own():
    made = compare([run(1, RANDOM, [1.0, 5.0]), run(2, RANDOM, [2.0, 3.0])], created_at=NOW)
    [environment] = made.environments
    assert [cell.agent for cell in environment.cells] == ["random #1", "random #2"]
    [found] = environment.comparisons
    assert (found.first, found.second, found.mean_difference) == ("random #1", "random #2", 0.5)
    assert made.id is None
    assert made.configuration == {"runs": [str(UUID(int=1)), str(UUID(int=2))]}


def test_failures_are_told_once_each():
    broken: dict[str, Any] = {"status": "failed", "error": {"code": "llm_error", "message": "no answer"}}
    lost: dict[str, Any] = {"status": "failed", "error": {"code": "worker_lost", "message": "three times"}}
    made = report(run(1, RANDOM, [1.0, None], **broken), run(2, HEURISTIC, [], **lost))
    assert [(failure.agent, failure.seed, failure.error.code) for failure in made.failures] == [
        ("random", 1, "llm_error"),
        ("heuristic", None, "worker_lost"),
    ]
    assert made.environments[0].cells[0].statistics.episodes == {"succeeded": 1, "failed": 1}


@pytest.mark.parametrize(("status", "complete"), [("succeeded", True), ("cancelled", True), ("running", False)])
def test_a_report_says_whether_it_is_complete(status: str, complete: bool):
    assert report(run(1, RANDOM, [1.0], status=status)).complete is complete


def test_nothing_makes_an_empty_report():
    made = report()
    assert (made.environments, made.failures) == ([], [])


def test_the_typical_episode_is_the_one_at_the_median():
    played = run(1, RANDOM, [5.0, 100.0, None, 7.0])
    [cell] = report(played).environments[0].cells
    assert cell.typical is not None
    assert (cell.typical.seed, cell.typical.gif) == (3, "gifs/1/3.gif")
    bare = played.model_copy(update={"episodes": [each.model_copy(update={"gif": None}) for each in played.episodes]})
    assert report(bare).environments[0].cells[0].typical is None


def test_progress_is_measured_from_the_first_random_agent():
    slow = {**RANDOM, "action_rate": 4}
    made = report(run(1, {**RANDOM, "action_rate": 1}, [10.0]), run(2, slow, [20.0]))
    assert made.environments[0].random == 10.0
    assert report(run(1, HEURISTIC, [10.0])).environments[0].random is None


@pytest.mark.parametrize(
    ("agents", "expected"),
    [
        ([llm("a"), llm("b")], ["a", "b"]),
        ([llm("a"), llm("a", temperature=1.0)], ["a (temperature 0.2)", "a (temperature 1.0)"]),
        ([llm("a", temperature=None), llm("a"), llm("b")], ["a (temperature default)", "a (temperature 0.2)", "b"]),
        ([llm("a"), llm("a", backend="openai")], ["a (backend ollama)", "a (backend openai)"]),
        ([llm("a"), llm("a")], ["a #1", "a #2"]),
        ([llm("a"), llm("a"), llm("a #1")], ["a #2", "a #3", "a #1"]),
    ],
)
def test_no_two_labels_are_alike(agents: list[dict[str, Any]], expected: list[str]):
    assert labels(agents, "model") == expected


def test_a_name_of_its_own_is_kept():
    made = report(run(1, llm("a"), [1.0], agent_name="mine"), run(2, llm("a"), [2.0]))
    assert [cell.agent for cell in made.environments[0].cells] == ["mine", "a"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "JavaScript:x", "file:///etc/passwd"])
def test_only_addresses_of_the_web_are_linked(address: str):
    episode = {"episode": 0, "seed": 0, "total_reward": 1.0, "num_steps": 1, "gif": address}
    with pytest.raises(ValidationError, match="gif"):
        run(1, RANDOM, [], episodes=[episode])


def test_a_report_survives_json():
    made = lander_batch()
    assert BatchReport.model_validate_json(made.model_dump_json()) == made


def test_the_documented_example_is_a_report():
    [example] = BatchReport.model_json_schema()["examples"]
    assert BatchReport.model_validate(example).environments[0].cells[0].statistics.n == 2
