"""What all runs of a batch may cost together."""

from app.batches import repository
from app.db import Database
from app.runs.models import Run
from gym_llm.errors import BudgetExceededError


class BatchBudget:
    """Looks at what the runs of a batch have cost, wherever they are played."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, run: Run, cost_usd: float) -> None:
        """Whether the batch of a run may spend more.

        Args:
            run: one of the batch.
            cost_usd: what it has cost, which may not be stored yet.

        Raises:
            BudgetExceededError: it may not.
        """
        if run.batch_id is None:
            return
        async with self._database.reading() as session:
            limit, others = await repository.budget(session, run.batch_id, run.id)
        spent = others + cost_usd
        if limit is not None and spent >= limit:
            raise BudgetExceededError(f"max_cost_usd of the batch is {limit:g}, and {spent:.6g} are spent")
