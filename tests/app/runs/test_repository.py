"""Who holds a run, who may change it, and in which order things are read back."""

import asyncio
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from app.db import Database
from app.runs import repository
from app.runs.models import Run
from tests.app.rows import step_row, stored_run


async def claim(database: Database, run: Run, token: UUID | None = None) -> Run | None:
    async with database.writing() as session:
        return await repository.claim(session, run.id, token or uuid7())


async def read(database: Database, run: Run) -> Run:
    async with database.reading() as session:
        found = await repository.get_run(session, run.id)
    assert found is not None
    return found


async def advance(database: Database, run: Run, token: UUID, steps: int) -> None:
    async with database.writing() as session:
        assert await repository.holds(session, run.id, token, steps=steps)


async def test_claiming_starts_a_run(database: Database):
    run, token = await stored_run(database), uuid7()
    claimed = await claim(database, run, token)
    assert claimed is not None
    assert (claimed.status, claimed.worker_token, claimed.losses) == ("running", token, 0)
    assert claimed.started_at is not None
    again = await claim(database, run)
    assert again is not None
    assert again.started_at == claimed.started_at


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
async def test_what_is_over_cannot_be_claimed(database: Database, status: str):
    run = await stored_run(database, status=status)
    assert await claim(database, run) is None
    assert (await read(database, run)).status == status
    assert await claim(database, Run(id=uuid4())) is None


async def test_a_fork_that_is_cancelled_before_it_plays_leaves_no_episode_open(database: Database):
    parent, fork = await stored_run(database, status="succeeded"), await stored_run(database, steps=2)
    async with database.writing() as session:
        await repository.add_steps(session, [step_row(parent, id) for id in (1, 2, 3)])
        await repository.inherit(session, fork, parent.id, 0)
    async with database.writing() as session:
        assert not await repository.request_cancel(session, fork.id)
    async with database.reading() as session:
        (episode,) = await repository.list_episodes(session, fork.id)
    assert (episode.status, episode.num_steps, episode.total_reward) == ("cancelled", 2, 2.0)


async def test_a_stale_token_changes_nothing(database: Database):
    run, stale, fresh = await stored_run(database), uuid7(), uuid7()
    await claim(database, run, stale)
    await claim(database, run, fresh)
    async with database.writing() as session:
        assert not await repository.holds(session, run.id, stale, steps=99, status="failed")
        await repository.release(session, run.id, stale)
    found = await read(database, run)
    assert (found.worker_token, found.steps, found.status) == (fresh, 0, "running")
    async with database.writing() as session:
        assert await repository.holds(session, run.id, fresh, status="succeeded")
        assert not await repository.holds(session, run.id, fresh, status="failed")
    assert (await read(database, run)).status == "succeeded"


async def test_many_claims_at_once_leave_one_holder(database: Database):
    run = await stored_run(database)
    tokens = [uuid7() for _ in range(8)]
    await asyncio.gather(*(claim(database, run, token) for token in tokens))
    async with database.writing() as session:
        held = [await repository.holds(session, run.id, token) for token in tokens]
    assert held.count(True) == 1
    assert (await read(database, run)).losses == 7


async def test_losses_are_counted_at_one_step_only(database: Database):
    run = await stored_run(database)
    tokens = [uuid7() for _ in range(6)]
    losses = []
    for token in tokens[:3]:
        claimed = await claim(database, run, token)
        assert claimed is not None
        losses.append(claimed.losses)
    await advance(database, run, tokens[2], steps=5)
    for token in tokens[3:]:
        claimed = await claim(database, run, token)
        assert claimed is not None
        losses.append(claimed.losses)
    assert losses == [0, 1, 2, 1, 2, 3]


async def test_a_released_run_has_lost_nobody(database: Database):
    run = await stored_run(database)
    for _ in range(5):
        token = uuid7()
        claimed = await claim(database, run, token)
        assert claimed is not None
        assert claimed.losses == 0
        async with database.writing() as session:
            await repository.release(session, run.id, token)


