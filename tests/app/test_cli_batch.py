"""`gym-llm batch` where it plays by itself: whole commands, ended in the middle and started again."""

import json
import re
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.app.commands import NOWHERE, Process, Start, invoke, written
from tests.app.commands import here as here
from tests.app.commands import start as start
from tests.scripted_llm.fixtures import Serving, serving

SCRIPTED = {"backend": "ollama", "model": "scripted"}
FOLDER = Path("experiments/mini")


def batch(*agents: Any, environments: tuple[str, ...] = ("CartPoleLLM-v1",), **experiment: Any) -> dict[str, Any]:
    return {
        "name": "mini",
        "agents": [agent if isinstance(agent, dict) else {"backend": "baseline", "model": agent} for agent in agents],
        "environments": [{"name": name} for name in environments],
        "experiment": {"num_runs": 2, "max_steps": 20, **experiment},
    }


def ended(process: Process) -> tuple[int, str, str]:
    told, problems = process.communicate(timeout=120)
    return process.returncode, told, problems


def report() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "report.json").read_text())
    return found


def played() -> list[tuple[Any, ...]]:
    """Every step that is stored, and when it was."""
    with sqlite3.connect(FOLDER / "gym-llm.db") as database:
        return database.execute("SELECT run_id, episode, step, created_at FROM steps ORDER BY 1, 2, 3").fetchall()


def until_asked(llm: Serving, times: int) -> None:
    for _ in range(1200):
        if sum(llm.llm.asked.values()) >= times:
            return
        time.sleep(0.05)
    raise AssertionError("the model was never asked")


