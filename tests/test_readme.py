"""Every promise of the README that can be checked by a machine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic.fields import FieldInfo

from app.main import create_app
from app.settings import Settings
from gym_llm.config import AgentConfig, Config, EnvironmentConfig, ExperimentConfig

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PLUGIN = "# env_plugins/corridor/__init__.py\n"
PROGRAMS = [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if not code.startswith(PLUGIN)]
USE_PLUGIN = """\
import sys
import env_plugins
env_plugins.load("plugins")
assert not env_plugins.failures, env_plugins.failures
from gym_llm import run_experiment
environment = {"name": "CorridorLLM-v0", "kwargs": {"length": 7}}
results = run_experiment({"agent": {"backend": "baseline", "model": "heuristic"}, "environment": environment})
assert results["total_steps"] == [7], results
"""


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose heading starts like this."""
    lines = README[README.index(f"| {heading} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value == "":
        return "empty"
    return f"`{value}`" if isinstance(value, str | Path) else f"`{json.dumps(value)}`"


def python(code: str, folder: Path) -> str:
    """What a program prints, run in a folder that has the configurations."""
    (folder / "configs").symlink_to(ROOT / "configs")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", PROGRAMS, ids=lambda code: code.splitlines()[1])
def test_programs_run_as_written(code: str, tmp_path: Path) -> None:
    assert python(code, tmp_path).strip()


def test_there_are_programs() -> None:
    assert len(PROGRAMS) == 3


def test_the_example_loop_runs(tmp_path: Path) -> None:
    told = python((ROOT / "examples/custom_loop.py").read_text(), tmp_path)
    assert told.splitlines()[-1].startswith("total reward ")


def test_the_plugin_works_as_written(tmp_path: Path) -> None:
    code = next(code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if code.startswith(PLUGIN))
    folder = tmp_path / "plugins" / "corridor"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(code)
    python(USE_PLUGIN, tmp_path)


def test_the_body_of_the_first_request_is_valid() -> None:
    found = re.search(r"<<'YAML'\n(.*?)\nYAML", README, re.DOTALL)
    assert found
    assert Config.model_validate(yaml.safe_load(found[1])).experiment.save_gif


def test_settings_table() -> None:
    expected = [[f"`GYM_LLM_{name.upper()}`", default(field)] for name, field in Settings.model_fields.items()]
    assert [row[:2] for row in rows("variable")] == expected


def test_configuration_table() -> None:
    sections: dict[str, Any] = {"agent": AgentConfig, "environment": EnvironmentConfig, "experiment": ExperimentConfig}
    expected = [
        [f"`{section}.{name}`", default(field)]
        for section, model in sections.items()
        for name, field in model.model_fields.items()
    ]
    assert [row[:2] for row in rows("field")] == expected


def test_endpoints_table(tmp_path: Path) -> None:
    schema = create_app(Settings(_env_file=None, data_dir=tmp_path)).openapi()
    served = {f"`{method.upper()} {path}`" for path, methods in schema["paths"].items() for method in methods}
    assert {row[0] for row in rows("endpoint")} == served


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs/landing.gif").stat().st_size < 1_500_000


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", README)) <= targets
