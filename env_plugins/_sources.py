"""Where plugins are found: folders, and entry points of installed packages."""

import importlib.metadata
import importlib.util
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GROUP = "gym_llm.environments"


@dataclass(frozen=True, slots=True)
class Source:
    """One plugin, not imported yet."""

    name: str
    where: str
    """For people: the folder that it is in, or the package that brings it."""
    module: str
    folder: Path | None
    """Where its `__init__.py` is."""
    call: str | None = None
    """A function of the module that registers its environments; None = importing it does."""
    inside: tuple[str, ...] = ()
    """The folders of `env_plugins`, for a plugin in one of them."""


def in_folder(folder: str, inside: tuple[str, ...]) -> Iterator[Source]:
    """The packages in a folder that is one of those of `env_plugins`."""
    for module in pkgutil.iter_modules([folder]):
        if module.ispkg:
            path = Path(folder) / module.name
            yield Source(module.name, folder, f"env_plugins.{module.name}", path, inside=inside)


def installed() -> Iterator[Source]:
    """The entry points of the group `gym_llm.environments`."""
    for entry in importlib.metadata.entry_points(group=GROUP):
        package = entry.dist.name if entry.dist is not None else "an installed package"
        yield Source(entry.name, package, entry.module, _folder(entry.module), call=entry.attr or None)


def _folder(module: str) -> Path | None:
    # Without importing the module, which may be what must not happen here.
    top, *rest = module.split(".")
    found = importlib.util.find_spec(top)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0], *rest)
