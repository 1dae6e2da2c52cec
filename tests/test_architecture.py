"""What keeps the house in order: which way imports point, how long files get, what things are called."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("app", "benchmarks", "env_plugins", "examples", "gym_llm", "migrations", "tests")
SOURCES = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
LONGEST = 300
EMPTY_WORDS = {"utils", "util", "helper", "helpers", "manager", "managers"}


def test_imports_point_one_way():
    code = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.mark.parametrize("part", sorted({*PARTS} - {"tests"}))
def test_files_stay_small(part: str):
    lengths = {path: len(path.read_text().splitlines()) for path in SOURCES if path.is_relative_to(ROOT / part)}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_names_say_what_things_do():
    named = [(path, word) for path in SOURCES for word in words(path.stem) & EMPTY_WORDS]
    for path in SOURCES:
        named += [(path, name) for name in defined(ast.parse(path.read_text())) if words(name) & EMPTY_WORDS]
    assert named == []


def defined(tree: ast.AST) -> Iterator[str]:
    """The names that a file makes up itself."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name


def words(name: str) -> set[str]:
    """The words of a snake_case or CamelCase name."""
    spaced = "".join(f"_{letter}" if letter.isupper() else letter for letter in name)
    return set(spaced.lower().split("_"))
