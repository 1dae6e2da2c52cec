"""Reads `docker-compose.yml`, `Dockerfile` and `.env.example` as Docker does, as far as the tests need it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
EXAMPLE = ROOT / ".env.example"
OURS = ("api", "worker", "migrate")
"""The services that run this project; the others run somebody else's image."""

VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<what>[^}]*))?\}")
"""A variable in the compose file: `${NAME}`, `${NAME:-default}` or `${NAME:?message}`."""
_OFFERED = re.compile(r"^(?:# )?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.MULTILINE)
_INSTRUCTION = re.compile(r"^([A-Z]+)\s+(.*)$", re.MULTILINE)

Json = dict[str, Any]


def compose(values: Mapping[str, str] | None = None) -> Json:
    """The compose file with these values in place of its variables; None = the file as it is written.

    Raises:
        ValueError: a required value is missing; the message is the file's own.
    """
    loaded: Json = yaml.safe_load(COMPOSE.read_text())
    if values is None:
        return loaded
    filled: Json = _filled(loaded, values)
    for service in filled["services"].values():
        environment = service.get("environment", {})
        for name in [name for name, value in environment.items() if value is None]:
            environment[name] = values.get(name)
        service["environment"] = {name: str(value) for name, value in environment.items() if value is not None}
    return filled


def variables() -> dict[str, str]:
    """Every variable that the compose file takes from `.env`, and its default there: empty where it has none."""
    found = {match["name"]: match["what"] if match["how"] == ":-" else "" for match in _matches()}
    for service in compose()["services"].values():
        found |= {name: "" for name, value in service.get("environment", {}).items() if value is None}
    return found


def required() -> set[str]:
    """The variables without which Compose refuses to start."""
    return {match["name"] for match in _matches() if match["how"] == ":?"}


def offered() -> dict[str, str]:
    """Every variable of `.env.example`, commented out or not, and its value there."""
    return {match["name"]: match["value"] for match in _OFFERED.finditer(EXAMPLE.read_text())}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, continued lines joined, without comments."""
    lines = (line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#"))
    return _INSTRUCTION.findall(re.sub(r"\\\n\s*", " ", "\n".join(lines)))


def last_stage() -> list[tuple[str, str]]:
    """The instructions that make the image that is kept."""
    found = instructions()
    start = max(at for at, (name, _) in enumerate(found) if name == "FROM")
    return found[start + 1 :]


def of_image(name: str) -> Any:
    """The JSON of ENTRYPOINT, CMD or HEALTHCHECK's CMD, in its exec form."""
    text = next(rest for instruction, rest in last_stage() if instruction == name)
    return json.loads(text[text.index("[") :])


def _matches() -> list[re.Match[str]]:
    return list(VARIABLE.finditer(COMPOSE.read_text()))


def _filled(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, values) for value in node]
    return VARIABLE.sub(lambda match: _value(match, values), node) if isinstance(node, str) else node


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    value = values.get(match["name"], "")
    if value or match["how"] is None:
        return value
    if match["how"] == ":?":
        raise ValueError(match["what"])
    return match["what"]
