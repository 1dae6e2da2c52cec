"""What the episodes of an agent say about it, and how sure that is."""

from gym_llm.statistics.cell import CellStatistics, cell_statistics
from gym_llm.statistics.comparison import (
    PairedComparison,
    PairedDifference,
    compare_agents,
    compare_pairwise,
    holm,
    permutation_p_value,
)
from gym_llm.statistics.episodes import EpisodeResult, EpisodeTotals, Status, add_up, scored
from gym_llm.statistics.intervals import (
    bootstrap_interval,
    interquartile_mean,
    mean,
    standard_error,
    t_interval,
    wilson_interval,
)

__all__ = [
    "CellStatistics",
    "EpisodeResult",
    "EpisodeTotals",
    "PairedComparison",
    "PairedDifference",
    "Status",
    "add_up",
    "bootstrap_interval",
    "cell_statistics",
    "compare_agents",
    "compare_pairwise",
    "holm",
    "interquartile_mean",
    "mean",
    "permutation_p_value",
    "scored",
    "standard_error",
    "t_interval",
    "wilson_interval",
]
