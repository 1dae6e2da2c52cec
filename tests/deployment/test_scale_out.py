"""The walk-through names commands, variables and services that exist."""

import re

import typer

from app.cli import app
from tests.deployment.compose import ROOT, compose, offered

GUIDE = (ROOT / "docs/scale-out.md").read_text()
CODE = "\n".join(block or span for block, span in re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", GUIDE, re.DOTALL))
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_commands_exist() -> None:
    named = set(re.findall(r"gym-llm ([a-z]+)(?: ([a-z]+))?", CODE))
    assert {"serve", "worker", "migrate", "keys"} <= {command for command, _ in named}
    for command, sub in named:
        assert command in COMMANDS
        if command == "keys":
            assert sub in COMMANDS[command].commands


def test_variables_are_explained_elsewhere_too() -> None:
    names = set(re.findall(r"(?:GYM_LLM|OPENAI|OLLAMA|API|AWS)_[A-Z_]*[A-Z]|WORKERS", GUIDE))
    assert names <= set(offered())


def test_defaults_are_true() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", GUIDE, re.MULTILINE)
    assert len(rows) == 6
    assert dict(rows) == {name: offered()[name] for name, _ in rows}


def test_services_exist() -> None:
    services = set(compose()["services"])
    assert set(re.findall(r"(?:--scale |exec |stop )([a-z]+)", CODE)) <= services
    assert set(re.findall(r"gym-llm:\d\S+", CODE)) == {compose()["services"]["api"]["image"]}


def test_files_exist() -> None:
    assert all((ROOT / name).exists() for name in re.findall(r"@(configs/\S+)", GUIDE))
