"""What a run may cost: all of its episodes draw on one budget."""

from gym_llm.backends.base import Usage
from gym_llm.config import ExperimentConfig
from gym_llm.episode import Step
from gym_llm.errors import BudgetExceededError


class Budget:
    """Counts what the decisions of a run have cost, and ends it once `max_cost_usd` or `max_total_tokens` is reached.

    Args:
        settings: hold the limits.
        tokens: prompt and completion tokens that the run has spent before, in US dollars likewise.
        cost_usd: see `tokens`.
    """

    def __init__(self, settings: ExperimentConfig, *, tokens: int = 0, cost_usd: float = 0.0) -> None:
        self._max_tokens = settings.max_total_tokens
        self._max_cost = settings.max_cost_usd
        self.tokens = tokens
        self.cost_usd = cost_usd
        self._unpriced = False

    def check(self) -> None:
        """Whether another question may be asked.

        Raises:
            BudgetExceededError: it may not, as a limit is reached, or as there is a `max_cost_usd` and the cost of a
                decision is not known: unknown is not 0.
        """
        if self._max_cost is not None and self._unpriced:
            raise BudgetExceededError(
                "max_cost_usd cannot be held: the price of this model is not known (max_total_tokens can be)"
            )
        if self._max_tokens is not None and self.tokens >= self._max_tokens:
            raise BudgetExceededError(f"max_total_tokens is {self._max_tokens}, and {self.tokens} are used")
        if self._max_cost is not None and self.cost_usd >= self._max_cost:
            raise BudgetExceededError(f"max_cost_usd is {self._max_cost:g}, and {self.cost_usd:.6g} are spent")

    def count(self, step: Step) -> None:
        """Take in a step that has been recorded; one that is only replayed was paid for before.

        Raises:
            BudgetExceededError: as `check` does. An episode that ends with this step is left alone.
        """
        decision = step.decision
        if not step.replayed and decision.decided:
            self._add(decision.usage, decision.cost_usd)
        if step.lessons is not None and step.lessons.attempts:
            self._add(step.lessons.usage, step.lessons.cost_usd)
        if not step.last:
            self.check()

    def _add(self, usage: Usage, cost_usd: float | None) -> None:
        self.tokens += usage.prompt + usage.completion
        self.cost_usd += cost_usd or 0.0
        self._unpriced = self._unpriced or cost_usd is None
