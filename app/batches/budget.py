"""What all runs of a batch may cost together."""

from uuid import UUID

from app.batches import repository
from app.db import Database
from gym_llm.errors import BudgetExceededError


class BatchBudget:
    """Looks at what the runs of a batch have cost, wherever they are played."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, batch_id: UUID) -> None:
        """Whether the batch may spend more.

        Raises:
            BudgetExceededError: it may not.
        """
        async with self._database.reading() as session:
            limit, spent = await repository.budget(session, batch_id)
        if limit is not None and spent >= limit:
            raise BudgetExceededError(f"max_cost_usd of the batch is {limit:g}, and {spent:.6g} are spent")
