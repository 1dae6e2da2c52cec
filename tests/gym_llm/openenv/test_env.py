"""Environments on OpenEnv servers: played like any other, and every fault of a server is that of the episode."""

from collections.abc import Iterator

import gymnasium as gym
import pytest

from gym_llm import Agent, get_env_definition, limits
from gym_llm.backends import Question
from gym_llm.env_runner import EnvRunner
from gym_llm.episode import Step, play
from gym_llm.errors import EnvError
from gym_llm.openenv import register_servers
from gym_llm.spaces import draw, json_schema
from tests.fakes import FakeBackend, answer
from tests.gym_llm.openenv.server import openenv

ID = "GuessOpenEnv-v0"


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    kept = dict(gym.registry)
    yield
    gym.registry.clear()
    gym.registry.update(kept)
    limits.set_default(limits.DEFAULT_S)


def guess(question: Question) -> str:
    """Count upwards, as long as it is higher."""
    return answer({"guess": question.step - 1})


async def episode(seed: int = 2) -> list[Step]:
    runner = await EnvRunner.make(lambda: gym.make(ID))
    try:
        agent = Agent({"model": "fake"}, **runner.definition, backend=FakeBackend(guess))
        return [step async for step in play(runner, agent, seed=seed)]
    finally:
        await runner.close()


@pytest.mark.parametrize("websocket", [True, False])
async def test_an_episode(websocket: bool) -> None:
    with openenv(websocket=websocket) as served:
        register_servers(f"{ID}={served.url}/")
        steps = await episode()
        assert [step.decision.action for step in steps] == [{"guess": 0}, {"guess": 1}, {"guess": 2}]
        assert [step.reward for step in steps] == [-0.1, -0.1, 1.0]
        assert [step.observation["hint"] for step in steps] == ["none", "higher", "higher"]
        assert (steps[-1].next_observation, steps[-1].terminated) == ({"hint": "right", "guesses": 3}, True)
        asked = served.asked
        assert asked[0] == ("reset", {"seed": 2})
        assert asked[1] == ("step", {"guess": 0} if websocket else {"action": {"guess": 0}})
        assert len(asked) == 4


async def test_each_environment_has_its_own_session_from_its_first_reset_on() -> None:
    with openenv() as served:
        register_servers(f"{ID}={served.url}")
        runners = [await EnvRunner.make(lambda: gym.make(ID)) for _ in range(3)]
        assert served.sessions == 0
        seen = [(await runner.reset(0), await runner.step({"guess": 3}, 1))[1].plain for runner in runners]
        assert seen == [{"hint": "lower", "guesses": 1}] * 3
        assert served.sessions == 3
        for runner in runners:
            await runner.close()


async def test_definition_and_spaces_come_from_the_server() -> None:
    with openenv() as served:
        register_servers(f"{ID}={served.url}")
        env = gym.make(ID)
        definition = get_env_definition(env)
        assert definition["goal_description"] == "Guess a number from 0 to 9.\n\nA guess."
        assert definition["observation_schema"] == {
            "hint": {"description": "Where it lies.", "type": "string", "values": "higher, lower, right, none"},
            "guesses": {"description": "Guesses", "type": "integer"},
        }
        assert definition["action_schema"]["guess"] == "The number you guess. integer"
        assert set(json_schema(env.action_space)["properties"]) == {"guess", "note"}
        for step in range(20):
            assert 0 <= draw(env.action_space, 0, step)["guess"] <= 9
        assert env.spec is not None
        assert env.spec.nondeterministic
        env.close()


async def test_a_server_without_schema_takes_any_object() -> None:
    with openenv(schema=False) as served:
        register_servers(f"{ID}={served.url}")
        env = gym.make(ID)
        assert json_schema(env.action_space) == {"type": "object"}
        env.close()
        assert len(await episode()) == 3


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("redirect", "cannot be made: the server answered HTTP 307 to /schema"),
        ("huge", "cannot be made: the server's answer to /schema is larger than 16,777,216 bytes"),
        ("no JSON", "cannot be made: the server's answer to /schema is not JSON"),
        ("no schema", "cannot be made: the server's /schema: not a JSON Schema"),
        ("full", r"reset failed: the server says: Server at capacity: 1/1 sessions active \(CAPACITY_REACHED\)"),
        ("hang", r"step 1 failed: no answer from the server within 0.5 s \(env_timeout_s\)"),
        ("drop", "step 1 failed: the connection to the server ended: ConnectionClosed"),
        ("error", r"step 1 failed: the server says: no \(EXECUTION_ERROR\)"),
        ("nonsense", "step 1 failed: the server's answer holds no observation"),
        ("nan", "step 1: the reward is nan"),
        ("outside", "step 1: observation is outside its space"),
    ],
)
async def test_a_fault_of_the_server(fault: str, told: str) -> None:
    with openenv(fault=fault) as served:
        register_servers(f"{ID}={served.url}")
        limits.set_default(0.5 if fault == "hang" else 30)
        with pytest.raises(EnvError, match=told):
            await episode()


async def test_a_fault_over_plain_http() -> None:
    with openenv(websocket=False, fault="500") as served:
        register_servers(f"{ID}={served.url}")
        with pytest.raises(EnvError, match="step 1 failed: the server answered HTTP 500 to /step"):
            await episode()


async def test_a_redirected_session_is_not_followed() -> None:
    with openenv() as elsewhere, openenv(fault=elsewhere.url.replace("http", "ws") + "/ws") as served:
        register_servers(f"{ID}={served.url}")
        with pytest.raises(EnvError, match="reset failed: the server can't be reached: ValueError"):
            await episode()
        assert elsewhere.asked == []


async def test_a_server_that_is_down_is_tried_again() -> None:
    with openenv() as served:
        url = served.url
    register_servers(f"{ID}={url}")
    with pytest.raises(EnvError, match="cannot be made: the server can't be reached: ConnectError"):
        await episode()


def test_no_argument_replaces_the_address() -> None:
    with openenv() as served:
        register_servers(f"{ID}={served.url}")
        for name in ("url", "id", "_server"):
            with pytest.raises(TypeError):
                gym.make(ID, **{name: "http://127.0.0.1:9"})
