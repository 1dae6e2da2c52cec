"""The operator's list of OpenEnv servers."""

from collections.abc import Iterator

import gymnasium as gym
import pytest

from gym_llm.errors import ConfigError
from gym_llm.openenv import register_servers, servers
from gym_llm.openenv.servers import Server


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    kept = dict(gym.registry)
    yield
    gym.registry.clear()
    gym.registry.update(kept)


def test_both_forms() -> None:
    assert servers("Echo-v0=http://a:8000, team/Chess-v1 = https://b/env/,") == [
        Server("Echo-v0", "http://a:8000"),
        Server("team/Chess-v1", "https://b/env"),
    ]
    assert servers('{"Echo-v0": "http://a", "B-v0": {"url": "http://b", "deterministic": true, "max_steps": 9}}') == [
        Server("Echo-v0", "http://a"),
        Server("B-v0", "http://b", deterministic=True, max_steps=9),
    ]
    assert servers("") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not valid JSON"),
        ("http://a", "is no environment id"),
        ("os:environ-v0=http://a", "is no environment id"),
        ("Echo-v0=ftp://secret@a", "Echo-v0: url must be http://host:port"),
        ("Echo-v0=", "Echo-v0: url must be"),
        ("Echo-v0=http://a?key=secret", "Echo-v0: url must be"),
        ("Echo-v0=http://[a", "Echo-v0: url must be"),
        ("Echo-v0=http://a,Echo-v0=http://b", "Echo-v0 comes twice"),
        ('{"Echo-v0": 3}', "Echo-v0: url must be"),
        ('{"Echo-v0": {"url": "http://a", "uri": 1}}', "Echo-v0: uri: no such field"),
        ('{"Echo-v0": {"url": "http://a", "deterministic": 1}}', "Echo-v0: deterministic must be true or false"),
        ('{"Echo-v0": {"url": "http://a", "max_steps": 0}}', "Echo-v0: max_steps must be a whole number above 0"),
    ],
)
def test_what_is_wrong_is_named_and_no_address_repeated(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        servers(text)
    assert "secret" not in str(error.value)


def test_an_id_that_is_taken() -> None:
    with pytest.raises(ConfigError, match="CartPole-v1 is registered already"):
        register_servers("New-v0=http://a,CartPole-v1=http://b")
    assert "New-v0" not in gym.registry


def test_what_is_registered() -> None:
    assert register_servers('{"B-v0": {"url": "http://b", "deterministic": true, "max_steps": 9}}') == ("B-v0",)
    spec = gym.spec("B-v0")
    assert (spec.nondeterministic, spec.max_episode_steps, spec.kwargs) == (False, 9, {})
