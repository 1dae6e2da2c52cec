"""Configuration files."""

from pathlib import Path

import pytest

from gym_llm import get_env, parse_config
from gym_llm.config import AgentConfig, validate
from gym_llm.errors import ConfigError

CLASSIC = """
agent:
    backend: 'ollama'
    model: 'llama3.1'
    temperature: .8
    history: 10
    action_rate: 1
environment:
    name: 'LunarLanderLLM-v2'
    kwargs: null
experiment:
    parent: 'experiments'
    name: 'lunar_lander_llama3.1'
    use_datetime: true
    seed: 0
    save_gif: true
    gif_fps: 30
    num_runs: 1
    verbose: true
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_classic_file_is_a_plain_dict(tmp_path: Path) -> None:
    config = parse_config(path=write(tmp_path, CLASSIC))
    assert type(config) is dict
    assert config.get("agent").get("temperature") == 0.8
    assert config.get("environment") == {"name": "LunarLanderLLM-v2", "kwargs": None}
    assert config.get("experiment").get("use_datetime") is True
    assert config.get("nothing") is None
    assert validate(AgentConfig, config["agent"]).model == "llama3.1"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("temperature: .8", "temperature: warm", r"agent\.temperature: .*valid number"),
        ("temperature: .8", "temperature: -1", r"agent\.temperature: .*greater than or equal to 0"),
        ("temperature: .8", "temprature: 1", r"agent\.temprature: Extra inputs"),
        ("history: 10", "history: 0", r"agent\.history: .*greater than or equal to 1"),
        ("action_rate: 1", "action_rate: 11", "agent: action_rate must be less than or equal to history"),
        ("backend: 'ollama'", "backend: 'skynet'", r"agent\.backend: Input should be 'openai', 'ollama' or 'baseline'"),
        ("temperature: .8", "reasoning_effort: high", "agent: reasoning_effort is for the backend openai only"),
        ("backend: 'ollama'", "backend: 'openai'\n    think: true", "agent: think is for the backend ollama only"),
        ("temperature: .8", "think: maybe", r"agent\.think"),
        ("temperature: .8", "keep_alive: soon", r"agent\.keep_alive"),
        ("temperature: .8", "num_ctx: 0", r"agent\.num_ctx"),
        ("num_runs: 1", "max_cost_usd: 0", r"experiment\.max_cost_usd"),
        ("num_runs: 1", "max_total_tokens: 1.5", r"experiment\.max_total_tokens"),
        ("name: 'LunarLanderLLM-v2'", "nme: x", r"environment\.name: Field required"),
        ("num_runs: 1", "num_runs: 0", r"experiment\.num_runs"),
        ("gif_fps: 30", "gif_fps: 1.5", r"experiment\.gif_fps"),
        ("name: 'lunar_lander_llama3.1'", "name: '../../etc'", r"experiment\.name"),
        ("experiment:", "experimnt:", "experimnt: Extra inputs"),
    ],
)
def test_a_wrong_field_is_one_clear_error(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_config(write(tmp_path, CLASSIC.replace(old, new)))


def test_an_error_never_repeats_what_a_field_held(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(write(tmp_path, CLASSIC.replace("temperature: .8", "temperature: sk-secret")))
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "- 1", "just text", "", "\x00"])
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        parse_config(write(tmp_path, text))


@pytest.mark.parametrize("value", [300, -1, 0, 1.5, "10m", "1h30m", "-1s", "0", None])
def test_how_long_a_model_may_stay(value: object) -> None:
    assert AgentConfig(keep_alive=value).keep_alive == value  # type: ignore[arg-type] # checked here


@pytest.mark.parametrize("value", [True, False, "low", None])
def test_how_a_model_may_think(value: object) -> None:
    assert AgentConfig(think=value).think is value  # type: ignore[arg-type] # checked here


def test_a_missing_file_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"missing\.yaml cannot be read"):
        parse_config(tmp_path / "missing.yaml")


def test_an_unknown_environment_is_named() -> None:
    with pytest.raises(ConfigError, match=r"environment\.name"):
        get_env({"name": "NoSuchLander-v0"})
