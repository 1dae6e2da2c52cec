"""The command line without a service: what it prints, and how it ends."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.access import is_loopback
from app.cli.client import ServiceClient
from app.cli.exits import CommandError
from app.cli.tables import one_line
from tests.app.commands import NOWHERE, config, invoke, written
from tests.app.commands import here as here


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "run",
        "batch",
        "report",
        "compare",
        "retry",
        "submit",
        "follow",
        "cancel",
        "environments",
        "backends",
        "migrate",
    ],
)
def test_help_of_each_command_has_examples_and_exit_codes(command: str) -> None:
    code, told, _ = invoke(command, "--help")
    assert code == 0
    assert f"gym-llm {command}" in told.split("Examples:")[1]
    assert "130 interrupted" in told


def test_help_imports_neither_the_service_nor_the_library() -> None:
    code = "import app.cli, sys; assert not {'fastapi', 'gymnasium', 'gym_llm', 'sqlalchemy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_run_prints_a_table_and_the_folder(tmp_path: Path) -> None:
    path = written(tmp_path / "pole.yaml", config(num_runs=2, seed=7))
    code, told, problems = invoke("run", path)
    assert (code, problems) == (0, "")
    assert re.search(r"1 │ +8 │ +20 │ +20\.00", told)
    assert "Folder: experiments/pole" in told
    assert (tmp_path / "experiments/pole/results.json").exists()


def test_verbose_overrides_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "pole.yaml", config(verbose=True))
    assert "episode 0 step 1" in invoke("run", path)[1]
    assert "episode 0 step 1" not in invoke("run", path, "--quiet")[1]
    quiet = written(tmp_path / "quiet.yaml", config(verbose=False))
    assert "episode 0 step 1" in invoke("run", quiet, "--verbose")[1]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (config(num_runs=0), "experiment.num_runs"),
        (config() | {"environment": {"name": "Nope-v0"}}, "environment.name"),
        (config() | {"agent": {"backend": "baseline", "model": "nope"}}, "agent.model"),
        (config() | {"agent": {"history": 2, "action_rate": 3}}, "action_rate"),
    ],
)
def test_invalid_configuration_is_one_line_and_exit_code_2(tmp_path: Path, values: Any, field: str) -> None:
    code, told, problem = invoke("run", written(tmp_path / "bad.yaml", values))
    assert (code, told) == (2, "")
    assert problem.startswith("Error: ")
    assert field in problem
    assert problem.count("\n") == 1


@pytest.mark.parametrize("text", ["agent: 'x\n  y", "a: [", "\x00"])
def test_what_is_no_yaml_is_one_line_too(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    code, _, problem = invoke("run", path)
    assert (code, problem.count("\n")) == (2, 1)


@pytest.mark.parametrize("command", ["run", "submit"])
def test_missing_file_is_exit_code_2(command: str) -> None:
    code, _, problem = invoke(command, "nope.yaml")
    assert (code, problem.count("\n")) == (2, 1)
    assert "nope.yaml" in problem


def test_backend_that_does_not_answer_is_exit_code_1(tmp_path: Path) -> None:
    values = config() | {"agent": {"backend": "openai", "model": "gpt-4o-mini"}}
    code, _, problem = invoke("run", written(tmp_path / "c.yaml", values))
    assert code == 1
    assert "OPENAI_API_KEY" in problem


def test_service_out_of_reach_is_exit_code_3(tmp_path: Path) -> None:
    path = written(tmp_path / "pole.yaml", config())
    some_id = "019a9f3c-7a52-7c31-9d0e-2f6b8c1d4e5f"
    for arguments in (("submit", path), ("cancel", some_id), ("follow", some_id), ("environments",), ("backends",)):
        code, _, problem = invoke(*arguments, "--url", NOWHERE)
        assert (code, problem.count("\n")) == (3, 1)
        assert NOWHERE in problem


def test_address_of_another_protocol_is_exit_code_2() -> None:
    assert invoke("environments", "--url", "ftp://x")[0] == 2


def test_local_environments_and_backends() -> None:
    code, told, _ = invoke("environments")
    assert code == 0
    assert "LunarLanderLLM-v3" in told
    code, told, _ = invoke("backends")
    assert code == 0
    assert "OPENAI_API_KEY" in told
    assert "heuristic, random" in told


def test_migrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert invoke("migrate")[0] == 0
    assert (tmp_path / "data/gym-llm.db").exists()
    monkeypatch.setenv("GYM_LLM_DATABASE_URL", "postgresql://me:secret@127.0.0.1:9/x")
    code, _, problem = invoke("migrate")
    assert (code, problem.count("\n")) == (1, 1)
    assert "secret" not in problem


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_serve_refuses_to_let_others_in(host: str) -> None:
    code, _, problem = invoke("serve", "--host", host)
    assert (code, problem.count("\n")) == (2, 1)
    assert "--insecure" in problem


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYM_LLM_PING_S", "often")
    code, _, problem = invoke("serve")
    assert (code, problem.count("\n")) == (2, 1)
    assert "GYM_LLM_PING_S" in problem


def test_events_gives_up_on_a_service_that_stays_away() -> None:
    with ServiceClient(NOWHERE, patience_s=0) as client:
        events = client.events("x")
        with pytest.raises(CommandError, match="has not answered") as raised:
            list(events)
    assert raised.value.exit_code == 3


def test_reflection_cannot_steer_the_terminal() -> None:
    assert one_line("a\x1b[2Jb\n\tc\x07") == "a [2Jb c"