def test_a_batch_is_played_once_and_reported(start: Start, tmp_path: Path) -> None:
    values = batch("random", "heuristic", environments=("CartPoleLLM-v1", "FrozenLakeLLM-v1"), save_gif=True)
    path = written(tmp_path / "mini.yaml", values)
    code, told, problems = ended(start("batch", str(path)))
    assert (code, problems) == (0, "")
    lines = told.splitlines()
    assert "heuristic in CartPoleLLM-v1 succeeded: 2/2 episodes, mean reward 20.00, 40 steps, $0" in lines[:4]
    assert all(" succeeded: 2/2 episodes, mean reward " in line for line in lines[:4])
    assert re.search(r"4 cells +│ 0:\d\d:\d\d +│ succeeded +│ +8/8 │", told)
    assert lines[-1] == "Report: experiments/mini/report.html (the same as report.md and report.json)"

    first = report()
    assert (first["title"], first["complete"], first["failures"]) == ("mini", True, [])
    assert [environment["name"] for environment in first["environments"]] == ["CartPoleLLM-v1", "FrozenLakeLLM-v1"]
    cells = [cell for environment in first["environments"] for cell in environment["cells"]]
    assert [cell["agent"] for cell in cells] == ["random", "heuristic"] * 2
    gifs = [episode["gif"] for cell in cells for episode in cell["episodes"]]
    assert len(gifs) == 8
    assert all((FOLDER / gif).read_bytes().startswith(b"GIF8") for gif in gifs)
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", (FOLDER / "report.md").read_text())
    assert shown == [cell["typical"]["gif"] for cell in cells]
    page = (FOLDER / "report.html").read_text()
    assert page.count("data:image/gif;base64,") >= 4
    assert "://" not in page

    steps = played()
    path.write_text(f"# A comment changes nothing.\n{path.read_text()}")
    code, again, problems = ended(start("batch", str(path)))
    assert (code, problems) == (0, "")
    assert again.count(" succeeded: 2/2 episodes") == 4
    assert played() == steps
    assert report() | {"created_at": None} == first | {"created_at": None}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_batch_that_was_ended_goes_on_where_it_was(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    path = written(tmp_path / "mini.yaml", batch("heuristic", SCRIPTED))
    with serving(latency=0.3) as llm:
        first = start("batch", str(path), OLLAMA_HOST=llm.url)
        until_asked(llm, 5)
        code, _, problem = ended(start("batch", str(path), OLLAMA_HOST=llm.url))
        assert (code, problem.count("\n")) == (2, 1)
        assert "experiments/mini: another command is playing in it" in problem
        first.send_signal(number)
        code, _, told = ended(first)
        if number == signal.SIGINT:
            assert (code, told) == (130, f"Stopped; every step is kept. Go on with: gym-llm batch {path}\n")
        assert not (FOLDER / "report.json").exists()
        before = played()
        assert 0 < len(before) < 80
        code, told, problems = ended(start("batch", str(path), OLLAMA_HOST=llm.url))
    assert (code, problems) == (0, "")
    assert set(before) <= set(played())
    assert len(played()) == 80
    # An answer that came and was not stored yet is asked for again, and no other.
    assert sum(llm.llm.asked.values()) - len(llm.llm.asked) <= 2
    assert report()["complete"]


def test_what_an_earlier_version_of_the_file_began_is_cancelled(start: Start, tmp_path: Path) -> None:
    with serving(latency=0.1) as llm:
        first = start("batch", str(written(tmp_path / "mini.yaml", batch(SCRIPTED))), OLLAMA_HOST=llm.url)
        until_asked(llm, 3)
        first.kill()
        first.wait()
        code, _, problem = ended(
            start("batch", str(written(tmp_path / "mini.yaml", batch("heuristic"))), OLLAMA_HOST=llm.url)
        )
    assert code == 0
    assert problem.startswith("Cancelled what an earlier version of the file has begun: batch ")
    assert [cell["agent"] for environment in report()["environments"] for cell in environment["cells"]] == ["heuristic"]
    assert 0 < len(played()) < 80


def test_cells_that_fail_are_told_and_can_be_played_again(start: Start, tmp_path: Path) -> None:
    path = written(tmp_path / "mini.yaml", batch("heuristic", SCRIPTED))
    patience = {"GYM_LLM_LLM_ATTEMPTS": "1"}
    code, told, problems = ended(start("batch", str(path), OLLAMA_HOST=NOWHERE, **patience))
    assert code == 1
    assert "Report: experiments/mini/report.html" in told
    failed, error = problems.splitlines()[-2:]
    assert failed.startswith("scripted in CartPoleLLM-v1 failed: llm_error: ")
    assert error == f"Error: 1 of 2 cells did not succeed. Play them again: gym-llm batch {path} --retry"
    assert {failure["agent"] for failure in report()["failures"]} == {"scripted"}
    assert ended(start("batch", str(path), OLLAMA_HOST=NOWHERE, **patience))[0] == 1
    with serving() as llm:
        code, _, problems = ended(start("batch", str(path), "--retry", OLLAMA_HOST=llm.url))
    assert (code, problems) == (0, "")
    assert report()["failures"] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("agents: [", "is not valid YAML"),
        ("\x00", "is not valid YAML"),
        ("- 1", "it has no agents"),
        ("agent: {}\nenvironment: {name: CartPoleLLM-v1}", "it has no agents"),
        ("name: ..\nagents: []", "name: must be one that a folder can have"),
        ("name: a/b\nagents: []", "name: must be one that a folder can have"),
        ("agents: [{backend: baseline, model: random}]\nenvironments: [{name: Nope-v0}]", "no such environment"),
        ("agents: []\nenvironments: [{name: CartPoleLLM-v1}]", "agents"),
        ("agents: [{modell: x}]\nenvironments: [{name: CartPoleLLM-v1}]", "agents.0.modell"),
    ],
)
def test_what_can_not_be_played_is_one_line_and_leaves_nothing(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    code, told, problems = invoke("batch", path)
    assert (code, told, problems.count("\n")) == (2, "", 1)
    assert problem in problems
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["bad.yaml"]


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    path = written(tmp_path / "mini.yaml", batch("random"))
    for arguments, problem in (
        (("--detach",), "--detach needs a service"),
        (("--idempotency-key", "k"), "--idempotency-key needs a service"),
        (("--max-cost-usd", "1"), "goes with --retry"),
    ):
        code, _, told = invoke("batch", path, *arguments)
        assert (code, told.count("\n")) == (2, 1)
        assert problem in told
    assert invoke("batch", "nope.yaml") == (2, "", "Error: nope.yaml: No such file or directory\n")


def test_a_wrong_setting_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYM_LLM_PING_S", "often")
    code, _, problem = invoke("batch", written(tmp_path / "mini.yaml", batch("random")))
    assert (code, "GYM_LLM_PING_S" in problem) == (2, True)
