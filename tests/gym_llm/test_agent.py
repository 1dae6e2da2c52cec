"""The agent: what it asks, what it makes of answers, what it does without one."""

import json
from typing import Any

import pytest

from gym_llm import Agent, get_env_definition
from gym_llm.backends import Reply, Usage
from gym_llm.errors import ConfigError, LLMError
from gym_llm.spaces import to_json
from tests.fakes import CountingEnv, FakeBackend, answer

SEEN = {"count": 0, "noise": 0.123456789}


def make(backend: FakeBackend, **config: Any) -> Agent:
    return Agent({"backend": "openai", **config}, **get_env_definition(CountingEnv()), backend=backend)


async def test_the_question_holds_goal_schemas_and_the_compact_rounded_observation() -> None:
    backend = FakeBackend([answer(2)])
    decision = await make(backend).act(SEEN)
    system, user = backend.questions[0].messages
    for told in ("Earn as much as you can.", "steps taken", "two: adds 2", '"reflection"'):
        assert told in system["content"]
    assert user == {"role": "user", "content": '{"step":1,"observation":{"count":0,"noise":0.1235}}'}
    assert (decision.reflection, decision.action, decision.outcome, decision.attempts) == ("Because.", 2, "valid", 1)
    assert decision.usage == Usage(10, 4, 2)
    assert decision.cost_usd == 0.5
    assert decision.latency_ms > 0


async def test_the_reward_since_the_last_decision_is_told() -> None:
    backend = FakeBackend([answer(0), answer(0)])
    agent = make(backend, action_rate=2)
    await agent.act(SEEN)
    await agent.act(SEEN, 1.5)
    await agent.act(SEEN, 2.0)
    assert json.loads(backend.questions[1].messages[-1]["content"])["reward"] == 3.5
    assert "reward" not in backend.questions[0].messages[-1]["content"].split("observation")[1].split("}")[1]


async def test_past_answers_go_back_to_the_letter_and_the_prefix_stays() -> None:
    spoken = '{ "action": 1,   "reflection": "Odd, but valid." }'
    backend = FakeBackend(lambda _: spoken)
    agent = make(backend, history=3)
    for _ in range(12):
        await agent.act(SEEN)
    lengths = [len(question.messages) for question in backend.questions]
    # system + newest + two a past turn; the window grows to 6 turns and falls back to 3.
    assert lengths == [2, 4, 6, 8, 10, 12, 8, 10, 12, 8, 10, 12]
    assert all(m["content"] == spoken for m in backend.questions[-1].messages if m["role"] == "assistant")
    kept = 0
    for before, after in zip(backend.questions, backend.questions[1:], strict=False):
        kept += list(after.messages[: len(before.messages)]) == list(before.messages)
    assert kept == 9  # all but the two cuts


async def test_an_invalid_reply_gets_one_repair_turn() -> None:
    backend = FakeBackend(["I would fire.", answer(1)])
    decision = await make(backend).act(SEEN)
    assert (decision.outcome, decision.action, decision.attempts) == ("repaired", 1, 2)
    assert decision.problem == "it holds no JSON object"
    assert decision.usage == Usage(20, 8, 4)
    assert decision.cost_usd == 1.0
    *_, invalid, repair = backend.questions[1].messages
    assert invalid == {"role": "assistant", "content": "I would fire."}
    assert "it holds no JSON object" in repair["content"]


async def test_the_repair_turn_is_not_kept_in_the_history() -> None:
    backend = FakeBackend(["nonsense", answer(1), answer(1)])
    agent = make(backend)
    await agent.act(SEEN)
    await agent.act(SEEN)
    contents = [message["content"] for message in backend.questions[2].messages]
    assert "nonsense" not in contents
    assert answer(1) in contents


@pytest.mark.parametrize(
    ("config", "before", "expected"),
    [
        ({}, [answer(2)], 2),  # repeats its last action
        ({}, [], 1),  # the environment's safe action
        ({"on_invalid": "random"}, [answer(2)], None),
    ],
)
async def test_a_reply_that_stays_invalid_falls_back(config: Any, before: list[str], expected: int | None) -> None:
    backend = FakeBackend([*before, answer(9), answer(-1)])
    agent = make(backend, **config)
    agent.reset(seed=4)
    for _ in before:
        await agent.act(SEEN)
    decision = await agent.act(SEEN)
    assert (decision.outcome, decision.reflection) == ("fallback", "")
    assert decision.problem == "action must be one of the integers 0 to 2, not -1"
    assert decision.action == expected if expected is not None else decision.action in (0, 1, 2)


