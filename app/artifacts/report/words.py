"""Figures as a reader sees them."""

import math
from collections.abc import Mapping

from gym_llm.statistics import PairedComparison, Status

NOTHING = "–"


def number(value: float | None, digits: int = 2) -> str:
    """With so many decimals; more of a value that these would show as nothing."""
    if value is None:
        return NOTHING
    small = value and abs(value) < 0.5 * 10**-digits
    return (f"{value:.1g}" if small else f"{value or 0.0:,.{digits}f}").replace("-", "−")


def interval(ends: tuple[float, float] | None, digits: int = 2) -> str:
    """Lower and upper end."""
    return f"[{number(ends[0], digits)}, {number(ends[1], digits)}]" if ends else NOTHING


def percent(rate: float | None) -> str:
    """A share, to a tenth of a percent."""
    return NOTHING if rate is None else f"{100 * rate:.1f} %"


def percent_interval(ends: tuple[float, float] | None) -> str:
    """An interval of a share."""
    return f"[{100 * ends[0]:.1f}, {100 * ends[1]:.1f}] %" if ends else NOTHING


def cost(usd: float | None) -> str:
    """US dollars; what is not known is said to be so."""
    if usd is None:
        return "unknown"
    digits = 2 if usd == 0 or usd >= 1 else min(8, 1 - math.floor(math.log10(usd)))
    return f"${usd:,.{digits}f}"


def p_value(value: float | None) -> str:
    """A p-value; none is shown as 0."""
    if value is None:
        return NOTHING
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"


def kind_of_test(comparison: PairedComparison) -> str:
    """How the p-value was found."""
    return {None: NOTHING, True: "exact", False: "sampled"}[comparison.p_exact]


def unscored(episodes: Mapping[Status, int]) -> str:
    """The episodes that are not in the averages, such as `2 failed, 1 running`."""
    return ", ".join(f"{count} {status}" for status, count in episodes.items() if status != "succeeded")
