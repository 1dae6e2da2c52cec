"""Ways of thinking: what each asks for, what it keeps in view, and what is left of it after an interruption."""

import json
from typing import Any

import pytest

from gym_llm import Agent, get_env_definition
from gym_llm.backends import BaselineBackend, Question, Reply, Usage
from gym_llm.config import AgentConfig
from gym_llm.decision import Decision
from gym_llm.errors import LLMError
from gym_llm.strategies import STRATEGIES
from gym_llm.strategies.base import Ending
from tests.fakes import CountingEnv, FakeBackend, answer, asks_for, obedient

ENDING = Ending(steps=9, total_reward=4.5, truncated=False, success=True)


def make(backend: Any, **config: Any) -> Agent:
    return Agent({"backend": "openai", **config}, **get_env_definition(CountingEnv()), backend=backend)


def seen(step: int) -> dict[str, Any]:
    return {"count": step, "noise": 0.5}


async def play(agent: Agent, steps: int, start: int = 0) -> list[Decision]:
    return [await agent.act(seen(step), 1.0 if step else None) for step in range(start, start + steps)]


def oldest(question: Question) -> dict[str, Any]:
    """The oldest turn that a question shows."""
    return dict(json.loads(question.messages[1]["content"]))


def said(**values: Any) -> str:
    return json.dumps(values)


def test_every_strategy_of_the_configuration_is_there() -> None:
    assert list(STRATEGIES) == list(AgentConfig.model_json_schema()["properties"]["strategy"]["enum"])


async def test_act_asks_for_the_action_alone() -> None:
    backend = FakeBackend(['{"action": 2}', '{"reflection": "Hm.", "action": 1}', "2", "2", '{"action": 0}'])
    agent = make(backend, strategy="act")
    decisions = await play(agent, 4)
    assert [decision.raw_output() for decision in decisions] == [
        {"reflection": "", "action": action} for action in (2, 1, 1, 0)
    ]
    assert list(backend.questions[0].reply_schema["properties"]) == ["action"]
    assert "eflect" not in agent.system_prompt
    assert 'exactly one key:\n1. "action"' in agent.system_prompt
    replies = [message["content"] for message in backend.questions[-1].messages if message["role"] == "assistant"]
    assert replies == ['{"action": 2}', '{"reflection": "Hm.", "action": 1}', '{"action":1}']


async def test_a_plan_stays_in_view_when_the_turn_that_made_it_is_gone() -> None:
    plans = {1: "first", 5: "second", 6: "third"}
    backend = FakeBackend(lambda q: said(reflection="r", plan=plans.get(q.step), action=0))
    agent = make(backend, strategy="plan", history=2)
    decisions = await play(agent, 9)
    assert [decision.notes.get("plan") for decision in decisions] == [plans.get(step) for step in range(1, 10)]
    assert decisions[4].raw_output() == {"reflection": "r", "action": 0, "plan": "second"}
    # Cut before the 5th, the 7th and the 9th decision, to the turns 3, 5 and 7 as the oldest.
    told = [(oldest(question)["step"], oldest(question).get("plan")) for question in backend.questions]
    assert told == [(1, None)] * 4 + [(3, "first")] * 2 + [(5, "first")] * 2 + [(7, "third")]


async def test_a_plan_must_be_told_of_and_is_bounded() -> None:
    backend = FakeBackend([said(reflection="r", action=0), said(reflection="r", plan="x" * 5000, action=0)])
    (decision,) = await play(make(backend, strategy="plan"), 1)
    assert (decision.outcome, decision.problem, len(decision.notes["plan"])) == ("repaired", 'it has no "plan"', 600)
    (decision,) = await play(make(FakeBackend(lambda _: said(reflection="r", plan=3, action=0)), strategy="plan"), 1)
    assert decision.problem == '"plan" must be a string or null'


async def test_memory_sums_up_what_falls_out_of_the_window() -> None:
    backend = FakeBackend(obedient)
    agent = make(backend, strategy="memory", history=3)
    decisions = await play(agent, 10)
    asked = [asks_for(question) for question in backend.questions]
    assert asked == ["action"] * 6 + ["summary"] + ["action"] * 3 + ["summary"] + ["action"]
    summed_up, after = backend.questions[6:8]
    # Sees all that will be forgotten, after the very prefix that the provider has cached.
    assert list(summed_up.messages[:-2]) == list(backend.questions[5].messages)
    assert "forgotten" in summed_up.messages[-1]["content"]
    assert oldest(after)["step"] == 4
    assert oldest(after)["summary"] == decisions[6].notes["summary"]
    assert list(after.messages[:-1]) == list(backend.questions[8].messages[: len(after.messages) - 1])
    assert oldest(backend.questions[-1])["summary"] == decisions[9].notes["summary"] != decisions[6].notes["summary"]
    assert [decision.attempts for decision in decisions] == [1] * 6 + [2, 1, 1, 2]
    assert decisions[6].usage == Usage(20, 8, 4)
    assert decisions[6].cost_usd == 1.0


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (LLMError("openai: HTTP 500"), "no summary: openai: HTTP 500"),
        ("What?", "no summary: it holds no JSON object"),
        (said(summary=" "), 'no summary: "summary" must be a string that says something'),
        (said(summary=["a"]), 'no summary: "summary" must be a string that says something'),
        (Reply('{"summary": "So', cut="limit"), "no summary: it was cut off by the token limit"),
    ],
)
async def test_a_summary_that_fails_is_kept_out_and_told(reply: Any, problem: str) -> None:
    summaries = iter([said(summary="The first one."), reply])
    backend = FakeBackend(lambda q: next(summaries) if asks_for(q) == "summary" else answer(1))
    decisions = await play(make(backend, strategy="memory", history=1), 4)
    assert [decision.outcome for decision in decisions] == ["valid"] * 4
    assert (decisions[3].problem or "").startswith(problem)
    assert decisions[3].notes == {}
    assert oldest(backend.questions[-1])["summary"] == "The first one."


