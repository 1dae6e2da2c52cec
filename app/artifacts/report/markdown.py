"""The report as Markdown."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from app.artifacts.report import words
from app.artifacts.report.model import BatchReport, ReportedCell, ReportedEnvironment, ReportedFailure

_ADDRESS = "/:?=&%@+,;~#.-_"
"""What may stand in the address of a picture as it is; brackets and spaces would end it."""
_SPECIAL = re.compile(r"([\\`*_\[\]<>&|#~!$])")


def report_markdown(report: BatchReport) -> str:
    """The report: the table of results, then who is better, then what failed, then how the figures came about."""
    parts = [f"# {_plain(report.title)}"]
    if not report.complete:
        parts.append("Not complete: some runs are not over.")
    cells = list(report.cells())
    parts += ["## Results", _table(*_results(cells)), "## Details", _table(*_details(cells))]
    if any(environment.comparisons for environment in report.environments):
        parts += ["## Paired differences", _table(*_comparisons(report.environments))]
    if report.failures:
        parts += ["## Failures", _table(*_failures(report.failures))]
    parts += ["## Method", "\n".join(f"- {_plain(sentence)}" for sentence in report.method)]
    return "\n\n".join(parts) + "\n"


Rows = tuple[Sequence[str], Iterable[Sequence[str]]]
Cells = Sequence[tuple[ReportedEnvironment, ReportedCell]]


def _results(cells: Cells) -> Rows:
    head = ("Environment", "Agent", "Avg. reward", "95 % CI", "Success", "Avg. steps", "Invalid", "Cost", "GIF")
    return head, (
        (
            _plain(environment.name),
            _plain(cell.agent),
            words.number(found.avg_reward),
            words.interval(found.bootstrap_ci95),
            words.percent(found.success_rate),
            words.number(found.avg_steps, 1),
            words.percent(found.invalid_action_rate),
            _plain(words.cost(found.cost_usd)),
            _picture(environment, cell),
        )
        for environment, cell in cells
        for found in (cell.statistics,)
    )


def _details(cells: Cells) -> Rows:
    head = (
        *("Environment", "Agent", "Scored", "Not scored", "Std. error", "t 95 % CI", "IQM", "IQM 95 % CI"),
        *("Success 95 % CI", "Progress", "Fallback", "Prompt tokens", "cached", "Completion tokens", "Latency"),
    )
    return head, (
        (
            _plain(environment.name),
            _plain(cell.agent),
            str(found.n),
            words.unscored(found.episodes) or "0",
            words.number(found.standard_error),
            words.interval(found.t_ci95),
            words.number(found.iqm),
            words.interval(found.iqm_ci95),
            words.percent_interval(found.success_ci95),
            words.number(found.progress),
            words.percent(found.fallback_rate),
            f"{found.prompt_tokens:,}",
            f"{found.cached_tokens:,}",
            f"{found.completion_tokens:,}",
            words.NOTHING if found.mean_latency_ms is None else f"{words.number(found.mean_latency_ms, 1)} ms",
        )
        for environment, cell in cells
        for found in (cell.statistics,)
    )


def _comparisons(environments: Sequence[ReportedEnvironment]) -> Rows:
    head = (
        *("Environment", "First", "Second", "Pairs", "Unpaired", "Mean difference", "95 % CI", "t 95 % CI"),
        *("p", "p (Holm)", "Test"),
    )
    return head, (
        (
            _plain(environment.name),
            _plain(found.first),
            _plain(found.second),
            str(found.pairs),
            f"{found.unpaired_first} + {found.unpaired_second}",
            words.number(found.mean_difference),
            words.interval(found.bootstrap_ci95),
            words.interval(found.t_ci95),
            words.p_value(found.p_value),
            words.p_value(found.p_adjusted),
            words.kind_of_test(found),
        )
        for environment in environments
        for found in environment.comparisons
    )


def _failures(failures: Sequence[ReportedFailure]) -> Rows:
    head = ("Environment", "Agent", "Run", "Episode", "Seed", "Error", "Message")
    return head, (
        (
            _plain(failure.environment),
            _plain(failure.agent),
            str(failure.run_id),
            words.NOTHING if failure.episode is None else str(failure.episode),
            words.NOTHING if failure.seed is None else str(failure.seed),
            _plain(failure.error.code),
            _plain(failure.error.message),
        )
        for failure in failures
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _picture(environment: ReportedEnvironment, cell: ReportedCell) -> str:
    if cell.typical is None or cell.typical.gif is None:
        return words.NOTHING
    alt = _plain(f"{cell.agent} in {environment.name}, seed {cell.typical.seed}")
    return f"![{alt}]({quote(cell.typical.gif, safe=_ADDRESS)})"


def _plain(text: str) -> str:
    """Text that came from a model or a plugin, as one line in which nothing is Markdown or HTML."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return _SPECIAL.sub(r"\\\1", " ".join(printable.split()))