@pytest.mark.parametrize(
    ("before", "after", "interrupt"),
    [
        ("queued", "cancelled", False),
        ("running", "cancelling", True),
        ("cancelling", "cancelling", False),
        ("succeeded", "succeeded", False),
        ("failed", "failed", False),
        ("cancelled", "cancelled", False),
    ],
)
async def test_asking_to_cancel(database: Database, before: str, after: str, interrupt: bool):
    run = await stored_run(database, status=before)
    async with database.writing() as session:
        assert await repository.request_cancel(session, run.id) == interrupt
    found = await read(database, run)
    assert found.status == after
    assert (found.finished_at is not None) == (before == "queued")


async def test_only_what_is_over_is_deleted_with_all_it_has(database: Database):
    for status, gone in (("running", False), ("cancelling", False), ("succeeded", True)):
        run = await stored_run(database, status=status)
        async with database.writing() as session:
            await repository.add_episodes(session, [{"run_id": run.id, "episode": 0, "seed": 0, "status": "running"}])
            await repository.add_steps(session, [step_row(run, 1)])
        async with database.writing() as session:
            assert await repository.delete_finished(session, run.id) == gone
        async with database.reading() as session:
            assert len(await repository.list_steps(session, run.id, limit=None)) == (not gone)
            assert len(await repository.list_episodes(session, run.id)) == (not gone)


async def test_ended_episodes_come_in_the_order_of_their_end(database: Database):
    run = await stored_run(database)
    async with database.writing() as session:
        for episode, (order, at_step) in enumerate([(2, 7), (1, 4), (None, None), (3, 7)]):
            await repository.add_episodes(
                session, [{"run_id": run.id, "episode": episode, "seed": episode, "status": "running"}]
            )
            await repository.update_episodes(session, run.id, {episode: {"done_order": order, "done_at_step": at_step}})
    async with database.reading() as session:
        for after, up_to, expected in ((0, 3, []), (0, 4, [1]), (0, 7, [1, 0, 3]), (1, 7, [0, 3]), (3, 99, [])):
            found = await repository.done_episodes(session, run.id, after, up_to)
            assert [row.episode for row in found] == expected
        counts = [await repository.count_done_before(session, run.id, step) for step in (0, 4, 5, 7, 8)]
    assert counts == [0, 0, 1, 1, 3]


async def test_a_step_is_stored_once(database: Database):
    run = await stored_run(database)
    async with database.writing() as session:
        await repository.add_steps(session, [step_row(run, 1), step_row(run, 2)])
    for twice in (step_row(run, 2, step=3), step_row(run, 3, step=2)):
        with pytest.raises(Exception, match=r"(?i)unique"):
            await add(database, twice)


async def add(database: Database, row: dict[str, object]) -> None:
    async with database.writing() as session:
        await repository.add_steps(session, [row])


async def test_sums_are_over_decided_steps(database: Database):
    run = await stored_run(database)
    rows = [
        step_row(run, 1, outcome="repaired", attempts=2, cost_usd=0.5, latency_ms=30.0),
        step_row(run, 2, outcome="fallback", attempts=3, latency_ms=10.0),
        step_row(run, 3, outcome=None, decided=False, attempts=0, latency_ms=0.0, prompt_tokens=0),
    ]
    async with database.writing() as session:
        await repository.add_steps(session, rows)
    async with database.reading() as session:
        totals = await repository.step_totals(session, run.id)
        nothing = await repository.step_totals(session, uuid4())
    assert totals == {
        **{"decisions": 2, "repaired": 1, "fallback": 1, "attempts": 5, "priced": 1, "cost_usd": 0.5},
        **{"prompt_tokens": 20, "cached_tokens": 10, "completion_tokens": 4},
        **{"mean_latency_ms": 20.0, "max_latency_ms": 30.0},
    }
    assert nothing["decisions"] == 0
    assert nothing["cost_usd"] is None