async def test_a_failing_decision_still_raises() -> None:
    with pytest.raises(LLMError, match="gone"):
        await play(make(FakeBackend([LLMError("gone")]), strategy="memory"), 1)


async def test_lessons_are_asked_for_at_the_end_and_shown_in_the_next_episode() -> None:
    backend = FakeBackend(obedient)
    agent = make(backend, strategy="memory", history=3)
    await play(agent, 9)
    system = agent.system_prompt
    lessons = await agent.conclude(seen(9), 2.0, ENDING)
    assert lessons is not None
    question = backend.questions[-1]
    assert asks_for(question) == "lessons"
    told, _, request = question.messages[-1]["content"].partition("\n")
    assert json.loads(told) == {"step": 10, "observation": {"count": 9, "noise": 0.5}, "reward": 2.0}
    assert '{"steps":9,"total_reward":4.5,"ended_by":"environment","success":true}' in request
    assert (len(lessons.learned), lessons.attempts, lessons.usage, lessons.cost_usd) == (2, 1, Usage(10, 4, 2), 0.5)
    assert lessons.latency_ms > 0

    agent.reset(seed=1, lessons=lessons.learned)
    await play(agent, 8)
    assert agent.system_prompt == system
    of_second = backend.questions[-9:]
    assert all(oldest(question)["lessons"] == list(lessons.learned) for question in of_second)
    assert "summary" in oldest(of_second[-1])


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (LLMError("gone"), "no lessons: gone"),
        ("Never again.", "no lessons: it holds no JSON object"),
        (said(lessons="Never again."), 'no lessons: "lessons" must be a list of strings'),
        (said(lessons=[1]), 'no lessons: "lessons" must be a list of strings'),
    ],
)
async def test_lessons_that_fail_are_kept_out_and_told(reply: Any, problem: str) -> None:
    backend = FakeBackend([answer(1), reply])
    agent = make(backend, strategy="memory")
    await play(agent, 1)
    lessons = await agent.conclude(seen(1), 1.0, ENDING)
    assert lessons is not None
    assert (lessons.learned, lessons.problem) == ((), problem)


async def test_lessons_are_few_and_short() -> None:
    backend = FakeBackend([answer(1), said(lessons=["x" * 900, " ", "a\n b", "c", "d"])])
    agent = make(backend, strategy="memory")
    await play(agent, 1)
    lessons = await agent.conclude(seen(1), 1.0, ENDING)
    assert lessons is not None
    assert list(lessons.learned) == ["x" * 200, "a b", "c"]


@pytest.mark.parametrize("strategy", ["reflect", "act", "plan"])
async def test_the_others_ask_nothing_beside(strategy: str) -> None:
    backend = FakeBackend(obedient)
    agent = make(backend, strategy=strategy, history=1)
    agent.reset(lessons=["not for me"])
    await play(agent, 6)
    assert await agent.conclude(seen(6), 1.0, ENDING) is None
    assert [asks_for(question) for question in backend.questions] == ["action"] * 6
    assert "not for me" not in str(backend.questions)


@pytest.mark.parametrize("action_rate", [1, 3])
@pytest.mark.parametrize("strategy", list(STRATEGIES))
async def test_recalled_decisions_lead_to_the_same_questions(strategy: str, action_rate: int) -> None:
    config = {"strategy": strategy, "history": 2 * action_rate, "action_rate": action_rate}
    lessons = ["Wait first."]
    first = FakeBackend(obedient)
    played = make(first, **config)
    played.reset(3, lessons)
    decisions = await play(played, 24)
    ended = await played.conclude(seen(24), 1.0, ENDING)
    for interrupted in range(1, 22):
        second = FakeBackend(obedient)
        resumed = make(second, **config)
        resumed.reset(3, lessons)
        for step in range(interrupted):
            prompt = resumed.recall(seen(step), 1.0 if step else None, decisions[step])
            sent = [q.messages for q in first.questions if (q.step, asks_for(q)) == (step + 1, "action")]
            assert prompt == (sent[0] if decisions[step].decided else None)
        await play(resumed, 24 - interrupted, start=interrupted)
        again = await resumed.conclude(seen(24), 1.0, ENDING)
        assert (again and again.learned) == (ended and ended.learned)
        assert second.questions
        asked_before = len(first.questions) - len(second.questions)
        assert [q.messages for q in second.questions] == [q.messages for q in first.questions[asked_before:]]


@pytest.mark.parametrize("strategy", list(STRATEGIES))
async def test_the_prefix_changes_only_where_the_window_is_cut(strategy: str) -> None:
    backend = FakeBackend(obedient)
    await play(make(backend, strategy=strategy, history=5), 40)
    changes = 0
    for before, after in zip(backend.questions, backend.questions[1:], strict=False):
        changes += list(after.messages[: len(before.messages)]) != list(before.messages)
    # 40 turns: full after 10, then every 5. A summary is asked for in the place of the next observation.
    assert changes == 6


@pytest.mark.parametrize("strategy", list(STRATEGIES))
async def test_baselines_think_in_their_own_way(strategy: str) -> None:
    agent = Agent(
        {"backend": "baseline", "model": "heuristic", "strategy": strategy, "history": 1},
        **get_env_definition(CountingEnv()),
        backend=BaselineBackend(),
    )
    decisions = await play(agent, 5)
    assert {(decision.outcome, decision.action, bool(decision.reflection)) for decision in decisions} == {
        ("valid", 2, True)
    }
    assert await agent.conclude(seen(5), 1.0, ENDING) is None
