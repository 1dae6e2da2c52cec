"""Which ids a request may name, what it may say of them, and what is listed."""

from typing import Any, Literal

import gymnasium as gym
import httpx
import pytest
from gymnasium.envs.registration import EnvSpec
from pydantic import ValidationError

from app.environments import known
from app.environments.arguments import arguments
from app.environments.catalog import Catalog
from app.errors import InvalidRequestError
from gym_llm.config import EnvironmentConfig
from gym_llm.errors import EnvError
from tests.app.running import body, play


def check(name: str, **kwargs: Any) -> None:
    Catalog().check(EnvironmentConfig(name=name, kwargs=kwargs))


@pytest.mark.parametrize("id", ["Acrobot-v1", "Pendulum-v1", "FrozenLake-v1", "Taxi-v4", "CarRacing-v3", "CartPole-v0"])
def test_every_id_of_gymnasium_that_can_be_made_may_be_named(id: str) -> None:
    check(id)


@pytest.mark.parametrize(
    "id",
    [
        "Nowhere-v0", "os:environ", "gymnasium.envs.classic_control:Acrobot-v1", "Acrobot", "../Acrobot-v1",
        "GymV26Environment-v0", "Ant-v2", "phys2d/CartPole-v1", "tabular/Blackjack-v0",
    ],
)  # fmt: skip
def test_nothing_else_may(id: str) -> None:
    with pytest.raises(InvalidRequestError, match="no such environment"):
        check(id)
    with pytest.raises(EnvError, match="is not loaded on this server"):
        Catalog().make(EnvironmentConfig(name=id), None)


def test_the_plugin_stands_in_for_the_id_that_it_puts_into_words() -> None:
    env = Catalog().make(EnvironmentConfig(name="LunarLander-v3", kwargs={"gravity": -5.0}), None)
    assert env.spec is not None
    assert env.spec.id == "LunarLanderLLM-v3"
    env.close()
    with pytest.raises(InvalidRequestError, match=r"environment\.kwargs\.continuous: Extra inputs"):
        check("LunarLander-v3", continuous=True)


@pytest.mark.parametrize(
    ("id", "kwargs"),
    [
        ("Pendulum-v1", {"g": 9.81}),
        ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": False}),
        ("BipedalWalker-v3", {"hardcore": True}),
        ("CarRacing-v3", {"lap_complete_percent": 0.5, "continuous": False}),
    ],
)
def test_keywords_of_plain_types_are_taken(id: str, kwargs: dict[str, Any]) -> None:
    check(id, **kwargs)


@pytest.mark.parametrize(
    ("id", "kwargs", "told"),
    [
        ("Pendulum-v1", {"g": "9"}, "environment.kwargs.g: Input should be a valid number"),
        ("Pendulum-v1", {"gravity": 1.0}, "environment.kwargs.gravity: Extra inputs"),
        ("Pendulum-v1", {"render_mode": "human"}, "environment.kwargs.render_mode: Extra inputs"),
        ("FrozenLake-v1", {"reward_schedule": [1, 0, 0]}, "environment.kwargs.reward_schedule: Extra inputs"),
        ("CarRacing-v3", {"continuous": "no"}, "environment.kwargs.continuous: Input should be a valid boolean"),
        ("Acrobot-v1", {"max_episode_steps": 9}, "environment.kwargs.max_episode_steps: Extra inputs"),
    ],
)
def test_others_are_not(id: str, kwargs: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequestError, match=told):
        check(id, **kwargs)


class Reaching(gym.Env[Any, Any]):
    def __init__(
        self,
        xml_file: str = "ant.xml",
        log_dir: str = "",
        base_url: str = "",
        profile: Literal["low", "high"] = "low",
        table: dict[str, Any] | None = None,
        size=8,  # type: ignore[no-untyped-def]
    ) -> None: ...


def test_no_request_says_what_an_environment_reads() -> None:
    model = arguments(EnvSpec("Reaching-v0", Reaching), adapted=True)
    assert set(model.model_fields) == {"profile", "size"}
    model.model_validate({"profile": "high", "size": 3})
    with pytest.raises(ValidationError):
        model.model_validate({"xml_file": "/etc/passwd"})


def test_what_needs_something_that_is_not_installed_is_left_out() -> None:
    assert not known.can_be_made(EnvSpec("Ant-v5", "gymnasium.envs.phys2d.cartpole:CartPoleJaxEnv"))
    assert not known.can_be_made(EnvSpec("X-v0", "no_such_package.envs:X"))
    assert not known.can_be_made(EnvSpec("X-v0", None))
    assert known.can_be_made(EnvSpec("X-v0", lambda: None))


async def test_the_list_has_the_newest_version_of_each_and_no_doubles(client: httpx.AsyncClient) -> None:
    views = {view["id"]: view for view in (await client.get("/environments")).json()["data"] if view["id"]}
    assert views.keys() >= {
        "BipedalWalker-v3",
        "CarRacing-v3",
        "AcrobotLLM-v1",
        "TaxiLLM-v4",
        "MiniGrid-DoorKey-5x5LLM-v0",
    }
    assert not views.keys() & {"CartPole-v0", "CartPole-v1", "LunarLander-v3", "GymV26Environment-v0", "Ant-v4"}
    assert not views.keys() & {"MiniGrid-DoorKey-5x5-v0", "Acrobot-v1"}
    assert (views["CarRacing-v3"]["plugin"], views["CarRacing-v3"]["description"]) == ("gymnasium", "adapted")
    assert views["CartPoleLLM-v1"]["description"] == "hand-written"
    assert list(views["BipedalWalker-v3"]["allowed_kwargs"]) == ["hardcore"]
    assert not [view for view in views.values() if view["load_error"] and view["plugin"] != "oddities"]


async def test_a_run_of_an_id_of_gymnasium(client: httpx.AsyncClient) -> None:
    run = await play(client, body("CartPole-v1", max_steps=5))
    assert (run["status"], run["environment"]["name"]) == ("succeeded", "CartPole-v1")
    view = (await client.get("/environments/CartPole-v1")).json()
    assert (view["id"], view["plugin"], view["heuristic"]) == ("CartPole-v1", "classic_control", True)


async def test_ids_with_a_namespace_have_their_own_address(client: httpx.AsyncClient) -> None:
    gym.register("tests/CartPole-v7", "env_plugins.classic_control.cart_pole:CartPoleLLM")
    try:
        view = (await client.get("/environments/tests/CartPole-v7")).json()
        assert (view["id"], view["description"]) == ("tests/CartPole-v7", "hand-written")
        assert (await client.get("/environments/tests/CartPole-v7/preview")).status_code == 200
    finally:
        del gym.registry["tests/CartPole-v7"]
