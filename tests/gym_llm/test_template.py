"""System prompts of a user's own."""

import pytest

from gym_llm import Agent, get_env_definition
from gym_llm.config import AgentConfig, validate
from gym_llm.errors import ConfigError
from gym_llm.template import FIELDS, MAX_LENGTH, check_template, fill
from tests.fakes import CountingEnv, FakeBackend, answer


def test_fields_are_filled_in_and_doubled_braces_become_single_ones() -> None:
    template = check_template('{{"x": 1}} {goal}|{actions}{reply}|{goal} {{goal}}')
    parts = {name: name.upper() for name in FIELDS}
    assert fill(template, parts) == '{"x": 1} GOAL|ACTIONSREPLY|GOAL {goal}'


def test_what_is_filled_in_is_not_a_template_itself() -> None:
    parts = {"actions": "{goal.__class__}", "reply": "}{"}
    assert fill("{actions} {reply}", parts) == "{goal.__class__} }{"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("Fly!", "{actions} and {reply} must be in it"),
        ("{actions}", "{reply} must be in it"),
        ("{actions}{reply}{speed}", "{speed} is not one of {goal}, {observation}, {actions}, {reply}"),
        ("{actions}{reply}{goal.__class__}", "a field is not one of"),
        ("{actions}{reply}{goal[0]}", "a field is not one of"),
        ("{actions}{reply}{goal!r}", "a field is not one of"),
        ("{actions}{reply}{goal:>9999999999}", "a field is not one of"),
        ("{actions}{reply}{goal:{reply}}", "a field is not one of"),
        ("{actions}{reply}{}", "a field is not one of"),
        ("{actions}{reply}{0}", "a field is not one of"),
        ("{actions}{reply}{sk-a-secret}", "a field is not one of"),
        ('{actions}{reply}{"x": 1}', "a field is not one of"),
        ("{actions}{reply}{", "written twice"),
        ("{actions}{reply}}", "written twice"),
    ],
)
def test_refused_when_the_configuration_is_read(template: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        validate(AgentConfig, {"system_prompt": template}, "agent")
    assert str(refused.value).startswith("agent.system_prompt: ")
    assert problem in str(refused.value)
    assert "secret" not in str(refused.value)


def test_its_length_is_limited() -> None:
    rest = "{actions}{reply}"
    validate(AgentConfig, {"system_prompt": rest.rjust(MAX_LENGTH)})
    with pytest.raises(ConfigError, match=r"agent\.system_prompt: String should have at most"):
        validate(AgentConfig, {"system_prompt": rest.rjust(MAX_LENGTH + 1)}, "agent")


@pytest.mark.parametrize("strategy", ["reflect", "act", "plan", "memory"])
async def test_the_agent_uses_it_with_the_parts_of_the_built_in_prompt(strategy: str) -> None:
    def make(template: str | None) -> Agent:
        config = {"backend": "openai", "strategy": strategy, "system_prompt": template}
        return Agent(config, **get_env_definition(CountingEnv()), backend=FakeBackend([answer(1)]))

    built_in = make(None).system_prompt
    own = make("Be careful.\n{goal}\n==\n{observation}\n==\n{actions}\n==\n{reply}\n==\n{how_to_reflect}").system_prompt
    assert own.startswith("Be careful.\nEarn as much as you can.\n==\n")
    parts = own.removeprefix("Be careful.\n").split("\n==\n")
    assert len(parts) == len(FIELDS)
    assert all(part in built_in for part in parts)
    assert bool(parts[-1]) == (strategy != "act")
