"""What plays: the versions that a run depends on, for whoever wants to play it again."""

import hashlib
import platform
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import env_plugins


def versions(environment: str) -> dict[str, Any]:
    """Of gym-llm, Gymnasium, Python, and of the plugin that brings an environment.

    Plugins bear no version: `plugin_digest` is a fingerprint of their Python files.
    """
    plugin = next((name for name, ids in env_plugins.plugins.items() if environment in ids), None)
    return {
        **{name.replace("-", "_"): metadata.version(name) for name in ("gym-llm", "gymnasium", "numpy")},
        "python": platform.python_version(),
        "plugin": plugin,
        "plugin_digest": _digest(plugin) if plugin is not None else None,
    }


@cache
def _digest(plugin: str) -> str | None:
    module = sys.modules.get(f"{env_plugins.__name__}.{plugin}")
    if module is None or module.__file__ is None:
        return None
    folder = Path(module.__file__).parent
    digest = hashlib.blake2b(digest_size=12)
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
