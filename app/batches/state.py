"""How it stands with batches: rows as what clients get."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.batches import repository
from app.batches.models import Batch
from app.batches.schemas import BatchProgress, BatchView, CellView, Status
from app.runs.models import ACTIVE, Run

OVER = ("succeeded", "failed", "cancelled")
Tally = dict[str, tuple[int, float]]
"""By status: episodes, and the sum of their rewards."""


async def batch_views(session: AsyncSession, batches: Sequence[Batch]) -> list[BatchView]:
    """Batches, as they are now."""
    ids = [batch.id for batch in batches]
    runs: dict[UUID, list[Run]] = {batch_id: [] for batch_id in ids}
    for run in await repository.runs_of(session, ids):
        if run.batch_id is not None:
            runs[run.batch_id].append(run)
    tallies: dict[UUID, dict[int, Tally]] = {batch_id: {} for batch_id in ids}
    for row in await repository.tallies(session, ids):
        tallies[row.batch_id].setdefault(row.cell, {})[row.status] = (row.episodes, row.reward)
    return [_batch_view(batch, runs[batch.id], tallies[batch.id]) for batch in batches]


def _batch_view(batch: Batch, runs: Sequence[Run], tallies: Mapping[int, Tally]) -> BatchView:
    num_runs = int(batch.request["experiment"]["num_runs"])
    cells = [
        _cell_view(index, cell, [run for run in runs if run.cell == index], tallies.get(index, {}), num_runs)
        for index, cell in enumerate(batch.cells)
    ]
    active = any(run.status in ACTIVE for run in runs)
    ended = [run.finished_at for run in runs if run.finished_at is not None]
    return BatchView(
        id=batch.id,
        name=batch.name,
        status=_status([cell.status for cell in cells]),
        max_cost_usd=batch.max_cost_usd,
        cost_usd=sum(run.cost_usd for run in runs),
        progress=BatchProgress(
            cells=dict(Counter(cell.status for cell in cells)),
            episodes_done=sum(count for cell in cells for status, count in cell.episodes.items() if status in OVER),
            episodes=num_runs * len(cells),
        ),
        created_at=batch.created_at,
        finished_at=None if active else max(ended, default=None),
        request=batch.request,
        cells=cells,
    )


def _status(cells: Sequence[Status]) -> Status:
    if set(cells) == {"queued"}:
        return "queued"
    if {"queued", "running"} & set(cells):
        return "running"
    return next((status for status in ("failed", "cancelled") if status in cells), "succeeded")


def _cell_view(index: int, cell: Mapping[str, Any], runs: Sequence[Run], tally: Tally, num_runs: int) -> CellView:
    succeeded, reward = tally.get("succeeded", (0, 0.0))
    return CellView(
        cell=index,
        agent=cell["agent"],
        environment=cell["environment"],
        status=_cell_status(runs, complete=succeeded >= num_runs),
        runs=[run.id for run in runs],
        num_runs=num_runs,
        episodes={status: count for status, (count, _) in tally.items()},
        avg_reward=reward / succeeded if succeeded else None,
        steps=sum(run.steps for run in runs),
        cost_usd=sum(run.cost_usd for run in runs),
        error=runs[-1].error if runs else None,
    )


def _cell_status(runs: Sequence[Run], *, complete: bool) -> Status:
    if any(run.status in ACTIVE for run in runs):
        begun = any(run.status != "queued" or run.steps for run in runs)
        return "running" if begun else "queued"
    if complete:
        return "succeeded"
    return "failed" if any(run.status == "failed" for run in runs[-1:]) else "cancelled"
