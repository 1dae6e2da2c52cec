"""A new plugin, written from the templates of this package."""

import keyword
import os
import re
from importlib import resources
from pathlib import Path
from string import Template

from app.cli.exits import USAGE, CommandError

LONGEST_NAME = 40
PLUGIN_FILES = ("__init__.py", "env.py", "README.md")
TEST = "test_plugin.py"
ENDING = ".template"
"""Of the templates' names: it keeps tools for Python away from them."""


def environment_id(name: str) -> str:
    """`CaveWalkLLM-v0` for the plugin `cave_walk`."""
    return f"{_class_name(name)}-v0"


def write_plugin(name: str, folder: Path, tests: Path) -> list[Path]:
    """Write the plugin `name` into a folder of its own inside `folder`, and its test into `tests`.

    Returns:
        The files.

    Raises:
        CommandError: not a name for a plugin, or there is one already; nothing is written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or len(name) > LONGEST_NAME:
        raise CommandError(
            f"NAME: {name!r:.60} can't be the name of a plugin: it takes a lower-case letter, then lower-case letters, "
            f"digits and underscores, {LONGEST_NAME} characters at most, and no word of Python",
            USAGE,
        )
    plugin, test = folder / name, tests / f"test_{name}.py"
    for path in (plugin, test):
        if path.exists():
            raise CommandError(f"NAME: {path} exists already", USAGE)
    words = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "classname": _class_name(name),
        "id": environment_id(name),
        "folder": folder.as_posix(),
        "test": test.as_posix(),
        "from_test": Path(os.path.relpath(folder.resolve(), tests.resolve())).as_posix(),
    }
    files = {plugin / file: file for file in PLUGIN_FILES} | {test: TEST}
    templates = resources.files("app.cli") / "templates" / "plugin"
    try:
        for path, file in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            text = Template((templates / f"{file}{ENDING}").read_text(encoding="utf-8")).substitute(words)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from None
    return list(files)


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_")) + "LLM"
