"""`.env.example` explains every variable that the compose file takes, tells true defaults, and holds no secret."""

import json
import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from app.settings import Settings
from tests.deployment.compose import EXAMPLE, ROOT, compose, offered, required, variables

TEXT = EXAMPLE.read_text()
SETTINGS = {f"GYM_LLM_{name.upper()}": field for name, field in Settings.model_fields.items()}
SET_BY_COMPOSE = {"GYM_LLM_DATA_DIR", "GYM_LLM_DATABASE_URL"}


def default(field: FieldInfo) -> str:
    value = field.default
    if value is None:
        return ""
    return str(value) if isinstance(value, str | Path) else json.dumps(value)


def test_it_has_what_compose_takes_and_no_more() -> None:
    assert set(offered()) == set(variables()) | SET_BY_COMPOSE
    assert all(name in service["environment"] for name in SET_BY_COMPOSE for service in [compose()["services"]["api"]])


def test_every_variable_comes_once() -> None:
    names = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", TEXT, re.MULTILINE)
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", sorted(offered()))
def test_every_variable_is_explained(name: str) -> None:
    block = TEXT[: re.search(rf"^(?:# )?{name}=", TEXT, re.MULTILINE).start()].split("\n\n")[-1]  # type: ignore[union-attr]
    told = [line for line in block.splitlines() if line.startswith("#") and not re.match(r"# [A-Z0-9_]+=", line)]
    assert told


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_defaults_are_true(name: str) -> None:
    assert offered()[name] == default(SETTINGS[name])


def test_defaults_of_compose_are_true() -> None:
    told = offered()
    assert {name: value for name, value in variables().items() if value} == {
        name: told[name] for name, value in variables().items() if value
    }


def test_only_what_is_required_is_filled_in() -> None:
    open_lines = dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", TEXT, re.MULTILINE))
    assert open_lines == dict.fromkeys(required(), "")


def test_secrets_stay_here() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
    assert not re.search(r"glm_(?!\$\()\S{8}|sk-\w", TEXT)
