"""Runs that were on workers that were lost, twice in a row: one of them may be to blame, the others are not."""

import asyncio
from typing import Any

from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.bootstrap import Service, build
from app.runs.models import Run
from app.runs.turns import MAX_LOSSES, TAKEN_UP_AT_ONCE
from app.settings import Settings
from gym_llm.backends import Question, Reply
from gym_llm.config import AgentConfig, EnvironmentConfig, ExperimentConfig
from tests.app.rows import stored_run
from tests.fakes import FakeBackend, answer

RUNS = 4
AGENT = AgentConfig(backend="openai", model="fake")
SUSPECT: dict[str, Any] = {
    "status": "running",
    "agent": AGENT.model_dump(),
    "backend": AGENT.backend,
    "model": AGENT.model,
    "environment": EnvironmentConfig(name="Counting-v0", kwargs={"length": 3}).model_dump(),
    "experiment": ExperimentConfig().model_dump(),
    "losses": MAX_LOSSES - 2,
    "lost_at_step": 0,
}


class HeldBackend(FakeBackend):
    """Answers the first question of an episode once its seed is `freed`, all others at once."""

    def __init__(self) -> None:
        super().__init__(lambda _: answer(1))
        self.asked: list[int] = []
        self.freed: set[int] = set()
        self._news = asyncio.Condition()

    async def ask(self, question: Question) -> Reply:
        async with self._news:
            if question.step == 1:
                self.asked.append(question.seed)
            self._news.notify_all()
            await self._news.wait_for(lambda: question.step > 1 or question.seed in self.freed)
        return await super().ask(question)

    async def until_asked(self, runs: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: len(self.asked) >= runs)

    async def free(self, *seeds: int) -> None:
        async with self._news:
            self.freed.update(seeds)
            self._news.notify_all()


async def losses(service: Service) -> list[int]:
    async with service.database.reading() as session:
        return sorted((await session.scalars(select(Run.losses))).all())


async def submit(service: Service, seed: int, **columns: Any) -> None:
    run = await stored_run(
        service.database, **SUSPECT | {"experiment": ExperimentConfig(seed=seed).model_dump()} | columns
    )
    async with service.database.writing() as session:
        await service.engine.submit(session, run.id)


async def until_over(service: Service) -> None:
    over = False
    while not over:
        await asyncio.sleep(0.02)
        async with service.database.reading() as session:
            over = set(await session.scalars(select(Run.status))) == {"succeeded"}


async def test_suspects_are_tried_one_at_a_time(settings: Settings):
    backend = HeldBackend()
    service = build(settings, {"openai": backend})
    async with service.running():
        for seed in range(RUNS):
            await submit(service, seed, worker_token=uuid7())
        for tried in range(1, RUNS + 1):
            await backend.until_asked(tried)
            # The others are not claimed: if this worker is lost now, that is not counted against them.
            assert await losses(service) == [MAX_LOSSES - 2] * (RUNS - tried) + [MAX_LOSSES - 1] * tried
            await backend.free(backend.asked[-1])
        await until_over(service)


async def test_a_run_that_is_no_suspect_does_not_wait_for_them(settings: Settings):
    backend = HeldBackend()
    service = build(settings, {"openai": backend})
    async with service.running():
        await submit(service, 1, worker_token=uuid7())
        await submit(service, 2, losses=0, lost_at_step=None)
        await backend.until_asked(2)
        await backend.free(1, 2)
        await until_over(service)


async def test_a_suspect_whose_episodes_take_their_first_steps_at_once(settings: Settings):
    backend = HeldBackend()
    service = build(settings, {"openai": backend})
    async with service.running():
        together = ExperimentConfig(seed=1, num_runs=3, concurrency=3).model_dump()
        await submit(service, 1, worker_token=uuid7(), experiment=together)
        await backend.until_asked(3)
        await backend.free(1, 2, 3)
        await until_over(service)


async def test_runs_that_a_worker_was_lost_with_are_taken_up_a_few_at_a_time(settings: Settings):
    backend = HeldBackend()
    service = build(settings, {"openai": backend})
    async with service.running():
        for seed in range(TAKEN_UP_AT_ONCE + 2):
            await submit(service, seed, losses=0, lost_at_step=None, worker_token=uuid7())
        await backend.until_asked(TAKEN_UP_AT_ONCE)
        # The others are not claimed: if this worker is lost now, it is not counted against them.
        assert await losses(service) == [0] * 2 + [1] * TAKEN_UP_AT_ONCE
        await submit(service, 9, losses=0, lost_at_step=None)
        await backend.until_asked(TAKEN_UP_AT_ONCE + 1)  # Nobody waits where no worker was lost.
        assert backend.asked[-1] == 9
        await backend.free(*range(10))
        await until_over(service)