async def test_on_invalid_fail_raises() -> None:
    with pytest.raises(LLMError, match='no valid reply after one repair turn: it has no "action"'):
        await make(FakeBackend(lambda _: '{"reflection": "hm"}'), on_invalid="fail").act(SEEN)


async def test_a_reply_cut_by_its_limit_is_its_own_problem() -> None:
    backend = FakeBackend([Reply('{"reflection": "So ma', cut="limit"), answer(0)])
    decision = await make(backend).act(SEEN)
    assert "cut off by the token limit" in (decision.problem or "")
    assert "be shorter" in backend.questions[1].messages[-1]["content"]


async def test_a_mended_fault_leaves_its_mark_on_a_valid_decision() -> None:
    backend = FakeBackend([Reply(answer(0), requests=3, problem="HTTP 429, retried after 1 s")])
    decision = await make(backend).act(SEEN)
    assert (decision.outcome, decision.attempts, decision.problem) == ("valid", 3, "HTTP 429, retried after 1 s")
    assert decision.cost_usd is None  # not known is not 0


async def test_action_rate_repeats_the_action_in_between() -> None:
    backend = FakeBackend([answer(2), answer(1)])
    agent = make(backend, action_rate=3)
    decisions = [await agent.act(SEEN) for _ in range(4)]
    assert [d.action for d in decisions] == [2, 2, 2, 1]
    assert [d.decided for d in decisions] == [True, False, False, True]
    assert decisions[1].raw_output() == {"reflection": "", "action": 2}
    assert (decisions[1].outcome, decisions[1].attempts) == (None, 0)
    assert "repeated for 3 steps" in agent.system_prompt


def test_action_rate_beyond_history_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="action_rate must be less than or equal to history"):
        make(FakeBackend([]), action_rate=4, history=3)


async def test_recalled_decisions_lead_to_the_same_next_question() -> None:
    first, second = FakeBackend([answer(2), "?", answer(1), answer(0)]), FakeBackend([answer(0)])
    played, resumed = make(first), make(second)
    decisions = [await played.act(SEEN), await played.act({**SEEN, "count": 1}, 2.0)]
    await played.act({**SEEN, "count": 2}, 1.0)
    resumed.recall(SEEN, None, decisions[0])
    resumed.recall({**SEEN, "count": 1}, 2.0, decisions[1])
    await resumed.act({**SEEN, "count": 2}, 1.0)
    assert first.questions[-1].messages == second.questions[-1].messages
    assert first.questions[-1].step == second.questions[-1].step == 3


def test_get_action_gives_the_raw_output_and_the_element() -> None:
    env = CountingEnv()
    agent = Agent({}, **get_env_definition(env), backend=FakeBackend([answer(2)]))
    observation, _ = env.reset(seed=1)
    agent.reset(seed=1)
    raw_output, action = agent.get_action(observation)
    assert raw_output == {"reflection": "Because.", "action": 2}
    assert action == 2
    assert env.action_space.contains(action)
    assert to_json(observation)["count"] == 0


async def test_get_action_works_inside_a_running_loop() -> None:
    # As in a notebook.
    agent = make(FakeBackend([answer(1)]))
    assert agent.get_action(SEEN)[1] == 1


def test_the_three_classic_arguments_are_enough() -> None:
    agent = Agent({}, {"x": {"description": "x"}}, {0: "left", 1: "right"}, "Go.", backend=FakeBackend([answer(1)]))
    assert agent.get_action({"x": 1})[1] == 1
    with pytest.raises(ConfigError, match="action_space"):
        Agent({}, {}, {"left": "goes left"}, "Go.", backend=FakeBackend([]))


def test_a_wrong_field_is_named() -> None:
    with pytest.raises(ConfigError, match=r"agent\.temperature: Input should be less than or equal to 2"):
        make(FakeBackend([]), temperature=3)
    with pytest.raises(ConfigError, match=r"agent\.temprature: Extra inputs are not permitted"):
        make(FakeBackend([]), temprature=1)
