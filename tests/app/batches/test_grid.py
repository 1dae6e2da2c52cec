"""From what is asked for to cells."""

from typing import Any

import pytest

from app.batches.grid import cells, count
from app.batches.schemas import BatchRequest
from app.errors import InvalidRequestError
from gym_llm.config import AgentConfig

RANDOM: dict[str, Any] = {"backend": "baseline", "model": "random"}
OLLAMA: dict[str, Any] = {"backend": "ollama", "model": "m"}


def request(agents: list[Any], environments: list[Any] | None = None, **fields: Any) -> BatchRequest:
    return BatchRequest.model_validate(
        {"agents": agents, "environments": environments or [{"name": "CartPoleLLM-v1"}], **fields}
    )


def test_agents_are_outermost_and_every_run_has_the_same_experiment():
    asked = request(
        [RANDOM, "mine"],
        [{"name": "A-v0"}, {"name": "B-v0", "grid": {"gravity": [1, 2]}}],
        name="trial",
        experiment={"seed": 7, "num_runs": 3},
    )
    made = cells(asked, {"mine": AgentConfig(**OLLAMA)})
    assert [(cell.agent, cell.environment) for cell in made] == [
        (agent, environment)
        for agent in ("random", "mine")
        for environment in ("A-v0", "B-v0 (kwargs gravity=1)", "B-v0 (kwargs gravity=2)")
    ]
    assert count(asked) == len(made) == 6
    assert made[2].run.environment.kwargs == {"gravity": 2}
    assert {(cell.run.experiment.name, cell.run.experiment.seed, cell.run.experiment.num_runs) for cell in made} == {
        ("trial", 7, 3)
    }


def test_a_grid_stands_for_every_combination():
    asked = request([{**OLLAMA, "name": "careful", "grid": {"temperature": [0, 0.7], "history": [5, 10]}}])
    made = cells(asked, {})
    assert count(asked) == 4
    assert [(cell.agent, cell.run.agent.temperature, cell.run.agent.history) for cell in made] == [  # type: ignore[union-attr]
        ("careful (temperature 0, history 5)", 0, 5),
        ("careful (temperature 0, history 10)", 0, 10),
        ("careful (temperature 0.7, history 5)", 0.7, 5),
        ("careful (temperature 0.7, history 10)", 0.7, 10),
    ]
    unnamed = cells(request([{**OLLAMA, "grid": {"temperature": [0, 0.7]}}]), {})
    assert [cell.agent for cell in unnamed] == ["m (temperature 0.0)", "m (temperature 0.7)"]


@pytest.mark.parametrize(
    ("of_batch", "of_run", "each"), [(None, None, None), (5, None, 5), (None, 2, 2), (5, 2, 2), (1, 2, 1)]
)
def test_a_run_may_cost_no_more_than_the_batch(of_batch: float | None, of_run: float | None, each: float | None):
    [cell] = cells(request([RANDOM], max_cost_usd=of_batch, experiment={"max_cost_usd": of_run}), {})
    assert cell.run.experiment.max_cost_usd == each


@pytest.mark.parametrize(
    ("agents", "environments", "words"),
    [
        ([{**OLLAMA, "grid": {"temperature": [0, 3]}}], None, "agents.0.grid.temperature: Input should be less than"),
        ([RANDOM, {**OLLAMA, "grid": {"warmth": [1]}}], None, "agents.1.grid.warmth: Extra inputs"),
        ([{**OLLAMA, "grid": {"action_rate": [11]}}], None, "agents.0.grid: action_rate must be less than"),
        ([RANDOM, RANDOM], None, "agents: two of them are the same"),
        ([{**OLLAMA, "grid": {"history": [5, 5]}}], None, "agents: two of them are the same"),
        ([RANDOM], [{"name": "A-v0"}, {"name": "A-v0", "kwargs": {}}], "environments: two of them are the same"),
    ],
)
def test_what_makes_no_cells(agents: list[Any], environments: list[Any] | None, words: str):
    with pytest.raises(InvalidRequestError) as caught:
        cells(request(agents, environments), {})
    assert words in caught.value.detail


def test_the_same_agent_under_two_names_is_a_test_of_the_test():
    made = cells(request([{**OLLAMA, "name": "a"}, {**OLLAMA, "name": "b"}]), {})
    assert [cell.agent for cell in made] == ["a", "b"]
