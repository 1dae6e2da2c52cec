"""What agents keep while they think is stored: a run that changes hands goes on as if nothing had happened."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bootstrap import build
from app.db import Database
from app.main import create_app
from app.runs import repository
from app.runs.models import Episode, Run, Step
from app.settings import Settings
from gym_llm.backends import Backend, Question, Reply
from gym_llm.config import AgentConfig, EnvironmentConfig, ExperimentConfig
from gym_llm.errors import LLMError
from gym_llm.strategies import STRATEGIES
from tests.app.executing import executing
from tests.app.rows import stored_run
from tests.app.running import all_steps, body, play
from tests.fakes import FakeBackend, answer, asks_for, obedient

Carry = Callable[[Run, Backend], Awaitable[None]]


class Stalling(FakeBackend):
    """Answers so many questions, and leaves all others open; `stalled` once each of the `players` has one open."""

    def __init__(self, answered: int, players: int = 1) -> None:
        super().__init__(obedient)
        self.answered = answered
        self.left = players
        self.stalled = asyncio.Event()

    async def ask(self, question: Question) -> Reply:
        if len(self.questions) >= self.answered:
            self.left -= 1
            if not self.left:
                self.stalled.set()
            await asyncio.Event().wait()
        return await super().ask(question)


@pytest.fixture
async def carry(database: Database, tmp_path: Path) -> AsyncIterator[Carry]:
    """Carries out a run as a worker would. One that stalls is left behind, frozen, with all that it had stored."""
    frozen: list[asyncio.Task[None]] = []

    async def carry_out(run: Run, backend: Backend) -> None:
        async with executing(database, tmp_path, backend) as executor:
            working = asyncio.create_task(executor.execute(run.id))
            if isinstance(backend, Stalling):
                await backend.stalled.wait()
                frozen.append(working)
            else:
                await working

    yield carry_out
    for task in frozen:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def make_run(database: Database, agent: dict[str, Any], **experiment: Any) -> Run:
    return await stored_run(
        database,
        backend="openai",
        agent=AgentConfig.model_validate({"backend": "openai", "history": 2} | agent).model_dump(),
        environment=EnvironmentConfig(name="Counting-v0", kwargs={"length": 7}).model_dump(),
        experiment=ExperimentConfig.model_validate({"num_runs": 3} | experiment).model_dump(),
    )


async def read(database: Database, run: Run) -> tuple[str, list[Episode], list[Step]]:
    async with database.reading() as session:
        row = await repository.get_run(session, run.id)
        assert row is not None
        return (
            row.status,
            list(await repository.list_episodes(session, run.id)),
            list(await repository.list_steps(session, run.id, limit=None)),
        )


def stored(rows: list[Any]) -> list[dict[str, Any]]:
    """All of some rows but what is never the same twice."""
    left_out = ("run_id", "created_at", "latency_ms")
    values = [
        {column.name: getattr(row, column.name) for column in row.__table__.columns if column.name not in left_out}
        for row in rows
    ]
    for row in values:
        if row.get("lessons"):
            row["lessons"] = {**row["lessons"], "latency_ms": 0}
    return values


def oldest(question: Question) -> dict[str, Any]:
    return dict(json.loads(question.messages[1]["content"]))


@pytest.mark.parametrize("strategy", list(STRATEGIES))
async def test_a_run_that_changes_hands_asks_what_it_would_have_asked(database: Database, carry: Carry, strategy: str):
    agent = {"strategy": strategy, "vision": True, "frames": True}
    undisturbed, whole = await make_run(database, agent), FakeBackend(obedient)
    await carry(undisturbed, whole)
    status, episodes, steps = await read(database, undisturbed)
    assert status == "succeeded"
    for answered in range(1, len(whole.questions), 5):
        run, first, second = await make_run(database, agent), Stalling(answered), FakeBackend(obedient)
        await carry(run, first)
        await carry(run, second)
        # Every question once, in the same words, whoever asked it.
        assert [q.messages for q in first.questions + second.questions] == [q.messages for q in whole.questions]
        status, again, steps_again = await read(database, run)
        assert status == "succeeded"
        assert stored(steps_again) == stored(steps)
        assert stored(again) == stored(episodes)


async def test_an_episode_keeps_the_lessons_that_it_began_with(database: Database, carry: Carry):
    for answered in (12, 20, 28, 33):
        run = await make_run(database, {"strategy": "memory"}, num_runs=6, concurrency=2)
        first, second = Stalling(answered, players=2), FakeBackend(obedient)
        await carry(run, first)
        await carry(run, second)
        status, episodes, _ = await read(database, run)
        assert status == "succeeded"
        questions = first.questions + second.questions
        for episode in episodes:
            told = [oldest(question).get("lessons") for question in questions if question.seed == episode.seed]
            assert told == [episode.lessons_before] * len(told)
            assert sum(asks_for(q) == "lessons" for q in questions if q.seed == episode.seed) == 1
        known: list[str] = []
        for episode in sorted(episodes, key=lambda row: row.done_order or 0):
            assert episode.lessons
            known += episode.lessons["learned"]
        for index, episode in enumerate(episodes):
            before = episode.lessons_before or []
            # Of all that ended before it began, and nothing else: two are played at a time.
            assert set(before) <= set(known)
            assert len(before) >= (2 if index >= 2 else 0)
        assert episodes[0].lessons_before is None


@pytest.fixture
async def thinking(settings: Settings) -> AsyncIterator[Callable[[Any], Awaitable[httpx.AsyncClient]]]:
    """A client of a service whose backend `openai` gives the answers that it is told."""
    async with AsyncExitStack() as stack:

        async def start(answers: Any) -> httpx.AsyncClient:
            service = build(settings, {"openai": FakeBackend(answers)})
            await stack.enter_async_context(service.running())
            transport = httpx.ASGITransport(create_app(service=service))
            return await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=90)
            )

        yield start


async def test_what_is_kept_is_shown(thinking: Any):
    client = await thinking(obedient)
    run = await play(client, body("Counting-v0", backend="openai", strategy="memory", history=2, num_runs=2))
    assert run["agent"]["strategy"] == "memory"
    steps = await all_steps(client, run["id"])
    assert [step["step"] for step in steps if step["notes"]] == [5, 5]
    assert [step["attempts"] for step in steps[:5]] == [1, 1, 1, 1, 2]
    first, second = (await client.get(f"/runs/{run['id']}/episodes")).json()["data"]
    assert (first["lessons_before"], second["lessons_before"]) == (None, first["lessons"]["learned"])
    assert first["lessons"]["attempts"] == 1
    figures = (await client.get(f"/runs/{run['id']}/metrics")).json()
    assert (figures["attempts"], figures["decisions"]) == (2 * 7, 2 * 5)
    assert (figures["prompt_tokens"], figures["cost_usd"]) == (14 * 10, 14 * 0.5)
    outputs = (await client.get(f"/runs/{run['id']}/episodes/0/raw_outputs")).json()
    assert outputs["5"]["summary"] == steps[4]["notes"]["summary"]
    assert set(outputs["4"]) == {"reflection", "action"}
    archive = zipfile.ZipFile(io.BytesIO((await client.get(f"/runs/{run['id']}/archive")).content))
    told = json.loads(archive.read("run_1_seed_1_lessons.json"))
    assert told == {"before": second["lessons_before"], **second["lessons"]}


async def test_what_fails_beside_a_decision_fails_nothing(thinking: Any):
    def answers(question: Question) -> Any:
        return answer(1) if asks_for(question) == "action" else LLMError("openai: HTTP 500")

    client = await thinking(answers)
    run = await play(client, body("Counting-v0", backend="openai", strategy="memory", history=2, num_runs=2))
    assert run["status"] == "succeeded"
    steps = await all_steps(client, run["id"])
    assert steps[4]["problem"] == "no summary: openai: HTTP 500"
    assert {step["outcome"] for step in steps} == {"valid"}
    episodes = (await client.get(f"/runs/{run['id']}/episodes")).json()["data"]
    assert [episode["lessons"]["problem"] for episode in episodes] == ["no lessons: openai: HTTP 500"] * 2
    assert [episode["lessons_before"] for episode in episodes] == [None, None]


async def test_a_wrong_template_is_told_before_anything_is_played(client: httpx.AsyncClient):
    refused = await client.post("/runs", json=body(system_prompt="{actions}{reply}{goal.__class__}"))
    assert refused.status_code == 422
    assert "agent.system_prompt" in refused.text
    assert "__class__" not in refused.text
