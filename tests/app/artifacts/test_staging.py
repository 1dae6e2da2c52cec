"""Unfinished files: published in one moment or not at all, and cleared away when their worker is lost."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from app.artifacts import staging as staging_module
from app.artifacts.base import ArtifactStore
from app.artifacts.staging import Stage, Staging
from tests.app.artifacts.making import FailingStore, stored

RUN = uuid4()


async def opened(staging: Staging, run_id: UUID = RUN) -> Stage:
    stage = staging.stage(run_id, uuid4())
    await stage.open()
    return stage


async def test_only_finished_files_are_published(staging: Staging, store: ArtifactStore):
    stage = await opened(staging)
    (stage.folder / "a.gif").write_bytes(b"a")
    (stage.folder / ".b.gif.1234.part").write_bytes(b"half")
    assert await store.find(RUN, "a.gif") is None
    await stage.publish(["a.gif", "b.gif"])
    assert await (await stored(store, RUN, "a.gif")).read(0, 1) == b"a"
    assert stage.finished() == []
    await stage.publish_rest()
    assert await store.find(RUN, "b.gif") is None
    assert await store.find(RUN, ".b.gif.1234.part") is None
    await stage.close()
    assert not stage.folder.parent.exists()


async def test_a_short_outage_loses_nothing(store: ArtifactStore, tmp_path: Path):
    failing = FailingStore(store, failures=2)
    stage = await opened(Staging(tmp_path / "staging", failing))
    (stage.folder / "a.gif").write_bytes(b"a")
    await stage.publish(["a.gif"])
    await stored(store, RUN, "a.gif")


async def test_after_a_long_outage_there_is_another_chance(store: ArtifactStore, tmp_path: Path):
    failing = FailingStore(store, failures=3)
    stage = await opened(Staging(tmp_path / "staging", failing))
    (stage.folder / "a.gif").write_bytes(b"a")
    await stage.publish(["a.gif"])
    assert stage.finished() == ["a.gif"]
    await stage.publish_rest()
    await stored(store, RUN, "a.gif")


async def test_a_store_that_hangs_does_not_hold_up_the_end_for_ever(tmp_path: Path, monkeypatch):
    class HangingStore(FailingStore):
        async def publish(self, run_id: UUID, name: str, file: Path) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(staging_module, "LAST_CHANCE_S", 0.05)
    stage = await opened(Staging(tmp_path, HangingStore(None, 0)))
    (stage.folder / "a.gif").write_bytes(b"a")
    await stage.publish_rest()
    await stage.close()


async def test_whoever_takes_up_a_run_clears_away_what_is_left_of_it(staging: Staging):
    lost, other = await opened(staging), await opened(staging, uuid4())
    for stage in (lost, other):
        (stage.folder / ".a.gif.1234.part").write_bytes(b"half")
    taken_up = await opened(staging)
    assert not lost.folder.exists()
    assert other.folder.exists()
    assert lost.finished() == []
    await lost.publish(["a.gif"])
    await lost.close()  # The one that was thought lost lets go late.
    assert taken_up.folder.exists()


async def test_an_earlier_claim_that_leaves_just_then_is_no_obstacle(staging: Staging, monkeypatch):
    stage, mkdir, taken = staging.stage(uuid4(), uuid4()), os.mkdir, []

    def taken_away(path: str | Path, *arguments: Any, **options: Any) -> None:
        mkdir(path, *arguments, **options)
        if Path(path) == stage.folder.parent and not taken:
            taken.append(path)
            Path(path).rmdir()

    monkeypatch.setattr(os, "mkdir", taken_away)
    await stage.open()
    assert stage.folder.is_dir()
    assert taken


async def test_a_sweep_leaves_those_alone_that_may_be_at_work(staging: Staging):
    over, live = uuid4(), uuid4()
    stages = {run_id: await opened(staging, run_id) for run_id in (over, live)}
    foreign = stages[over].folder.parents[1] / "something else"
    foreign.mkdir()

    async def are_over(run_ids: Sequence[UUID]) -> list[UUID]:
        assert set(run_ids) == {over, live}
        return [over]

    await staging.sweep(are_over)
    assert not stages[over].folder.exists()
    assert stages[live].folder.exists()
    assert foreign.exists()


async def test_a_sweep_where_nothing_was_ever_played(tmp_path: Path, store: ArtifactStore):
    await Staging(tmp_path / "none", store).sweep(lambda run_ids: 1 / 0)  # type: ignore[arg-type]
