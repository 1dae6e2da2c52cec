"""The report as a page."""

import re
from html.parser import HTMLParser

import pytest

from app.artifacts.report import words
from app.artifacts.report.build import batch_report
from app.artifacts.report.html import CONTENT_SECURITY_POLICY, report_html, typical_gifs
from app.artifacts.report.plots import LEFT, RIGHT, differences_plot, returns_plot, ticks
from tests.app.artifacts.report.runs_reported import GIF, HEURISTIC, NOW, RANDOM, lander_batch, llm, run

NASTY = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{ 7*7 }}"


class Elements(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_page_has_no_script_no_handler_and_no_style_attribute():
    elements = Elements(report_html(lander_batch())).found
    assert {tag for tag, _ in elements} & {"script", "link", "iframe", "object", "form"} == set()
    names = {name for _, attributes in elements for name in attributes}
    assert {name for name in names if name.startswith("on")} | names & {"style", "srcdoc"} == set()
    assert "script-src" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_text_of_others_stays_text():
    failed = {"status": "failed", "error": {"code": "llm_error", "message": NASTY}}
    nasty = run(1, llm(NASTY), [1.0, 2.0], environment={"name": NASTY}, **failed)
    other = run(2, RANDOM, [3.0, 5.0], environment={"name": NASTY}, agent_name=NASTY)
    page = report_html(batch_report([nasty, other], title=NASTY, created_at=NOW, configuration={NASTY: NASTY}))
    elements = Elements(page).found
    assert not {"script"} & {tag for tag, _ in elements}
    assert all("onerror" not in attributes for _, attributes in elements)
    assert "{{ 7*7 }}" in page


def test_gifs_are_in_the_page_or_linked():
    made = lander_batch()
    wanted = typical_gifs(made)
    assert len(wanted) == 7
    pictures = [each["src"] for tag, each in Elements(report_html(made, {wanted[0]: GIF})).found if tag == "img"]
    assert pictures[0] == "data:image/gif;base64,R0lGODlhAQABAIAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="
    assert pictures[1:] == wanted[1:]


def test_plots_have_a_title_and_a_description():
    elements = Elements(report_html(lander_batch())).found
    ids = {attributes["id"] for _, attributes in elements if "id" in attributes}
    plots = [attributes for tag, attributes in elements if tag == "svg"]
    assert len(plots) == 4
    for plot in plots:
        assert plot["role"] == "img"
        assert {*(plot["aria-labelledby"] or "").split()} <= ids
    assert len(ids) == len([1 for _, attributes in elements if "id" in attributes])


def test_a_plot_shows_each_episode_mean_and_interval_at_its_place():
    made = batch_report([run(1, RANDOM, [0.0, 100.0]), run(2, HEURISTIC, [500.0, 500.0])], title="T", created_at=NOW)
    plot = returns_plot(made.environments[0])
    assert plot is not None
    assert (plot.ticks[0], plot.ticks[-1]) == ((LEFT, "0"), (RIGHT, "500"))
    random, heuristic = plot.rows
    assert random.points.count("M") == 2
    assert random.mean == pytest.approx(LEFT + (RIGHT - LEFT) * 0.1, abs=0.1)
    assert random.ends == pytest.approx((LEFT, LEFT + (RIGHT - LEFT) * 0.2), abs=0.1)
    assert (heuristic.mean, heuristic.ends) == (RIGHT, None)
    assert plot.line is not None
    assert plot.line.x == pytest.approx(LEFT + (RIGHT - LEFT) * 0.4, abs=0.1)
    assert "random: 50.0 [0.0, 100.0]" in plot.description
    paired = differences_plot(made.environments[0])
    assert paired is not None
    assert [row.label for row in paired.rows] == ["random − heuristic"]


def test_where_nothing_is_scored_there_is_no_plot():
    made = batch_report([run(1, RANDOM, [None]), run(2, HEURISTIC, [])], title="T", created_at=NOW)
    assert returns_plot(made.environments[0]) is None
    assert differences_plot(made.environments[0]) is None
    assert "<svg" not in report_html(made)
    assert "T" in report_html(batch_report([], title="T", created_at=NOW))


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-208.3, 264.7), (500, 500), (0, 0), (0.001, 0.0013), (-1e6, 1e6), (1e9, 1e9 + 1)]
)
def test_ticks_hold_the_values_between_them(low: float, high: float):
    found = ticks(low, high)
    assert found[0] <= low + 1e-6 * abs(low)
    assert found[-1] >= high - 1e-6 * abs(high)
    assert 2 <= len(found) <= 9
    assert len(set(found)) == len(found)


def test_labels_do_not_leave_their_place():
    long = batch_report([run(1, llm("m" * 100), [1.0, 2.0]), run(2, RANDOM, [3.0, 5.0])], title="T", created_at=NOW)
    for plot in (returns_plot(long.environments[0]), differences_plot(long.environments[0])):
        assert plot is not None
        assert all(len(row.short_label) <= 30 for row in plot.rows)
        assert any("m" * 100 in row.label for row in plot.rows)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.0, "0.00"), (-0.0, "0.00"), (-1234.5, "−1,234.50"), (0.0004, "0.0004"), (-0.001, "−0.001")],
)
def test_numbers_are_readable(value: float | None, shown: str):
    assert words.number(value) == shown


@pytest.mark.parametrize(
    ("usd", "shown"), [(None, "unknown"), (0.0, "$0.00"), (0.000123, "$0.00012"), (12.5, "$12.50")]
)
def test_costs_are_readable_and_an_unknown_one_is_not_nothing(usd: float | None, shown: str):
    assert words.cost(usd) == shown


def test_the_page_is_whole():
    page = report_html(lander_batch())
    assert page.startswith("<!doctype html>")
    assert re.findall(r"None|Undefined|nan", re.sub(r"data:[^\"]+", "", page)) == []
