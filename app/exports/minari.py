"""Minari datasets, with the reflections in `infos`. Of the extra `minari`.

Observations and actions are what the environment gave and took: the episodes are taken again.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import gymnasium as gym
import orjson
from minari.data_collector import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage

from app.artifacts.archive import Content, write_archive
from app.artifacts.base import PIECE
from app.errors import ConflictError
from app.exports.retaking import MakeEnv, Retaken, retaking
from app.exports.selection import finished
from app.runs.stored_run import EpisodeRecord, StoredRun

CHUNK = 1000
"""Steps that are written together."""
MINARI_VERSION = metadata.version("minari")

HOW_TO_LOAD = """\
Minari datasets, made by gym-llm. Unpack this file where Minari looks for datasets: in the folder that
MINARI_DATASETS_PATH names, else in ~/.minari/datasets. Then, in Python:

import minari
{loads}

Each episode's `infos` hold, for each of its actions: `reflection`, what the agent thought (UTF-8 bytes), `decided`,
false where an earlier action was only repeated, and `outcome`: valid, repaired or fallback.
"""


async def write_minari(
    target: IO[bytes], runs: AsyncIterable[StoredRun], make_env: MakeEnv, name: str, folder: Path
) -> None:
    """Write a zip of one dataset for each environment (and its arguments) among the runs.

    Args:
        target: the file.
        runs: what to write; their finished episodes.
        make_env: makes environments.
        name: of the dataset.
        folder: an empty one, which is the caller's to delete.

    Raises:
        ConflictError: an episode can't be taken again, its spaces have no place in Minari, or there is none.
    """
    datasets: dict[bytes, _Dataset] = {}
    async for run in runs:
        key = orjson.dumps(run.record.environment.model_dump())
        if key not in datasets:
            more = f"-{len(datasets) + 1}" if datasets else ""
            datasets[key] = _Dataset(folder, f"gym-llm/{run.record.environment.name}/{name}{more}-v0")
        async for episode in finished(run):
            async with retaking(make_env, run, episode) as (env, steps):
                await datasets[key].add(run, episode, env, steps)
    ids = [dataset.id for dataset in datasets.values() if dataset.storage is not None]
    if not ids:
        raise ConflictError("There is no finished episode to export.")
    await write_archive(target, _entries(folder, ids))


@dataclass(slots=True)
class _Dataset:
    folder: Path
    id: str
    storage: MinariStorage | None = None
    episodes: int = 0
    agents: list[str] = field(default_factory=list)

    async def add(
        self, run: StoredRun, episode: EpisodeRecord, env: gym.Env[Any, Any], steps: AsyncIterator[Retaken]
    ) -> None:
        if self.storage is None:
            self.storage = await asyncio.to_thread(self._create, env)
        storage: MinariStorage = self.storage
        index, self.episodes = self.episodes, self.episodes + 1
        written = 0
        chunk: list[Retaken] = []
        async for step in steps:
            chunk.append(step)
            if len(chunk) == CHUNK:
                await asyncio.to_thread(storage.update_episodes, [_buffer(index, episode.seed, chunk, written == 0)])
                written, chunk = written + len(chunk), []
        if chunk:
            await asyncio.to_thread(storage.update_episodes, [_buffer(index, episode.seed, chunk, written == 0)])
        agent = f"{run.record.agent.backend} {run.record.agent.model}"
        self.agents += [agent] if agent not in self.agents else []
        facts = {"total_steps": written + len(chunk), "run_id": str(run.record.id), "episode": episode.episode}
        await asyncio.to_thread(storage.update_episode_metadata, [facts | {"agent": agent}], [index])
        await asyncio.to_thread(storage.update_metadata, {"algorithm_name": ", ".join(self.agents)})

    def _create(self, env: gym.Env[Any, Any]) -> MinariStorage:
        path = (self.folder / self.id / "data").resolve()  # Minari loses its way in relative ones.
        path.mkdir(parents=True)
        try:
            storage = MinariStorage.new(
                path,
                observation_space=env.observation_space,
                action_space=env.action_space,
                env_spec=_storable(env.spec),
                jpeg_encoding=False,  # It would lose what the agent saw.
            )
        except (NotImplementedError, TypeError, ValueError) as error:
            raise ConflictError(f"Minari can't store the spaces of {self.id.split('/')[1]}: {error}") from error
        storage.update_metadata({"dataset_id": self.id, "minari_version": MINARI_VERSION})
        return storage


def _storable(spec: Any) -> Any:
    # Only for whoever wants to make the environment again; the spaces are stored beside it.
    try:
        spec.to_json()
    except (AttributeError, TypeError, ValueError):
        return None
    return spec


def _buffer(index: int, seed: int, chunk: list[Retaken], first: bool) -> EpisodeBuffer:
    before = [chunk[0].observation] if first else []
    return EpisodeBuffer(
        id=index,
        seed=seed if first else None,
        observations=_columns([*before, *(step.next_observation for step in chunk)]),
        actions=_columns([step.action for step in chunk]),
        rewards=[step.record.reward for step in chunk],
        terminations=[step.record.terminated for step in chunk],
        truncations=[step.record.truncated for step in chunk],
        infos={
            "reflection": [step.record.reflection for step in chunk],
            "outcome": [step.record.outcome or "" for step in chunk],
            "decided": [step.record.decided for step in chunk],
        },
    )


def _columns(elements: list[Any]) -> Any:
    """Many elements of a space as one element of lists."""
    match elements[0]:
        case dict():
            return {name: _columns([element[name] for element in elements]) for name in elements[0]}
        case tuple():
            return tuple(_columns(list(parts)) for parts in zip(*elements, strict=True))
    return elements


async def _entries(folder: Path, ids: list[str]) -> AsyncIterator[tuple[str, Content]]:
    yield "README.txt", HOW_TO_LOAD.format(loads="\n".join(f'dataset = minari.load_dataset("{id}")' for id in ids))
    for id in ids:
        for path in sorted((folder / id).rglob("*")):
            if path.is_file():
                yield str(path.relative_to(folder)), _pieces(path)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
