"""Chance, a hand-written policy, reinforcement learning and a language model in one batch, by one command.

What the report says is found again, to the last digit, by a program that shares no code with what made it.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.app.commands import Start, written
from tests.app.commands import here as here
from tests.app.commands import start as start
from tests.conftest import Serve
from tests.gym_llm.backends.conftest import real_server as real_server
from tests.processes import ROOT

ENVIRONMENTS = ("CartPoleLLM-v1", "LunarLanderLLM-v3", "FrozenLakeLLM-v1")
AGENTS = ("random", "heuristic", "sb3/ppo", "tiny")
SEEDS = 20
STEPS = 12
FOLDER = Path("experiments/everybody")


def config(model: str) -> dict[str, Any]:
    # A model of random weights answers slowly and wrongly: it is asked once an episode, and shortly. With a context of
    # the same size for all environments, the server need not load it again between them.
    learned: dict[str, Any] = {"backend": "ollama", "model": model, "name": "tiny", "max_tokens": 24, "num_ctx": 8192}
    learned |= {"history": STEPS, "action_rate": STEPS}
    return {
        "name": "everybody",
        "agents": [*({"backend": "baseline", "model": name} for name in AGENTS[:3]), learned],
        "environments": [{"name": name} for name in ENVIRONMENTS],
        "experiment": {"num_runs": SEEDS, "max_steps": STEPS, "save_gif": True},
    }


@pytest.mark.timeout(1800)
def test_everybody_plays_the_same_seeds(
    start: Start, serve: Serve, real_server: tuple[str, str], tmp_path: Path
) -> None:
    if importlib.util.find_spec("stable_baselines3") is None:
        reason = "Stable-Baselines3 is not installed: make baselines"
        pytest.fail(reason) if os.environ.get("GYM_LLM_REQUIRE_ALL") == "1" else pytest.skip(reason)
    host, model = real_server
    for environment in ENVIRONMENTS:
        training = start("train-baseline", environment, "--algo", "ppo", "--name", "ppo", "--steps", "2048")
        told, problems = training.communicate(timeout=300)
        assert training.returncode == 0, told + problems

    path = written(tmp_path / "everybody.yaml", config(model))
    # One run after the other: the server keeps what the prompts of an environment begin with.
    alone = {"GYM_LLM_MAX_RUNNING_RUNS": "1", "GYM_LLM_LLM_TIMEOUT_S": "600"}
    process = start("batch", str(path), OLLAMA_HOST=host, **alone)
    told, problems = process.communicate(timeout=1500)
    assert process.returncode == 0, told + problems

    report = json.loads((FOLDER / "report.json").read_text())
    assert report["complete"]
    assert report["failures"] == []
    assert tuple(environment["name"] for environment in report["environments"]) == ENVIRONMENTS
    page, table = (FOLDER / "report.html").read_text(), (FOLDER / "report.md").read_text()
    for environment in report["environments"]:
        assert tuple(cell["agent"] for cell in environment["cells"]) == AGENTS
        assert len(environment["comparisons"]) == 6
        assert all(comparison["pairs"] == SEEDS for comparison in environment["comparisons"])
        for cell in environment["cells"]:
            assert cell["statistics"]["n"] == SEEDS
            assert [episode["seed"] for episode in cell["episodes"]] == list(range(SEEDS))
            gif = cell["typical"]["gif"]
            assert (FOLDER / gif).read_bytes().startswith(b"GIF8")
            assert gif in table
    assert page.count("data:image/gif;base64,") == len(AGENTS) * len(ENVIRONMENTS)
    assert page.count("<svg") >= len(ENVIRONMENTS)
    asked = [cell["statistics"] for each in report["environments"] for cell in each["cells"] if cell["agent"] == "tiny"]
    assert all(figures["prompt_tokens"] > 0 and figures["attempts"] >= SEEDS for figures in asked)

    server = serve(data_dir=str(FOLDER.resolve()))
    with server.client() as client:
        export = client.get(f"/batches/{report['id']}/export", params={"format": "parquet"})
    (tmp_path / "export.zip").write_bytes(export.raise_for_status().content)
    recomputed = subprocess.run(
        [sys.executable, ROOT / "tests" / "recompute.py", tmp_path / "export.zip", FOLDER / "report.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (recomputed.returncode, recomputed.stdout) == (0, "Every figure is the same, to the last digit.\n")
