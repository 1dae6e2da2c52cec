"""Every MiniGrid and BabyAI environment in words. See README.md."""

from pathlib import Path

import gymnasium as gym

try:
    import minigrid
except ImportError as error:
    raise ImportError("needs the extra minigrid: pip install 'gym-llm[minigrid]'") from error

from env_plugins.minigrid.env import described, llm_id

# These are made from pictures that releases of the package have left out: nobody can play them then.
if not (Path(minigrid.__file__).parent / "envs" / "wfc" / "patterns").is_dir():
    for _id in [id for id in gym.registry if id.startswith("MiniGrid-WFC-")]:
        del gym.registry[_id]

for _spec in [spec for id, spec in gym.registry.items() if id.startswith(("MiniGrid-", "BabyAI-"))]:
    _id = llm_id(_spec.id)
    if _id in gym.registry:
        continue
    gym.register(id=_id, entry_point=described(_spec))
    # The versions of a MiniGrid name are different tasks: under one name, Gymnasium would warn whoever makes an older
    # one that it is out of date.
    gym.registry[_id].name = _id
