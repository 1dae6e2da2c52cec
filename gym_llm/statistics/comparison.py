"""Agents against each other, on the same seeds."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from gym_llm.statistics.episodes import EpisodeResult, scored
from gym_llm.statistics.intervals import (
    RESAMPLES,
    SEED,
    Interval,
    batch,
    bootstrap_interval,
    differ,
    mean,
    t_interval,
)


class PairedDifference(BaseModel):
    """What two agents got for the same seed."""

    model_config = ConfigDict(frozen=True)

    seed: int
    first: float
    second: float

    @property
    def difference(self) -> float:
        """Positive where the first agent got more."""
        return self.first - self.second


class PairedComparison(BaseModel):
    """Two agents in one environment, seed by seed. A difference is that of the first agent minus the second.

    Only a seed on which both have a scored episode is a pair. Intervals are of 95 %, and null below two pairs and where
    all differences are equal.
    """

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    pairs: int
    unpaired_first: int = Field(description="Seeds on which only the first agent has a scored episode.")
    unpaired_second: int = Field(description="Seeds on which only the second agent has one.")
    mean_difference: float | None
    bootstrap_ci95: Interval | None = Field(description="Of mean_difference, by bootstrap (percentile).")
    t_ci95: Interval | None = Field(description="Of mean_difference, by Student's t, for comparison.")
    p_value: float | None = Field(
        description="Two-sided, of the permutation test that flips the signs of the differences; null below two pairs."
    )
    p_exact: bool | None = Field(description="Whether all flips were tried, or a seeded sample of them.")
    p_adjusted: float | None = Field(
        description="p_value after Holm's correction for the number of comparisons in this environment."
    )
    differences: list[PairedDifference]


def compare_agents(agents: Mapping[str, Sequence[EpisodeResult]]) -> list[PairedComparison]:
    """Every agent against every other one in the same environment, with p-values adjusted for their number.

    Args:
        agents: the episodes of each, by its name. Where an agent has played a seed more than once, the mean of these
            episodes counts.
    """
    found = [compare_pairwise(*one, *other) for one, other in combinations(agents.items(), 2)]
    adjusted = holm([comparison.p_value for comparison in found])
    pairs = zip(found, adjusted, strict=True)
    return [comparison.model_copy(update={"p_adjusted": p_value}) for comparison, p_value in pairs]


def compare_pairwise(
    first: str, first_episodes: Sequence[EpisodeResult], second: str, second_episodes: Sequence[EpisodeResult]
) -> PairedComparison:
    """One agent against another in the same environment; the p-value is the only one, so not adjusted."""
    ours, theirs = _by_seed(first_episodes), _by_seed(second_episodes)
    seeds = sorted(ours.keys() & theirs.keys())
    pairs = [PairedDifference(seed=seed, first=ours[seed], second=theirs[seed]) for seed in seeds]
    differences = [pair.difference for pair in pairs]
    p_value = permutation_p_value(differences)
    return PairedComparison(
        first=first,
        second=second,
        pairs=len(pairs),
        unpaired_first=len(ours) - len(pairs),
        unpaired_second=len(theirs) - len(pairs),
        mean_difference=mean(differences),
        bootstrap_ci95=bootstrap_interval(differences),
        t_ci95=t_interval(differences) if differ(differences) else None,
        p_value=p_value,
        p_exact=None if p_value is None else _exact(len(pairs)),
        p_adjusted=p_value,
        differences=pairs,
    )


def permutation_p_value(differences: Sequence[float]) -> float | None:
    """How often differences at least as far from 0 would come about if neither agent were better.

    Two-sided: were the agents alike, each difference would be as likely with the other sign. All flips are tried for up
    to 13 differences, else a seeded sample of them; with n differences no p-value is below 2 / 2^n. None below two.
    """
    from scipy import stats  # As slow to import as `intervals` says.

    if len(differences) < 2:
        return None
    found = stats.permutation_test(
        (np.sort(np.asarray(differences, dtype=float)),),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=batch(len(differences)),
        rng=np.random.default_rng(SEED),
    )
    return float(found.pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p-values of one family, adjusted with Holm's step-down method (Holm 1979); what is None stays None."""
    known = sorted((p_value, at) for at, p_value in enumerate(p_values) if p_value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p_value, at) in enumerate(known):
        largest = max(largest, min(1.0, p_value * (len(known) - rank)))
        adjusted[at] = largest
    return adjusted


def _exact(pairs: int) -> bool:
    # scipy tries all flips where there are no more of them than resamples are asked for.
    return bool(2**pairs <= RESAMPLES)


def _by_seed(episodes: Sequence[EpisodeResult]) -> dict[int, float]:
    rewards: dict[int, list[float]] = {}
    for episode in scored(episodes):
        rewards.setdefault(episode.seed, []).append(episode.total_reward)
    return {seed: average for seed, of_seed in rewards.items() if (average := mean(of_seed)) is not None}
