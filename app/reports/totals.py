"""What an episode took: exact sums, of any number of steps."""

import math
from array import array
from collections import Counter
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from app.db import Database
from app.runs.figures import decision_figures
from app.runs.schemas import EpisodeView, LessonsView
from gym_llm.statistics import EpisodeTotals

PAGE = 1000
COUNTED = ("attempts", "prompt_tokens", "cached_tokens", "completion_tokens")


async def episode_totals(database: Database, run_id: UUID, episode: EpisodeView) -> EpisodeTotals:
    """The totals of the steps that an episode has had so far, which are read in pages: one page is in memory, and two
    numbers a decision."""
    tally = _Tally()
    after, more = 0, episode.num_steps > 0
    while more:
        async with database.reading() as session:
            page = await decision_figures(
                session, run_id, episode.episode, after=after, up_to=episode.num_steps, limit=PAGE
            )
        for decision in page:
            tally.add(decision)
            after = decision.step
        more = len(page) == PAGE
    if episode.lessons is not None:
        tally.add_lessons(episode.lessons)
    return tally.totals()


class _Tally:
    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        # Kept to the end: a sum that is rounded once only does not depend on the order.
        self._costs = array("d")
        self._latencies = array("d")

    def add(self, decision: Row[*tuple[Any, ...]]) -> None:
        self._counts[decision.outcome] += 1
        self._latencies.append(decision.latency_ms)
        self._pay(decision)

    def add_lessons(self, lessons: LessonsView) -> None:
        self._counts["lessons"] += 1
        self._pay(lessons)

    def _pay(self, asked: Row[*tuple[Any, ...]] | LessonsView) -> None:
        for name in COUNTED:
            self._counts[name] += getattr(asked, name)
        if asked.cost_usd is not None:
            self._costs.append(asked.cost_usd)

    def totals(self) -> EpisodeTotals:
        return EpisodeTotals(
            decisions=len(self._latencies),
            repaired=self._counts["repaired"],
            fallback=self._counts["fallback"],
            lessons=self._counts["lessons"],
            **{name: self._counts[name] for name in COUNTED},
            priced=len(self._costs),
            cost_usd=math.fsum(self._costs) if self._costs else None,
            latency_ms=math.fsum(self._latencies),
            max_latency_ms=max(self._latencies, default=None),
        )
