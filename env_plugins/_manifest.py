"""`plugin.toml`, beside a plugin's `__init__.py`: how it wants to be run. Most plugins need none."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = "plugin.toml"


@dataclass(frozen=True, slots=True)
class Manifest:
    """How a plugin is run."""

    isolated: bool = False
    """In a process of its own, one for each environment that is made."""
    python: str | None = None
    """A virtual environment or an interpreter for that process; None = ours."""
    env_timeout_s: float | None = None
    """How long one call to its environments may take; None = as the operator set it."""


def read(folder: Path) -> Manifest:
    """The manifest of the plugin in `folder`.

    Raises:
        ValueError: naming the key that is unknown or of the wrong type.
    """
    path = folder / FILE
    if not path.is_file():
        return Manifest()
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{FILE}: {error}") from error
    if unknown := told.keys() - {"isolated", "python", "env_timeout_s"}:
        raise ValueError(f"{FILE}: {min(unknown)}: no such key; there are isolated, python and env_timeout_s")
    isolated, python, timeout_s = told.get("isolated", False), told.get("python"), told.get("env_timeout_s")
    if not isinstance(isolated, bool):
        raise ValueError(f"{FILE}: isolated: must be true or false")
    if python is not None and (not isinstance(python, str) or not python):
        raise ValueError(f"{FILE}: python: must be the path of a virtual environment or an interpreter")
    if timeout_s is not None and (
        isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or timeout_s <= 0
    ):
        raise ValueError(f"{FILE}: env_timeout_s: must be a number of seconds above 0")
    if python is not None:
        if "isolated" in told and not isolated:
            raise ValueError(f"{FILE}: isolated: an interpreter of its own means a process of its own")
        # Not resolved: the python of a virtual environment is a link, and knows its packages by its own place.
        python = str(folder / Path(python).expanduser())
    return Manifest(isolated or python is not None, python, timeout_s)
