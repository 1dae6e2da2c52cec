"""The geometry of the report's plots. The templates draw it as SVG; nothing here knows what it looks like."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.artifacts.report import words
from app.artifacts.report.model import ReportedEnvironment

WIDTH = 960
LEFT, RIGHT = 220, 730
"""Where the axis starts and ends; labels stand left of it, figures right."""
TOP, ROW = 34, 52
BAND = 9.0
"""Half the height of the band that the points of a row are spread over."""
LABEL_LENGTH = 28


@dataclass(frozen=True)
class Row:
    """One agent, or one pair: its points above, mean and interval below them."""

    label: str
    short_label: str
    figures: str
    y: float
    points: str
    """An SVG path with one dot for each."""
    mean: float | None
    ends: tuple[float, float] | None


@dataclass(frozen=True)
class Line:
    """A value that all rows are seen against."""

    x: float
    label: str


@dataclass(frozen=True)
class Plot:
    """Dots and intervals on one axis. Lengths are in the units of the SVG's own coordinates."""

    title: str
    description: str
    axis: str
    height: int
    ticks: Sequence[tuple[float, str]]
    rows: Sequence[Row]
    line: Line | None
    width: int = WIDTH
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP

    @property
    def bottom(self) -> int:
        """Where the axis is."""
        return self.top + ROW * len(self.rows)


@dataclass(frozen=True)
class Sample:
    """What one row shows."""

    names: Sequence[str]
    """Of the agent, or of the two whose difference it is."""
    values: Sequence[float]
    mean: float | None
    ends: tuple[float, float] | None


def returns_plot(environment: ReportedEnvironment) -> Plot | None:
    """Each agent's episodes, and their mean with its interval; None where no episode is scored."""
    samples = [
        Sample(
            [cell.agent],
            [episode.total_reward for episode in cell.episodes if episode.status == "succeeded"],
            cell.statistics.avg_reward,
            cell.statistics.bootstrap_ci95,
        )
        for cell in environment.cells
    ]
    threshold = environment.reward_threshold
    return _plot(
        f"Reward per episode in {environment.name}",
        samples,
        axis="reward of an episode",
        at=None if threshold is None else (threshold, f"threshold {words.number(threshold, 0)}"),
    )


def differences_plot(environment: ReportedEnvironment) -> Plot | None:
    """Each pair of agents: the differences by seed, and their mean with its interval; None where there are none."""
    samples = [
        Sample(
            [found.first, found.second],
            [pair.difference for pair in found.differences],
            found.mean_difference,
            found.bootstrap_ci95,
        )
        for found in environment.comparisons
    ]
    return _plot(
        f"Paired differences in {environment.name}",
        samples,
        axis="difference for the same seed",
        at=(0.0, "no difference"),
    )


def _plot(title: str, samples: Sequence[Sample], *, axis: str, at: tuple[float, str] | None) -> Plot | None:
    values = [value for sample in samples for value in sample.values]
    if not values:
        return None
    if at is not None:
        values.append(at[0])
    steps = ticks(min(values), max(values))
    low, high = steps[0], steps[-1]

    def x(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - low) / (high - low), 1)

    digits = max(0, -math.floor(math.log10(steps[1] - steps[0])))
    rows = [_row(sample, TOP + ROW * (index + 0.5), x, digits + 1) for index, sample in enumerate(samples)]
    told = "; ".join(f"{row.label}: {row.figures}" for row in rows)
    return Plot(
        title=title,
        description=f"Mean and 95 % confidence interval. {told}." + (f" Line: {at[1]}." if at else ""),
        axis=axis,
        height=TOP + ROW * len(rows) + 44,
        ticks=[(x(step), words.number(step, digits)) for step in steps],
        rows=rows,
        line=None if at is None else Line(x(at[0]), at[1]),
    )


def _row(sample: Sample, y: float, x: Callable[[float], float], digits: int) -> Row:
    # A golden-ratio sequence spreads any number of points evenly, the same way each time.
    spread = [BAND * (2 * (index * 0.618034 % 1) - 1) for index in range(len(sample.values))]
    dots = [f"M{x(value):g} {y - 10 + offset:.1f}h0" for value, offset in zip(sample.values, spread, strict=True)]
    figures = words.number(sample.mean, digits)
    if sample.ends:
        figures += f" {words.interval(sample.ends, digits)}"
    return Row(
        label=" − ".join(sample.names),
        short_label=" − ".join(shortened(name, LABEL_LENGTH // len(sample.names) - 1) for name in sample.names),
        figures=figures,
        y=y,
        points="".join(dots),
        mean=None if sample.mean is None else x(sample.mean),
        ends=None if sample.ends is None else (x(sample.ends[0]), x(sample.ends[1])),
    )


def shortened(name: str, length: int) -> str:
    """A name that fits beside the axis."""
    return name if len(name) <= length else name[: length - 1] + "…"


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers from at most `low` to at least `high`, 1, 2 or 5 times a power of ten apart."""
    span = high - low or max(abs(low), 1.0)
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, max(last, first + 1) + 1)]
