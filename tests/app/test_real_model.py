"""A run with a real model, as a user starts it: YAML to a real server, its steps from the stream."""

import pytest
import yaml

from tests.app.watching import watch
from tests.conftest import Serve
from tests.gym_llm.backends.conftest import real_server as real_server
from tests.processes import ROOT

YAML = """
agent:
    backend: '{backend}'
    model: '{model}'
    temperature: .8
    history: 1
    max_tokens: {max_tokens}
environment:
    name: 'CartPoleLLM-v1'
    kwargs: null
experiment:
    name: 'real'
    seed: 0
    save_gif: true
    num_runs: 1
    max_steps: 3
"""


# Ollama's own protocol ends a reflection; through OpenAI's, a model of random weights may run into its limit.
@pytest.mark.parametrize(
    ("backend", "max_tokens", "outcomes"),
    [("ollama", "null", {"valid"}), ("openai", "150", {"valid", "repaired", "fallback"})],
)
@pytest.mark.timeout(600)
def test_a_real_model_plays(
    serve: Serve, real_server: tuple[str, str], backend: str, max_tokens: str, outcomes: set[str]
) -> None:
    host, model = real_server
    server = serve(OLLAMA_HOST=host, OPENAI_BASE_URL=f"{host}/v1", llm_timeout_s=500)
    with server.client() as client:
        body = YAML.format(backend=backend, model=model, max_tokens=max_tokens)
        answer = client.post("/runs", content=body, headers={"Content-Type": "application/yaml"})
        assert answer.status_code == 202
        run_id = answer.json()["id"]
        events = list(watch(server, run_id))
        steps = [event.data for event in events if event.kind == "step"]
        assert [step["step"] for step in steps] == [1, 2, 3]
        assert {step["outcome"] for step in steps} <= outcomes
        assert all(step["action"] in (0, 1) for step in steps)
        assert all(step["reflection"] for step in steps if step["outcome"] != "fallback")
        assert all(step["prompt_tokens"] > 0 and step["completion_tokens"] > 0 for step in steps)
        run = next(event.data for event in reversed(events) if event.kind == "run")
        assert (run["status"], run["error"]) == ("succeeded", None)
        assert client.get(f"/runs/{run_id}/episodes/0/gif").headers["content-type"] == "image/gif"
        assert client.get(f"/runs/{run_id}/metrics").json()["decisions"] == 3


@pytest.mark.timeout(900)
def test_a_real_model_remembers(serve: Serve, real_server: tuple[str, str]) -> None:
    host, model = real_server
    server = serve(OLLAMA_HOST=host, llm_timeout_s=500)
    config = yaml.safe_load((ROOT / "configs" / "lunar_lander_memory.yaml").read_text())
    config["agent"] |= {"model": model, "history": 1, "action_rate": 1, "num_ctx": 8192}
    config["experiment"] |= {"num_runs": 2, "max_steps": 3, "save_gif": False}
    with server.client() as client:
        answer = client.post("/runs", content=yaml.safe_dump(config), headers={"Content-Type": "application/yaml"})
        assert answer.status_code == 202, answer.text
        run_id = answer.json()["id"]
        events = list(watch(server, run_id))
        run = next(event.data for event in reversed(events) if event.kind == "run")
        assert (run["status"], run["error"]) == ("succeeded", None)
        steps = [event.data for event in events if event.kind == "step"]
        assert [step["step"] for step in steps if step["notes"]] == [3, 3]  # Where the window is cut.
        assert all(step["notes"]["summary"] for step in steps if step["notes"])
        assert {step["problem"] for step in steps} == {None}
        first, second = client.get(f"/runs/{run_id}/episodes").json()["data"]
        assert first["lessons"]["learned"]
        assert (first["lessons_before"], second["lessons_before"]) == (None, first["lessons"]["learned"])
