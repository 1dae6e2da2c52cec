"""The environments of gym-llm, one folder each: `import env_plugins` registers them all with Gymnasium.

A plugin is a package inside this folder, or inside one given to `load`, that calls `gymnasium.register` when imported.
It is trusted code. One that raises is recorded in `failures` and breaks nothing else.
"""

import importlib
import pkgutil
from pathlib import Path

import gymnasium as gym

plugins: dict[str, tuple[str, ...]] = {}
"""Plugin name -> the environment ids that it registered."""
failures: dict[str, Exception] = {}
"""Plugin name -> what it raised when imported. Nothing of such a plugin stays registered."""


def load(folder: str | Path) -> None:
    """Import every plugin inside `folder`, as `env_plugins.<name>`.

    A name that is already taken keeps its first plugin, so loading a folder twice does nothing.
    """
    path = str(folder)
    if path not in __path__:
        __path__.append(path)
        importlib.invalidate_caches()
    for module in pkgutil.iter_modules([path]):
        if module.ispkg and module.name not in plugins.keys() | failures.keys():
            _load(module.name)


def _load(name: str) -> None:
    before = set(gym.registry)
    try:
        importlib.import_module(f"{__name__}.{name}")
    except Exception as error:  # noqa: BLE001  (a plugin may raise anything: it is recorded, the others go on)
        failures[name] = error
        for half_registered in gym.registry.keys() - before:
            del gym.registry[half_registered]
    else:
        plugins[name] = tuple(id for id in gym.registry if id not in before)


for _folder in tuple(__path__):
    load(_folder)
