"""Filming an episode, and its newest frame in other processes."""

import asyncio
import io
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from PIL import Image

from app.artifacts.base import ArtifactStore
from app.artifacts.camera import Camera, pictures
from app.artifacts.frames import FrameFeed, LiveFrames
from app.artifacts.staging import Stage, Staging
from gym_llm.config import ExperimentConfig
from tests.app.artifacts.making import FailingStore, step, stored

RUN = uuid4()


@pytest.fixture
async def stage(staging: Staging) -> Stage:
    stage = staging.stage(RUN, uuid4())
    await stage.open()
    return stage


def camera(stage: Stage, live: LiveFrames | None = None, feed: FrameFeed | None = None, **experiment: bool) -> Camera:
    return Camera(
        stage,
        live or LiveFrames(),
        feed,
        experiment=ExperimentConfig.model_validate({"save_gif": True, "caption": False, **experiment}),
        action_schema={},
        episode=0,
        seed=0,
    )


async def level(store: ArtifactStore, name: str = "run_0_seed_0.png") -> int:
    """The number of the step that a stored frame shows."""
    found = await stored(store, RUN, name)
    with Image.open(io.BytesIO(await found.read(0, found.size))) as picture:
        return int(picture.getpixel((0, 0))[0])  # type: ignore[index]


async def test_after_the_last_step_the_files_are_finished(stage: Stage):
    live = LiveFrames()
    async with camera(stage, live, save_video=True) as filming:
        await filming.film(step(1))
        assert stage.finished() == []
        assert live.get(RUN, 0) is not None
        await filming.film(step(2, last=True))
        assert stage.finished() == sorted(pictures(0, 0))
    assert live.get(RUN, 0) is None


async def test_a_failure_is_kept_to_look_at(stage: Stage):
    async def fail() -> None:
        async with camera(stage) as filming:
            await filming.film(step(1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert stage.finished() == ["run_0_seed_0.gif", "run_0_seed_0.png"]


async def test_an_interruption_in_the_middle_of_a_frame(stage: Stage):
    async def film() -> None:
        async with camera(stage, save_video=True) as filming:
            for number in range(1, 200):
                await filming.film(step(number))

    for delay in (0.0, 0.001, 0.005, 0.01, 0.02):
        filming = asyncio.create_task(film())
        await asyncio.sleep(delay)
        filming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await filming
    assert not [path for path in stage.folder.iterdir() if path.suffix == ".part"]


async def test_other_processes_see_a_frame_now_and_then(stage: Stage, store: ArtifactStore):
    feed = FrameFeed(every_s=3600)
    async with camera(stage, feed=feed) as filming:
        for number in (1, 2, 3):
            await filming.film(step(number))
            await asyncio.sleep(0.3)
        assert await level(store) == 1
        await filming.film(step(4, last=True))
        await stage.publish(pictures(0, 0))
    assert await level(store) == 4


async def test_a_new_frame_replaces_the_old_one(stage: Stage, store: ArtifactStore):
    async with camera(stage, feed=FrameFeed(every_s=0)) as filming:
        for number in (1, 2, 3):
            await filming.film(step(number))
            await asyncio.sleep(0.3)
            assert await level(store) == number


async def test_replayed_frames_are_no_news(stage: Stage, store: ArtifactStore):
    async with camera(stage, feed=FrameFeed()) as filming:
        await filming.film(step(1, replayed=True))
        await asyncio.sleep(0.1)
    assert await store.find(RUN, "run_0_seed_0.png") is None


async def test_the_feed_never_holds_up_an_episode_nor_replaces_its_last_frame(store: ArtifactStore, tmp_path: Path):
    class SlowStore(FailingStore):
        under_way = most = 0

        async def publish(self, run_id: UUID, name: str, file: Path) -> None:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0.2)
            await super().publish(run_id, name, file)
            self.under_way -= 1

    slow = SlowStore(store, 0)
    stage = Staging(tmp_path / "staging", slow).stage(RUN, uuid4())
    await stage.open()
    feed = FrameFeed(every_s=0, at_once=2)
    started = asyncio.get_running_loop().time()
    for episode in range(5):
        for number in range(5):
            stage_name = f"run_{episode}_seed_{episode}.png"
            feed.offer(stage, stage_name, step(number).frame)  # type: ignore[arg-type]
    assert asyncio.get_running_loop().time() - started < 0.1
    await feed.settle(stage, "run_0_seed_0.png")
    assert slow.most <= 2
    assert await level(store) == 0


async def test_a_feed_that_fails_is_no_failure(stage: Stage, store: ArtifactStore, tmp_path: Path):
    failing = Staging(tmp_path / "staging", FailingStore(store, 10**6)).stage(RUN, uuid4())
    await failing.open()
    async with camera(failing, feed=FrameFeed(every_s=0)) as filming:
        for number in (1, 2, 3):
            await filming.film(step(number))
            await asyncio.sleep(0.05)
        await filming.film(step(4, last=True))
    assert failing.finished() == ["run_0_seed_0.gif", "run_0_seed_0.png"]
